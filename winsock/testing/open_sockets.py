"""Finds the sockets that a test leaves open, and the line that opened each of them.

A handle does not say who has opened it, so the calls that open and close sockets are replaced while a test runs, by
functions that write down the caller's line. A test module and the program that it tests have usually imported these
functions long before. So it is not enough to replace them in `winsock`: each module that is loaded, and holds one of
them as a global name, gets the recording function under that name, and the original one back at the end. The backend's
own modules keep theirs. This works alike for compiled functions of the accelerator, the reference and ws2_32, and costs
nothing outside of such a test.

A function that is held somewhere else, such as in a list or an attribute of a class, is not replaced. On compat a
socket that it has opened is found nevertheless, because handles are numbered in a row; the report then names the handle
and its addresses without a line. The same is true of an accept that another thread called before the test.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import winsock
from winsock.api import Winsock
from winsock.constants import (
    AF_INET,
    INVALID_SOCKET,
    SO_ACCEPTCONN,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
)
from winsock.errors import WSAErrorDescript
from winsock.structures import MAKEWORD, WSADATA

from .addresses import local_address, peer_address, shown
from .own_sockets import OWN_SOCKETS, original_calls

__all__ = ["started"]

_RECORDED = ("WSAStartup", "WSACleanup", "socket", "accept", "closesocket")
_OWN_PACKAGES = ("winsock", "winsock_compat")
# The frames below these belong to the test runner.
_RUNNERS = ("_pytest", "pluggy", "pytest", "unittest", "threading")
_MOST_CALLERS = 8
_UNKNOWN_LINE = (
    "opened by a call that began before the test, or by a function that is not a global name of a module: "
    "the line is not known"
)
# The time in seconds that other threads have at the end of a test, and between two looks.
_GRACE, _POLL = 1.0, 0.01
# The handles of compat are multiples of 4, and a new one is higher than all before.
_HANDLE_STEP = 4


class Opening(NamedTuple):
    """The call that has opened a socket, and the lines that lead to it, the innermost first."""

    call: str
    lines: list[str]


class Recorder:
    """The calls of a test, recorded from `install` to `remove`."""

    def __init__(self) -> None:
        self.calls: Winsock = winsock.calls
        self.openings: dict[int, Opening] = {}
        # Successful calls of WSAStartup without their WSACleanup.
        self.starts = 0
        self._lock = threading.Lock()
        recording = {name: getattr(self, name) for name in _RECORDED}
        self._replacements: list[tuple[object, object]] = [
            (self.calls, _RecordingCalls(self.calls, recording)),
            *((getattr(winsock, name), function) for name, function in recording.items()),
        ]

    def install(self) -> None:
        _replace_in_modules(self._replacements)

    def remove(self) -> None:
        """Restore the functions, also in modules that were loaded since then."""
        _replace_in_modules([(new, old) for old, new in self._replacements])

    def WSAStartup(self, *args: Any, **kwargs: Any) -> int:
        code = self.calls.WSAStartup(*args, **kwargs)
        with self._lock:
            self.starts += code == 0
        return code

    def WSACleanup(self) -> int:
        result = self.calls.WSACleanup()
        with self._lock:
            self.starts -= result == 0
        return result

    def socket(self, *args: Any, **kwargs: Any) -> int:
        return self._opened("socket", self.calls.socket(*args, **kwargs))

    def accept(self, *args: Any, **kwargs: Any) -> int:
        return self._opened("accept", self.calls.accept(*args, **kwargs))

    def closesocket(self, *args: Any, **kwargs: Any) -> int:
        result = self.calls.closesocket(*args, **kwargs)
        if result == 0:
            handle = args[0] if args else kwargs["s"]
            self.openings.pop(int(handle), None)
        return result

    def _opened(self, call: str, s: int) -> int:
        if s != INVALID_SOCKET:
            self.openings[s] = Opening(call, _callers(sys._getframe(2)))
        return s


class _RecordingCalls:
    """Stands for the backend: it has the recording functions, and everything else is the backend's."""

    def __init__(self, calls: Winsock, recording: dict[str, Callable[..., Any]]) -> None:
        self._calls, self.original_calls = calls, original_calls(calls)
        vars(self).update(recording)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)


