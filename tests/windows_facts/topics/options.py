"""Options: values that are read back, refused values, options that a kind of socket does not have, inheritance."""

from __future__ import annotations

from ctypes import c_int, sizeof
from functools import partial

from tests.conformance.kit import ANY, IN, bound, done, name_of, tcp, tcp_pair, udp
from tests.conformance.recorder import Json
from winsock import (
    AF_INET,
    AF_INET6,
    INVALID_SOCKET,
    IP_ADD_MEMBERSHIP,
    IP_DONTFRAGMENT,
    IP_DROP_MEMBERSHIP,
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_PKTINFO,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_ADD_MEMBERSHIP,
    IPV6_DROP_MEMBERSHIP,
    IPV6_HOPLIMIT,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_IF,
    IPV6_MULTICAST_LOOP,
    IPV6_PKTINFO,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_CONNECT_TIME,
    SO_DEBUG,
    SO_DONTLINGER,
    SO_ERROR,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MAX_MSG_SIZE,
    SO_OOBINLINE,
    SO_OPENTYPE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_KEEPCNT,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    accept,
    bind,
    closesocket,
    connect,
    getsockopt,
    linger,
    listen,
    setsockopt,
)

from ..facts import TESTED, Topic, answer
from ..situations import option_value
from ..sources import dotnet, rust, socket2, wine

topic = Topic("options")

SET_GET = wine("test_set_getsockopt")
VALIDITY = wine("test_sockopt_validity")
EXTENDED = wine("test_extendedSocketOptions")
LISTEN = wine("test_listen")
INHERITANCE = wine("test_accept_inheritance")

IPV4_UDP, IPV4_TCP = (AF_INET, SOCK_DGRAM), (AF_INET, SOCK_STREAM)
IPV6_UDP, IPV6_TCP = (AF_INET6, SOCK_DGRAM), (AF_INET6, SOCK_STREAM)


def _socket_of(kind: tuple[int, int]) -> int:
    family, type = kind
    return udp(family) if type == SOCK_DGRAM else tcp(family)


def _set(s: int, level: int, name: int, value: int, length: int = 4) -> Json:
    return answer("setsockopt", setsockopt(s, level, name, value.to_bytes(max(length, 4), "little"), length))


def _set_and_get(kind: tuple[int, int], level: int, name: int, value: int) -> Json:
    s = _socket_of(kind)
    return [_set(s, level, name, value), option_value(s, level, name)]


def _linger(s: int, value: linger) -> Json:
    result = answer("setsockopt", setsockopt(s, SOL_SOCKET, SO_LINGER, value, sizeof(linger)))
    seen = linger()
    done(getsockopt(s, SOL_SOCKET, SO_LINGER, seen, c_int(sizeof(linger))))
    return [result, bool(seen.l_onoff), seen.l_linger if seen.l_onoff else 0]


# Values that are read back as they were set, with the socket and the test that says so.
_KEPT = {
    "so_rcvtimeo_63000": (IPV4_TCP, SOL_SOCKET, SO_RCVTIMEO, 63000, SET_GET),
    "so_rcvtimeo_0": (IPV4_TCP, SOL_SOCKET, SO_RCVTIMEO, 0, SET_GET),
    "so_rcvtimeo_of_hours": (IPV4_UDP, SOL_SOCKET, SO_RCVTIMEO, 15410000, rust("udp/tests.rs", "timeouts")),
    "so_sndtimeo_997000": (IPV4_TCP, SOL_SOCKET, SO_SNDTIMEO, 997000, SET_GET),
    "so_sndbuf_4096": (IPV4_TCP, SOL_SOCKET, SO_SNDBUF, 4096, SET_GET),
    "so_rcvbuf_4096": (IPV4_TCP, SOL_SOCKET, SO_RCVBUF, 4096, SET_GET),
    "so_rcvbuf_0": (IPV4_TCP, SOL_SOCKET, SO_RCVBUF, 0, SET_GET),
    "so_rcvbuf_8192_over_ipv6": (
        IPV6_TCP,
        SOL_SOCKET,
        SO_RCVBUF,
        8192,
        dotnet("SocketOptionNameTest.cs", "GetSetRawSocketOption_Roundtrips"),
    ),
    "tcp_keepalive_3600": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPALIVE, 3600, SET_GET),
    "tcp_keepcnt_5": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPCNT, 5, SET_GET),
    "tcp_keepintvl_5": (IPV4_TCP, IPPROTO_TCP, TCP_KEEPINTVL, 5, SET_GET),
    "ip_ttl_40": (IPV4_TCP, IPPROTO_IP, IP_TTL, 40, socket2("tests/socket.rs", "ttl_v4")),
    "ip_ttl_100_of_udp": (IPV4_UDP, IPPROTO_IP, IP_TTL, 100, rust("udp/tests.rs", "ttl")),
    "ip_tos_96": (IPV4_TCP, IPPROTO_IP, IP_TOS, 96, socket2("tests/socket.rs", "tos_v4")),
    "ipv6_unicast_hops_20": (
        IPV6_TCP,
        IPPROTO_IPV6,
        IPV6_UNICAST_HOPS,
        20,
        socket2("tests/socket.rs", "unicast_hops_v6"),
    ),
    "ipv6_v6only_off": (IPV6_TCP, IPPROTO_IPV6, IPV6_V6ONLY, 0, socket2("tests/socket.rs", "only_v6")),
    "so_oobinline_on": (IPV4_TCP, SOL_SOCKET, SO_OOBINLINE, 1, socket2("tests/socket.rs", "out_of_band_inline")),
    "so_reuseaddr_on": (IPV4_TCP, SOL_SOCKET, SO_REUSEADDR, 1, socket2("tests/socket.rs", "reuse_address")),
}


