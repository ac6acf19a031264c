"""Socket options: values and lengths as they are read, defaults, and errors."""

from __future__ import annotations

from ctypes import c_int, c_uint16, sizeof

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    accept_from,
    bound,
    connect_to,
    error_of,
    listener,
    loopback,
    loopback6,
    name_of,
    new,
    option,
    port_of,
    readable,
    receive_all,
    set_option,
)

from winsock import (
    AF_INET6,
    INADDR_ANY,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    IP_ADD_MEMBERSHIP,
    IP_DONTFRAGMENT,
    IP_DROP_MEMBERSHIP,
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_OPTIONS,
    IP_PKTINFO,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_BROADCAST,
    SO_CONNECT_TIME,
    SO_DEBUG,
    SO_DONTLINGER,
    SO_DONTROUTE,
    SO_ERROR,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MAX_MSG_SIZE,
    SO_OOBINLINE,
    SO_OPENTYPE,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_KEEPCNT,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    WSAEFAULT,
    WSAEINVAL,
    WSAENOPROTOOPT,
    accept,
    bind,
    connect,
    getsockname,
    getsockopt,
    htonl,
    ip_mreq,
    linger,
    listen,
    ntohs,
    recv,
    send,
    sendto,
    setsockopt,
    sockaddr_in6,
    u_long,
)

TCP, UDP = SOCK_STREAM, SOCK_DGRAM


def got(s: int, level: int, number: int, room: int = 4) -> tuple[int, bytes, int]:
    """The result of getsockopt, its buffer (initially dots), and the length after the call."""
    value, length = bytearray(b"." * room), c_int(room)
    result = getsockopt(s, level, number, value, length)
    return result, bytes(value), length.value


NO_OPERATIONS = bytes([1, 1, 1, 1])  # IP_OPTIONS without effect

FLAGS = [
    (UDP, SOL_SOCKET, SO_BROADCAST),
    (TCP, SOL_SOCKET, SO_OOBINLINE),
    (TCP, SOL_SOCKET, SO_REUSEADDR),
    (TCP, SOL_SOCKET, SO_EXCLUSIVEADDRUSE),
]
BYTES = [
    (TCP, SOL_SOCKET, SO_KEEPALIVE),
    (TCP, SOL_SOCKET, SO_DONTROUTE),
    (TCP, IPPROTO_TCP, TCP_NODELAY),
]
NUMBERS = [
    (TCP, SOL_SOCKET, SO_RCVBUF, 4711),
    (TCP, SOL_SOCKET, SO_SNDBUF, 1),
    (TCP, SOL_SOCKET, SO_RCVTIMEO, 123),
    (UDP, SOL_SOCKET, SO_SNDTIMEO, 1),
    (TCP, IPPROTO_TCP, TCP_KEEPALIVE, 7),
    (TCP, IPPROTO_TCP, TCP_KEEPCNT, 7),
    (TCP, IPPROTO_TCP, TCP_KEEPINTVL, 7),
    (UDP, IPPROTO_IP, IP_TTL, 7),
    (UDP, IPPROTO_IP, IP_TOS, 8),
    (UDP, IPPROTO_IP, IP_MULTICAST_TTL, 7),
    (UDP, IPPROTO_IP, IP_MULTICAST_LOOP, 0),
]


@pytest.mark.parametrize(("type", "level", "number"), FLAGS)
def test_a_boolean_option_has_four_bytes(started: None, type: int, level: int, number: int) -> None:
    s = new(type)
    assert got(s, level, number) == (0, bytes(4), 4)
    for value in (1, 0x100, 0):
        set_option(s, number, value, level)
        assert got(s, level, number) == (0, bytes([value != 0, 0, 0, 0]), 4)


@pytest.mark.parametrize(
    ("type", "level", "number"),
    [
        BYTES[0],
        pytest.param(*BYTES[1], marks=pytest.mark.wine_differs("any nonzero value turns SO_DONTROUTE on")),
        BYTES[2],
    ],
)
def test_some_options_have_one_byte_in_a_buffer_of_any_size(started: None, type: int, level: int, number: int) -> None:
    s = new(type)
    set_option(s, number, 1, level)
    assert got(s, level, number) == (0, b"\1...", 1)
    set_option(s, number, 0x100, level)
    assert got(s, level, number) == (0, b"\0...", 1)


