"""accept: the address, mode and options of the accepted socket."""

from __future__ import annotations

import threading
from ctypes import c_int, c_int64

from winsock import (
    AF_INET6,
    IP_DONTFRAGMENT,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOL_SOCKET,
    TCP_KEEPALIVE,
    TCP_NODELAY,
    accept,
    closesocket,
    connect,
    getpeername,
    getsockopt,
    linger,
    listen,
    ntohs,
    recv,
    send,
    setsockopt,
    sockaddr_in,
    sockaddr_in6,
)

from ..kit import (
    IN,
    IN6,
    blocking,
    bound,
    bound6,
    bound_udp,
    done,
    inet,
    listener,
    name6_of,
    name_of,
    nonblocking,
    option,
    port_of,
    reset,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def the_clients_address(see: Recorder) -> None:
    queue, client = listener(), bound(tcp())
    see.know_port(client=port_of(client), queue=port_of(queue))
    see("connect", connect(client, name_of(queue), IN))
    name, length = sockaddr_in(), c_int(IN)
    s = see("accept", accept(queue, name, length), name, length)
    see("getsockname", 0, name_of(s))
    see("getpeername", getpeername(s, name, length), name)


def an_ipv6_clients_address(see: Recorder) -> None:
    queue, client = bound6(tcp(AF_INET6)), bound6(tcp(AF_INET6))
    see.know_port(client=ntohs(name6_of(client).sin6_port))
    see("listen", listen(queue, 5))
    see("connect", connect(client, name6_of(queue), IN6))
    name, length = sockaddr_in6(), c_int(IN6)
    see("accept", accept(queue, name, length), name, length)


def an_ipv4_client_of_both_families(see: Recorder) -> None:
    queue = bound6(switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0), 0, bytes(16))
    see("listen", listen(queue, 5))
    see("connect", connect(tcp(), inet(ntohs(name6_of(queue).sin6_port)), IN))
    name, length = sockaddr_in6(), c_int(IN6)
    see("accept", accept(queue, name, length), name, length)


def _waiting() -> int:
    """A listening socket with one waiting connection."""
    queue = listener()
    done(connect(tcp(), name_of(queue), IN))
    return wait_readable(queue)


def accept_without_address(see: Recorder) -> None:
    see("accept", accept(_waiting(), None, None))


def accept_with_a_length_only(see: Recorder) -> None:
    length = c_int(99)
    see("accept", accept(_waiting(), None, length), length)


def accept_with_an_address_only(see: Recorder) -> None:
    name = bytearray(b"." * IN)
    see("accept", accept(_waiting(), name, None), name)


def accept_with_a_short_length(see: Recorder) -> None:
    queue = nonblocking(_waiting())
    name, length = bytearray(b"." * IN), c_int(IN - 1)
    see("accept", accept(queue, name, length), name, length)
    see("accept again", accept(queue, None, None))


def accept_with_length_0(see: Recorder) -> None:
    queue = nonblocking(_waiting())
    name, length = bytearray(b"." * IN), c_int(0)
    see("accept", accept(queue, name, length), name, length)
    see("accept again", accept(queue, None, None))


def accept_with_a_long_length(see: Recorder) -> None:
    name, length = bytearray(b"." * 32), c_int(32)
    see("accept", accept(_waiting(), name, length), name[IN:], length)


def accept_with_a_wide_integer_as_length(see: Recorder) -> None:
    name, length = sockaddr_in(), c_int64(IN)
    see("accept", accept(_waiting(), name, length), length)


def accept_without_listen(see: Recorder) -> None:
    see("accept fresh", accept(tcp(), None, None))
    see("accept bound", accept(bound(tcp()), None, None))


def accept_on_a_client(see: Recorder) -> None:
    client, server = tcp_pair()
    see("accept", accept(client, None, None))
    see("accept accepted", accept(server, None, None))


def accept_on_datagrams(see: Recorder) -> None:
    see("accept", accept(bound_udp(), None, None))
    see("accept unbound", accept(udp(), None, None))


def accept_without_a_waiting_client(see: Recorder) -> None:
    queue = nonblocking(listener())
    name, length = bytearray(b"." * IN), c_int(IN)
    see("accept", accept(queue, name, length), name, length)
    see("accept again", accept(queue, None, None))


def accept_checks_the_length_even_without_a_waiting_client(see: Recorder) -> None:
    queue = nonblocking(listener())
    see("accept", accept(queue, bytearray(IN), c_int(4)))


def the_mode_of_the_listener_is_inherited(see: Recorder) -> None:
    queue, client = nonblocking(listener()), tcp()
    connect(client, name_of(queue), IN)
    s = see("accept", accept(wait_readable(queue), None, None))
    see("recv", recv(s, bytearray(1), 1, 0))


def a_blocking_listener_gives_blocking_sockets(see: Recorder) -> None:
    queue, client = listener(), tcp()
    connect(client, name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(50), 4)
    see("recv", recv(s, bytearray(1), 1, 0))


def the_mode_at_the_time_of_accept_counts(see: Recorder) -> None:
    queue, client = listener(), tcp()
    connect(client, name_of(queue), IN)
    nonblocking(wait_readable(queue))
    s = see("accept", accept(queue, None, None))
    see("recv", recv(s, bytearray(1), 1, 0))