def _add_kept_values() -> None:
    for name, (kind, level, option, value, source) in _KEPT.items():
        observe = partial(_set_and_get, kind, level, option, value)
        situation = f"{name.replace('_', ' ')}, then getsockopt"
        topic.add(f"{name}_is_read_back", "setsockopt", situation, [[0, value]], source, TESTED, observe)


_add_kept_values()

# What getsockopt says of an option that the kind of socket does not have. Of the others: that it succeeds.
_VALIDITY: dict[str, tuple[tuple[int, int], int, dict[str, tuple[int, Json]]]] = {
    "tcp": (
        IPV4_TCP,
        IPPROTO_IP,
        {
            "ip_hdrincl": (IP_HDRINCL, "WSAEINVAL"),
            "ip_multicast_if": (IP_MULTICAST_IF, "WSAEINVAL"),
            "ip_multicast_ttl": (IP_MULTICAST_TTL, "WSAEINVAL"),
            "ip_multicast_loop": (IP_MULTICAST_LOOP, "WSAEINVAL"),
            "ip_add_membership": (IP_ADD_MEMBERSHIP, "WSAENOPROTOOPT"),
            "ip_drop_membership": (IP_DROP_MEMBERSHIP, "WSAENOPROTOOPT"),
            "ip_pktinfo": (IP_PKTINFO, "WSAEINVAL"),
            "ip_recvttl": (IP_RECVTTL, "WSAEINVAL"),
            "option_minus_1": (-1, "WSAENOPROTOOPT"),
        },
    ),
    "udp": (
        IPV4_UDP,
        IPPROTO_IP,
        {
            "ip_hdrincl": (IP_HDRINCL, "WSAEINVAL"),
            "ip_add_membership": (IP_ADD_MEMBERSHIP, "WSAENOPROTOOPT"),
            "ip_pktinfo": (IP_PKTINFO, 0),
            "ip_recvttl": (IP_RECVTTL, 0),
            "ip_dontfragment": (IP_DONTFRAGMENT, 0),
        },
    ),
    "ipv6_tcp": (
        IPV6_TCP,
        IPPROTO_IPV6,
        {
            "ipv6_multicast_if": (IPV6_MULTICAST_IF, "WSAEINVAL"),
            "ipv6_multicast_hops": (IPV6_MULTICAST_HOPS, "WSAEINVAL"),
            "ipv6_multicast_loop": (IPV6_MULTICAST_LOOP, "WSAEINVAL"),
            "ipv6_add_membership": (IPV6_ADD_MEMBERSHIP, "WSAENOPROTOOPT"),
            "ipv6_drop_membership": (IPV6_DROP_MEMBERSHIP, "WSAENOPROTOOPT"),
            "ipv6_pktinfo": (IPV6_PKTINFO, "WSAEINVAL"),
            "ipv6_hoplimit": (IPV6_HOPLIMIT, "WSAEINVAL"),
        },
    ),
}


def _readable(kind: tuple[int, int], level: int, option: int) -> Json:
    return answer("getsockopt", getsockopt(_socket_of(kind), level, option, bytearray(256), c_int(256)))