def _replace_in_modules(replacements: list[tuple[object, object]]) -> None:
    """Replace each global name of a loaded module that refers to one of these objects."""
    new = {id(old): by for old, by in replacements}
    for module_name, module in list(sys.modules.items()):
        own = module_name.partition(".")[0] in _OWN_PACKAGES and module_name != "winsock"
        if own or not isinstance(module, ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if id(value) in new:
                vars(module)[name] = new[id(value)]


def _callers(frame: FrameType | None) -> list[str]:
    lines: list[str] = []
    while frame is not None and len(lines) < _MOST_CALLERS:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in _RUNNERS:
            break
        code = frame.f_code
        lines.append(f"{_path(code.co_filename)}:{frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    return lines


def _path(file: str) -> str:
    """The path relative to the current folder, where the file is in it."""
    start = os.getcwd() + os.sep
    return file[len(start) :] if file.startswith(start) else file


@contextmanager
def started() -> Iterator[None]:
    """Winsock is started once; at the end it is cleaned up, and sockets that are still open are closed.

    Errors: AssertionError at the end of a block that has not raised, if sockets are open, with the file and the line
    that opened each of them; or if WSAStartup and WSACleanup were not called equally often.
    """
    code = winsock.calls.WSAStartup(MAKEWORD(2, 2), WSADATA())
    if code:
        raise AssertionError(f"WSAStartup failed: {WSAErrorDescript(code)}")
    recorder, first = Recorder(), _next_handle(winsock.calls)
    recorder.install()
    try:
        yield
    except BaseException:
        _finish(recorder, first)
        raise
    problems = _finish(recorder, first)
    if problems:
        raise AssertionError("\n".join(problems))


def _finish(recorder: Recorder, first: int | None) -> list[str]:
    """Restore the calls, close what is open and stop Winsock; returns the lines of the report."""
    recorder.remove()
    calls = recorder.calls
    unrecorded = _unrecorded(calls, first)
    _wait_for_other_threads(lambda: _open_sockets(calls, [*recorder.openings, *unrecorded]))
    problems = _close_open_sockets(calls, recorder.openings, unrecorded)
    difference = recorder.starts
    for _ in range(difference):
        calls.WSACleanup()
    if difference > 0:
        problems.append(f"WSAStartup succeeded {_times(difference)} more often than WSACleanup")
    if difference < 0:
        problems.append(f"WSACleanup succeeded {_times(-difference)} more often than WSAStartup")
        # The other ones have undone starts that are not the test's.
        for _ in range(-difference - 1):
            calls.WSAStartup(MAKEWORD(2, 2), WSADATA())
    else:
        calls.WSACleanup()
    return problems


def _wait_for_other_threads(open_sockets: Callable[[], list[int]]) -> None:
    """Let the other threads close their sockets: a server often closes a moment after the test's client."""
    deadline = time.monotonic() + _GRACE
    while threading.active_count() > 1 and time.monotonic() < deadline and open_sockets():
        time.sleep(_POLL)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _close_open_sockets(calls: Winsock, openings: dict[int, Opening], unrecorded: list[int]) -> list[str]:
    """Close the sockets of these handles that are still open; returns the lines of the report."""
    found = {s: openings[s] for s in _open_sockets(calls, list(openings))}
    others = [s for s in _open_sockets(calls, unrecorded) if s not in found]
    lines = []
    for handle in [*found, *others]:
        lines.append(f"  socket {handle}: {_description(calls, handle)}")
        if handle in found:
            first, *callers = found[handle].lines or ["an unknown line"]
            lines.append(f"    opened by {found[handle].call}() at {first}")
            lines += [f"      called at {caller}" for caller in callers]
        else:
            lines.append(f"    {_UNKNOWN_LINE}")
        calls.closesocket(handle)
    count = len(found) + len(others)
    return [f"{count} socket{' was' if count == 1 else 's were'} left open:", *lines] if lines else []


def _open_sockets(calls: Winsock, handles: list[int]) -> list[int]:
    """Those of the handles that are still open and not of this package."""
    own = set(OWN_SOCKETS)
    return [s for s in handles if s not in own and _is_open(calls, s)]


def _is_open(calls: Winsock, handle: int) -> bool:
    return calls.getsockopt(handle, SOL_SOCKET, SO_TYPE, c_int(), c_int(4)) != SOCKET_ERROR


def _description(calls: Winsock, handle: int) -> str:
    kind, listening = c_int(), c_int()
    calls.getsockopt(handle, SOL_SOCKET, SO_TYPE, kind, c_int(4))
    calls.getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, listening, c_int(4))
    protocol = {SOCK_STREAM: "TCP", SOCK_DGRAM: "UDP"}.get(kind.value, "raw")
    local, peer = local_address(calls, handle), peer_address(calls, handle)
    if listening.value:
        return f"{protocol}, listens on {shown(local)}"
    return f"{protocol}, local address {shown(local)}, peer {shown(peer)}"


def _next_handle(calls: Winsock) -> int | None:
    """On compat a handle that is higher than those of all sockets so far; None where handles have no order."""
    if winsock.BACKEND != "compat":
        return None
    s = calls.socket(AF_INET, SOCK_DGRAM, 0)
    if s == INVALID_SOCKET:
        return None
    calls.closesocket(s)
    return s


def _unrecorded(calls: Winsock, first: int | None) -> list[int]:
    """The handles of all sockets that were opened since `first`."""
    last = None if first is None else _next_handle(calls)
    return [] if first is None or last is None else list(range(first + _HANDLE_STEP, last, _HANDLE_STEP))