def options_of_the_listener_are_inherited(see: Recorder) -> None:
    queue = listener()
    for name in (SO_KEEPALIVE, SO_OOBINLINE):
        switch(queue, SOL_SOCKET, name)
    switch(queue, SOL_SOCKET, SO_RCVTIMEO, 1234)
    switch(queue, SOL_SOCKET, SO_SNDTIMEO, 2345)
    done(setsockopt(queue, SOL_SOCKET, SO_LINGER, linger(1, 7), 4))
    switch(queue, IPPROTO_TCP, TCP_NODELAY)
    connect(tcp(), name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    see("getsockopt SO_KEEPALIVE", option(s, SOL_SOCKET, SO_KEEPALIVE))
    see("getsockopt SO_OOBINLINE", option(s, SOL_SOCKET, SO_OOBINLINE))
    see("getsockopt SO_RCVTIMEO", option(s, SOL_SOCKET, SO_RCVTIMEO))
    see("getsockopt SO_SNDTIMEO", option(s, SOL_SOCKET, SO_SNDTIMEO))
    see("getsockopt TCP_NODELAY", option(s, IPPROTO_TCP, TCP_NODELAY))
    kept = linger()
    see("getsockopt SO_LINGER", getsockopt(s, SOL_SOCKET, SO_LINGER, kept, c_int(4)), kept)


def buffer_sizes_of_the_listener_are_inherited(see: Recorder) -> None:
    queue = tcp()
    see("setsockopt SO_SNDBUF", setsockopt(queue, SOL_SOCKET, SO_SNDBUF, c_int(100001), 4))
    see("setsockopt SO_RCVBUF", setsockopt(queue, SOL_SOCKET, SO_RCVBUF, c_int(100003), 4))
    done(listen(bound(queue), 5))
    connect(tcp(), name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    see("getsockopt SO_SNDBUF", option(s, SOL_SOCKET, SO_SNDBUF))
    see("getsockopt SO_RCVBUF", option(s, SOL_SOCKET, SO_RCVBUF))


def reuse_of_the_listener_is_inherited(see: Recorder) -> None:
    queue = switch(tcp(), SOL_SOCKET, SO_REUSEADDR)
    done(listen(bound(queue), 5))
    connect(tcp(), name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    see("getsockopt", option(s, SOL_SOCKET, SO_REUSEADDR))


def options_of_tcp_and_ip_are_inherited(see: Recorder) -> None:
    queue = tcp()
    inherited = {
        "IP_TTL": (IPPROTO_IP, IP_TTL, 77),
        "IP_TOS": (IPPROTO_IP, IP_TOS, 8),
        "IP_DONTFRAGMENT": (IPPROTO_IP, IP_DONTFRAGMENT, 0),
        "TCP_KEEPALIVE": (IPPROTO_TCP, TCP_KEEPALIVE, 33),
    }
    for level, number, value in inherited.values():
        switch(queue, level, number, value)
    done(listen(bound(queue), 5))
    connect(tcp(), name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    for name, (level, number, _) in inherited.items():
        see(f"getsockopt {name}", option(s, level, number))


def options_set_after_accept_are_ones_own(see: Recorder) -> None:
    queue = listener()
    connect(tcp(), name_of(queue), IN)
    s = see("accept", accept(queue, None, None))
    switch(s, SOL_SOCKET, SO_KEEPALIVE)
    see("getsockopt", option(queue, SOL_SOCKET, SO_KEEPALIVE))


def an_accepted_socket_is_no_listener(see: Recorder) -> None:
    _, server = tcp_pair()
    see("getsockopt", option(server, SOL_SOCKET, SO_ACCEPTCONN))
    see("accept", accept(server, None, None))


def a_receive_timeout_does_not_end_accept(see: Recorder) -> None:
    queue = switch(listener(), SOL_SOCKET, SO_RCVTIMEO, 30)
    late = threading.Timer(0.2, lambda: connect(tcp(), name_of(queue), IN))
    late.start()
    see("accept", accept(queue, None, None))
    late.join()


def a_blocking_accept_waits_for_a_client(see: Recorder) -> None:
    queue = listener()
    late = threading.Timer(0.1, lambda: connect(tcp(), name_of(queue), IN))
    late.start()
    name, length = sockaddr_in(), c_int(IN)
    see("accept", accept(queue, name, length), name, length)
    late.join()


def a_client_that_left_in_the_queue(see: Recorder) -> None:
    queue, client = nonblocking(listener()), tcp()
    connect(client, name_of(queue), IN)
    send(client, b"bye", 3, 0)
    closesocket(client)
    s = see("accept", accept(wait_readable(queue), None, None))
    buffer = bytearray(8)
    see("recv", recv(blocking(s), buffer, 8, 0), buffer)
    see("recv end", recv(s, buffer, 8, 0))


def a_client_that_reset_in_the_queue(see: Recorder) -> None:
    queue, client = nonblocking(listener()), tcp()
    connect(client, name_of(queue), IN)
    wait_readable(queue)
    reset(client)
    see("accept", accept(queue, None, None))
