"""socket and closesocket."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SD_BOTH,
    SO_BROADCAST,
    SO_LINGER,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    getsockopt,
    ioctlsocket,
    linger,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    u_long,
)

from ..kit import (
    IN,
    IN6,
    done,
    full_pair,
    inet,
    inet6,
    listener,
    name_of,
    nonblocking,
    option,
    pause,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
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


def no_family_and_an_unknown_rest(see: Recorder) -> None:
    see("socket unknown protocol", socket(AF_UNSPEC, SOCK_STREAM, 0xDEAD))
    see("socket unknown type", socket(AF_UNSPEC, 0xDEAD, IPPROTO_UDP))


def a_socket_is_closed_once(see: Recorder) -> None:
    s = tcp()
    see("closesocket", closesocket(s))
    see("closesocket again", closesocket(s))


def what_is_no_socket_cannot_be_closed(see: Recorder) -> None:
    see("closesocket INVALID_SOCKET", closesocket(INVALID_SOCKET))
    see("closesocket -1", closesocket(-1))
    see("closesocket 0", closesocket(0))
    see("closesocket a number", closesocket(0xDEAD0))


def a_closed_socket_takes_no_calls(see: Recorder) -> None:
    s = tcp()
    closesocket(s)
    see("bind", bind(s, inet(), IN))
    see("connect", connect(s, inet(9), IN))
    see("listen", listen(s, 5))
    see("accept", accept(s, None, None))
    see("shutdown", shutdown(s, SD_BOTH))
    see("ioctlsocket", ioctlsocket(s, FIONBIO, u_long(1)))
    see("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))
    see("getpeername", getpeername(s, sockaddr_in(), c_int(IN)))


def a_closed_socket_transfers_nothing(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"waiting", 7, 0))
    wait_readable(server)
    closesocket(server)
    buffer = bytearray(b"........")
    see("recv", recv(server, buffer, 8, 0), buffer)
    see("recvfrom", recvfrom(server, buffer, 8, 0, None, None), buffer)
    see("send closed", send(server, b"x", 1, 0))
    see("sendto", sendto(server, b"x", 1, 0, inet(9), IN))


def a_closed_socket_has_no_options(see: Recorder) -> None:
    s = udp()
    closesocket(s)
    value, length = bytearray(b"...."), c_int(4)
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_TYPE, value, length), value, length)
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_BROADCAST, c_int(1), 4))
    see("getsockopt unknown level", getsockopt(s, 0xBAD, SO_TYPE, value, length))
    see("setsockopt unknown option", setsockopt(s, SOL_SOCKET, 0xBAD, c_int(1), 4))


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


def closing_ends_the_peers_stream(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"last", 4, 0)
    see("closesocket", closesocket(client))
    buffer = bytearray(8)
    see("recv", recv(server, buffer, 8, 0), buffer)
    see("recv end", recv(server, buffer, 8, 0))
    see("recv end again", recv(server, buffer, 8, 0))


def closing_with_no_time_to_linger_resets(see: Recorder) -> None:
    client, server = tcp_pair()
    see("setsockopt", setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 0), 4))
    see("closesocket", closesocket(client))
    see("recv", recv(server, bytearray(8), 8, 0))


def closing_with_unread_data_resets(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"unread", 6, 0)
    wait_readable(server)
    see("closesocket", closesocket(server))
    pause(30)
    see("recv", recv(client, bytearray(8), 8, 0))


def closing_a_listener_resets_those_that_wait(see: Recorder) -> None:
    queue = listener()
    client = tcp()
    see("connect", connect(client, name_of(queue), IN))
    see("closesocket", closesocket(queue))
    see("recv", recv(client, bytearray(8), 8, 0))


def closing_a_listener_leaves_the_accepted_alone(see: Recorder) -> None:
    queue = listener()
    client = tcp()
    connect(client, name_of(queue), IN)
    server = see("accept", accept(queue, None, None))
    see("closesocket", closesocket(queue))
    see("send", send(server, b"on", 2, 0))
    buffer = bytearray(2)
    see("recv", recv(client, buffer, 2, 0), buffer)


def a_connecting_socket_can_be_closed(see: Recorder) -> None:
    queue = listener()
    s = nonblocking(tcp())
    see("connect", connect(s, name_of(queue), IN))
    see("closesocket", closesocket(s))
    see("closesocket again", closesocket(s))
    see("listen", listen(queue, 1))


def a_failed_socket_call_leaves_nothing_open(see: Recorder) -> None:
    first = tcp()
    closesocket(first)
    see("socket", socket(AF_INET, SOCK_STREAM, 0xDEAD))
    see("closesocket", closesocket(first))


def closing_lingers_only_while_something_is_unsent(see: Recorder) -> None:
    client, server = tcp_pair()
    done(setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 5), 4))
    see("closesocket", closesocket(nonblocking(client)))
    see("recv", recv(server, bytearray(1), 1, 0))


def a_nonblocking_socket_that_would_linger(see: Recorder) -> None:
    client, _ = full_pair()
    done(setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 5), 4))
    see("closesocket", closesocket(client))
