"""Finds the sockets that a test leaves open, and the line that opened each of them.

A handle does not say who has opened it, so the calls that open and close sockets are replaced while a test runs, by
functions that write down the caller's line. recording.py does it.

A function that is held somewhere else, such as in a list or an attribute of a class, is not replaced. On compat a
socket that it has opened is found nevertheless, because handles are numbered in a row; the report then names the handle
and its addresses without a line. The same is true of an accept that another thread called before the test.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int

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
from .lines import indented
from .own_sockets import OWN_SOCKETS
from .recording import RecordedCall, Recorder

__all__ = ["started"]

_UNKNOWN_LINE = (
    "opened by a call that began before the test, or by a function that is not a global name of a module: "
    "the line is not known"
)
# The time in seconds that other threads have at the end of a test, and between two looks.
_GRACE, _POLL = 1.0, 0.01
# The handles of compat are multiples of 4, and a new one is higher than all before.
_HANDLE_STEP = 4


@contextmanager
def started() -> Iterator[None]:
    """Winsock is started once; at the end it is cleaned up, and sockets that are still open are closed.

    Errors: AssertionError at the end of a block that has not raised, if sockets are open, with the file and the line
    that opened each of them; or if WSAStartup and WSACleanup were not called equally often.
    """
    __tracebackhide__ = True  # in pytest's tracebacks
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
    difference = len(recorder.unmatched)
    if difference and recorder.unmatched[0].call == "WSACleanup":
        problems += _unmatched_lines(recorder.unmatched, "WSAStartup")
        # The other ones have undone starts that are not the test's.
        for _ in range(difference - 1):
            calls.WSAStartup(MAKEWORD(2, 2), WSADATA())
        return problems
    if difference:
        problems += _unmatched_lines(recorder.unmatched, "WSACleanup")
    for _ in range(difference + 1):
        calls.WSACleanup()
    return problems


def _unmatched_lines(unmatched: list[RecordedCall], other: str) -> list[str]:
    """The lines of the report; a place is named once."""
    call, number = unmatched[0].call, len(unmatched)
    times = "once" if number == 1 else f"{number} times"
    lines = [f"{call} succeeded {times} more often than {other}:"]
    for place in dict.fromkeys(tuple(each.lines) for each in unmatched):
        lines += indented(f"{call}()", list(place), "  ")
    return lines


def _wait_for_other_threads(open_sockets: Callable[[], list[int]], clock: Callable[[], float] = time.monotonic) -> None:
    """Let the other threads close their sockets: a server often closes a moment after the test's client.

    `clock` is the real one, also while a test has replaced the clocks of all modules.
    """
    deadline = clock() + _GRACE
    while threading.active_count() > 1 and clock() < deadline and open_sockets():
        time.sleep(_POLL)


def _close_open_sockets(calls: Winsock, openings: dict[int, RecordedCall], unrecorded: list[int]) -> list[str]:
    """Close the sockets of these handles that are still open; returns the lines of the report."""
    found = {s: openings[s] for s in _open_sockets(calls, list(openings))}
    others = [s for s in _open_sockets(calls, unrecorded) if s not in found]
    lines = []
    for handle in [*found, *others]:
        lines.append(f"  socket {handle}: {_description(calls, handle)}")
        if handle in found:
            lines += indented(f"opened by {found[handle].call}()", found[handle].lines, "    ")
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
