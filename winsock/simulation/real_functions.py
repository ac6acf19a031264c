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
import faulthandler
import gc
import importlib
import logging
import os
import platform
import queue
import random
import sched
import secrets
import select
import selectors
import signal
import socket
import sqlite3
import ssl
import sys
import tempfile
import threading
import time
import timeit
import uuid
from collections.abc import Callable
from datetime import date, datetime
from functools import partial, update_wrapper, wraps
from multiprocessing import shared_memory
from types import ModuleType
from typing import Any

from .callers import calling_process, refuse
from .real_events import PROCESS, SOCKET, THREAD, authorize_sqlite, check_files, paths_in_an_open_folder
from .real_winsock import checked_calls

__all__ = ["name_of_real_function", "replace", "restore"]

_CLOCK = "the machine's clock; use the clock of the process: process.monotonic() or process.utc_ns()"
_SLEEP = "a wait in real time; wait in a call of winsock with a time-out, or by process.sleep()"
_RANDOM = "random numbers that differ in each run; use those of the process: process.random"
_WAIT = "a wait for another thread, and no other thread of the simulation runs meanwhile; wait in a call of winsock"
_MACHINE = "a measurement of the machine, which differs in each run; a simulated program takes no time"
_MEMORY = "shared memory of the machine; use a file below the host's disk, host.disk"
_NAME = "the name of the machine; use winsock.gethostname()"
_CERTIFICATES = "the certificates of the machine; load a file below the host's disk, or pin the certificate"

# posix or nt, from which os has its functions.
_SYSTEM = importlib.import_module(os.name)

