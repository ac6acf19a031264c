"""setsockopt and getsockopt: values, lengths and what is refused."""

from __future__ import annotations

from ctypes import c_int, c_int64, c_uint32

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
    IP_PKTINFO,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_MULTICAST_HOPS,
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
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_KEEPCNT,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    connect,
    getsockopt,
    htonl,
    in_addr,
    ip_mreq,
    linger,
    setsockopt,
)

from ..kit import (
    IN,
    bound,
    bound6,
    closed_port,
    done,
    inet,
    listener,
    option,
    reset,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def _get(see: Recorder, label: str, s: int, level: int, name: int, size: int, room: int = 8) -> None:
    """Asks for an option with a length, into a buffer that shows what was written."""
    value, length = bytearray(b"." * room), c_int(size)
    see(f"getsockopt {label}", getsockopt(s, level, name, value, length), value, length)


_BOOLEANS = {
    "SO_BROADCAST": SO_BROADCAST,
    "SO_OOBINLINE": SO_OOBINLINE,
    "SO_REUSEADDR": SO_REUSEADDR,
    "SO_EXCLUSIVEADDRUSE": SO_EXCLUSIVEADDRUSE,
}


def _of_its_kind(name: int) -> int:
    return udp() if name == SO_BROADCAST else tcp()


def switches_are_off_at_first(see: Recorder) -> None:
    for word, name in _BOOLEANS.items():
        see(f"getsockopt {word}", option(_of_its_kind(name), SOL_SOCKET, name))
    see("getsockopt SO_KEEPALIVE", option(tcp(), SOL_SOCKET, SO_KEEPALIVE))
    see("getsockopt SO_DEBUG", option(tcp(), SOL_SOCKET, SO_DEBUG))
    see("getsockopt TCP_NODELAY", option(tcp(), IPPROTO_TCP, TCP_NODELAY))


def switches_take_any_nonzero_number(see: Recorder) -> None:
    for word, name in _BOOLEANS.items():
        s = _of_its_kind(name)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, c_int(0x10000), 4))
        _get(see, word, s, SOL_SOCKET, name, 4)


def switches_take_short_and_long_values(see: Recorder) -> None:
    for size in (1, 2, 3, 4, 8):
        s = udp()
        value = b"\0" * (size - 1) + b"\1"
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_BROADCAST, value, size))
        see(f"getsockopt {size}", option(s, SOL_SOCKET, SO_BROADCAST))


def switches_are_turned_off_by_no_value(see: Recorder) -> None:
    for word, name in _BOOLEANS.items():
        s = switch(_of_its_kind(name), SOL_SOCKET, name)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, b"", 0))
        see(f"getsockopt {word}", option(s, SOL_SOCKET, name))


def switches_into_short_and_long_buffers(see: Recorder) -> None:
    for word, name in _BOOLEANS.items():
        s = switch(_of_its_kind(name), SOL_SOCKET, name)
        for size in (8, 4, 2, 1, 0, -1):
            _get(see, f"{word} {size}", s, SOL_SOCKET, name, size)


