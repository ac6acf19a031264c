"""How streams end: shutdown, the end of the peer's stream, a reset, and data that arrives after closing."""

from __future__ import annotations

import sys

import pytest
from winsock_kit import (
    await_events,
    error_of,
    give_time,
    name_of,
    option,
    readable,
    receive_all,
    reset,
    set_nonblocking,
    transfers,
    writable,
)

from winsock import (
    POLLERR,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_ERROR,
    SOCKET_ERROR,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAEINVAL,
    WSAESHUTDOWN,
    WSAGetLastError,
    closesocket,
    getpeername,
    recv,
    send,
    sendto,
    shutdown,
)


@pytest.mark.parametrize("how", [SD_SEND, SD_BOTH])
def test_after_sd_send_send_is_wsaeshutdown_and_the_peer_receives_the_end_of_the_stream(
    pair: tuple[int, int], how: int
) -> None:
    client, server = pair
    assert send(client, b"last", 4, 0) == 4
    assert shutdown(client, how) == 0
    assert error_of(send(client, b"1", 1, 0)) == WSAESHUTDOWN
    assert error_of(sendto(client, b"1", 1, 0, None, 0)) == WSAESHUTDOWN
    assert receive_all(server, 8) == b"last"
    assert [recv(server, bytearray(8), 8, 0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_after_sd_receive_recv_is_wsaeshutdown_even_if_data_is_waiting(pair: tuple[int, int], how: int) -> None:
    client, server = pair
    assert send(server, b"before", 6, 0) == 6
    assert readable(client)
    assert shutdown(client, how) == 0
    assert error_of(recv(client, bytearray(6), 6, 0)) == WSAESHUTDOWN


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_after_sd_receive_recv_is_wsaeshutdown_even_if_data_arrives(pair: tuple[int, int], how: int) -> None:
    client, server = pair
    assert shutdown(client, how) == 0
    assert send(server, b"after", 5, 0) == 5
    assert error_of(recv(client, bytearray(6), 6, 0)) == WSAESHUTDOWN


@pytest.mark.wine_differs("shutdown does not reset a connection with unread data")
@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_sd_receive_with_unread_data_resets_the_connection(pair: tuple[int, int], how: int) -> None:
    client, server = pair
    name = name_of(client)
    assert send(server, b"unread", 6, 0) == 6
    assert readable(client)
    assert shutdown(client, how) == 0
    assert error_of(send(client, b"x", 1, 0)) == WSAECONNABORTED
    assert readable(server)
    assert error_of(recv(server, bytearray(6), 6, 0)) == WSAECONNRESET
    assert bytes(name_of(client)) == bytes(name)
    assert shutdown(client, how) == 0


@pytest.mark.wine_differs("shutdown does not reset a connection with unread data")
def test_data_that_arrives_after_sd_receive_resets_the_connection(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_RECEIVE) == 0
    assert send(client, b"1", 1, 0) == 1
    assert recv(server, bytearray(1), 1, 0) == 1
    assert send(server, b"unread", 6, 0) == 6
    assert await_events(client, POLLERR) & POLLERR
    assert error_of(send(client, b"x", 1, 0)) == WSAECONNABORTED


def test_sd_receive_without_unread_data_leaves_the_connection_intact(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(server, b"read", 4, 0) == 4
    assert recv(client, bytearray(4), 4, 0) == 4
    assert shutdown(client, SD_RECEIVE) == 0
    assert send(client, b"going on", 8, 0) == 8
    assert receive_all(server, 8) == b"going on"


def test_the_peers_end_after_sd_receive_leaves_the_connection_intact(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_RECEIVE) == 0
    assert shutdown(server, SD_SEND) == 0
    assert send(client, b"going on", 8, 0) == 8
    assert receive_all(server, 8) == b"going on"


def test_sd_send_with_unread_data_leaves_the_data(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(server, b"unread", 6, 0) == 6
    assert readable(client)
    assert shutdown(client, SD_SEND) == 0
    assert recv(client, bytearray(6), 6, 0) == 6


def test_shutdown_of_one_direction_does_not_affect_the_other(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_SEND) == 0
    assert send(server, b"1", 1, 0) == 1
    assert recv(client, bytearray(1), 1, 0) == 1


def test_shutdown_may_be_repeated_even_after_the_peer_has_closed(pair: tuple[int, int]) -> None:
    client, server = pair
    for how in (SD_SEND, SD_SEND, SD_RECEIVE, SD_BOTH, SD_BOTH):
        assert shutdown(client, how) == 0
    assert readable(server)
    assert shutdown(server, SD_BOTH) == 0


@pytest.mark.parametrize("how", [-1, 3, 0x7FFFFFFF])
def test_shutdown_accepts_three_directions(pair: tuple[int, int], how: int) -> None:
    assert error_of(shutdown(pair[0], how)) == WSAEINVAL


def test_both_addresses_are_known_after_both_sides_have_shut_down(pair: tuple[int, int]) -> None:
    client, server = pair
    names = bytes(name_of(client)), bytes(name_of(client, getpeername))
    assert shutdown(client, SD_BOTH) == 0
    assert closesocket(server) == 0
    assert writable(client)
    assert (bytes(name_of(client)), bytes(name_of(client, getpeername))) == names


def test_after_a_reset_every_call_reports_it_each_time(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    assert readable(client)
    for _ in range(2):
        assert transfers(client) == [WSAECONNRESET] * 4
    assert option(client, SO_ERROR) == 0


@pytest.mark.parametrize("mode", [0, 1])
def test_recv_detects_a_reset_without_an_earlier_call(pair: tuple[int, int], mode: int) -> None:
    client, server = pair
    reset(server)
    if mode:
        assert readable(client)
        set_nonblocking(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


def test_send_detects_a_reset_without_an_earlier_call(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    results = [send(client, b"1", 1, 0) for _ in range(100)]
    assert results[-1] == SOCKET_ERROR
    assert WSAGetLastError() == WSAECONNRESET


def test_after_a_reset_shutdown_succeeds_or_reports_it_and_closesocket_succeeds(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    assert readable(client)
    assert shutdown(client, SD_SEND) == 0 or WSAGetLastError() in (WSAECONNRESET, WSAECONNABORTED)
    assert closesocket(client) == 0


def test_closing_with_unread_data_resets_the_peer(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"unread", 6, 0) == 6
    assert readable(server)
    assert closesocket(server) == 0
    assert readable(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


def test_data_sent_to_a_peer_that_has_closed_aborts_the_connection(pair: tuple[int, int]) -> None:
    client, server = pair
    assert closesocket(server) == 0
    assert readable(client)
    assert send(client, b"too late", 8, 0) == 8
    await_events(client, POLLERR)
    assert error_of(recv(client, bytearray(1), 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)
    assert error_of(send(client, b"1", 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)


def test_after_sd_send_every_recv_reports_a_reset_that_came_after_the_peers_end(pair: tuple[int, int]) -> None:
    client, server = pair
    assert closesocket(server) == 0
    assert readable(client)
    assert send(client, b"too late", 8, 0) == 8
    give_time(100)  # for the reset, which select and WSAPoll would see
    assert shutdown(client, SD_SEND) == 0 or WSAGetLastError() in (WSAECONNRESET, WSAECONNABORTED)
    for _ in range(2):
        assert error_of(recv(client, bytearray(1), 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)


@pytest.mark.posix_only("calls the other recv from inside compat's")
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone shows the state of a connection")
def test_recv_reports_a_reset_that_the_recv_of_another_thread_is_about_to_report(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from winsock_compat.calls import transfer
    from winsock_compat.state.sockets import Socket

    results: list[int] = []
    marked = transfer.stream_error

    def receive_in_between(sock: Socket, number: int) -> int:
        monkeypatch.undo()
        results.append(error_of(recv(pair[0], bytearray(8), 8, 0)))
        return marked(sock, number)

    monkeypatch.setattr("winsock_compat.calls.receiving.stream_error", receive_in_between)
    reset(pair[1])
    assert error_of(recv(pair[0], bytearray(8), 8, 0)) == WSAECONNRESET
    assert results == [WSAECONNRESET]
