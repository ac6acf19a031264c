"""Datagrams: boundaries, senders, default destination, closed ports, and small buffers."""

from __future__ import annotations

from ctypes import c_int
from typing import Any

import pytest
from winsock_kit import (
    bound,
    error_of,
    loopback,
    loopback6,
    name_of,
    new,
    option,
    port_of,
    readable,
    set_nonblocking,
    set_option,
)

from winsock import (
    AF_INET6,
    FIONREAD,
    INADDR_ANY,
    INADDR_BROADCAST,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    SO_MAX_MSG_SIZE,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    WSAEACCES,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAECONNRESET,
    WSAEFAULT,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    ioctlsocket,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    u_long,
)

WINE_CONNECTS = pytest.mark.wine_differs("connect and sendto accept 0.0.0.0 and use loopback, as on Linux")


def send_to(here: int, there: int, data: bytes) -> None:
    """Sends a datagram and waits until it has arrived."""
    assert sendto(here, data, len(data), 0, name_of(there), 16) == len(data)
    assert readable(there)


def received(s: int, room: int = 64, flags: int = 0) -> bytes:
    data = bytearray(room)
    count = recv(s, data, room, flags)
    assert count >= 0, error_of(count)
    return bytes(data[:count])


def test_a_datagram_arrives_with_its_sender(udp: tuple[int, int]) -> None:
    here, there = udp
    send_to(here, there, b"datagram")
    data, sender, length = bytearray(64), sockaddr_in(), c_int(16)
    assert recvfrom(there, data, 64, 0, sender, length) == 8
    assert (data[:8], data[8:]) == (b"datagram", bytes(56))
    assert (bytes(sender), length.value) == (bytes(name_of(here)), 16)


def test_datagrams_keep_their_boundaries_even_if_they_are_empty(udp: tuple[int, int]) -> None:
    here, there = udp
    for data in (b"one", b"", b"three"):
        send_to(here, there, data)
    assert [received(there) for _ in range(3)] == [b"one", b"", b"three"]


def test_the_address_of_the_sender_is_optional(udp: tuple[int, int]) -> None:
    here, there = udp
    for address, length in ((None, None), (None, c_int(16))):
        send_to(here, there, b"1")
        assert recvfrom(there, bytearray(1), 1, 0, address, length) == 1


@pytest.mark.wine_differs("a datagram is lost if the buffer for its address is too short")
def test_an_address_without_its_length_is_wsaefault_and_the_datagram_stays_in_the_queue(udp: tuple[int, int]) -> None:
    send_to(*udp, b"1")
    assert error_of(recvfrom(udp[1], bytearray(1), 1, 0, bytearray(16), None)) == WSAEFAULT
    assert readable(udp[1], 0)


@pytest.mark.parametrize("room", [0, 1, 4])
def test_a_datagram_longer_than_the_buffer_is_truncated_with_wsaemsgsize(udp: tuple[int, int], room: int) -> None:
    here, there = udp
    send_to(here, there, b"datagram")
    send_to(here, there, b"next")
    data, sender, length = bytearray(b"." * 8), sockaddr_in(), c_int(16)
    assert error_of(recvfrom(there, data, room, 0, sender, length)) == WSAEMSGSIZE
    assert data == b"datagram"[:room].ljust(8, b".")
    assert bytes(sender) == bytes(name_of(here))
    assert received(there) == b"next"


def test_recv_also_reports_a_truncated_datagram(udp: tuple[int, int]) -> None:
    send_to(*udp, b"datagram")
    data = bytearray(4)
    assert error_of(recv(udp[1], data, 4, 0)) == WSAEMSGSIZE
    assert data == b"data"


def test_msg_peek_keeps_a_datagram_that_is_longer_than_the_buffer(udp: tuple[int, int]) -> None:
    send_to(*udp, b"datagram")
    data = bytearray(4)
    assert error_of(recv(udp[1], data, 4, MSG_PEEK)) == WSAEMSGSIZE
    assert data == b"data"
    assert received(udp[1], 8, MSG_PEEK) == received(udp[1]) == b"datagram"


def test_fionread_is_at_least_the_size_of_the_first_datagram(udp: tuple[int, int]) -> None:
    waiting = u_long(4711)
    assert ioctlsocket(udp[1], FIONREAD, waiting) == 0
    assert waiting.value == 0
    send_to(*udp, b"datagram")
    assert ioctlsocket(udp[1], FIONREAD, waiting) == 0
    assert waiting.value == 8


