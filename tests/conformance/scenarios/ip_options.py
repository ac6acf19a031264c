"""Options of TCP, IP and IPv6."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    INADDR_ANY,
    INADDR_LOOPBACK,
    IP_ADD_MEMBERSHIP,
    IP_DONTFRAGMENT,
    IP_DROP_MEMBERSHIP,
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_OPTIONS,
    IP_PKTINFO,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_MULTICAST_HOPS,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    SO_DEBUG,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_KEEPCNT,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    getsockopt,
    htonl,
    in_addr,
    ip_mreq,
    setsockopt,
)

from ..kit import bound, bound6, option, tcp, tcp_pair, udp
from ..recorder import Recorder


def so_debug_is_remembered(see: Recorder) -> None:
    s = tcp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_DEBUG, c_int(7), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_DEBUG))


def keep_alive_times(see: Recorder) -> None:
    s = tcp()
    for word, name, value in (("TCP_KEEPALIVE", TCP_KEEPALIVE, 77), ("TCP_KEEPCNT", TCP_KEEPCNT, 5)):
        see(f"setsockopt {word}", setsockopt(s, IPPROTO_TCP, name, c_int(value), 4))
        for size in (8, 4, 2, 0):
            see.option(f"{word} {size}", getsockopt, s, IPPROTO_TCP, name, size)
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
        see.option(str(size), getsockopt, s, IPPROTO_IP, IP_TTL, size)
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
    see.option("IP_MULTICAST_LOOP 7", getsockopt, s, IPPROTO_IP, IP_MULTICAST_LOOP, 4)


def multicast_options_are_for_datagrams(see: Recorder) -> None:
    s = tcp()
    for word, name in (
        ("IP_MULTICAST_IF", IP_MULTICAST_IF),
        ("IP_MULTICAST_TTL", IP_MULTICAST_TTL),
        ("IP_MULTICAST_LOOP", IP_MULTICAST_LOOP),
        ("IP_PKTINFO", IP_PKTINFO),
    ):
        see.option(word, getsockopt, s, IPPROTO_IP, name, 4)


def memberships_cannot_be_read(see: Recorder) -> None:
    s = udp()
    see.option("IP_ADD_MEMBERSHIP", getsockopt, s, IPPROTO_IP, IP_ADD_MEMBERSHIP, 8)
    see.option("IP_DROP_MEMBERSHIP", getsockopt, s, IPPROTO_IP, IP_DROP_MEMBERSHIP, 8)


def a_membership_on_loopback(see: Recorder) -> None:
    s = bound(udp(), 0, INADDR_ANY)
    group = ip_mreq(in_addr(htonl(0xEFFF0101)), in_addr(htonl(INADDR_LOOPBACK)))
    see("setsockopt", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 8))
    see("setsockopt short", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 7))
    see("setsockopt drop", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, group, 8))


def a_group_is_joined_and_left_once(see: Recorder) -> None:
    s = bound(udp(), 0, INADDR_ANY)
    group = ip_mreq(in_addr(htonl(0xEFFF0102)), in_addr(htonl(INADDR_LOOPBACK)))
    see("setsockopt join", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 8))
    see("setsockopt join again", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, 8))
    see("setsockopt leave", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, group, 8))
    see("setsockopt leave again", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, group, 8))


def header_included_needs_a_raw_socket(see: Recorder) -> None:
    for word, s in (("stream", tcp()), ("datagram", udp())):
        see(f"setsockopt {word}", setsockopt(s, IPPROTO_IP, IP_HDRINCL, c_int(1), 4))
        see.option(word, getsockopt, s, IPPROTO_IP, IP_HDRINCL, 4)


def options_of_the_ip_header(see: Recorder) -> None:
    for kind, make in (("stream", tcp), ("datagram", udp)):
        s, value, length = make(), bytearray(40), c_int(40)
        see(f"getsockopt {kind}", getsockopt(s, IPPROTO_IP, IP_OPTIONS, value, length), length)
        see(f"setsockopt {kind}", setsockopt(s, IPPROTO_IP, IP_OPTIONS, bytes([1, 1, 1, 1]), 4))
        value, length = bytearray(4), c_int(4)
        see(f"getsockopt {kind} again", getsockopt(s, IPPROTO_IP, IP_OPTIONS, value, length), value, length)
        see(f"setsockopt {kind} none", setsockopt(s, IPPROTO_IP, IP_OPTIONS, b"", 0))
        see(f"getsockopt {kind} none", getsockopt(s, IPPROTO_IP, IP_OPTIONS, value, length), length)


def fragmentation(see: Recorder) -> None:
    see("getsockopt datagram", option(udp(), IPPROTO_IP, IP_DONTFRAGMENT))
    see("getsockopt stream", option(tcp(), IPPROTO_IP, IP_DONTFRAGMENT))
    s = udp()
    see("setsockopt", setsockopt(s, IPPROTO_IP, IP_DONTFRAGMENT, c_int(5), 4))
    see.option("4", getsockopt, s, IPPROTO_IP, IP_DONTFRAGMENT, 4)


def ipv6_only(see: Recorder) -> None:
    s = tcp(AF_INET6)
    see.option("at first", getsockopt, s, IPPROTO_IPV6, IPV6_V6ONLY, 4)
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