def switches_of_one_byte(see: Recorder) -> None:
    for word, level, name in (
        ("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE),
        ("SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE),
        ("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY),
    ):
        s = tcp()
        see(f"setsockopt {word}", setsockopt(s, level, name, c_int(1), 4))
        for size in (8, 4, 2, 1, 0, -1):
            _get(see, f"{word} {size}", s, level, name, size)


def only_the_first_byte_of_some_switches_counts(see: Recorder) -> None:
    for word, level, name in (("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE), ("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY)):
        s = tcp()
        see(f"setsockopt {word} 0x100", setsockopt(s, level, name, c_int(0x100), 4))
        see(f"getsockopt {word} 0x100", option(s, level, name))
        see(f"setsockopt {word} 0x101", setsockopt(s, level, name, c_int(0x101), 4))
        see(f"getsockopt {word} 0x101", option(s, level, name))
        see(f"setsockopt {word} one byte", setsockopt(s, level, name, b"\0", 1))
        see(f"getsockopt {word} one byte", option(s, level, name))
        see(f"setsockopt {word} nothing", setsockopt(s, level, name, b"", 0))


def buffer_sizes_are_returned_as_set(see: Recorder) -> None:
    for word, name in (("SO_RCVBUF", SO_RCVBUF), ("SO_SNDBUF", SO_SNDBUF)):
        s = tcp()
        for size in (0, 1, 4321, 70001):
            see(f"setsockopt {word} {size}", setsockopt(s, SOL_SOCKET, name, c_int(size), 4))
            see(f"getsockopt {word} {size}", option(s, SOL_SOCKET, name))


def lengths_of_buffer_sizes(see: Recorder) -> None:
    s = switch(udp(), SOL_SOCKET, SO_RCVBUF, 0x12345)
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_RCVBUF, c_int(7), size))
    see("setsockopt 0", setsockopt(s, SOL_SOCKET, SO_RCVBUF, b"", 0))
    for size in (8, 4, 2, 1, 0, -1):
        _get(see, str(size), s, SOL_SOCKET, SO_RCVBUF, size)


def timeouts_are_milliseconds(see: Recorder) -> None:
    for word, name in (("SO_RCVTIMEO", SO_RCVTIMEO), ("SO_SNDTIMEO", SO_SNDTIMEO)):
        s = tcp()
        see(f"getsockopt {word} at first", option(s, SOL_SOCKET, name))
        for value in (1, 123, 0x7FFFFFFF, 0):
            see(f"setsockopt {word} {value}", setsockopt(s, SOL_SOCKET, name, c_int(value), 4))
            see(f"getsockopt {word} {value}", option(s, SOL_SOCKET, name))


def an_endless_timeout(see: Recorder) -> None:
    s = udp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_uint32(0xFFFFFFFF), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_RCVTIMEO))


def lengths_of_timeouts(see: Recorder) -> None:
    s = switch(udp(), SOL_SOCKET, SO_RCVTIMEO, 123)
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(7), size))
    see("setsockopt 0", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, b"", 0))
    see("setsockopt 8", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int64(321), 8))
    for size in (8, 4, 2, 1, 0):
        _get(see, str(size), s, SOL_SOCKET, SO_RCVTIMEO, size)


def lingering(see: Recorder) -> None:
    s, value = tcp(), linger()
    see("getsockopt at first", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt 0x100", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0x100, 0xFFFF), 4))
    see("getsockopt 0x100", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt off", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0, 5), 4))
    see("getsockopt off", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value.l_onoff)


def lengths_of_linger(see: Recorder) -> None:
    s = tcp()
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0, 0), size))
    for size in (8, 4, 2, 1, 0):
        _get(see, str(size), s, SOL_SOCKET, SO_LINGER, size)


def not_lingering(see: Recorder) -> None:
    s, value = tcp(), linger()
    see("getsockopt at first", option(s, SOL_SOCKET, SO_DONTLINGER))
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    see("getsockopt lingering", option(s, SOL_SOCKET, SO_DONTLINGER))
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(1), 4))
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value.l_onoff)
    see("setsockopt off", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(0), 4))
    see("getsockopt off", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("getsockopt again", option(s, SOL_SOCKET, SO_DONTLINGER))


def datagrams_do_not_linger(see: Recorder) -> None:
    s = udp()
    see("setsockopt SO_LINGER", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 1), 4))
    see("setsockopt SO_DONTLINGER", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(1), 4))
    _get(see, "SO_LINGER", s, SOL_SOCKET, SO_LINGER, 4)
    _get(see, "SO_DONTLINGER", s, SOL_SOCKET, SO_DONTLINGER, 4)


def complemented_options_by_either_number(see: Recorder) -> None:
    s = tcp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE & 0xFFFFFFFF, c_int(1), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE))
    see("getsockopt SO_DONTLINGER", option(s, SOL_SOCKET, SO_DONTLINGER & 0xFFFFFFFF))


