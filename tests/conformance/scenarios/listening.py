"""listen, and calls that fail on a listening socket."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_ACCEPTCONN,
    SO_ERROR,
    SOL_SOCKET,
    SOMAXCONN,
    accept,
    closesocket,
    connect,
    getpeername,
    getsockname,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
    sockaddr_in,
)

from ..kit import (
    IN,
    bound,
    bound_udp,
    closed_port,
    inet,
    listener,
    look,
    name_of,
    nonblocking,
    option,
    pause,
    port_of,
    tcp,
    tcp_pair,
    udp,
    wait_except,
    wait_readable,
    wait_writable,
)
from ..recorder import Recorder


def listen_takes_connections(see: Recorder) -> None:
    s = bound(tcp())
    see("getsockopt before", option(s, SOL_SOCKET, SO_ACCEPTCONN))
    see("listen", listen(s, 5))
    see("getsockopt", option(s, SOL_SOCKET, SO_ACCEPTCONN))
    see("connect", connect(tcp(), name_of(s), IN))


def listen_without_bind(see: Recorder) -> None:
    s = tcp()
    see("listen", listen(s, 5))
    see("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))
    see("listen IPv6", listen(tcp(AF_INET6), 5))


def listen_on_datagrams(see: Recorder) -> None:
    see("listen", listen(bound_udp(), 5))
    see("listen unbound", listen(udp(), 5))


def listen_again(see: Recorder) -> None:
    s = listener()
    see("listen", listen(s, 5))
    see("listen with another backlog", listen(s, 50))
    see("connect", connect(tcp(), name_of(s), IN))


def _connected(queue: int, count: int) -> int:
    """How many of so many clients are connected after a moment."""
    clients = [nonblocking(tcp()) for _ in range(count)]
    for s in clients:
        connect(s, name_of(queue), IN)
    pause(150)
    return sum("w" in look(s) for s in clients)


def the_clients_that_fit_a_backlog(see: Recorder) -> None:
    for backlog in (1, 3):
        queue = bound(tcp())
        see(f"listen {backlog}", listen(queue, backlog))
        see(f"connect {backlog}", _connected(queue, backlog + 2))


def listen_again_leaves_the_backlog(see: Recorder) -> None:
    queue = bound(tcp())
    see("listen", listen(queue, 1))
    see("listen again", listen(queue, 8))
    see("connect", _connected(queue, 4))


def a_full_queue(see: Recorder) -> None:
    queue = bound(tcp())
    see("listen", listen(queue, 1))
    clients = [nonblocking(tcp()) for _ in range(4)]
    for s in clients:
        connect(s, name_of(queue), IN)
    pause(2500)
    last = clients[-1]
    see("select", look(last))
    see("getsockopt", option(last, SOL_SOCKET, SO_ERROR))


def unusual_backlogs(see: Recorder) -> None:
    for backlog in (0, -1, SOMAXCONN, -0x80000000):
        s = bound(tcp())
        see(f"listen {backlog}", listen(s, backlog))
        see(f"connect {backlog}", connect(tcp(), name_of(s), IN))


def listen_on_a_client(see: Recorder) -> None:
    client, server = tcp_pair()
    see("listen", listen(client, 5))
    see("listen accepted", listen(server, 5))
    see("send", send(client, b"x", 1, 0))


def listen_while_connecting(see: Recorder) -> None:
    queue = listener()
    s = nonblocking(bound(tcp()))
    see("connect", connect(s, name_of(queue), IN))
    wait_writable(s)
    see("listen connected", listen(s, 5))


def listen_after_a_refused_connect(see: Recorder) -> None:
    s = nonblocking(bound(tcp()))
    port = port_of(s)
    see("connect", connect(s, inet(closed_port()), IN))
    wait_except(s)
    see("listen", listen(s, 5))
    see("getsockname", port_of(s) == port)
    see("connect to it", connect(tcp(), inet(port), IN))
    see("accept", accept(s, None, None))


def listen_after_the_end_of_a_connection(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(server)
    wait_readable(client)
    shutdown(client, SD_BOTH)
    see("listen", listen(client, 5))


def a_listener_transfers_nothing(see: Recorder) -> None:
    s = nonblocking(listener())
    buffer = bytearray(4)
    see("send", send(s, b"data", 4, 0))
    see("recv", recv(s, buffer, 4, 0))
    see("sendto", sendto(s, b"data", 4, 0, inet(9), IN))
    see("recvfrom", recvfrom(s, buffer, 4, 0, None, None))


def a_listener_cannot_connect(see: Recorder) -> None:
    s, other = listener(), listener()
    see("connect", connect(s, name_of(other), IN))
    see("connect to itself", connect(s, name_of(s), IN))
    see("listen", listen(s, 5))


def a_listener_has_no_peer(see: Recorder) -> None:
    s = listener()
    name, length = sockaddr_in(), c_int(IN)
    see("getpeername", getpeername(s, name, length), length)
    connect(tcp(), name_of(s), IN)
    see("getpeername with a client", getpeername(wait_readable(s), name, length), length)


def a_listener_cannot_be_shut_down(see: Recorder) -> None:
    s = listener()
    for how, direction in (("SD_RECEIVE", SD_RECEIVE), ("SD_SEND", SD_SEND), ("SD_BOTH", SD_BOTH)):
        see(f"shutdown {how}", shutdown(s, direction))
    see("connect", connect(tcp(), name_of(s), IN))
    see("accept", accept(s, None, None))


def clients_wait_in_the_order_they_came(see: Recorder) -> None:
    queue = listener()
    for text in (b"first", b"second", b"third"):
        client = tcp()
        connect(client, name_of(queue), IN)
        send(client, text, len(text), 0)
    for place in ("first", "second", "third"):
        s = see(f"accept {place}", accept(queue, None, None))
        buffer = bytearray(6)
        see(f"recv {place}", recv(wait_readable(s), buffer, 6, 0), buffer)


def a_client_sends_before_it_is_accepted(see: Recorder) -> None:
    queue = listener()
    client = tcp()
    see("connect", connect(client, name_of(queue), IN))
    see("send", send(client, b"early", 5, 0))
    s = see("accept", accept(queue, None, None))
    buffer = bytearray(5)
    see("recv", recv(s, buffer, 5, 0), buffer)