@pytest.mark.parametrize(
    "number",
    [SO_KEEPALIVE, pytest.param(SO_DONTROUTE, marks=pytest.mark.wine_differs("SO_DONTROUTE is on by default"))],
)
def test_so_keepalive_and_so_dontroute_are_off_by_default(started: None, number: int) -> None:
    assert option(new(), number) == 0


@pytest.mark.parametrize(("type", "level", "number"), [*FLAGS, *BYTES])
def test_a_boolean_option_can_be_set_with_one_byte(started: None, type: int, level: int, number: int) -> None:
    s = new(type)
    assert setsockopt(s, level, number, b"\1", 1) == 0
    assert option(s, number, level) == 1


@pytest.mark.parametrize(("type", "level", "number", "value"), NUMBERS)
def test_a_numeric_option_is_read_as_it_was_set(started: None, type: int, level: int, number: int, value: int) -> None:
    s = new(type)
    set_option(s, number, value, level)
    assert got(s, level, number) == (0, value.to_bytes(4, "little"), 4)


@pytest.mark.parametrize(("type", "level", "number", "value"), NUMBERS[:7])
@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_numeric_option_requires_four_bytes(
    started: None, type: int, level: int, number: int, value: int, length: int
) -> None:
    s = new(type)
    before = option(s, number, level)
    assert error_of(setsockopt(s, level, number, bytes(4), length)) == WSAEFAULT
    assert option(s, number, level) == before
    result, _, _ = got(s, level, number, length)
    assert error_of(result) == WSAEFAULT


@pytest.mark.parametrize("number", [IP_TTL, IP_TOS, IP_MULTICAST_TTL])
def test_options_for_a_byte_of_the_ip_header_are_limited_to_255(started: None, number: int) -> None:
    s = new(UDP)
    set_option(s, number, 8, IPPROTO_IP)
    assert error_of(setsockopt(s, IPPROTO_IP, number, c_int(256), 4)) == WSAEINVAL
    assert option(s, number, IPPROTO_IP) == 8
    assert got(s, IPPROTO_IP, number, 1) == (0, b"\x08", 1)


def test_data_flows_through_the_smallest_buffers(pair: tuple[int, int]) -> None:
    client, server = pair
    for s in pair:
        set_option(s, SO_RCVBUF, 0)
        set_option(s, SO_SNDBUF, 1)
    sending = Running(lambda: send(client, bytes(100_000), 100_000, 0))
    assert receive_all(server, 100_000) == bytes(100_000)
    assert sending.result() == 100_000


# Single options


@pytest.mark.parametrize("type", [TCP, UDP])
def test_so_type_is_the_type_of_the_socket(started: None, type: int) -> None:
    s = new(type)
    assert option(s, SO_TYPE) == type
    assert error_of(setsockopt(s, SOL_SOCKET, SO_TYPE, c_int(type), 4)) in (WSAENOPROTOOPT, WSAEINVAL)


def test_so_acceptconn_is_true_for_a_listening_socket(started: None) -> None:
    server = listener()
    assert option(bound(), SO_ACCEPTCONN) == 0
    assert option(server, SO_ACCEPTCONN) == 1
    assert error_of(setsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, c_int(0), 4)) == WSAENOPROTOOPT


def test_so_error_is_0_without_a_failed_connect(pair: tuple[int, int], udp: tuple[int, int]) -> None:
    assert [option(s, SO_ERROR) for s in (new(), *pair, *udp)] == [0] * 5


@pytest.mark.wine_differs("SO_ERROR cannot be set")
def test_so_error_can_be_set(started: None) -> None:
    s = new()
    set_option(s, SO_ERROR, 4711)
    assert option(s, SO_ERROR) == 4711


def test_so_connect_time_counts_seconds_while_connected(pair: tuple[int, int]) -> None:
    for s in pair:
        assert option(s, SO_CONNECT_TIME) < LIMIT_SECONDS
    assert option(new(), SO_CONNECT_TIME) == 0xFFFFFFFF
    assert option(new(UDP), SO_CONNECT_TIME) == 0xFFFFFFFF