def so_error_can_be_set(see: Recorder) -> None:
    s = tcp()
    see("getsockopt at first", option(s, SOL_SOCKET, SO_ERROR))
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_ERROR, c_int(1234), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))


def so_type_cannot_be_set(see: Recorder) -> None:
    see("setsockopt stream", setsockopt(tcp(), SOL_SOCKET, SO_TYPE, c_int(2), 4))
    see("setsockopt datagram", setsockopt(udp(), SOL_SOCKET, SO_TYPE, c_int(1), 4))
    s = udp()
    for size in (8, 4, 2, 1, 0):
        _get(see, str(size), s, SOL_SOCKET, SO_TYPE, size)


def so_acceptconn_cannot_be_set(see: Recorder) -> None:
    s = listener()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, c_int(0), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_ACCEPTCONN))
    see("getsockopt unbound", option(tcp(), SOL_SOCKET, SO_ACCEPTCONN))
    _get(see, "short", s, SOL_SOCKET, SO_ACCEPTCONN, 2)


def so_debug_is_remembered(see: Recorder) -> None:
    s = tcp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_DEBUG, c_int(7), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_DEBUG))


def the_largest_message(see: Recorder) -> None:
    _get(see, "4", udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 4)
    _get(see, "8", udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 8)
    _get(see, "2", udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 2)


def seconds_connected(see: Recorder) -> None:
    client, server = tcp_pair()
    see("getsockopt client", option(client, SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt server", option(server, SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt unconnected", option(tcp(), SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt datagram", option(udp(), SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt listening", option(listener(), SOL_SOCKET, SO_CONNECT_TIME))


def so_opentype_needs_no_socket(see: Recorder) -> None:
    value, length = bytearray(4), c_int(4)
    see("getsockopt", getsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, value, length), length)
    see("setsockopt", setsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, value, 4))


def unknown_levels(see: Recorder) -> None:
    s = tcp()
    for level in (0xFFFFFFFF, 0x8000, 0x800, 1, 255):
        _get(see, f"{level:#x}", s, level, SO_KEEPALIVE, 4)
        see(f"setsockopt {level:#x}", setsockopt(s, level, SO_KEEPALIVE, c_int(1), 4))


def unknown_options(see: Recorder) -> None:
    s = tcp()
    for word, level in (("SOL_SOCKET", SOL_SOCKET), ("IPPROTO_TCP", IPPROTO_TCP), ("IPPROTO_IP", IPPROTO_IP)):
        _get(see, word, s, level, 0x5678, 4)
        see(f"setsockopt {word}", setsockopt(s, level, 0x5678, c_int(1), 4))


def low_water_marks(see: Recorder) -> None:
    s = tcp()
    for word, name in (("SO_SNDLOWAT", SO_SNDLOWAT), ("SO_RCVLOWAT", SO_RCVLOWAT)):
        _get(see, word, s, SOL_SOCKET, name, 4)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, c_int(1), 4))


def null_values(see: Recorder) -> None:
    s, length = tcp(), c_int(4)
    for word, name in (("SO_KEEPALIVE", SO_KEEPALIVE), ("SO_RCVBUF", SO_RCVBUF), ("SO_RCVTIMEO", SO_RCVTIMEO)):
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, None, 4))
        see(f"setsockopt {word} 0", setsockopt(s, SOL_SOCKET, name, None, 0))
        see(f"getsockopt {word}", getsockopt(s, SOL_SOCKET, name, None, length))
    see("getsockopt without length", getsockopt(s, SOL_SOCKET, SO_TYPE, bytearray(4), None))
    see("getsockopt with neither", getsockopt(s, SOL_SOCKET, SO_TYPE, None, None))


