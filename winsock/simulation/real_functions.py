"""The functions of the standard library that a simulated program must not call: clocks, random numbers, threads.

`replace` puts a checking function in the place of each one, in its module or class, and `restore` puts the original
back. A checking function that a program has imported by name and keeps after `restore` calls the original.

datetime.now cannot be replaced by assignment, because its class is not written in Python. It is replaced in the
dictionary of the class. A subclass in the place of the class would not do: modules that have imported the class earlier
would keep the original.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import logging
import os
import random
import secrets
import select
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime
from functools import partial, update_wrapper, wraps
from types import ModuleType
from typing import Any

from .callers import calling_process, refuse
from .real_events import PROCESS, SOCKET, THREAD, certificate_file, paths_in_an_open_folder
from .real_winsock import checked_calls

__all__ = ["name_of_real_function", "replace", "restore"]

_CLOCK = "the machine's clock; use the clock of the process: process.monotonic() or process.utc_ns()"
_SLEEP = "a wait in real time; wait in a call of winsock with a time-out, or by process.sleep()"
_RANDOM = "random numbers that differ in each run; use those of the process: process.random"
_WAIT = "a wait for another thread, and no other thread of the simulation runs meanwhile; wait in a call of winsock"
_CERTIFICATES = "the certificates of the machine; load a file below the host's disk, or pin the certificate"

# fmt: off
_FUNCTIONS: list[tuple[ModuleType, str, tuple[str, ...]]] = [
    (time, _CLOCK, (
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
        "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns",
    )),
    (os, _CLOCK, ("times",)),
    (signal, _CLOCK, ("alarm", "setitimer")),
    (time, _SLEEP, ("sleep",)),
    (signal, _SLEEP, ("pause", "sigwait", "sigtimedwait")),
    (select, _SLEEP, ("select", "poll")),
    (os, _RANDOM, ("urandom", "getrandom")),
    (random, _RANDOM, ("_urandom",)),
    (tempfile, _RANDOM, ("_get_candidate_names",)),
    (ssl, _RANDOM, ("RAND_bytes",)),
    (uuid, _RANDOM, ("uuid1", "uuid4", "getnode")),
    (secrets, _RANDOM, ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice")),
    (socket, SOCKET, ("socketpair",)),
    (_thread, THREAD, ("start_new_thread", "start_new", "start_joinable_thread")),
    (threading, THREAD, ("_start_new_thread", "_start_joinable_thread")),
]
# fmt: on
# With fewer arguments than this, they use the clock.
_ARGUMENTS = {"gmtime": 1, "localtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}
# What a program calls, where it is not the replaced function.
_PUBLIC_NAMES = {
    "random._urandom": "random.SystemRandom",
    "tempfile._get_candidate_names": "tempfile",
    "threading._start_new_thread": "threading.Thread.start",
    "threading._start_joinable_thread": "threading.Thread.start",
    "_posixsubprocess.fork_exec": "multiprocessing.Process.start",
}

_undo: list[Callable[[], None]] = []
# The originals by their id, with their names.
_originals: dict[int, tuple[object, str]] = {}


class _Checked:
    """Checks a call and makes it. Not a function, which would be a method where a class has it as an attribute."""

    def __init__(self, original: Callable[..., Any], name: str, problem: str, arguments: int) -> None:
        update_wrapper(self, original)
        self._original, self._name, self._problem, self._arguments = original, name, problem, arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) < self._arguments:
            refuse(f"{self._name}()", self._problem)
        return self._original(*args, **kwargs)


class _TimeForLogging:
    """The module time for logging: a record that a simulated program logs has the time of its host."""

    def __init__(self) -> None:
        self._time_ns = time.time_ns

    def time_ns(self) -> int:
        process = calling_process()
        return self._time_ns() if process is None else process.utc_ns()

    def time(self) -> float:
        return self.time_ns() / 1e9

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def replace() -> None:
    """Replace all functions until restore() is called."""
    _set(logging, "time", _TimeForLogging())
    for module, problem, names in _FUNCTIONS:
        for name in names:
            _check_function(module, name, problem)
    for name in random.__all__:
        if isinstance(getattr(getattr(random, name), "__self__", None), random.Random):
            _check_function(random, name, _RANDOM)
    for name, arguments in _ARGUMENTS.items():
        _check_function(time, name, _CLOCK, arguments)
    if sys.platform != "win32":
        import _posixsubprocess

        # multiprocessing starts processes with it; Python reports it to no audit hook.
        _check_function(_posixsubprocess, "fork_exec", PROCESS)
    _set(random.Random, "seed", _seed(random.Random.seed))
    _set(threading.Condition, "wait", _checked_method(threading.Condition.wait, "threading.Condition.wait()", _WAIT))
    _set(os, "open", _open(os.open))
    _replace_in_context()
    for owner, name, checked in checked_calls():
        _set(owner, name, checked)
    _set_in_class(datetime, "now")
    _set_in_class(datetime, "utcnow")
    _set_in_class(date, "today")


def restore() -> None:
    """Undo replace()."""
    while _undo:
        _undo.pop()()
    _originals.clear()


def name_of_real_function(value: object) -> str:
    """The name of a function that is replaced, such as time.monotonic, if the value is the original; otherwise ""."""
    original, name = _originals.get(id(value), (None, ""))
    return name if original is value else ""


def _check_function(module: ModuleType, name: str, problem: str, arguments: int = sys.maxsize) -> None:
    original = getattr(module, name, None)
    if original is not None:  # not every system and version of Python has each function
        label = f"{module.__name__}.{name}"
        label = _PUBLIC_NAMES.get(label, label)
        _originals[id(original)] = original, label
        _set(module, name, _Checked(original, label, problem, arguments))


def _set(owner: Any, name: str, by: object) -> None:
    inherited = name not in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, by)
    _undo.append(partial(delattr, owner, name) if inherited else partial(setattr, owner, name, original))


def _checked_method(original: Callable[..., Any], name: str, problem: str) -> Callable[..., Any]:
    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(name, problem)
        return original(self, *args, **kwargs)

    return method


def _seed(original: Callable[..., Any]) -> Callable[..., Any]:
    """random.Random.seed, which takes a random number of the system if it gets none."""

    @wraps(original)
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and not isinstance(self, random.SystemRandom):
            refuse("random.Random() without a seed", _RANDOM)
        original(self, a, version)

    return seed


def _open(original: Callable[..., int]) -> Callable[..., int]:
    """os.open, whose audit event does not contain `dir_fd`."""

    @wraps(original)
    def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is None:
            return original(path, flags, mode)
        with paths_in_an_open_folder():
            return original(path, flags, mode, dir_fd=dir_fd)

    return open


def _replace_in_context() -> None:
    """The methods of SSLContext that read files: OpenSSL opens them, without an audit event."""
    context = ssl.SSLContext
    load_chain, load_verified = context.load_cert_chain, context.load_verify_locations

    @wraps(load_chain)
    def load_cert_chain(self: ssl.SSLContext, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        certificate_file("ssl.SSLContext.load_cert_chain()", certfile, keyfile)
        load_chain(self, certfile, keyfile, password)

    @wraps(load_verified)
    def load_verify_locations(self: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        certificate_file("ssl.SSLContext.load_verify_locations()", cafile, capath)
        load_verified(self, cafile, capath, cadata)

    _set(context, "load_cert_chain", load_cert_chain)
    _set(context, "load_verify_locations", load_verify_locations)
    name = "ssl.SSLContext.load_default_certs()"
    _set(context, "load_default_certs", _checked_method(context.load_default_certs, name, _CERTIFICATES))


def _set_in_class(owner: type, name: str) -> None:
    """Replace a class method of a class that is not written in Python."""
    original = vars(owner)[name]

    def method(cls: type, *args: Any, **kwargs: Any) -> Any:
        refuse(f"{owner.__name__}.{name}()", _CLOCK)
        return original.__get__(None, cls)(*args, **kwargs)

    update_wrapper(method, original)
    _set_class_attribute(owner, name, classmethod(method))
    _undo.append(partial(_set_class_attribute, owner, name, original))


def _set_class_attribute(owner: type, name: str, value: object) -> None:
    # vars() of a class is a read-only view, which refers to the dictionary itself.
    (attributes,) = (each for each in gc.get_referents(vars(owner)) if isinstance(each, dict))
    attributes[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