def test_so_max_msg_size_is_the_size_of_the_largest_datagram(started: None) -> None:
    assert option(new(UDP), SO_MAX_MSG_SIZE) == 65507


@pytest.mark.parametrize(
    "on", [1, pytest.param(0x100, marks=pytest.mark.wine_differs("SO_LINGER changes l_onoff to 1"))]
)
def test_so_linger_is_read_as_it_was_set(started: None, on: int) -> None:
    s = new()
    assert setsockopt(s, SOL_SOCKET, SO_LINGER, linger(on, 7), sizeof(linger)) == 0
    value = linger()
    assert getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(sizeof(linger))) == 0
    assert (value.l_onoff, value.l_linger) == (on, 7)


def test_so_dontlinger_is_the_opposite_of_so_linger(started: None) -> None:
    s = new()
    assert option(s, SO_DONTLINGER) == 1
    assert setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 7), sizeof(linger)) == 0
    assert option(s, SO_DONTLINGER) == 0
    set_option(s, SO_DONTLINGER, 1)
    assert option(s, SO_LINGER) & 0xFFFF == 0
    set_option(s, SO_DONTLINGER, 0)
    assert option(s, SO_LINGER) == 1


@pytest.mark.wine_differs("datagram sockets accept SO_LINGER")
def test_so_linger_is_an_option_of_stream_sockets(started: None) -> None:
    s = new(UDP)
    assert error_of(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger))) == WSAENOPROTOOPT
    assert error_of(setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(1), 4)) == WSAENOPROTOOPT


def test_so_reuseaddr_and_so_exclusiveaddruse_exclude_each_other(started: None) -> None:
    for first, second in ((SO_REUSEADDR, SO_EXCLUSIVEADDRUSE), (SO_EXCLUSIVEADDRUSE, SO_REUSEADDR)):
        s = new()
        set_option(s, first, 1)
        assert error_of(setsockopt(s, SOL_SOCKET, second, c_int(1), 4)) == WSAEINVAL


def test_ip_dontfragment_is_by_default_on_for_streams_and_off_for_datagrams(started: None) -> None:
    assert option(new(TCP), IP_DONTFRAGMENT, IPPROTO_IP) == 1
    s = new(UDP)
    assert option(s, IP_DONTFRAGMENT, IPPROTO_IP) == 0
    set_option(s, IP_DONTFRAGMENT, 5, IPPROTO_IP)
    assert option(s, IP_DONTFRAGMENT, IPPROTO_IP) == 1


def test_ipv6_v6only_is_on_by_default_and_cannot_change_after_bind(started: None) -> None:
    s = new(UDP, AF_INET6)
    assert got(s, IPPROTO_IPV6, IPV6_V6ONLY) == (0, b"\1...", 1)
    set_option(s, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    assert bind(s, loopback6(), 28) == 0
    assert error_of(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(1), 4)) == WSAEINVAL


def test_a_dual_stack_socket_accepts_ipv4_connections(started: None) -> None:
    server = new(TCP, AF_INET6)
    set_option(server, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    name, length = sockaddr_in6(sin6_family=AF_INET6), c_int(28)
    assert bind(server, name, 28) == 0
    assert listen(server, 1) == 0
    assert getsockname(server, name, length) == 0
    client = new()
    assert connect(client, loopback(ntohs(name.sin6_port)), 16) == 0
    assert readable(server)
    peer = sockaddr_in6()
    assert accept(server, peer, c_int(28)) != INVALID_SOCKET
    assert peer.sin6_addr.s6_addr == bytes(10) + b"\xff\xff\x7f\0\0\1"


@pytest.mark.parametrize("number", [IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP])
def test_memberships_cannot_be_read(started: None, number: int) -> None:
    result, _, _ = got(new(UDP), IPPROTO_IP, number, 8)
    assert error_of(result) == WSAENOPROTOOPT


def test_a_member_of_a_group_receives_what_is_sent_to_it(started: None) -> None:
    group, port_holder = 0xEFFFFF12, new(UDP)
    assert bind(port_holder, loopback(0, INADDR_ANY), 16) == 0
    membership = ip_mreq()
    membership.imr_multiaddr.s_addr = htonl(group)
    membership.imr_interface.s_addr = htonl(INADDR_LOOPBACK)
    assert setsockopt(port_holder, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership, sizeof(membership)) == 0
    sender = bound(UDP)
    interface = u_long(htonl(INADDR_LOOPBACK))
    assert setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, interface, 4) == 0
    assert option(sender, IP_MULTICAST_IF, IPPROTO_IP) == interface.value
    assert sendto(sender, b"all", 3, 0, loopback(port_of(port_holder), group), 16) == 3
    data = bytearray(3)
    assert recv(port_holder, data, 3, 0) == 3
    assert data == b"all"
    assert setsockopt(port_holder, IPPROTO_IP, IP_DROP_MEMBERSHIP, membership, sizeof(membership)) == 0