def keep_alive_times(see: Recorder) -> None:
    s = tcp()
    for word, name, value in (("TCP_KEEPALIVE", TCP_KEEPALIVE, 77), ("TCP_KEEPCNT", TCP_KEEPCNT, 5)):
        see(f"setsockopt {word}", setsockopt(s, IPPROTO_TCP, name, c_int(value), 4))
        for size in (8, 4, 2, 0):
            _get(see, f"{word} {size}", s, IPPROTO_TCP, name, size)
        see(f"setsockopt {word} short", setsockopt(s, IPPROTO_TCP, name, c_int(9), 2))
    see("setsockopt TCP_KEEPINTVL", setsockopt(s, IPPROTO_TCP, TCP_KEEPINTVL, c_int(3), 4))
    see("getsockopt TCP_KEEPINTVL", option(s, IPPROTO_TCP, TCP_KEEPINTVL))


def nodelay_on_a_connection(see: Recorder) -> None:
    client, server = tcp_pair()
    see("setsockopt", setsockopt(client, IPPROTO_TCP, TCP_NODELAY, b"\1", 1))
    see("getsockopt", option(client, IPPROTO_TCP, TCP_NODELAY))
    see("getsockopt server", option(server, IPPROTO_TCP, TCP_NODELAY))


def the_time_to_live(see: Recorder) -> None:
    s = udp()
    see("setsockopt", setsockopt(s, IPPROTO_IP, IP_TTL, c_int(17), 4))
    for size in (8, 4, 2, 1, 0):
        _get(see, str(size), s, IPPROTO_IP, IP_TTL, size)
    see("setsockopt 256", setsockopt(s, IPPROTO_IP, IP_TTL, c_int(256), 4))
    see("getsockopt afterwards", option(s, IPPROTO_IP, IP_TTL))
    see("setsockopt one byte", setsockopt(s, IPPROTO_IP, IP_TTL, b"\x21", 1))
    see("getsockopt one byte", option(s, IPPROTO_IP, IP_TTL))
    see("setsockopt nothing", setsockopt(s, IPPROTO_IP, IP_TTL, b"", 0))


def the_time_to_live_at_first(see: Recorder) -> None:
    see("getsockopt IPv4", option(udp(), IPPROTO_IP, IP_TTL))
    see("getsockopt IPv6", option(udp(AF_INET6), IPPROTO_IPV6, IPV6_UNICAST_HOPS))


def multicast_options(see: Recorder) -> None:
    s = udp()
    see("getsockopt IP_MULTICAST_TTL at first", option(s, IPPROTO_IP, IP_MULTICAST_TTL))
    see("getsockopt IP_MULTICAST_LOOP at first", option(s, IPPROTO_IP, IP_MULTICAST_LOOP))
    see("setsockopt IP_MULTICAST_TTL", setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, c_int(9), 4))
    see("getsockopt IP_MULTICAST_TTL", option(s, IPPROTO_IP, IP_MULTICAST_TTL))
    see("setsockopt IP_MULTICAST_TTL 256", setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, c_int(256), 4))
    see("setsockopt IP_MULTICAST_LOOP", setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, c_int(0), 4))
    see("getsockopt IP_MULTICAST_LOOP", option(s, IPPROTO_IP, IP_MULTICAST_LOOP))
    see("setsockopt IP_MULTICAST_LOOP 7", setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, c_int(7), 4))
    _get(see, "IP_MULTICAST_LOOP 7", s, IPPROTO_IP, IP_MULTICAST_LOOP, 4)


def multicast_options_are_for_datagrams(see: Recorder) -> None:
    s = tcp()
    for word, name in (
        ("IP_MULTICAST_IF", IP_MULTICAST_IF),
        ("IP_MULTICAST_TTL", IP_MULTICAST_TTL),
        ("IP_MULTICAST_LOOP", IP_MULTICAST_LOOP),
        ("IP_PKTINFO", IP_PKTINFO),
    ):
        _get(see, word, s, IPPROTO_IP, name, 4)


