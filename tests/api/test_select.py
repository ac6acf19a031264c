"""select: the sets of a socket in each state, the count, and the errors."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import resize, sizeof

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    accept_from,
    bound,
    closed_port,
    connect_to,
    connecting,
    error_of,
    excepted,
    fd_set_of,
    listener,
    name_of,
    new,
    readable,
    set_nonblocking,
    set_option,
)

from winsock import (
    FD_CLR,
    FD_ISSET,
    FD_SET,
    FD_ZERO,
    INVALID_SOCKET,
    MSG_OOB,
    SD_RECEIVE,
    SD_SEND,
    SO_LINGER,
    SO_OOBINLINE,
    SOCK_DGRAM,
    SOL_SOCKET,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAEINVAL,
    WSAENOTSOCK,
    WSAEWOULDBLOCK,
    closesocket,
    connect,
    fd_set,
    fd_set_sized,
    linger,
    recv,
    select,
    send,
    sendto,
    setsockopt,
    shutdown,
    timeval,
)

NOW = timeval()


def sets_of(s: int) -> str:
    """The sets in which select returns the socket now, as letters r, w, e."""
    read, write, exc = fd_set_of(s), fd_set_of(s), fd_set_of(s)
    count = select(0, read, write, exc, NOW)
    found = "".join(name for name, fds in zip("rwe", (read, write, exc), strict=True) if FD_ISSET(s, fds))
    assert count == len(found)
    return found


def test_a_connected_stream_is_writable_and_with_data_readable(pair: tuple[int, int]) -> None:
    client, server = pair
    assert sets_of(server) == "w"
    assert send(client, b"1", 1, 0) == 1
    assert readable(server)
    assert sets_of(server) == "rw"
    assert recv(server, bytearray(1), 1, 0) == 1
    assert sets_of(server) == "w"


@pytest.mark.parametrize("make", [new, bound])
def test_a_stream_that_is_not_connected_is_in_no_set(started: None, make: Callable[[], int]) -> None:
    assert sets_of(make()) == ""


def test_a_listener_is_readable_while_a_connection_waits(started: None) -> None:
    server = listener()
    assert sets_of(server) == ""
    connect_to(server)
    assert readable(server)
    assert sets_of(server) == "r"
    accept_from(server)
    assert sets_of(server) == ""


def test_a_datagram_socket_is_writable_and_with_a_datagram_readable(udp: tuple[int, int]) -> None:
    here, there = udp
    assert sets_of(there) == "w"
    assert sendto(here, b"", 0, 0, name_of(there), 16) == 0
    assert readable(there)
    assert sets_of(there) == "rw"


def test_the_end_of_the_stream_is_readable(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_SEND) == 0
    assert readable(server)
    assert sets_of(server) == "rw"
    assert recv(server, bytearray(1), 1, 0) == 0
    assert sets_of(server) == "rw"


def test_a_reset_is_readable_and_writable_but_not_an_exception_before_and_after_recv(pair: tuple[int, int]) -> None:
    client, server = pair
    assert setsockopt(server, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)) == 0
    assert closesocket(server) == 0
    assert readable(client)
    assert sets_of(client) == "rw"
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET
    assert sets_of(client) == "rw"


@pytest.mark.wine_differs("a stream stays readable after SD_RECEIVE")
def test_a_stream_after_sd_receive_is_not_readable(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_RECEIVE) == 0
    assert shutdown(server, SD_SEND) == 0
    assert sets_of(client) == "w"


def test_a_stream_with_unread_data_after_sd_receive_is_readable_and_writable(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(server, b"1", 1, 0) == 1
    assert readable(client)
    assert shutdown(client, SD_RECEIVE) == 0
    assert sets_of(client) == "rw"


@pytest.mark.parametrize("blocking", [0, 1])
def test_a_failed_connect_is_in_exceptfds_only(started: None, blocking: int) -> None:
    s = new()
    set_nonblocking(s, not blocking)
    assert error_of(connect(s, closed_port(), 16)) in (WSAEWOULDBLOCK, WSAECONNREFUSED)
    assert excepted(s, 1)
    assert sets_of(s) == sets_of(s) == "e"


def test_a_stream_that_is_connecting_is_in_no_set(started: None) -> None:
    assert sets_of(connecting()) == ""


def test_select_in_another_thread_reports_a_connect_that_completes_during_the_wait(started: None) -> None:
    s, server = new(), listener()
    waiting = Running(lambda: select(0, None, fd_set_of(s), None, timeval(LIMIT_SECONDS, 0)))
    assert connect(s, name_of(server), 16) == 0
    assert waiting.result() == 1


def test_out_of_band_data_is_an_exception_unless_it_is_inline(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"!", 1, MSG_OOB) == 1
    assert excepted(server)
    assert sets_of(server) == "we"
    assert recv(server, bytearray(1), 1, MSG_OOB) == 1
    assert sets_of(server) == "w"
    set_option(client, SO_OOBINLINE, 1)
    assert send(server, b"!", 1, MSG_OOB) == 1
    assert readable(client)
    assert sets_of(client) == "rw"


# Counting


def test_the_count_is_the_sum_over_the_sets(udp: tuple[int, int]) -> None:
    here, there = udp
    assert sendto(here, b"1", 1, 0, name_of(there), 16) == 1
    assert readable(there)
    read, write = fd_set_of(here, there), fd_set_of(here, there)
    assert select(0, read, write, None, NOW) == 3
    assert list(read.fd_array[: read.fd_count]) == [there]
    assert write.fd_count == 2


def test_only_ready_sockets_stay_in_the_sets(pair: tuple[int, int]) -> None:
    read, exc = fd_set_of(*pair), fd_set_of(*pair)
    assert select(0, read, None, exc, NOW) == 0
    assert (read.fd_count, exc.fd_count) == (0, 0)


def test_a_socket_twice_in_one_set_counts_once(udp: tuple[int, int]) -> None:
    write = fd_set_of(udp[0])
    write.fd_array[1] = udp[0]
    write.fd_count = 2
    assert select(0, None, write, None, NOW) == 1
    assert write.fd_count == 1


def test_one_set_passed_twice_receives_both_results(udp: tuple[int, int]) -> None:
    fds = fd_set_of(udp[0])
    assert select(0, fds, fds, None, NOW) == 1
    assert list(fds.fd_array[: fds.fd_count]) == [udp[0]]


@pytest.mark.parametrize("nfds", [-1, 0, 1, 0x7FFFFFFF])
def test_nfds_is_ignored(udp: tuple[int, int], nfds: int) -> None:
    assert select(nfds, None, fd_set_of(udp[0]), None, NOW) == 1


def test_the_timeout_is_not_modified(udp: tuple[int, int]) -> None:
    time = timeval(0, 1000)
    assert select(0, fd_set_of(udp[0]), None, None, time) == 0
    assert (time.tv_sec, time.tv_usec) == (0, 1000)


def test_the_timeout_may_be_the_bytes_of_a_timeval(udp: tuple[int, int]) -> None:
    assert select(0, fd_set_of(udp[0]), None, None, bytes(8)) == 0


def test_a_set_may_be_a_byte_array(udp: tuple[int, int]) -> None:
    fds = bytearray(sizeof(fd_set))
    FD_SET(udp[0], fds)
    assert select(0, None, fds, None, NOW) == 1
    assert FD_ISSET(udp[0], fds)
    assert select(0, fds, None, None, NOW) == 0
    assert not FD_ISSET(udp[0], fds)


@pytest.mark.parametrize("kind", [fd_set, fd_set_sized(65)])
def test_a_set_that_ctypes_resize_has_enlarged_has_room_for_more_sockets(started: None, kind: type[fd_set]) -> None:
    sockets = [new(SOCK_DGRAM) for _ in range(70)]
    fds = kind()
    resize(fds, sizeof(fd_set_sized(len(sockets))))
    for s in sockets:
        FD_SET(s, fds)
    assert fds.fd_count == len(sockets)
    assert select(0, None, fds, None, NOW) == len(sockets)
    assert all(FD_ISSET(s, fds) for s in sockets)
    FD_CLR(sockets[0], fds)
    assert [FD_ISSET(s, fds) for s in (sockets[0], sockets[-1])] == [False, True]
    assert select(0, fds, None, None, NOW) == 0
    FD_SET(sockets[-1], fds)
    FD_ZERO(fds)
    assert not FD_ISSET(sockets[-1], fds)


@pytest.mark.many_sockets
def test_sets_of_any_size_can_be_mixed(started: None) -> None:
    sockets = [new(SOCK_DGRAM) for _ in range(100)]
    write, read = fd_set_sized(100)(), fd_set_sized(1)()
    for s in sockets:
        FD_SET(s, write)
    FD_SET(sockets[-1], read)
    assert select(0, read, write, None, NOW) == 100
    assert all(FD_ISSET(s, write) for s in sockets)
    assert read.fd_count == 0


# Errors


@pytest.mark.parametrize("time", [None, timeval(), timeval(1, 0)])
def test_select_without_sockets_is_wsaeinval(started: None, time: timeval | None) -> None:
    assert error_of(select(0, None, None, None, time)) == WSAEINVAL
    assert error_of(select(0, fd_set(), fd_set(), fd_set(), time)) == WSAEINVAL


@pytest.mark.wine_differs("select treats a negative time-out as 0")
@pytest.mark.parametrize("time", [timeval(-1, 0), timeval(0, -1)])
def test_a_negative_timeout_is_wsaeinval(udp: tuple[int, int], time: timeval) -> None:
    assert error_of(select(0, fd_set_of(udp[0]), None, None, time)) == WSAEINVAL


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("bad", [1, INVALID_SOCKET, None])
def test_an_invalid_handle_in_any_set_is_wsaenotsock_and_no_set_changes(
    udp: tuple[int, int], place: int, bad: int | None
) -> None:
    if bad is None:
        bad = new()
        assert closesocket(bad) == 0
    sets = [fd_set_of(udp[0]) for _ in range(3)]
    FD_SET(bad, sets[place])
    before = [bytes(fds) for fds in sets]
    assert error_of(select(0, *sets, NOW)) == WSAENOTSOCK
    assert [bytes(fds) for fds in sets] == before