# fmt: off
_FUNCTIONS: list[tuple[ModuleType, str, tuple[str, ...]]] = [
    (timeit, _CLOCK, ("default_timer", "timeit", "repeat")),
    (time, _CLOCK, (
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
        "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns", "clock_settime",
        "clock_settime_ns",
    )),
    (os, _CLOCK, ("times",)),
    (signal, _CLOCK, ("alarm", "setitimer")),
    (time, _SLEEP, ("sleep",)),
    (signal, _SLEEP, ("pause", "sigwait", "sigwaitinfo", "sigtimedwait")),
    (select, _SLEEP, ("select", "poll")),
    (os, _MACHINE, ("getloadavg",)),
    (platform, _NAME, ("node",)),
    (os, _RANDOM, ("urandom", "getrandom")),
    (_SYSTEM, _RANDOM, ("urandom", "getrandom")),
    (random, _RANDOM, ("_urandom",)),
    (tempfile, _RANDOM, ("_get_candidate_names",)),
    (ssl, _RANDOM, ("RAND_bytes", "RAND_pseudo_bytes")),
    (ssl, _CERTIFICATES, ("enum_certificates", "enum_crls")),
    (uuid, _RANDOM, ("uuid1", "uuid4", "getnode")),
    (secrets, _RANDOM, ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice")),
    (socket, SOCKET, ("socketpair", "if_nameindex", "if_nametoindex", "if_indextoname", "getprotobyname")),
    (faulthandler, THREAD, ("dump_traceback_later",)),
    (_thread, THREAD, ("start_new_thread", "start_new", "start_joinable_thread")),
    (threading, THREAD, ("_start_new_thread", "_start_joinable_thread")),
]
# fmt: on
# With fewer arguments than this, or None as the last of them, they use the clock.
_ARGUMENTS = {"gmtime": 1, "localtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}
# What a program calls, where it is not the replaced function.
_PUBLIC_NAMES = {
    "random._urandom": "random.SystemRandom",
    "tempfile._get_candidate_names": "tempfile",
    "threading._start_new_thread": "threading.Thread.start",
    "threading._start_joinable_thread": "threading.Thread.start",
    "_posixsubprocess.fork_exec": "multiprocessing.Process.start",
}

# The classes that wait themselves, of those that the system has.
_SELECTORS = [
    owner
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector", "DevpollSelector")
    for owner in getattr(getattr(selectors, name, None), "__mro__", ())
    if "select" in vars(owner) and owner is not selectors.BaseSelector
]
_POLLS = [
    (each, method)
    for name, method in (("epoll", "poll"), ("kqueue", "control"), ("devpoll", "poll"))
    if (each := getattr(select, name, None)) is not None
]

_undo: list[Callable[[], None]] = []
# The originals by their id, with their names.
_originals: dict[int, tuple[object, str]] = {}


class _Checked:
    """Checks a call and makes it. Not a function, which would be a method where a class has it as an attribute."""

    def __init__(self, original: Callable[..., Any], name: str, problem: str, arguments: int) -> None:
        update_wrapper(self, original)
        self._original, self._name, self._problem, self._arguments = original, name, problem, arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) < self._arguments or args[self._arguments - 1] is None:
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
        import resource

        _check_function(resource, "getrusage", _MACHINE)
        # multiprocessing starts processes with it; Python reports it to no audit hook.
        _check_function(_posixsubprocess, "fork_exec", PROCESS)
    _set(random.Random, "seed", _seed(random.Random.seed))
    _set(threading.Condition, "wait", _checked_method(threading.Condition.wait, "threading.Condition.wait()", _WAIT))
    memory = shared_memory.SharedMemory
    _set(memory, "__init__", _checked_method(memory.__init__, "multiprocessing.shared_memory.SharedMemory()", _MEMORY))
    _set(sched.scheduler, "__init__", _new_scheduler(sched.scheduler.__init__))
    _set(os, "open", _open(os.open))
    for name in ("mkfifo", "mknod"):
        if hasattr(os, name):
            _set(os, name, _new_file(getattr(os, name)))
    _set(sqlite3, "connect", _connect(sqlite3.connect))
    _set(sqlite3.dbapi2, "connect", _connect(sqlite3.dbapi2.connect))
    _replace_waits()
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


def _new_scheduler(original: Callable[..., None]) -> Callable[..., None]:
    """The constructor of sched.scheduler, which holds the real clock and sleep as default values."""

    @wraps(original)
    def new(self: sched.scheduler, *args: Any, **kwargs: Any) -> None:
        if len(args) + len(kwargs) < 2:
            refuse("sched.scheduler() without a clock and a sleep", _CLOCK)
        original(self, *args, **kwargs)

    return new


def _open(original: Callable[..., int]) -> Callable[..., int]:
    """os.open, whose audit event does not contain `dir_fd`."""

    @wraps(original)
    def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is None:
            return original(path, flags, mode)
        with paths_in_an_open_folder():
            return original(path, flags, mode, dir_fd=dir_fd)

    return open


def _new_file(original: Callable[..., None]) -> Callable[..., None]:
    """os.mkfifo and os.mknod, which have no audit event."""

    @wraps(original)
    def make(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> None:
        if dir_fd is None:
            check_files(f"os.{original.__name__}()", path)
        original(path, *args, dir_fd=dir_fd, **kwargs)

    return make


def _connect(original: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    """sqlite3.connect. A statement can attach another file, for which Python has no audit event."""

    @wraps(original)
    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = original(*args, **kwargs)
        if calling_process() is not None:
            connection.set_authorizer(authorize_sqlite)
        return connection

    return connect


def _replace_waits() -> None:
    """The methods of the standard library that wait in real time, of classes written in Python or not."""
    for selector in dict.fromkeys(_SELECTORS):
        name = f"selectors.{selector.__name__}.select()"
        _set(selector, "select", _checked_method(vars(selector)["select"], name, _SLEEP))
    for owner, method in _POLLS:
        _replace_in_class(owner, method, _checked_method(vars(owner)[method], f"select.{owner.__name__}()", _SLEEP))
    get = queue.SimpleQueue.get

    @wraps(get)
    def get_or_refuse(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        if block and self.empty():
            refuse("queue.SimpleQueue.get()", _WAIT)
        return get(self, block, timeout)

    _replace_in_class(queue.SimpleQueue, "get", get_or_refuse)


def _replace_in_context() -> None:
    """The methods of SSLContext that read files: OpenSSL opens them, without an audit event."""
    context = ssl.SSLContext
    load_chain, load_verified = context.load_cert_chain, context.load_verify_locations

    @wraps(load_chain)
    def load_cert_chain(self: ssl.SSLContext, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        check_files("ssl.SSLContext.load_cert_chain()", certfile, keyfile)
        load_chain(self, certfile, keyfile, password)

    @wraps(load_verified)
    def load_verify_locations(self: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        check_files("ssl.SSLContext.load_verify_locations()", cafile, capath)
        load_verified(self, cafile, capath, cadata)

    _set(context, "load_cert_chain", load_cert_chain)
    _set(context, "load_verify_locations", load_verify_locations)
    for method in ("load_default_certs", "set_default_verify_paths"):
        name = f"ssl.SSLContext.{method}()"
        _set(context, method, _checked_method(getattr(context, method), name, _CERTIFICATES))


def _set_in_class(owner: type, name: str) -> None:
    """Replace a class method of a class that is not written in Python."""
    original = vars(owner)[name]

    def method(cls: type, *args: Any, **kwargs: Any) -> Any:
        refuse(f"{owner.__name__}.{name}()", _CLOCK)
        return original.__get__(None, cls)(*args, **kwargs)

    update_wrapper(method, original)
    _replace_in_class(owner, name, classmethod(method))


def _replace_in_class(owner: type, name: str, by: object) -> None:
    _undo.append(partial(_set_class_attribute, owner, name, vars(owner)[name]))
    _set_class_attribute(owner, name, by)


def _set_class_attribute(owner: type, name: str, value: object) -> None:
    # vars() of a class is a read-only view, which refers to the dictionary itself.
    (attributes,) = (each for each in gc.get_referents(vars(owner)) if isinstance(each, dict))
    attributes[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