def _add_validity() -> None:
    for word, (kind, level, options) in _VALIDITY.items():
        for name, (option, result) in options.items():
            situation = f"{name.upper()} of a socket for {word.replace('_', ' ')}"
            observe = partial(_readable, kind, level, option)
            topic.add(f"{name}_of_{word}", "getsockopt", situation, [result], VALIDITY, TESTED, observe)


_add_validity()

# Options of a listener that an accepted socket inherits as they were set.
_INHERITED = {
    "so_reuseaddr": (SOL_SOCKET, SO_REUSEADDR, 1),
    "so_keepalive": (SOL_SOCKET, SO_KEEPALIVE, 1),
    "so_oobinline": (SOL_SOCKET, SO_OOBINLINE, 1),
    "so_sndbuf": (SOL_SOCKET, SO_SNDBUF, 0x123),
    "so_rcvbuf": (SOL_SOCKET, SO_RCVBUF, 0x123),
    "so_sndtimeo": (SOL_SOCKET, SO_SNDTIMEO, 0x123),
    "so_rcvtimeo": (SOL_SOCKET, SO_RCVTIMEO, 0x123),
    "tcp_nodelay": (IPPROTO_TCP, TCP_NODELAY, 1),
}


def _accepted(queue: int) -> int:
    done(listen(bound(queue), 1))
    done(connect(tcp(), name_of(queue), IN))
    server = accept(queue, None, None)
    assert server != INVALID_SOCKET
    return server


def _inherited(level: int, option: int, value: int) -> Json:
    queue = tcp()
    _set(queue, level, option, value)
    return option_value(_accepted(queue), level, option)


def _add_inheritance() -> None:
    for name, (level, option, value) in _INHERITED.items():
        situation = f"{name.upper()} of an accepted socket, after {value} was set on the listener"
        observe = partial(_inherited, level, option, value)
        topic.add(f"{name}_is_inherited", "getsockopt", situation, [value], INHERITANCE, TESTED, observe)


_add_inheritance()


@topic.fact(
    "getsockopt",
    "SO_LINGER of an accepted socket, after it was set on the listener",
    windows=[[1, 555]],
    source=INHERITANCE,
    certainty=TESTED,
)
def so_linger_is_inherited() -> Json:
    queue, value = tcp(), linger()
    done(setsockopt(queue, SOL_SOCKET, SO_LINGER, linger(1, 555), sizeof(linger)))
    done(getsockopt(_accepted(queue), SOL_SOCKET, SO_LINGER, value, c_int(sizeof(linger))))
    return [value.l_onoff, value.l_linger]


@topic.fact(
    "setsockopt",
    "SO_LINGER off, off with a time, on without and with a time",
    windows=[[[0, False, 0], [0, False, 0], [0, True, 0], [0, True, 189]]],
    source=SET_GET,
    certainty=TESTED,
)
def so_linger_is_read_back() -> Json:
    s = tcp()
    return [_linger(s, linger(*value)) for value in ((0, 0), (0, 73), (1, 0), (5, 189))]


@topic.fact(
    "setsockopt",
    "SO_LINGER and SO_DONTLINGER without a value, with and without a length",
    windows=[["WSAEFAULT"] * 4],
    source=SET_GET,
    certainty=TESTED,
)
def setsockopt_needs_a_value() -> Json:
    s = tcp()
    return [
        answer("setsockopt", setsockopt(s, SOL_SOCKET, name, None, length))
        for name in (SO_LINGER, SO_DONTLINGER)
        for length in (4, 0)
    ]


@topic.fact(
    "getsockopt",
    "SO_DONTLINGER, before and after SO_LINGER is turned on",
    windows=[[1, 0]],
    source=EXTENDED,
    certainty=TESTED,
)
def so_dontlinger_is_the_opposite_of_so_linger() -> Json:
    s = bound(tcp(), 0, ANY)
    before = option_value(s, SOL_SOCKET, SO_DONTLINGER)
    _linger(s, linger(1, 5))
    return [before, option_value(s, SOL_SOCKET, SO_DONTLINGER)]


@topic.fact(
    "getsockopt", "SO_LINGER of a datagram socket", windows=["WSAENOPROTOOPT"], source=EXTENDED, certainty=TESTED
)
def datagram_sockets_do_not_linger() -> Json:
    s = bound(udp(), 0, ANY)
    return answer("getsockopt", getsockopt(s, SOL_SOCKET, SO_LINGER, linger(), c_int(sizeof(linger))))


