"""socket and closesocket."""

from __future__ import annotations

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    INVALID_SOCKET,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    getsockopt,
    ioctlsocket,
    listen,
    recv,
    send,
    sendto,
    setsockopt,
    shutdown,
    socket,
)

from ..kit import IN, IN6, inet, inet6, option, tcp
from ..recorder import Recorder


def a_tcp_socket(see: Recorder) -> None:
    s = see("socket", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
    see("getsockopt", option(s, SOL_SOCKET, SO_TYPE))
    see("bind", bind(s, inet(), IN))
    see("listen", listen(s, 1))
    see("closesocket", closesocket(s))


def a_udp_socket(see: Recorder) -> None:
    s = see("socket", socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP))
    see("getsockopt", option(s, SOL_SOCKET, SO_TYPE))
    see("bind", bind(s, inet(), IN))
    see("listen", listen(s, 1))
    see("closesocket", closesocket(s))


def ipv6_sockets(see: Recorder) -> None:
    stream = see("socket stream", socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP))
    see("bind stream", bind(stream, inet6(), IN6))
    datagram = see("socket datagram", socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP))
    see("bind datagram", bind(datagram, inet6(), IN6))
    see("getsockopt", option(datagram, SOL_SOCKET, SO_TYPE))


def handles_are_not_shared(see: Recorder) -> None:
    handles = [tcp() for _ in range(8)]
    see("socket", handles[0], len(set(handles)), INVALID_SOCKET in handles, all(handle > 0 for handle in handles))


def a_protocol_follows_from_the_type(see: Recorder) -> None:
    s = see("socket stream", socket(AF_INET, SOCK_STREAM, 0))
    see("getsockopt stream", option(s, SOL_SOCKET, SO_TYPE))
    s = see("socket datagram", socket(AF_INET, SOCK_DGRAM, 0))
    see("getsockopt datagram", option(s, SOL_SOCKET, SO_TYPE))


def a_type_follows_from_the_protocol(see: Recorder) -> None:
    s = see("socket TCP", socket(AF_INET, 0, IPPROTO_TCP))
    see("getsockopt TCP", option(s, SOL_SOCKET, SO_TYPE))
    s = see("socket UDP", socket(AF_INET, 0, IPPROTO_UDP))
    see("getsockopt UDP", option(s, SOL_SOCKET, SO_TYPE))


def a_family_alone_gives_tcp(see: Recorder) -> None:
    s = see("socket", socket(AF_INET, 0, 0))
    see("getsockopt", option(s, SOL_SOCKET, SO_TYPE))


def an_unknown_family(see: Recorder) -> None:
    see("socket stream", socket(0xDEAD, SOCK_STREAM, IPPROTO_TCP))
    see("socket datagram", socket(0xDEAD, SOCK_DGRAM, IPPROTO_UDP))
    see("socket -1", socket(-1, SOCK_STREAM, 0))
    see("socket with an unknown protocol", socket(0xDEAD, SOCK_STREAM, 0xDEAD))


def an_unknown_type(see: Recorder) -> None:
    see("socket", socket(AF_INET, 0xDEAD, IPPROTO_TCP))
    see("socket -1", socket(AF_INET, -1, IPPROTO_UDP))
    see("socket without a protocol", socket(AF_INET, 0xDEAD, 0))


def an_unknown_type_comes_before_family_and_protocol(see: Recorder) -> None:
    see("socket with an unknown family", socket(0xDEAD, 0xDEAD, IPPROTO_TCP))
    see("socket with an unknown protocol", socket(AF_INET, 0xDEAD, 0xDEAD))
    see("socket with nothing known", socket(0xDEAD, 0xDEAD, 0xDEAD))


def types_that_no_protocol_has(see: Recorder) -> None:
    see("socket SOCK_RDM", socket(AF_INET, SOCK_RDM, 0))
    see("socket SOCK_SEQPACKET", socket(AF_INET, SOCK_SEQPACKET, 0))


def protocols_of_the_other_type(see: Recorder) -> None:
    see("socket stream UDP", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP))
    see("socket datagram TCP", socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP))
    see("socket IPv6 stream UDP", socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP))


def an_unknown_protocol(see: Recorder) -> None:
    see("socket", socket(AF_INET, SOCK_STREAM, 0xDEAD))
    see("socket -1", socket(AF_INET, SOCK_DGRAM, -1))
    see("socket without a type", socket(AF_INET, 0, 0xDEAD))
    see("socket of another protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP))


def no_family_but_a_protocol(see: Recorder) -> None:
    see("socket TCP", socket(AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP))
    see("socket UDP", socket(AF_UNSPEC, SOCK_DGRAM, IPPROTO_UDP))
    see("socket without a type", socket(AF_UNSPEC, 0, IPPROTO_TCP))


def no_family_and_no_protocol(see: Recorder) -> None:
    see("socket", socket(AF_UNSPEC, SOCK_STREAM, 0))
    see("socket with nothing", socket(AF_UNSPEC, 0, 0))
    see("socket with an unknown type", socket(AF_UNSPEC, 0xDEAD, 0))


def no_family_with_an_unknown_type_and_protocol(see: Recorder) -> None:
    see("socket unknown protocol", socket(AF_UNSPEC, SOCK_STREAM, 0xDEAD))
    see("socket unknown type", socket(AF_UNSPEC, 0xDEAD, IPPROTO_UDP))


def no_socket_comes_before_bad_arguments(see: Recorder) -> None:
    see("bind", bind(INVALID_SOCKET, None, 0))
    see("connect", connect(INVALID_SOCKET, None, 0))
    see("send", send(INVALID_SOCKET, None, 4, 0))
    see("recv", recv(INVALID_SOCKET, None, 4, 0))
    see("recv beyond the buffer", recv(INVALID_SOCKET, bytearray(1), 4, 0))
    see("sendto", sendto(INVALID_SOCKET, None, 4, 0, None, 0))
    see("shutdown", shutdown(INVALID_SOCKET, 99))
    see("ioctlsocket", ioctlsocket(INVALID_SOCKET, 0, None))
    see("getsockname", getsockname(INVALID_SOCKET, None, None))
    see("getpeername", getpeername(INVALID_SOCKET, None, None))
    see("setsockopt", setsockopt(INVALID_SOCKET, 0xBAD, 0xBAD, None, 0))
    see("getsockopt", getsockopt(INVALID_SOCKET, 0xBAD, 0xBAD, None, None))


def a_failed_socket_call_leaves_nothing_open(see: Recorder) -> None:
    first = tcp()
    closesocket(first)
    see("socket", socket(AF_INET, SOCK_STREAM, 0xDEAD))
    see("closesocket", closesocket(first))
