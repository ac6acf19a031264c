"""A forked child has the parent's sockets, as copies: what it closes stays open in the parent."""

from __future__ import annotations

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    await_events,
    bound,
    closed_port,
    connect_to,
    error_of,
    events_of,
    in_child,
    listener,
    name_of,
    new,
    option,
    readable,
    receive_all,
    set_nonblocking,
    set_option,
)

from winsock import (
    AF_INET,
    INVALID_SOCKET,
    POLLERR,
    POLLIN,
    POLLOUT,
    SO_ERROR,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSAECONNREFUSED,
    WSAENOTSOCK,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    accept,
    closesocket,
    connect,
    recv,
    send,
    socket,
)

pytestmark = [
    pytest.mark.posix_only("Windows has no fork"),
    pytest.mark.usefixtures("started"),
    # Said of any process with threads, of which pytest-timeout may have one; the child here calls nothing but Winsock.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


def check(condition: bool) -> None:
    assert condition


def test_a_child_can_use_the_parents_sockets(pair: tuple[int, int]) -> None:
    in_child(lambda: check(send(pair[0], b"from the child", 14, 0) == 14))
    assert receive_all(pair[1], 14) == b"from the child"


def test_a_child_can_wait_on_the_parents_sockets(pair: tuple[int, int]) -> None:
    assert send(pair[1], b"1", 1, 0) == 1

    def wait() -> None:
        assert readable(pair[0])
        assert recv(pair[0], bytearray(1), 1, 0) == 1
        set_option(pair[0], SO_RCVTIMEO, 20)
        assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAETIMEDOUT

    in_child(wait)


def test_what_a_child_closes_stays_open_in_the_parent(pair: tuple[int, int]) -> None:
    in_child(lambda: check(closesocket(pair[0]) == 0 and error_of(closesocket(pair[0])) == WSAENOTSOCK))
    assert send(pair[0], b"1", 1, 0) == 1
    assert recv(pair[1], bytearray(1), 1, 0) == 1


def test_a_childs_cleanup_leaves_the_parents_sockets(pair: tuple[int, int]) -> None:
    def clean_up() -> None:
        assert WSACleanup() == 0
        assert error_of(socket(AF_INET, SOCK_STREAM, 0)) == WSANOTINITIALISED

    in_child(clean_up)
    assert send(pair[0], b"1", 1, 0) == 1
    assert recv(pair[1], bytearray(1), 1, 0) == 1


def test_a_childs_state_and_options_are_its_own(udp: tuple[int, int]) -> None:
    in_child(lambda: set_nonblocking(udp[0]))
    in_child(lambda: set_option(udp[0], SO_RCVTIMEO, 1))
    assert option(udp[0], SO_RCVTIMEO) == 1000 * LIMIT_SECONDS


def test_a_child_can_start_when_another_thread_of_the_parent_waits(pair: tuple[int, int], udp: tuple[int, int]) -> None:
    waiting = Running(lambda: recv(pair[0], bytearray(1), 1, 0))
    idle = bound(SOCK_DGRAM)
    assert WSAPoll(WSAPOLLFD(idle, POLLIN), 1, 20) == 0

    def use() -> None:
        set_option(udp[0], SO_RCVTIMEO, 20)
        assert error_of(recv(udp[0], bytearray(1), 1, 0)) == WSAETIMEDOUT
        assert closesocket(pair[0]) == 0
        assert WSACleanup() == 0

    in_child(use)
    assert send(pair[1], b"1", 1, 0) == 1
    assert waiting.result() == 1


def test_a_childs_waits_do_not_wake_the_parents(pair: tuple[int, int]) -> None:
    # Both have waited before: the descriptors that end a wait must not be shared.
    set_option(pair[0], SO_RCVTIMEO, 20)
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAETIMEDOUT
    in_child(lambda: check(error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAETIMEDOUT))
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAETIMEDOUT


def test_the_last_error_of_the_forking_thread_is_the_childs_first() -> None:
    WSASetLastError(4711)
    in_child(lambda: check(WSAGetLastError() == 4711))


def test_a_child_that_looks_at_a_connect_to_a_full_queue_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winsock_compat.state.sockets._FIRST_QUEUE_CHECK", 0.1)
    server = listener(1)
    accepted = connect_to(server)
    s = new()
    set_nonblocking(s)
    assert error_of(connect(s, name_of(server), 16)) == WSAEWOULDBLOCK
    in_child(lambda: check(events_of(s, POLLOUT, 300) == 0))
    assert accept(server, None, None) != INVALID_SOCKET
    assert await_events(s, POLLOUT) == POLLOUT
    closesocket(accepted)


def test_a_parent_finds_out_about_a_refusal_that_its_child_has_seen() -> None:
    s = new()
    set_nonblocking(s)
    assert error_of(connect(s, closed_port(), 16)) == WSAEWOULDBLOCK
    in_child(lambda: check(bool(await_events(s, POLLERR) & POLLERR)))
    assert await_events(s, POLLERR) & POLLERR
    assert option(s, SO_ERROR) == WSAECONNREFUSED