def memberships_cannot_be_read(see: Recorder) -> None:
    s = udp()
    _get(see, "IP_ADD_MEMBERSHIP", s, IPPROTO_IP, IP_ADD_MEMBERSHIP, 8)
    _get(see, "IP_DROP_MEMBERSHIP", s, IPPROTO_IP, IP_DROP_MEMBERSHIP, 8)


def a_membership_on_loopback(see: Recorder) -> None:
    s = bound(udp(), 0, INADDR_ANY)
    group = ip_mreq(in_addr(htonl(0xEFFF0101)), in_addr(htonl(INADDR_LOOPBACK)))
    see("setsockopt", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 8))
    see("setsockopt short", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 7))
    see("setsockopt drop", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, group, 8))


def header_included_needs_a_raw_socket(see: Recorder) -> None:
    for word, s in (("stream", tcp()), ("datagram", udp())):
        see(f"setsockopt {word}", setsockopt(s, IPPROTO_IP, IP_HDRINCL, c_int(1), 4))
        _get(see, word, s, IPPROTO_IP, IP_HDRINCL, 4)


def fragmentation(see: Recorder) -> None:
    see("getsockopt datagram", option(udp(), IPPROTO_IP, IP_DONTFRAGMENT))
    see("getsockopt stream", option(tcp(), IPPROTO_IP, IP_DONTFRAGMENT))
    s = udp()
    see("setsockopt", setsockopt(s, IPPROTO_IP, IP_DONTFRAGMENT, c_int(5), 4))
    _get(see, "4", s, IPPROTO_IP, IP_DONTFRAGMENT, 4)


def ipv6_only(see: Recorder) -> None:
    s = tcp(AF_INET6)
    _get(see, "at first", s, IPPROTO_IPV6, IPV6_V6ONLY, 4)
    see("setsockopt", setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4))
    see("getsockopt", option(s, IPPROTO_IPV6, IPV6_V6ONLY))
    see("getsockopt datagram", option(udp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY))


def ipv6_only_cannot_change_after_bind(see: Recorder) -> None:
    s = bound6(tcp(AF_INET6))
    see("setsockopt", setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4))
    see("getsockopt", option(s, IPPROTO_IPV6, IPV6_V6ONLY))


def ipv6_only_on_an_ipv4_socket(see: Recorder) -> None:
    s, value, length = tcp(), bytearray(1), c_int(1)
    see("getsockopt at first", getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, value, length), value)
    see("setsockopt", setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4))
    see("getsockopt afterwards", getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, value, length), value)
    bound(s)
    see("setsockopt bound", setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(1), 4))


def hops_over_ipv6(see: Recorder) -> None:
    s = udp(AF_INET6)
    see("setsockopt", setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, c_int(23), 4))
    see("getsockopt", option(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS))
    see("setsockopt IPV6_MULTICAST_HOPS", setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, c_int(4), 4))
    see("getsockopt IPV6_MULTICAST_HOPS", option(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS))


def options_in_every_state(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("setsockopt after a reset", setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, c_int(5), 4))
    see("getsockopt after a reset", option(client, SOL_SOCKET, SO_RCVTIMEO))
    s = tcp()
    see("connect", connect(s, inet(closed_port()), IN))
    see("setsockopt after a refusal", setsockopt(s, SOL_SOCKET, SO_OOBINLINE, c_int(1), 4))
    see("getsockopt after a refusal", option(s, SOL_SOCKET, SO_OOBINLINE))


def a_length_beyond_the_buffer(see: Recorder) -> None:
    s, value, length = tcp(), bytearray(b"...."), c_int(5)
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_TYPE, value, length), value, length)
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, c_int(1), 8))
    see("setsockopt negative", setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, c_int(1), -1))
    see("getsockopt SO_KEEPALIVE", option(s, SOL_SOCKET, SO_KEEPALIVE))


def a_wide_integer_as_optlen(see: Recorder) -> None:
    value, length = bytearray(4), c_int64(4)
    see("getsockopt", getsockopt(udp(), SOL_SOCKET, SO_TYPE, value, length), value, length)