def test_large_buffer_sizes_are_read_as_they_were_set(started: None) -> None:
    s = new()
    for number in (SO_RCVBUF, SO_SNDBUF):
        set_option(s, number, 1 << 20)
        assert option(s, number) == 1 << 20


def test_so_opentype_works_without_any_socket(started: None) -> None:
    before = option(INVALID_SOCKET, SO_OPENTYPE)
    set_option(INVALID_SOCKET, SO_OPENTYPE, 0x20)
    assert option(INVALID_SOCKET, SO_OPENTYPE) == 0x20
    set_option(INVALID_SOCKET, SO_OPENTYPE, before)
    assert error_of(setsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, bytes(4), 2)) == WSAEFAULT


# Errors


@pytest.mark.parametrize("number", [IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_PKTINFO])
def test_streams_do_not_have_the_options_of_datagrams(started: None, number: int) -> None:
    result, _, _ = got(new(), IPPROTO_IP, number)
    assert error_of(result) == WSAEINVAL


@pytest.mark.wine_differs("streams have SO_BROADCAST")
def test_so_broadcast_is_an_option_of_datagram_sockets(started: None) -> None:
    s = new()
    assert error_of(setsockopt(s, SOL_SOCKET, SO_BROADCAST, c_int(1), 4)) == WSAENOPROTOOPT
    assert error_of(got(s, SOL_SOCKET, SO_BROADCAST)[0]) == WSAENOPROTOOPT


@pytest.mark.parametrize("type", [TCP, UDP])
def test_ip_options_has_the_length_of_the_options_that_are_set(started: None, type: int) -> None:
    s = new(type)
    assert got(s, IPPROTO_IP, IP_OPTIONS) == (0, b"....", 0)
    assert setsockopt(s, IPPROTO_IP, IP_OPTIONS, NO_OPERATIONS, 4) == 0
    assert got(s, IPPROTO_IP, IP_OPTIONS, 6) == (0, NO_OPERATIONS + b"..", 4)
    assert setsockopt(s, IPPROTO_IP, IP_OPTIONS, b"", 0) == 0
    assert got(s, IPPROTO_IP, IP_OPTIONS, 6)[2] == 0


@pytest.mark.wine_differs("getsockopt truncates IP_OPTIONS")
def test_ip_options_requires_room_for_all_options(started: None) -> None:
    s = new()
    assert setsockopt(s, IPPROTO_IP, IP_OPTIONS, NO_OPERATIONS, 4) == 0
    assert error_of(got(s, IPPROTO_IP, IP_OPTIONS, 3)[0]) == WSAEFAULT


def test_data_flows_with_ip_options(udp: tuple[int, int]) -> None:
    s, other = udp
    assert setsockopt(s, IPPROTO_IP, IP_OPTIONS, NO_OPERATIONS, 4) == 0
    assert sendto(s, b"1", 1, 0, name_of(other), 16) == 1
    assert readable(other)
    assert recv(other, bytearray(1), 1, 0) == 1


def test_ip_options_are_at_most_40_bytes(started: None) -> None:
    assert error_of(setsockopt(new(UDP), IPPROTO_IP, IP_OPTIONS, NO_OPERATIONS * 11, 44)) == WSAEINVAL


