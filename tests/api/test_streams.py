"""send, recv and out-of-band data on streams."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int

import pytest
from winsock_kit import (
    Running,
    accept_from,
    bound,
    closed_port,
    connect_to,
    error_of,
    excepted,
    listener,
    loopback,
    new,
    readable,
    receive_all,
    set_nonblocking,
    set_option,
    transfers,
    writable,
)

from winsock import (
    FIONREAD,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIOCATMARK,
    SO_OOBINLINE,
    WSAECONNREFUSED,
    WSAEINVAL,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    connect,
    getpeername,
    ioctlsocket,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
    sockaddr_in,
    u_long,
)

# send, recv


def test_bytes_arrive_in_order_and_in_any_pieces(pair: tuple[int, int]) -> None:
    client, server = pair
    assert [send(client, data, len(data), 0) for data in (b"one", b"two", b"three")] == [3, 3, 5]
    assert receive_all(server, 11) == b"onetwothree"


def test_recv_returns_available_data_up_to_its_length(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"12345", 5, 0) == 5
    data = bytearray(8)
    assert recv(server, data, 2, 0) == 2
    assert recv(server, memoryview(data)[2:], 6, 0) == 3
    assert data == b"12345\0\0\0"


def test_a_nonblocking_recv_without_data_is_wsaewouldblock(pair: tuple[int, int]) -> None:
    set_nonblocking(pair[0])
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAEWOULDBLOCK


def test_peeking_leaves_the_data(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"data", 4, 0) == 4
    for flags in (MSG_PEEK, MSG_PEEK, 0):
        data = bytearray(4)
        assert recv(server, data, 4, flags) == 4
        assert data == b"data"


def test_fionread_returns_the_number_of_waiting_bytes(pair: tuple[int, int]) -> None:
    client, server = pair
    waiting = u_long(4711)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 0
    assert send(client, b"12345", 5, 0) == 5
    assert readable(server)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 5


def test_recv_with_length_0_returns_0_and_leaves_waiting_data(pair: tuple[int, int]) -> None:
    client, server = pair
    set_nonblocking(server)
    assert send(client, b"1", 1, 0) == 1
    assert readable(server)
    assert recv(server, bytearray(1), 0, 0) == 0
    assert recv(server, bytearray(1), 1, 0) == 1


@pytest.mark.wine_differs("recv ignores MSG_WAITALL")
def test_msg_waitall_fills_the_buffer_from_several_sends(pair: tuple[int, int]) -> None:
    client, server = pair
    data = bytearray(4)
    receiving = Running(lambda: recv(server, data, 4, MSG_WAITALL))
    assert send(client, b"12", 2, 0) == 2
    assert send(client, b"34", 2, 0) == 2
    assert receiving.result() == 4
    assert data == b"1234"


def test_msg_waitall_ends_at_the_end_of_the_stream(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"123", 3, 0) == 3
    assert shutdown(client, SD_SEND) == 0
    data = bytearray(8)
    assert recv(server, data, 8, MSG_WAITALL) == 3
    assert data == b"123\0\0\0\0\0"


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(MSG_WAITALL | MSG_PEEK, marks=pytest.mark.wine_differs("recv ignores MSG_WAITALL")),
        pytest.param(
            MSG_WAITALL | MSG_OOB, marks=pytest.mark.wine_differs("recv with MSG_WAITALL and MSG_OOB waits", run=False)
        ),
    ],
)
def test_msg_waitall_cannot_be_combined_with_other_flags(pair: tuple[int, int], flags: int) -> None:
    assert send(pair[0], b"12", 2, 0) == 2
    assert readable(pair[1])
    assert error_of(recv(pair[1], bytearray(2), 2, flags)) == WSAEOPNOTSUPP


@pytest.mark.wine_differs("recv and send ignore unknown flags")
def test_unknown_flags_are_rejected(pair: tuple[int, int]) -> None:
    assert error_of(send(pair[0], b"1", 1, 0x4000)) in (WSAEOPNOTSUPP, WSAEINVAL)
    assert error_of(recv(pair[0], bytearray(1), 1, 0x4000)) in (WSAEOPNOTSUPP, WSAEINVAL)


def test_recvfrom_on_a_stream_does_not_change_the_address(pair: tuple[int, int]) -> None:
    assert send(pair[0], b"1", 1, 0) == 1
    address, length = bytearray(b"." * 16), c_int(16)
    assert recvfrom(pair[1], bytearray(1), 1, 0, address, length) == 1
    assert (address, length.value) == (b"." * 16, 16)


def test_sendto_on_a_stream_ignores_the_address(pair: tuple[int, int]) -> None:
    for address in (loopback(1), b"\xff" * 16, None):
        assert sendto(pair[0], b"1", 1, 0, address, 16) == 1
    assert receive_all(pair[1], 3) == b"111"


@pytest.mark.wine_differs("send on a stream that was never connected fails with WSAECONNRESET")
@pytest.mark.parametrize("make", [new, bound, listener])
def test_a_stream_that_was_never_connected_is_wsaenotconn(started: None, make: Callable[[], int]) -> None:
    s = make()
    assert transfers(s) == [WSAENOTCONN] * 4


@pytest.mark.parametrize("make", [new, bound, listener])
def test_a_stream_that_was_never_connected_has_no_peer_and_no_end(started: None, make: Callable[[], int]) -> None:
    s = make()
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    for how in (SD_RECEIVE, SD_SEND, SD_BOTH):
        assert error_of(shutdown(s, how)) == WSAENOTCONN


@pytest.mark.wine_differs("recv returns 0 after a failed connect")
def test_a_stream_whose_connect_failed_is_wsaenotconn(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert transfers(s) == [WSAENOTCONN] * 4


def test_a_listener_keeps_listening_after_a_failed_shutdown(started: None) -> None:
    server = listener()
    assert error_of(shutdown(server, SD_BOTH)) == WSAENOTCONN
    connect_to(server)
    accept_from(server)


def test_a_nonblocking_send_with_a_full_buffer_is_wsaewouldblock_until_there_is_space(
    pair: tuple[int, int],
) -> None:
    client, server = pair
    set_nonblocking(client)
    block, sent = bytes(1 << 18), 0
    while (count := send(client, block, len(block), 0)) >= 0:
        assert count > 0
        sent += count
        assert sent < 1 << 30
    assert WSAGetLastError() == WSAEWOULDBLOCK
    room = bytearray(1 << 18)
    while sent:
        count = recv(server, room, len(room), 0)
        assert count > 0, error_of(count)
        sent -= count
    assert writable(client)


def test_a_blocking_send_sends_all_of_it(pair: tuple[int, int]) -> None:
    client, server = pair
    data = bytes(range(256)) * (1 << 14)
    sending = Running(lambda: send(client, data, len(data), 0))
    assert receive_all(server, len(data)) == data
    assert sending.result() == len(data)


# Out-of-band data


def test_out_of_band_data_is_received_separately(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert excepted(server)
    urgent = bytearray(4)
    assert recv(server, urgent, 4, MSG_OOB) == 1
    assert urgent == b"!\0\0\0"
    assert receive_all(server, 2) == b"12"


@pytest.mark.wine_differs("SIOCATMARK returns what BSD returns")
def test_siocatmark_is_0_while_out_of_band_data_is_waiting(pair: tuple[int, int]) -> None:
    client, server = pair
    mark = u_long(4711)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert excepted(server)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 0
    assert recv(server, bytearray(1), 1, MSG_OOB) == 1
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1


def test_siocatmark_is_1_if_out_of_band_data_is_inline(pair: tuple[int, int]) -> None:
    client, server = pair
    set_option(server, SO_OOBINLINE, 1)
    mark = u_long(4711)
    assert send(client, b"!", 1, MSG_OOB) == 1
    assert readable(server)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1


@pytest.mark.parametrize(
    "mode",
    [
        1,
        pytest.param(
            0, marks=pytest.mark.wine_differs("recv with MSG_OOB on a blocking socket waits for urgent data", run=False)
        ),
    ],
)
def test_msg_oob_without_out_of_band_data_is_wsaewouldblock_in_both_modes(pair: tuple[int, int], mode: int) -> None:
    set_nonblocking(pair[0], mode)
    assert error_of(recv(pair[0], bytearray(1), 1, MSG_OOB)) == WSAEWOULDBLOCK
    assert send(pair[1], b"!", 1, MSG_OOB) == 1
    assert excepted(pair[0])
    assert recv(pair[0], bytearray(1), 1, MSG_OOB) == 1
    assert error_of(recv(pair[0], bytearray(1), 1, MSG_OOB)) == WSAEWOULDBLOCK


def test_inline_out_of_band_data_is_received_with_the_other_data(pair: tuple[int, int]) -> None:
    client, server = pair
    set_option(server, SO_OOBINLINE, 1)
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert receive_all(server, 3) == b"12!"
    assert error_of(recv(server, bytearray(1), 1, MSG_OOB)) == WSAEINVAL