@topic.fact(
    "getsockopt",
    "SO_MAX_MSG_SIZE of a datagram socket",
    windows=[65507, 65527],
    source=EXTENDED,
    certainty=TESTED,
)
def a_datagram_socket_says_how_much_it_can_send() -> Json:
    return option_value(bound(udp(), 0, ANY), SOL_SOCKET, SO_MAX_MSG_SIZE)


@topic.fact(
    "getsockopt",
    "with levels that do not exist",
    windows=[["WSAEINVAL"] * 4],
    source=EXTENDED,
    certainty=TESTED,
)
def unknown_levels_cannot_be_read() -> Json:
    s = udp()
    return [option_value(s, level, SO_MAX_MSG_SIZE) for level in (-1, 0x1234FFFF, 0x8000, 0x800)]


@topic.fact(
    "setsockopt",
    "with levels that do not exist",
    windows=[["WSAEINVAL", "WSAEINVAL"]],
    source=SET_GET,
    certainty=TESTED,
)
def unknown_levels_cannot_be_set() -> Json:
    s = tcp()
    return [_set(s, level, SO_RCVTIMEO, 63000) for level in (-1, 0x8000)]


@topic.fact(
    "setsockopt",
    "TCP_NODELAY with lengths 1, 4 and 42: the values read back",
    windows=[[[0, 1], [0, 1], [0, 1]]],
    source=SET_GET,
    certainty=TESTED,
)
def the_length_of_tcp_nodelay_does_not_matter() -> Json:
    seen: list[Json] = []
    for length in (1, 4, 42):
        s = tcp()
        seen.append([_set(s, IPPROTO_TCP, TCP_NODELAY, 1, length), option_value(s, IPPROTO_TCP, TCP_NODELAY)])
    return seen


@topic.fact(
    "setsockopt",
    "TCP_NODELAY with length 0, after it was off",
    windows=[["WSAEFAULT", 0]],
    source=SET_GET,
    certainty=TESTED,
)
def tcp_nodelay_needs_a_value() -> Json:
    s = tcp()
    return [_set(s, IPPROTO_TCP, TCP_NODELAY, 1, 0), option_value(s, IPPROTO_TCP, TCP_NODELAY)]


@topic.fact(
    "setsockopt",
    "IP_MULTICAST_TTL with lengths of 1 to 4 bytes: the values read back",
    windows=[[10, 11, 12, 13]],
    source=SET_GET,
    certainty=TESTED,
)
def ip_multicast_ttl_takes_each_length() -> Json:
    s, seen = udp(), []
    for length, value in enumerate((0xFFFFFF0A, 0xFFFF000B, 0xFF00000C, 13), 1):
        done(setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, value.to_bytes(4, "little"), length))
        seen.append(option_value(s, IPPROTO_IP, IP_MULTICAST_TTL))
    return seen


@topic.fact(
    "setsockopt",
    "SO_ERROR to 1234, then getsockopt",
    windows=[[0, 1234]],
    source=SET_GET,
    certainty=TESTED,
    wine="getsockopt returns 0",
)
def so_error_can_be_set() -> Json:
    return _set_and_get(IPV4_TCP, SOL_SOCKET, SO_ERROR, 1234)


@topic.fact(
    "getsockopt",
    "SO_ERROR with length 1, and of a closed socket",
    windows=[["WSAEFAULT", "WSAENOTSOCK"]],
    source=SET_GET,
    certainty=TESTED,
)
def so_error_needs_room_and_a_socket() -> Json:
    s = tcp()
    short = answer("getsockopt", getsockopt(s, SOL_SOCKET, SO_ERROR, bytearray(4), c_int(1)))
    done(closesocket(s))
    return [short, option_value(s, SOL_SOCKET, SO_ERROR)]


@topic.fact(
    "setsockopt",
    "SO_TYPE, of a stream and of a datagram socket",
    windows=[["WSAENOPROTOOPT", "WSAEINVAL"]],
    source=wine("test_WSASocket"),
    certainty=TESTED,
    wine="it is WSAENOPROTOOPT for both",
)
def the_type_cannot_be_set() -> Json:
    return [_set(s, SOL_SOCKET, SO_TYPE, SOCK_STREAM) for s in (tcp(), udp())]


@topic.fact(
    "getsockopt",
    "SO_ACCEPTCONN, before and after listen",
    windows=[[0, 1]],
    source=dotnet("SocketOptionNameTest.cs", "Get_AcceptConnection_Succeeds"),
    certainty=TESTED,
)
def so_acceptconn_shows_whether_a_socket_listens() -> Json:
    s = bound(tcp())
    before = option_value(s, SOL_SOCKET, SO_ACCEPTCONN)
    done(listen(s, 1))
    return [before, option_value(s, SOL_SOCKET, SO_ACCEPTCONN)]