@pytest.mark.parametrize(
    ("level", "number", "value"),
    [
        (IPPROTO_IP, IP_TTL, 77),
        (IPPROTO_IP, IP_TOS, 8),
        (IPPROTO_IP, IP_DONTFRAGMENT, 0),
        (IPPROTO_TCP, TCP_KEEPALIVE, 33),
        (IPPROTO_TCP, TCP_KEEPCNT, 5),
        (IPPROTO_TCP, TCP_KEEPINTVL, 6),
        pytest.param(SOL_SOCKET, SO_DEBUG, 1, marks=pytest.mark.wine_differs("SO_DEBUG is not kept")),
        (SOL_SOCKET, SO_DONTROUTE, 1),
        (SOL_SOCKET, SO_RCVTIMEO, 1234),
    ],
)
def test_an_accepted_socket_inherits_the_option(started: None, level: int, number: int, value: int) -> None:
    server = bound()
    set_option(server, number, value, level)
    assert listen(server, 1) == 0
    connect_to(server)
    accepted = accept_from(server)
    assert option(accepted, number, level) & 0xFFFF == value
    set_option(server, number, value + 1, level)
    assert option(accepted, number, level) & 0xFFFF == value


@pytest.mark.parametrize("type", [TCP, UDP])
def test_ip_hdrincl_is_an_option_of_raw_sockets(started: None, type: int) -> None:
    s = new(type)
    assert error_of(setsockopt(s, IPPROTO_IP, IP_HDRINCL, c_int(1), 4)) == WSAEINVAL
    result, _, _ = got(s, IPPROTO_IP, IP_HDRINCL)
    assert error_of(result) == WSAEINVAL


def test_an_ipv4_socket_does_not_have_the_options_of_ipv6(started: None) -> None:
    s = new(UDP)
    assert error_of(setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, c_int(7), 4)) in (WSAEINVAL, WSAENOPROTOOPT)


@pytest.mark.wine_differs("getsockopt of IPV6_V6ONLY on an IPv4 socket fails with WSAEOPNOTSUPP")
def test_only_ipv6_v6only_can_be_read_from_an_ipv4_socket(started: None) -> None:
    s = new(UDP)
    assert option(s, IPV6_V6ONLY, IPPROTO_IPV6) & 1 == 1


@pytest.mark.wine_differs("setsockopt fails with WSAEINVAL if the membership structure is too short")
@pytest.mark.parametrize("number", [IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP])
def test_a_membership_requires_both_addresses(started: None, number: int) -> None:
    assert error_of(setsockopt(new(UDP), IPPROTO_IP, number, bytes(8), 7)) == WSAEFAULT


@pytest.mark.parametrize("level", [1, 0x800, 0x8000, 0xFFFFFFFF, -1])
def test_an_unknown_level_is_wsaeinval(started: None, level: int) -> None:
    s = new()
    assert error_of(setsockopt(s, level, SO_KEEPALIVE, c_int(1), 4)) == WSAEINVAL
    assert error_of(getsockopt(s, level, SO_KEEPALIVE, c_int(), c_int(4))) == WSAEINVAL


@pytest.mark.parametrize("level", [SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP])
def test_an_unknown_option_is_wsaenoprotoopt(started: None, level: int) -> None:
    s = new()
    assert error_of(setsockopt(s, level, 0x7EEE, c_int(1), 4)) == WSAENOPROTOOPT
    assert error_of(getsockopt(s, level, 0x7EEE, c_int(), c_int(4))) == WSAENOPROTOOPT


@pytest.mark.parametrize("number", [SO_RCVLOWAT, SO_SNDLOWAT])
def test_low_water_marks_do_not_exist(started: None, number: int) -> None:
    s = new()
    assert error_of(setsockopt(s, SOL_SOCKET, number, c_int(1), 4)) == WSAENOPROTOOPT
    assert error_of(getsockopt(s, SOL_SOCKET, number, c_int(), c_int(4))) == WSAENOPROTOOPT


def test_getsockopt_writes_no_more_than_the_length(started: None) -> None:
    s = new()
    assert setsockopt(s, SOL_SOCKET, SO_OOBINLINE, c_uint16(1), 2) == 0
    assert got(s, SOL_SOCKET, SO_OOBINLINE, 2)[:2] == (0, b"\1\0")