def test_a_nonblocking_recv_without_a_datagram_is_wsaewouldblock(udp: tuple[int, int]) -> None:
    set_nonblocking(udp[0])
    assert error_of(recv(udp[0], bytearray(1), 1, 0)) == WSAEWOULDBLOCK
    assert error_of(recvfrom(udp[0], bytearray(1), 1, 0, sockaddr_in(), c_int(16))) == WSAEWOULDBLOCK


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(
            1, marks=pytest.mark.wine_differs("recv on an unbound non-blocking socket fails with WSAEWOULDBLOCK")
        ),
        pytest.param(0, marks=pytest.mark.wine_differs("recv on an unbound blocking socket waits", run=False)),
    ],
)
def test_receiving_on_an_unbound_socket_is_wsaeinval_even_in_blocking_mode(started: None, mode: int) -> None:
    s = new(SOCK_DGRAM)
    set_nonblocking(s, mode)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAEINVAL
    assert error_of(recvfrom(s, bytearray(1), 1, 0, None, None)) == WSAEINVAL


def test_sendto_and_connect_bind_the_socket(udp: tuple[int, int]) -> None:
    sender, connected = new(SOCK_DGRAM), new(SOCK_DGRAM)
    send_to(sender, udp[1], b"1")
    assert connect(connected, name_of(udp[1]), 16) == 0
    for s in (sender, connected):
        assert port_of(s) != 0
        assert error_of(bind(s, loopback(), 16)) == WSAEINVAL


def test_a_datagram_has_at_most_65507_bytes(udp: tuple[int, int]) -> None:
    here, there = udp
    assert error_of(sendto(here, bytes(65508), 65508, 0, name_of(there), 16)) == WSAEMSGSIZE
    assert not readable(there, 0)
    send_to(here, there, bytes(65507))
    assert received(there, 65507) == bytes(65507)
    assert option(here, SO_MAX_MSG_SIZE) == 65507


def test_sending_without_a_default_destination_and_an_address_is_wsaenotconn(udp: tuple[int, int]) -> None:
    assert error_of(send(udp[0], b"1", 1, 0)) == WSAENOTCONN
    assert error_of(sendto(udp[0], b"1", 1, 0, None, 0)) == WSAENOTCONN
    assert error_of(getpeername(udp[0], sockaddr_in(), c_int(16))) == WSAENOTCONN


def test_a_connected_socket_sends_to_its_peer_and_receives_from_it_alone(udp: tuple[int, int]) -> None:
    here, there = udp
    stranger = bound(SOCK_DGRAM)
    assert connect(here, name_of(there), 16) == 0
    assert bytes(name_of(here, getpeername)) == bytes(name_of(there))
    assert send(here, b"1", 1, 0) == 1
    assert sendto(here, b"2", 1, 0, None, 0) == 1
    assert [received(there), received(there)] == [b"1", b"2"]
    assert sendto(stranger, b"3", 1, 0, name_of(here), 16) == 1
    send_to(there, here, b"4")
    assert received(here) == b"4"


def test_a_connected_socket_can_send_to_other_addresses_and_change_its_peer(udp: tuple[int, int]) -> None:
    here, there = udp
    other = bound(SOCK_DGRAM)
    assert connect(here, name_of(there), 16) == 0
    send_to(here, other, b"1")
    assert received(other) == b"1"
    assert connect(here, name_of(other), 16) == 0
    assert send(here, b"2", 1, 0) == 1
    assert received(other) == b"2"


@pytest.mark.parametrize(
    "nobody", [bytes(16), pytest.param(b"\2\0" + bytes(14), marks=WINE_CONNECTS)], ids=["no family", "AF_INET"]
)
def test_connect_to_an_address_of_zeros_removes_the_peer(udp: tuple[int, int], nobody: bytes) -> None:
    here, there = udp
    assert connect(here, name_of(there), 16) == 0
    assert connect(here, nobody, 16) == 0
    assert error_of(send(here, b"1", 1, 0)) == WSAENOTCONN
    assert error_of(getpeername(here, sockaddr_in(), c_int(16))) == WSAENOTCONN
    send_to(here, there, b"2")