@topic.fact(
    "setsockopt",
    "SO_ACCEPTCONN, before and after listen",
    windows=[["WSAENOPROTOOPT", "WSAENOPROTOOPT"]],
    source=LISTEN,
    certainty=TESTED,
)
def so_acceptconn_cannot_be_set() -> Json:
    s = bound(tcp())
    before = _set(s, SOL_SOCKET, SO_ACCEPTCONN, 1)
    done(listen(s, 1))
    return [before, _set(s, SOL_SOCKET, SO_ACCEPTCONN, 1)]


@topic.fact(
    "setsockopt",
    "SO_DEBUG to 2, then getsockopt",
    windows=[[0, 1]],
    source=wine("test_so_debug"),
    certainty=TESTED,
    wine="it is ignored",
)
def so_debug_is_read_back_as_1() -> Json:
    return _set_and_get(IPV4_TCP, SOL_SOCKET, SO_DEBUG, 2)


@topic.fact(
    "getsockopt",
    "SO_CONNECT_TIME of a fresh stream and of both ends of a new connection",
    windows=[[0xFFFFFFFF, 0, 0]],
    source=wine("test_connect_time"),
    certainty=TESTED,
)
def so_connect_time_counts_seconds() -> Json:
    return [option_value(s, SOL_SOCKET, SO_CONNECT_TIME) for s in (tcp(), *tcp_pair())]


@topic.fact(
    "getsockopt",
    "SO_CONNECT_TIME of a datagram socket, connected and not",
    windows=[[0xFFFFFFFF, 0xFFFFFFFF]],
    source=wine("test_connect_time"),
    certainty=TESTED,
)
def datagram_sockets_have_no_connect_time() -> Json:
    client, server = udp(), bound(udp())
    done(connect(client, name_of(server), IN))
    return [option_value(s, SOL_SOCKET, SO_CONNECT_TIME) for s in (client, server)]


@topic.fact(
    "getsockopt",
    "IPV6_V6ONLY of a new socket",
    windows=[1],
    source=socket2("tests/socket.rs", "only_v6: IPv6 sockets are IPv6 only on Windows"),
    certainty=TESTED,
)
def a_new_ipv6_socket_is_for_ipv6_only() -> Json:
    value = bytearray(4)
    done(getsockopt(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, value, c_int(4)))
    return value[0]


@topic.fact(
    "getsockopt",
    "SO_RCVTIMEO and SO_SNDTIMEO of a new socket",
    windows=[[0, 0]],
    source=rust("udp/tests.rs", "timeouts"),
    certainty=TESTED,
)
def a_new_socket_has_no_time_limits() -> Json:
    s = udp()
    return [option_value(s, SOL_SOCKET, name) for name in (SO_RCVTIMEO, SO_SNDTIMEO)]


@topic.fact(
    "getsockopt",
    "TCP_NODELAY of a connection, before it is set, after, and after it is turned off",
    windows=[[0, 1, 0]],
    source=rust("tcp/tests.rs", "nodelay"),
    certainty=TESTED,
)
def tcp_nodelay_can_be_turned_off() -> Json:
    client, _ = tcp_pair()
    seen = [option_value(client, IPPROTO_TCP, TCP_NODELAY)]
    for value in (1, 0):
        _set(client, IPPROTO_TCP, TCP_NODELAY, value)
        seen.append(option_value(client, IPPROTO_TCP, TCP_NODELAY))
    return seen


@topic.fact(
    "setsockopt",
    "SO_OPENTYPE with INVALID_SOCKET, then getsockopt",
    windows=[[0, 1, 0]],
    source=wine("set_so_opentype and check_so_opentype"),
    certainty=TESTED,
)
def so_opentype_needs_no_socket() -> Json:
    result = _set(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, 1)
    seen = option_value(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE)
    return [result, seen, _set(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, 0)]


@topic.fact(
    "bind",
    "to the address of a listener with SO_EXCLUSIVEADDRUSE",
    windows=["WSAEADDRINUSE"],
    source=dotnet("SocketOptionNameTest.cs", "ExclusiveAddressUseTcp"),
    certainty=TESTED,
)
def an_exclusive_address_is_in_use() -> Json:
    first = tcp()
    _set(first, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
    done(listen(bound(first), 5))
    return answer("bind", bind(tcp(), name_of(first), IN))
