"""select and WSAPoll of more entries, or of more sockets, than the process may have descriptors (RLIMIT_NOFILE).

The kernel's poll fails for more entries than that.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    await_events,
    bound,
    error_of,
    fd_set_of,
    name_of,
    new,
    set_nonblocking,
    set_option,
)

import winsock
from tests.properties.reference import on_the_reference
from winsock import (
    POLLRDNORM,
    POLLWRNORM,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSAENOBUFS,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    fd_set,
    fd_set_sized,
    recv,
    select,
    sendto,
    timeval,
)

pytestmark = [
    pytest.mark.posix_only("Windows has no RLIMIT_NOFILE"),
    pytest.mark.usefixtures("started"),
]

DESCRIPTORS = 20
ENTRIES = 50


@pytest.fixture(params=["the backend", "the reference"], autouse=True)
def side(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "the backend":
        yield
        return
    with on_the_reference():
        yield


@contextmanager
def few_descriptors() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def poll_array(sockets: list[int], events: int) -> Any:
    return (WSAPOLLFD * len(sockets))(*(WSAPOLLFD(s, events) for s in sockets))


def set_with_duplicates(sockets: list[int]) -> Any:
    made = fd_set_sized(len(sockets))()
    made.fd_count = len(sockets)
    made.fd_array[:] = sockets
    return made


def members(fds: Any) -> list[int]:
    handles: list[int] = fds.fd_array[: fds.fd_count]
    return handles


def with_data() -> int:
    s = bound(SOCK_DGRAM)
    assert sendto(s, b"x", 1, 0, name_of(s), 16) == 1
    await_events(s, POLLRDNORM, POLLRDNORM)
    return s


def test_wsapoll_reports_every_entry_of_a_socket_that_has_more_entries_than_there_are_descriptors() -> None:
    ready, idle = with_data(), bound(SOCK_DGRAM)
    array = poll_array([ready, idle] * ENTRIES, POLLRDNORM)
    array[2].events = POLLRDNORM | POLLWRNORM
    array[4].events = 0
    with few_descriptors():
        assert winsock.WSAPoll(array, 2 * ENTRIES, 1000 * LIMIT_SECONDS) == ENTRIES - 1
    expected = [POLLRDNORM, 0] * ENTRIES
    expected[2], expected[4] = POLLRDNORM | POLLWRNORM, 0
    assert [entry.revents for entry in array] == expected


def test_wsapoll_waits_for_a_socket_that_has_more_entries_than_there_are_descriptors() -> None:
    s = bound(SOCK_DGRAM)
    array, address = poll_array([s] * ENTRIES, POLLRDNORM), name_of(s)
    with few_descriptors():
        assert winsock.WSAPoll(array, ENTRIES, 1) == 0
        sender = Running(lambda: sendto(s, b"x", 1, 0, address, 16))
        assert winsock.WSAPoll(array, ENTRIES, 1000 * LIMIT_SECONDS) == ENTRIES
    assert sender.result() == 1


def test_select_reports_a_socket_once_that_has_more_entries_than_there_are_descriptors() -> None:
    ready, idle = with_data(), bound(SOCK_DGRAM)
    reading, writing = set_with_duplicates([ready, idle] * ENTRIES), set_with_duplicates([idle] * ENTRIES)
    excepting = set_with_duplicates([ready, idle] * ENTRIES)
    with few_descriptors():
        assert winsock.select(0, reading, writing, excepting, timeval()) == 2
    assert (members(reading), members(writing), members(excepting)) == ([ready], [idle], [])


def test_select_waits_for_a_socket_that_has_more_entries_than_there_are_descriptors() -> None:
    reading = set_with_duplicates([bound(SOCK_DGRAM)] * ENTRIES)
    with few_descriptors():
        assert winsock.select(0, reading, None, None, timeval(0, 1000)) == 0
    assert members(reading) == []


def test_sockets_that_the_kernel_is_not_asked_about_do_not_count() -> None:
    sockets = [*(new(SOCK_STREAM) for _ in range(ENTRIES)), with_data()]
    array = poll_array(sockets, POLLRDNORM)
    with few_descriptors():
        assert winsock.WSAPoll(array, len(sockets), -1) == 1
    assert [entry.revents for entry in array] == [0] * ENTRIES + [POLLRDNORM]


@pytest.mark.parametrize("limit", [0, -1])
def test_wsapoll_of_more_sockets_than_descriptors_fails_and_changes_nothing(limit: int) -> None:
    array = poll_array([bound(SOCK_DGRAM) for _ in range(ENTRIES)], POLLRDNORM)
    for entry in array:
        entry.revents = 99
    with few_descriptors():
        assert error_of(winsock.WSAPoll(array, ENTRIES, limit)) == WSAENOBUFS
    assert {entry.revents for entry in array} == {99}


@pytest.mark.parametrize("limit", [timeval(), None])
def test_select_of_more_sockets_than_descriptors_fails_and_changes_nothing(limit: timeval | None) -> None:
    sockets = [bound(SOCK_DGRAM) for _ in range(ENTRIES)]
    reading = fd_set()
    for s in sockets:
        winsock.FD_SET(s, reading)
    with few_descriptors():
        assert error_of(winsock.select(0, reading, None, None, limit)) == WSAENOBUFS
    assert members(reading) == sockets


def test_failing_calls_of_a_signal_handler_do_not_make_the_interrupted_wsapoll_fail() -> None:
    s, handled = bound(SOCK_DGRAM), list[int]()
    set_nonblocking(s)
    array = poll_array([s], POLLRDNORM)
    if sys.platform == "win32":
        return
    previous = signal.signal(signal.SIGALRM, lambda *_: handled.append(winsock.recv(s, bytearray(1), 1, 0)))
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    try:
        assert winsock.WSAPoll(array, 1, 100) == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert handled
    assert set(handled) == {SOCKET_ERROR}


@pytest.mark.parametrize("call", ["recv", "select", "WSAPoll"])
def test_closesocket_ends_waits_for_which_no_descriptor_was_left(call: str) -> None:
    sockets = [bound(SOCK_DGRAM) for _ in range(8)]
    for s in sockets:
        set_option(s, SO_RCVTIMEO, 0)
    calls = {
        "recv": lambda s: recv(s, bytearray(1), 1, 0),
        "select": lambda s: select(0, fd_set_of(s), None, None, None),
        "WSAPoll": lambda s: WSAPoll(WSAPOLLFD(s, POLLRDNORM), 1, -1),
    }
    idle = bound(SOCK_DGRAM)
    with few_descriptors():
        waiting = [Running(lambda s=s: calls[call](s)) for s in sockets]
        assert WSAPoll(WSAPOLLFD(idle, POLLRDNORM), 1, 100) == 0
        assert [closesocket(s) for s in sockets] == [0] * 8
        results = [each.result() for each in waiting]
    assert set(results) <= {SOCKET_ERROR, 1}
