"""WSAPoll: the events of a socket in each state, the count, and the errors."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import sizeof

import pytest
from winsock_kit import (
    await_events,
    bound,
    closed_port,
    connect_to,
    connecting,
    error_of,
    events_of,
    listener,
    name_of,
    new,
    readable,
    set_nonblocking,
    set_option,
)

from winsock import (
    INVALID_SOCKET,
    MSG_OOB,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SD_RECEIVE,
    SD_SEND,
    SO_LINGER,
    SO_OOBINLINE,
    SOL_SOCKET,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAEINVAL,
    WSAENOTSOCK,
    WSAEWOULDBLOCK,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    connect,
    linger,
    recv,
    send,
    sendto,
    setsockopt,
    shutdown,
)


def test_pollin_and_pollout_are_combinations_of_the_event_bits() -> None:
    assert POLLRDNORM | POLLRDBAND == POLLIN
    assert POLLOUT == POLLWRNORM


def test_a_connected_stream_is_pollwrnorm_and_with_data_pollrdnorm(pair: tuple[int, int]) -> None:
    client, server = pair
    assert events_of(server) == POLLWRNORM
    assert send(client, b"1", 1, 0) == 1
    assert await_events(server, POLLRDNORM) == POLLRDNORM | POLLWRNORM


def test_a_listener_with_a_waiting_connection_is_pollrdnorm(started: None) -> None:
    server = listener()
    assert events_of(server) == 0
    connect_to(server)
    assert await_events(server, POLLRDNORM) == POLLRDNORM


@pytest.mark.parametrize("make", [new, bound])
def test_a_stream_that_is_not_connected_has_no_events(started: None, make: Callable[[], int]) -> None:
    assert events_of(make()) == 0


def test_a_stream_that_is_connecting_has_no_events(started: None) -> None:
    assert events_of(connecting()) == 0


def test_a_datagram_socket_is_pollwrnorm_and_with_a_datagram_pollrdnorm(udp: tuple[int, int]) -> None:
    here, there = udp
    assert events_of(there) == POLLWRNORM
    assert sendto(here, b"", 0, 0, name_of(there), 16) == 0
    assert await_events(there, POLLRDNORM) == POLLRDNORM | POLLWRNORM


def test_the_end_of_the_stream_is_pollhup_without_pollrdnorm(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_SEND) == 0
    assert await_events(server, POLLHUP) == POLLHUP | POLLWRNORM


@pytest.mark.wine_differs("WSAPoll does not report the end of the stream before the data is read")
def test_data_before_the_end_of_the_stream_is_still_pollrdnorm(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"1", 1, 0) == 1
    assert shutdown(client, SD_SEND) == 0
    assert await_events(server, POLLHUP) == POLLRDNORM | POLLHUP | POLLWRNORM
    assert recv(server, bytearray(1), 1, 0) == 1
    assert events_of(server) == POLLHUP | POLLWRNORM


def test_the_end_of_the_stream_is_reported_without_a_request(pair: tuple[int, int]) -> None:
    assert shutdown(pair[0], SD_SEND) == 0
    assert await_events(pair[1], POLLHUP, asked=0) == POLLHUP


def test_a_stream_after_sd_receive_is_only_pollwrnorm(pair: tuple[int, int]) -> None:
    client, _ = pair
    assert shutdown(client, SD_RECEIVE) == 0
    assert events_of(client) == POLLWRNORM


@pytest.mark.wine_differs("shutdown does not reset a connection with unread data")
def test_a_stream_with_unread_data_after_sd_receive_is_pollerr_and_pollhup(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(server, b"1", 1, 0) == 1
    assert readable(client)
    assert shutdown(client, SD_RECEIVE) == 0
    assert events_of(client) == POLLERR | POLLHUP | POLLWRNORM


def test_a_reset_is_pollerr_and_pollhup_before_and_after_recv(pair: tuple[int, int]) -> None:
    client, server = pair
    assert setsockopt(server, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)) == 0
    assert closesocket(server) == 0
    assert await_events(client, POLLERR) == POLLERR | POLLHUP | POLLWRNORM
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET
    assert events_of(client) == POLLERR | POLLHUP | POLLWRNORM


@pytest.mark.wine_differs("WSAPoll reports a failed connect as POLLERR alone or as readable")
@pytest.mark.parametrize("blocking", [0, 1])
def test_a_failed_connect_is_pollerr_and_pollhup_each_time(started: None, blocking: int) -> None:
    s = new()
    set_nonblocking(s, not blocking)
    assert error_of(connect(s, closed_port(), 16)) in (WSAEWOULDBLOCK, WSAECONNREFUSED)
    assert await_events(s, POLLERR) == events_of(s) == POLLERR | POLLHUP | POLLWRNORM


def test_out_of_band_data_is_pollrdband_unless_it_is_inline(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"!", 1, MSG_OOB) == 1
    assert await_events(server, POLLRDBAND) == POLLRDBAND | POLLWRNORM
    set_option(client, SO_OOBINLINE, 1)
    assert send(server, b"!", 1, MSG_OOB) == 1
    assert await_events(client, POLLRDNORM) == POLLRDNORM | POLLWRNORM


def test_only_requested_events_are_reported(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"1", 1, 0) == 1
    assert readable(server)
    assert events_of(server, POLLRDNORM) == POLLRDNORM
    assert events_of(server, POLLWRNORM) == POLLWRNORM
    assert events_of(server, POLLRDBAND) == 0


# Counting


def test_the_count_is_that_of_the_sockets_with_events(udp: tuple[int, int]) -> None:
    array = (WSAPOLLFD * 3)(
        WSAPOLLFD(udp[0], POLLIN, -1), WSAPOLLFD(udp[1], POLLIN | POLLOUT, -1), WSAPOLLFD(udp[0], POLLOUT, -1)
    )
    assert WSAPoll(array, 3, 0) == 2
    assert [entry.revents for entry in array] == [0, POLLWRNORM, POLLWRNORM]


def test_entries_beyond_the_count_are_not_changed(udp: tuple[int, int]) -> None:
    array = (WSAPOLLFD * 2)(WSAPOLLFD(udp[0], POLLOUT, -1), WSAPOLLFD(udp[1], POLLOUT, -1))
    assert WSAPoll(array, 1, 0) == 1
    assert [entry.revents for entry in array] == [POLLWRNORM, -1]


def test_the_entries_may_be_a_byte_array(udp: tuple[int, int]) -> None:
    array = bytearray(WSAPOLLFD(udp[0], POLLOUT, -1))
    assert WSAPoll(array, 1, 0) == 1
    assert WSAPOLLFD.from_buffer_copy(array).revents == POLLWRNORM


@pytest.mark.parametrize("bad", [1, INVALID_SOCKET, None])
def test_an_invalid_handle_next_to_a_valid_one_is_pollnval_and_not_counted(
    udp: tuple[int, int], bad: int | None
) -> None:
    if bad is None:
        bad = new()
        assert closesocket(bad) == 0
    array = (WSAPOLLFD * 2)(WSAPOLLFD(bad, POLLOUT, -1), WSAPOLLFD(udp[1], POLLOUT, -1))
    assert WSAPoll(array, 2, 0) == 1
    assert [entry.revents for entry in array] == [POLLNVAL, POLLWRNORM]


def test_the_timeout_is_in_milliseconds_and_0_returns_immediately(udp: tuple[int, int]) -> None:
    for milliseconds in (0, 1, 20):
        assert WSAPoll(WSAPOLLFD(udp[0], POLLIN), 1, milliseconds) == 0


# Errors


def test_an_array_of_invalid_handles_only_is_wsaenotsock(started: None) -> None:
    array = (WSAPOLLFD * 2)(WSAPOLLFD(1, POLLIN), WSAPOLLFD(INVALID_SOCKET, 0x4000))
    assert error_of(WSAPoll(array, 2, 0)) == WSAENOTSOCK
    assert [entry.revents for entry in array] == [POLLNVAL, POLLNVAL]


@pytest.mark.wine_differs("WSAPoll accepts all bits in events")
@pytest.mark.parametrize("events", [POLLPRI, POLLERR, POLLHUP, POLLNVAL, POLLIN | POLLPRI, 0x4000, -1])
def test_other_events_cannot_be_requested(udp: tuple[int, int], events: int) -> None:
    assert error_of(WSAPoll(WSAPOLLFD(udp[0], events), 1, 0)) == WSAEINVAL


@pytest.mark.wine_differs("WSAPoll accepts all bits in events")
def test_events_of_an_invalid_handle_are_checked_only_after_a_valid_one(udp: tuple[int, int]) -> None:
    before = (WSAPOLLFD * 2)(WSAPOLLFD(INVALID_SOCKET, 0x4000), WSAPOLLFD(udp[0], POLLOUT))
    assert WSAPoll(before, 2, 0) == 1
    assert [entry.revents for entry in before] == [POLLNVAL, POLLOUT]
    after = (WSAPOLLFD * 2)(WSAPOLLFD(udp[0], POLLOUT, 9), WSAPOLLFD(INVALID_SOCKET, 0x4000, 9))
    assert error_of(WSAPoll(after, 2, 0)) == WSAEINVAL
    assert [entry.revents for entry in after] == [0, 0]


def test_no_entries_are_wsaeinval_with_or_without_an_array(started: None) -> None:
    assert error_of(WSAPoll(WSAPOLLFD(), 0, 0)) == WSAEINVAL
    assert error_of(WSAPoll(None, 0, 0)) == WSAEINVAL