def test_a_datagram_to_port_0_is_accepted_and_discarded(udp: tuple[int, int]) -> None:
    for s in (new(SOCK_DGRAM), udp[0]):
        assert sendto(s, b"1", 1, 0, loopback(0), 16) == 1
        assert port_of(s) != 0
    assert error_of(sendto(udp[0], bytes(65508), 65508, 0, loopback(0), 16)) == WSAEMSGSIZE


@WINE_CONNECTS
def test_a_datagram_to_an_address_of_zeros_is_wsaeaddrnotavail(udp: tuple[int, int]) -> None:
    assert error_of(sendto(udp[0], b"1", 1, 0, loopback(9, INADDR_ANY), 16)) == WSAEADDRNOTAVAIL


def test_broadcasting_requires_so_broadcast(udp: tuple[int, int]) -> None:
    assert error_of(sendto(udp[0], b"1", 1, 0, loopback(9, INADDR_BROADCAST), 16)) == WSAEACCES


@pytest.mark.wine_differs("sendto to an unknown address family fails with WSAEFAULT")
def test_an_address_of_another_family_is_rejected(udp: tuple[int, int]) -> None:
    assert error_of(sendto(udp[0], b"1", 1, 0, b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_SEND, SD_BOTH])
def test_shutdown_succeeds_on_a_datagram_socket_with_and_without_a_peer(udp: tuple[int, int], how: int) -> None:
    here, there = udp
    for s in (here, new(SOCK_DGRAM)):
        assert shutdown(s, how) == 0
        assert shutdown(s, how) == 0
    if how != SD_RECEIVE:
        assert error_of(sendto(here, b"1", 1, 0, name_of(there), 16)) == WSAESHUTDOWN
    if how != SD_SEND:
        assert error_of(recv(here, bytearray(1), 1, 0)) == WSAESHUTDOWN


def test_msg_oob_cannot_be_sent_in_datagrams(udp: tuple[int, int]) -> None:
    assert error_of(sendto(udp[0], b"1", 1, MSG_OOB, name_of(udp[1]), 16)) == WSAEOPNOTSUPP


@pytest.mark.wine_differs("recv with MSG_OOB on a datagram socket waits", run=False)
def test_msg_oob_cannot_be_received_in_datagrams(udp: tuple[int, int]) -> None:
    assert error_of(recv(udp[0], bytearray(1), 1, MSG_OOB)) == WSAEOPNOTSUPP


@pytest.mark.wine_differs("recv ignores MSG_WAITALL", run=False)
def test_msg_waitall_is_for_streams_only(udp: tuple[int, int]) -> None:
    assert error_of(recv(udp[0], bytearray(1), 1, MSG_WAITALL)) == WSAEOPNOTSUPP


# A closed port

NO_ICMP_ON_WINE = pytest.mark.wine_differs("a datagram to a closed port makes no socket readable", run=False)


def closed_udp_port() -> sockaddr_in:
    s = bound(SOCK_DGRAM)
    name = name_of(s)
    assert closesocket(s) == 0
    return name


def sent_to_closed_port(connected: bool, count: int = 1) -> tuple[int, Any]:
    """A socket that has sent datagrams to a closed port, and the port's address."""
    s, name = bound(SOCK_DGRAM), closed_udp_port()
    if connected:
        assert connect(s, name, 16) == 0
    assert [sendto(s, b"1", 1, 0, name, 16) for _ in range(count)] == [1] * count
    return s, name


def refused(connected: bool, count: int = 1) -> tuple[int, Any]:
    """The same after the answer has arrived. Without one, another process has taken the port: then another port."""
    for _ in range(10):
        s, name = sent_to_closed_port(connected, count)
        if readable(s, 2):
            return s, name
    raise AssertionError("no closed port is reported")


@NO_ICMP_ON_WINE
@pytest.mark.parametrize("connected", [True, False])
def test_after_a_closed_port_the_next_recv_is_wsaeconnreset_once(started: None, connected: bool) -> None:
    s, _ = refused(connected)
    set_nonblocking(s)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAECONNRESET
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAEWOULDBLOCK
    assert not readable(s, 0)


