"""A length that exceeds its buffer is WSAEFAULT; nothing is read, written or lost."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import POINTER, c_int, c_uint32, sizeof
from typing import Any

import pytest
from winsock_kit import connect_to, error_of, fd_set_of, listener, loopback, name_of, new, option, readable, receive_all

from winsock import (
    AF_INET,
    AF_INET6,
    FIONBIO,
    FIONREAD,
    INVALID_SOCKET,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    POLLIN,
    SIOCATMARK,
    SO_KEEPALIVE,
    SO_RCVBUF,
    SO_TYPE,
    SOL_SOCKET,
    WSAEFAULT,
    WSAPOLLFD,
    WSAPoll,
    accept,
    addrinfo,
    bind,
    connect,
    fd_set,
    getaddrinfo,
    gethostname,
    getnameinfo,
    getpeername,
    getsockname,
    getsockopt,
    inet_ntop,
    inet_pton,
    ioctlsocket,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    timeval,
)


def marked(mark: pytest.MarkDecorator, *values: int) -> list[Any]:
    """Parameters for which Wine differs from Windows."""
    return [pytest.param(value, marks=mark) for value in values]


TOO_LONG = pytest.mark.parametrize("length", [5, 0x7FFFFFFF, -1, -0x80000000])


@TOO_LONG
def test_send_beyond_its_buffer_sends_nothing(pair: tuple[int, int], length: int) -> None:
    client, server = pair
    assert error_of(send(client, b"1234", length, 0)) == WSAEFAULT
    assert not readable(server, 0)


@TOO_LONG
def test_recv_beyond_its_buffer_leaves_the_data_and_the_buffer_unchanged(pair: tuple[int, int], length: int) -> None:
    client, server = pair
    assert send(client, b"12345678", 8, 0) == 8
    data = bytearray(b"....")
    assert readable(server)
    assert error_of(recv(server, data, length, 0)) == WSAEFAULT
    assert data == b"...."
    assert receive_all(server, 8) == b"12345678"


@TOO_LONG
def test_sendto_beyond_its_buffer_sends_nothing(udp: tuple[int, int], length: int) -> None:
    here, there = udp
    assert error_of(sendto(here, b"1234", length, 0, name_of(there), 16)) == WSAEFAULT
    assert not readable(there, 0)


@pytest.mark.parametrize("tolen", [17, 0x7FFFFFFF, -1, 15, 2, 1, 0])
def test_sendto_with_a_wrong_length_of_the_address_sends_nothing(udp: tuple[int, int], tolen: int) -> None:
    here, there = udp
    assert error_of(sendto(here, b"1234", 4, 0, name_of(there), tolen)) == WSAEFAULT
    assert not readable(there, 0)


@TOO_LONG
def test_recvfrom_beyond_its_buffer_leaves_the_datagram_in_the_queue(udp: tuple[int, int], length: int) -> None:
    here, there = udp
    assert sendto(here, b"datagram", 8, 0, name_of(there), 16) == 8
    assert readable(there)
    data, sender, size = bytearray(b"...."), bytearray(16), c_int(16)
    assert error_of(recvfrom(there, data, length, 0, sender, size)) == WSAEFAULT
    assert (data, sender, size.value) == (b"....", bytes(16), 16)
    whole = bytearray(8)
    assert recvfrom(there, whole, 8, 0, None, None) == 8
    assert whole == b"datagram"


@pytest.mark.parametrize(
    "fromlen",
    [17, 0x7FFFFFFF, -1, *marked(pytest.mark.wine_differs("recvfrom truncates the address instead of failing"), 15, 0)],
)
def test_recvfrom_with_a_wrong_address_size_leaves_the_datagram_in_the_queue(
    udp: tuple[int, int], fromlen: int
) -> None:
    here, there = udp
    assert sendto(here, b"datagram", 8, 0, name_of(there), 16) == 8
    assert readable(there)
    data, sender, size = bytearray(8), bytearray(b"." * 16), c_int(fromlen)
    assert error_of(recvfrom(there, data, 8, 0, sender, size)) == WSAEFAULT
    assert (sender, size.value) == (b"." * 16, fromlen)
    assert recvfrom(there, data, 8, 0, sender, c_int(16)) == 8
    assert (data, bytes(sender)) == (b"datagram", bytes(name_of(here)))


@pytest.mark.parametrize("namelen", [17, 0x7FFFFFFF, -1, 15, 2, 0])
def test_bind_with_a_wrong_length_leaves_the_socket_unbound(started: None, namelen: int) -> None:
    s = new()
    assert error_of(bind(s, loopback(), namelen)) == WSAEFAULT
    assert bind(s, loopback(), 16) == 0


@pytest.mark.parametrize(
    "namelen",
    [
        17,
        0x7FFFFFFF,
        -1,
        *marked(pytest.mark.wine_differs("connect accepts an address that is cut off by a short length"), 15, 2, 0),
    ],
)
def test_connect_with_a_wrong_length_leaves_the_socket_unconnected(started: None, namelen: int) -> None:
    server, s = listener(), new()
    assert error_of(connect(s, name_of(server), namelen)) == WSAEFAULT
    assert not readable(server, 0)
    assert connect(s, name_of(server), 16) == 0


@pytest.mark.parametrize("call", [bind, connect])
def test_an_address_of_null_is_wsaefault(started: None, call: Callable[[int, Any, int], int]) -> None:
    assert error_of(call(new(), None, 16)) == WSAEFAULT
    assert error_of(call(new(), None, 0)) == WSAEFAULT


@pytest.mark.parametrize("call", [bind, connect])
def test_a_length_may_be_longer_than_an_address_needs(started: None, call: Callable[[int, Any, int], int]) -> None:
    name = bytes(loopback() if call is bind else name_of(listener())) + b"\xff" * 16
    assert call(new(), name, 32) == 0


@pytest.mark.parametrize(
    "addrlen",
    [
        17,
        0x7FFFFFFF,
        -1,
        *marked(pytest.mark.wine_differs("accept closes the connection if the address does not fit"), 15, 0),
    ],
)
def test_accept_with_a_wrong_address_size_leaves_the_connection_waiting(started: None, addrlen: int) -> None:
    server = listener()
    client = connect_to(server)
    assert readable(server)
    address, length = bytearray(b"." * 16), c_int(addrlen)
    assert error_of(accept(server, address, length)) == WSAEFAULT
    assert (address, length.value) == (b"." * 16, addrlen)
    length.value = 16
    assert readable(server, 1)
    assert accept(server, address, length) != INVALID_SOCKET
    assert bytes(address) == bytes(name_of(client))


@pytest.mark.parametrize("call", [getsockname, getpeername])
@pytest.mark.parametrize("namelen", [17, 0x7FFFFFFF, -1, 15, 0])
def test_a_name_is_not_written_if_its_length_is_wrong(
    pair: tuple[int, int], call: Callable[[int, Any, Any], int], namelen: int
) -> None:
    name, length = bytearray(b"." * 16), c_int(namelen)
    assert error_of(call(pair[0], name, length)) == WSAEFAULT
    assert (name, length.value) == (b"." * 16, namelen)


@pytest.mark.parametrize(
    "call",
    [
        getsockname,
        pytest.param(getpeername, marks=pytest.mark.wine_differs("getpeername without a buffer fails with WSAEINVAL")),
    ],
)
def test_a_name_requires_a_buffer_and_a_length(pair: tuple[int, int], call: Callable[[int, Any, Any], int]) -> None:
    assert error_of(call(pair[0], None, c_int(16))) == WSAEFAULT
    assert error_of(call(pair[0], bytearray(16), None)) == WSAEFAULT


@pytest.mark.parametrize("call", [getsockname, getpeername])
def test_a_name_in_a_larger_buffer_reports_its_size_and_leaves_the_remaining_bytes(
    pair: tuple[int, int], call: Callable[[int, Any, Any], int]
) -> None:
    name, length = bytearray(b"." * 20), c_int(20)
    assert call(pair[0], name, length) == 0
    assert length.value == 16
    assert name[8:] == bytes(8) + b"...."


@pytest.mark.parametrize("optlen", [5, 0x7FFFFFFF, -1])
def test_setsockopt_beyond_its_value_sets_nothing(started: None, optlen: int) -> None:
    s = new()
    assert error_of(setsockopt(s, SOL_SOCKET, SO_RCVBUF, c_int(4711), optlen)) == WSAEFAULT
    assert option(s, SO_RCVBUF) != 4711


@pytest.mark.parametrize("optlen", [5, 0x7FFFFFFF])
def test_getsockopt_beyond_its_value_writes_nothing(started: None, optlen: int) -> None:
    value, length = bytearray(b"...."), c_int(optlen)
    assert error_of(getsockopt(new(), SOL_SOCKET, SO_TYPE, value, length)) == WSAEFAULT
    assert (value, length.value) == (b"....", optlen)


def test_an_option_requires_a_value_and_a_length(started: None) -> None:
    s = new()
    assert error_of(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, None, 4)) == WSAEFAULT
    assert error_of(getsockopt(s, SOL_SOCKET, SO_TYPE, None, c_int(4))) == WSAEFAULT
    assert error_of(getsockopt(s, SOL_SOCKET, SO_TYPE, bytearray(4), None)) == WSAEFAULT


def test_ioctlsocket_requires_its_argument(started: None) -> None:
    for command in (FIONBIO, FIONREAD, SIOCATMARK):
        assert error_of(ioctlsocket(new(), command, None)) == WSAEFAULT


def test_a_null_buffer_with_a_length_other_than_0_is_wsaefault(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"data", 4, 0) == 4
    assert readable(server)
    assert error_of(send(client, None, 1, 0)) == WSAEFAULT
    assert error_of(recv(server, None, 1, 0)) == WSAEFAULT
    assert receive_all(server, 4) == b"data"


def test_a_null_buffer_with_length_0_is_accepted(udp: tuple[int, int]) -> None:
    here, there = udp
    assert sendto(here, None, 0, 0, name_of(there), 16) == 0
    assert readable(there)
    assert recvfrom(there, None, 0, 0, None, None) == 0


def test_recv_writes_no_more_than_its_length(pair: tuple[int, int]) -> None:
    assert send(pair[0], b"12345678", 8, 0) == 8
    data = bytearray(b"........")
    assert readable(pair[1])
    assert recv(pair[1], data, 4, 0) == 4
    assert data == b"1234...."


def test_gethostname_writes_nothing_if_the_name_does_not_fit(started: None) -> None:
    whole = bytearray(256)
    assert gethostname(whole, 256) == 0
    size = whole.index(0)
    for room, length in ((bytearray(b"." * 256), size), (bytearray(b"." * size), size + 1), (bytearray(b"."), -1)):
        before = bytes(room)
        assert error_of(gethostname(room, length)) == WSAEFAULT
        assert room == before
    assert error_of(gethostname(None, 256)) == WSAEFAULT
    assert gethostname(bytearray(size + 1), size + 1) == 0


@pytest.mark.parametrize("fds", [2, 0x7FFFFFFF, 0xFFFFFFFF, -1])
def test_wsapoll_with_more_entries_than_its_array_changes_nothing(started: None, fds: int) -> None:
    array = (WSAPOLLFD * 1)(WSAPOLLFD(new(), POLLIN, -1))
    assert error_of(WSAPoll(array, fds, 0)) == WSAEFAULT
    assert array[0].revents == -1


def test_wsapoll_requires_an_array(started: None) -> None:
    assert error_of(WSAPoll(None, 1, 0)) == WSAEFAULT


@pytest.mark.parametrize("place", [1, 2, 3])
def test_select_rejects_a_byte_array_shorter_than_an_fd_set(udp: tuple[int, int], place: int) -> None:
    given: list[Any] = [0, None, None, None, timeval()]
    given[place] = bytearray(sizeof(fd_set) - 1)
    assert error_of(select(*given)) == WSAEFAULT
    fds = given[3 if place != 3 else 2] = fd_set_of(udp[0])
    assert error_of(select(*given)) == WSAEFAULT
    assert fds.fd_count == 1


def test_select_rejects_an_fd_count_beyond_the_capacity_of_the_set(udp: tuple[int, int]) -> None:
    fds = fd_set_of(udp[0])
    fds.fd_count = 65
    assert error_of(select(0, None, fds, None, timeval())) == WSAEFAULT
    assert fds.fd_count == 65


def test_select_rejects_a_timeout_shorter_than_a_timeval(udp: tuple[int, int]) -> None:
    fds = fd_set_of(udp[0])
    assert error_of(select(0, None, fds, None, bytes(7))) == WSAEFAULT
    assert fds.fd_count == 1


@pytest.mark.parametrize(("family", "size"), [(AF_INET, 4), (AF_INET6, 16)])
def test_inet_pton_rejects_a_buffer_shorter_than_an_address(family: int, size: int) -> None:
    text = "1.2.3.4" if family == AF_INET else "::1"
    room = bytearray(b"." * (size - 1))
    assert error_of(inet_pton(family, text, room)) == WSAEFAULT
    assert room == b"." * (size - 1)
    assert error_of(inet_pton(family, text, None)) == WSAEFAULT
    assert error_of(inet_pton(family, None, bytearray(size))) == WSAEFAULT


@pytest.mark.parametrize(("family", "size"), [(AF_INET, 4), (AF_INET6, 16)])
def test_inet_ntop_rejects_an_address_that_is_too_short(family: int, size: int) -> None:
    room = bytearray(b"." * 64)
    assert error_of(inet_ntop(family, bytes(size - 1), room, 64)) == WSAEFAULT
    assert room == b"." * 64


def test_inet_ntop_rejects_a_size_beyond_its_buffer() -> None:
    room = bytearray(b"." * 15)
    assert error_of(inet_ntop(AF_INET, bytes(4), room, 16)) == WSAEFAULT
    assert room == b"." * 15


def test_getaddrinfo_rejects_short_hints_and_a_null_result(started: None) -> None:
    result = POINTER(addrinfo)(addrinfo())
    assert getaddrinfo("127.0.0.1", None, bytes(sizeof(addrinfo) - 1), result) == WSAEFAULT
    assert not result
    assert getaddrinfo("127.0.0.1", None, None, None) == WSAEFAULT


def test_getnameinfo_rejects_lengths_beyond_its_buffers(started: None) -> None:
    node, service = bytearray(b"." * 64), bytearray(b"." * 64)
    for length, node_size, service_size in (
        (17, 64, 64),
        (-1, 64, 64),
        (16, 65, 64),
        (16, 64, 65),
        (16, 0xFFFFFFFF, 64),
    ):
        code = getnameinfo(
            loopback(80), length, node, node_size, service, service_size, NI_NUMERICHOST | NI_NUMERICSERV
        )
        assert code == WSAEFAULT
    assert node == service == b"." * 64


def test_getnameinfo_requires_an_address(started: None) -> None:
    assert getnameinfo(None, 16, bytearray(64), 64, None, 0, NI_NUMERICHOST) == WSAEFAULT


@pytest.mark.wine_differs("getnameinfo fails with WSAEAFNOSUPPORT if the address is too short")
@pytest.mark.parametrize("length", [15, 2, 0])
def test_getnameinfo_rejects_an_address_that_is_too_short_for_its_family(started: None, length: int) -> None:
    assert getnameinfo(loopback(80), length, bytearray(64), 64, None, 0, NI_NUMERICHOST) == WSAEFAULT


def test_a_call_writes_nothing_outside_its_memoryview(pair: tuple[int, int]) -> None:
    memory = bytearray(b"." * 32)
    view = memoryview(memory)[8:24]
    assert getpeername(pair[0], view, c_int(16)) == 0
    assert memory[:8] == memory[24:] == b"." * 8
    words = (c_uint32 * 3)(0, 0, 7)
    assert getsockopt(pair[0], SOL_SOCKET, SO_TYPE, memoryview(words).cast("B")[:8], c_int(8)) == 0
    assert words[2] == 7
