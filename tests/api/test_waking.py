"""What a call of compat costs other calls: closing wakes only those that wait for the socket, and one socket in a
special state does not slow down a poll of many.
"""

from __future__ import annotations

import importlib
import sys
from types import FrameType
from typing import Any

import pytest
from winsock_kit import Running, bound, connecting, name_of

import winsock
from winsock import (
    INVALID_SOCKET,
    POLLNVAL,
    POLLRDNORM,
    POLLWRNORM,
    SOCK_DGRAM,
    WSAEINTR,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    fd_set,
    recv,
    select,
    sendto,
    timeval,
)

pytestmark = [
    pytest.mark.posix_only("looks at compat's wake-ups and Python functions"),
    pytest.mark.usefixtures("started"),
]


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each wake-up that compat writes."""
    waiting = importlib.import_module("winsock_compat.posix.waiting")
    written: list[object] = []
    original = waiting.Wakeup.wake

    def wake(self: object) -> None:
        written.append(self)
        original(self)

    monkeypatch.setattr(waiting.Wakeup, "wake", wake)
    return written


def wait_until_waiting(s: int) -> None:
    """Until a call in another thread has registered its wait for the socket."""
    table: Any = importlib.import_module("winsock_compat.state.waiters").table
    while not table.get(s).waiters:
        select(0, None, None, _set_of(s), timeval(0, 100))


def _set_of(s: int) -> fd_set:
    made = fd_set()
    winsock.FD_SET(s, made)
    return made


def test_closesocket_wakes_the_calls_that_wait_for_that_socket_and_no_others(wakes: list[object]) -> None:
    one, other = bound(SOCK_DGRAM), bound(SOCK_DGRAM)
    waits = [Running(lambda s=s: (recv(s, bytearray(1), 1, 0), winsock.WSAGetLastError())) for s in (one, other)]
    for s in (one, other):
        wait_until_waiting(s)
    wakes.clear()
    assert closesocket(bound(SOCK_DGRAM)) == 0
    assert wakes == []
    assert closesocket(one) == 0
    assert len(wakes) == 1
    assert waits[0].result() == (-1, WSAEINTR)
    assert sendto(other, b"x", 1, 0, name_of(other), 16) == 1
    assert waits[1].result()[0] == 1


def functions_called(call: Any) -> list[str]:
    names: list[str] = []

    def report(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and "winsock_compat" in frame.f_code.co_filename:
            names.append(frame.f_code.co_name)

    sys.setprofile(report)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names


def test_an_invalid_handle_does_not_send_a_whole_poll_to_the_reference() -> None:
    if not getattr(winsock.calls, "ACCELERATED", False):
        pytest.skip("the reference handles every call here")
    sockets = [bound(SOCK_DGRAM) for _ in range(50)]
    closed = bound(SOCK_DGRAM)
    assert closesocket(closed) == 0
    array = (WSAPOLLFD * 52)(*(WSAPOLLFD(s, POLLWRNORM) for s in (closed, *sockets, INVALID_SOCKET)))
    assert functions_called(lambda: WSAPoll(array, 52, 0)) == []
    assert [entry.revents for entry in array] == [POLLNVAL, *[POLLWRNORM] * 50, POLLNVAL]


def test_one_socket_in_a_special_state_does_not_send_a_whole_poll_to_the_reference() -> None:
    if not getattr(winsock.calls, "ACCELERATED", False):
        pytest.skip("the reference handles every call here")
    sockets = [bound(SOCK_DGRAM) for _ in range(50)]
    special = connecting()
    array = (WSAPOLLFD * 51)(*(WSAPOLLFD(s, POLLRDNORM | POLLWRNORM) for s in (*sockets, special)))
    names = functions_called(lambda: WSAPoll(array, 51, 0))
    assert names.count("examine_poll") == 1
    assert "WSAPoll" not in names
    fds = fd_set()
    for s in (*sockets, special):
        winsock.FD_SET(s, fds)
    names = functions_called(lambda: select(0, None, fds, None, timeval()))
    assert names.count("examine_select") == 1
    assert "select" not in names
    assert fds.fd_count == 50
