"""connect: success, progress, refusal, and connecting datagram sockets."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    FIONREAD,
    INADDR_ANY,
    SD_BOTH,
    SD_RECEIVE,
    SO_ERROR,
    SO_REUSEADDR,
    SO_SNDTIMEO,
    SOL_SOCKET,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    ioctlsocket,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    u_long,
)

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    closed_port,
    done,
    inet,
    inet6,
    listener,
    look,
    name6_of,
    name_of,
    nonblocking,
    option,
    port_of,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
    wait_writable,
)
from ..recorder import Recorder


def a_blocking_connect(see: Recorder) -> None:
    queue, s = listener(), tcp()
    see.know_port(queue=port_of(queue))
    see("connect", connect(s, name_of(queue), IN))
    name, length = sockaddr_in(), c_int(IN)
    see("getpeername", getpeername(s, name, length), name, length)
    see("getsockname", getsockname(s, name, length), name, length)
    see("select", look(s))


def a_nonblocking_connect(see: Recorder) -> None:
    queue, s = listener(), nonblocking(tcp())
    see("connect", connect(s, name_of(queue), IN))
    see("select", look(wait_writable(s)))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))
    see("connect again", connect(s, name_of(queue), IN))


def connect_over_ipv6(see: Recorder) -> None:
    queue, s = bound6(tcp(AF_INET6)), tcp(AF_INET6)
    see("listen", listen(queue, 5))
    see("connect", connect(s, name6_of(queue), IN6))
    name, length = sockaddr_in6(), c_int(IN6)
    see("getpeername", getpeername(s, name, length), name, length)


def connect_from_a_bound_port(see: Recorder) -> None:
    queue, s = listener(), bound(tcp())
    see.know_port(own=port_of(s))
    see("connect", connect(s, name_of(queue), IN))
    name = sockaddr_in()
    see("accept", accept(queue, name, c_int(IN)), name)


def connect_from_the_wildcard(see: Recorder) -> None:
    queue, s = listener(), bound(tcp(), 0, INADDR_ANY)
    see("connect", connect(s, name_of(queue), IN))
    see("getsockname", 0, name_of(s))


def connect_with_a_long_length(see: Recorder) -> None:
    queue, s = listener(), tcp()
    see("connect", connect(s, bytes(name_of(queue)) + bytes(16), 32))


def connect_when_connected(see: Recorder) -> None:
    queue = listener()
    s = tcp()
    see("connect", connect(s, name_of(queue), IN))
    see("connect to the same", connect(s, name_of(queue), IN))
    see("connect elsewhere", connect(s, inet(closed_port()), IN))
    server = accept(queue, None, None)
    see("connect accepted", connect(server, name_of(queue), IN))


def connect_after_shutdown(see: Recorder) -> None:
    client, _ = tcp_pair()
    shutdown(client, SD_BOTH)
    see("connect", connect(client, name_of(listener()), IN))


def connect_after_the_peers_end(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(server)
    see("recv", recv(client, bytearray(1), 1, 0))
    see("connect", connect(client, name_of(listener()), IN))


def _full() -> tuple[int, list[int]]:
    """A listening socket whose queue is full, so that the next connect stays in progress."""
    queue = bound(tcp())
    done(listen(queue, 1))
    clients = []
    for _ in range(8):
        s = nonblocking(tcp())
        clients.append(s)
        connect(s, name_of(queue), IN)
    return queue, clients


def what_a_socket_reports_while_connecting(see: Recorder) -> None:
    queue, clients = _full()
    s = clients[-1]
    see.know_port(queue=port_of(queue))
    see("connect again", connect(s, name_of(queue), IN))
    see("connect elsewhere", connect(s, inet(9), IN))
    name, length = sockaddr_in(), c_int(IN)
    see("getsockname", getsockname(s, name, length), name, length)
    see("getpeername", getpeername(s, name, length), name, length)
    see("select", look(s))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))


def a_connecting_socket_transfers_nothing(see: Recorder) -> None:
    _, clients = _full()
    s = clients[-1]
    see("send", send(s, b"x", 1, 0))
    see("recv", recv(s, bytearray(1), 1, 0))
    see("recvfrom", recvfrom(s, bytearray(1), 1, 0, None, None))
    see("sendto", sendto(s, b"x", 1, 0, None, 0))


def a_connecting_socket_can_be_neither_bound_nor_shut_down(see: Recorder) -> None:
    _, clients = _full()
    s = clients[-1]
    see("bind", bind(s, inet(), IN))
    see("shutdown", shutdown(s, SD_BOTH))
    see("shutdown SD_RECEIVE", shutdown(s, SD_RECEIVE))
    see("ioctlsocket", ioctlsocket(s, FIONREAD, u_long(7)))


def a_connecting_socket_closes_at_once(see: Recorder) -> None:
    _, clients = _full()
    see("closesocket", closesocket(clients[-1]))
    see("closesocket again", closesocket(clients[-1]))


def connect_to_port_0(see: Recorder) -> None:
    see("connect", connect(tcp(), inet(0), IN))
    see("connect nonblocking", connect(nonblocking(tcp()), inet(0), IN))


def connect_to_the_wildcard(see: Recorder) -> None:
    port = port_of(listener(0, INADDR_ANY))
    see("connect", connect(tcp(), inet(port, INADDR_ANY), IN))
    s = bound6(tcp(AF_INET6), 0, bytes(16))
    see("listen", listen(s, 1))
    see("connect IPv6", connect(tcp(AF_INET6), name6_of(s), IN6))


def connect_with_bad_addresses(see: Recorder) -> None:
    s = tcp()
    see.trial("connect NULL", connect, s, None, IN)
    see("connect short", connect(s, inet(9), IN - 1))
    see("connect length 0", connect(s, inet(9), 0))
    see("connect IPv6 short", connect(tcp(AF_INET6), inet6(9), 24))


def connect_to_an_unknown_family(see: Recorder) -> None:
    name = inet(9)
    name.sin_family = 0xBAD
    see("connect", connect(tcp(), name, IN))
    see("connect datagram", connect(udp(), name, IN))


def connect_to_the_other_family(see: Recorder) -> None:
    see("connect IPv6 address", connect(tcp(), inet6(9), IN6))
    see("connect IPv4 address", connect(tcp(AF_INET6), inet(9), IN))


def connect_can_be_tried_after_bad_arguments(see: Recorder) -> None:
    queue, s = listener(), tcp()
    see.trial("connect NULL", connect, s, None, 0)
    see("connect short", connect(s, name_of(queue), 8))
    see("connect port 0", connect(s, inet(0), IN))
    see("connect", connect(s, name_of(queue), IN))


def a_send_timeout_does_not_end_connect(see: Recorder) -> None:
    queue, s = listener(), switch(tcp(), SOL_SOCKET, SO_SNDTIMEO, 1)
    see("connect", connect(s, name_of(queue), IN))


def a_blocking_connect_makes_both_ends_usable_at_once(see: Recorder) -> None:
    queue, s = listener(), tcp()
    see("connect", connect(s, name_of(queue), IN))
    see("send", send(s, b"abc", 3, 0))
    server = accept(queue, None, None)
    buffer = bytearray(3)
    see("recv", recv(wait_readable(server), buffer, 3, 0), buffer)
    see("send back", send(server, buffer, 3, 0))
    see("recv back", recv(s, buffer, 3, 0), buffer)


def a_bound_socket_takes_no_connections(see: Recorder) -> None:
    first, second = bound(tcp()), listener()
    see("connect to a socket that is bound only", connect(tcp(), name_of(first), IN))
    see("connect to one that listens", connect(tcp(), name_of(second), IN))


def two_connections_between_the_same_ports(see: Recorder) -> None:
    queue, first = listener(), switch(tcp(), SOL_SOCKET, SO_REUSEADDR)
    second = switch(tcp(), SOL_SOCKET, SO_REUSEADDR)
    bound(first)
    see("bind", bind(second, name_of(first), IN))
    see("connect", connect(first, name_of(queue), IN))
    see("connect second", connect(second, name_of(queue), IN))