@NO_ICMP_ON_WINE
@pytest.mark.parametrize("connected", [True, False])
def test_after_a_closed_port_the_next_send_succeeds_and_recv_still_reports_it(started: None, connected: bool) -> None:
    s, name = refused(connected)
    assert sendto(s, b"2", 1, 0, name, 16) == 1
    assert readable(s)
    assert error_of(recvfrom(s, bytearray(1), 1, 0, None, None)) == WSAECONNRESET


@NO_ICMP_ON_WINE
@pytest.mark.parametrize("connected", [True, False])
def test_recv_detects_the_closed_port_without_an_earlier_call(started: None, connected: bool) -> None:
    def error() -> int:
        s, _ = sent_to_closed_port(connected)
        set_option(s, SO_RCVTIMEO, 2000)
        return error_of(recv(s, bytearray(1), 1, 0))

    # After a time-out another process has taken the port.
    assert next(found for _ in range(10) if (found := error()) != WSAETIMEDOUT) == WSAECONNRESET


@NO_ICMP_ON_WINE
@pytest.mark.parametrize("connected", [True, False])
def test_several_sends_to_a_closed_port_succeed_before_it_is_detected(started: None, connected: bool) -> None:
    s, _ = refused(connected, 10)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAECONNRESET


@pytest.mark.wine_differs("connect to an unknown address family fails with WSAEADDRNOTAVAIL")
def test_a_peer_must_have_the_family_of_the_socket(started: None) -> None:
    assert error_of(connect(new(SOCK_DGRAM), b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


@NO_ICMP_ON_WINE
def test_after_a_closed_port_other_datagrams_are_still_received(udp: tuple[int, int]) -> None:
    s, _ = refused(connected=False)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAECONNRESET
    send_to(udp[0], s, b"1")
    assert received(s) == b"1"


@pytest.mark.parametrize("size", [16, 28, 128, 129, 1000])
def test_after_a_closed_port_the_next_send_accepts_an_address_in_a_larger_buffer(started: None, size: int) -> None:
    s, other = bound(SOCK_DGRAM), bound(SOCK_DGRAM)
    assert sendto(s, b"1", 1, 0, closed_udp_port(), 16) == 1
    name = bytearray(size)
    name[:16] = bytes(name_of(other))
    assert sendto(s, b"2", 1, 0, name, 16) == 1
    assert received(other) == b"2"


def test_sio_udp_connreset_disables_the_report_of_closed_ports(udp: tuple[int, int]) -> None:
    s = udp[0]
    assert ioctlsocket(s, SIO_UDP_CONNRESET, u_long(0)) == 0
    assert connect(s, closed_udp_port(), 16) == 0
    set_nonblocking(s)
    assert send(s, b"1", 1, 0) == 1
    assert not readable(s, 0)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAEWOULDBLOCK


@pytest.mark.wine_differs("SIO_UDP_NETRESET is an unknown command")
@pytest.mark.parametrize("on", [0, 1])
def test_sio_udp_netreset_is_accepted_and_leaves_the_report_of_closed_ports(udp: tuple[int, int], on: int) -> None:
    s = udp[0]
    assert ioctlsocket(s, SIO_UDP_NETRESET, u_long(on)) == 0
    assert connect(s, closed_udp_port(), 16) == 0
    assert send(s, b"1", 1, 0) == 1
    assert readable(s)
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAECONNRESET
    assert error_of(ioctlsocket(new(), SIO_UDP_NETRESET, u_long(on))) == WSAEOPNOTSUPP


@pytest.mark.wine_differs("streams accept SIO_UDP_CONNRESET")
def test_sio_udp_connreset_is_for_datagram_sockets_only(started: None) -> None:
    assert error_of(ioctlsocket(new(), SIO_UDP_CONNRESET, u_long(0))) == WSAEOPNOTSUPP


# IPv6


def test_an_ipv6_datagram_arrives_with_its_sender(started: None) -> None:
    here, there = bound(SOCK_DGRAM, loopback6()), bound(SOCK_DGRAM, loopback6())
    name, length = sockaddr_in6(), c_int(28)
    assert getsockname(there, name, length) == 0
    assert sendto(here, b"six", 3, 0, name, length.value) == 3
    data, sender, size = bytearray(3), sockaddr_in6(), c_int(28)
    assert recvfrom(there, data, 3, 0, sender, size) == 3
    assert (data, size.value, sender.sin6_family) == (b"six", 28, AF_INET6)
    assert sender.sin6_addr.s6_addr == bytes(15) + b"\1"
