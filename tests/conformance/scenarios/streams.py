"""send and recv on streams."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    FIONREAD,
    MSG_DONTROUTE,
    MSG_PEEK,
    SO_RCVTIMEO,
    SOL_SOCKET,
    accept,
    connect,
    ioctlsocket,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    u_long,
)

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    closed_port,
    done,
    ended,
    inet,
    look,
    name6_of,
    nonblocking,
    switch,
    tcp,
    tcp_pair,
    wait_readable,
)
from ..recorder import Recorder

_ROOM = 8


def bytes_arrive_as_sent(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"hello", 5, 0))
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)


def the_accepted_side_sends_too(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(server, bytearray(b"hello"), 5, 0))
    buffer = bytearray(5)
    see("recv", recv(client, memoryview(buffer), 5, 0), buffer)


def a_part_of_a_buffer_is_sent(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"hello", 2, 0))
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)


def a_stream_has_no_records(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"abc", 3, 0))
    see("send more", send(client, b"def", 3, 0))
    waiting = u_long()
    while waiting.value < 6:
        done(ioctlsocket(wait_readable(server), FIONREAD, waiting))
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)


def what_does_not_fit_stays(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"hello", 5, 0))
    buffer = bytearray(3)
    see("recv", recv(wait_readable(server), buffer, 3, 0), buffer)
    see("recv the rest", recv(server, buffer, 3, 0), buffer)


def recv_of_nothing_with_nothing_there(see: Recorder) -> None:
    _, server = tcp_pair()
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(nonblocking(server), buffer, _ROOM, 0), buffer)
    see("recv length 0", recv(server, buffer, 0, 0), buffer)


def recv_of_no_bytes_leaves_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    buffer = bytearray(b"." * _ROOM)
    see("recv length 0", recv(wait_readable(server), buffer, 0, 0), buffer)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)


def send_of_no_bytes(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"", 0, 0))
    see("send NULL", send(client, None, 0, 0))
    see("select", look(server))


def peeked_data_stays(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"hello", 5, 0)
    buffer = bytearray(b"." * _ROOM)
    see("recv peeking", recv(wait_readable(server), buffer, 2, MSG_PEEK), buffer)
    see("recv peeking again", recv(server, buffer, _ROOM, MSG_PEEK), buffer)
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)


def peeking_with_nothing_there(see: Recorder) -> None:
    _, server = tcp_pair()
    see("recv", recv(nonblocking(server), bytearray(_ROOM), _ROOM, MSG_PEEK))


def an_unconnected_stream_transfers_nothing(see: Recorder) -> None:
    s, buffer = nonblocking(tcp()), bytearray(b"." * _ROOM)
    see("send", send(s, b"data", 4, 0))
    see("recv", recv(s, buffer, _ROOM, 0), buffer)
    see("sendto", sendto(s, b"data", 4, 0, inet(closed_port()), IN))
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, None, None), buffer)


def a_bound_stream_transfers_nothing(see: Recorder) -> None:
    s = nonblocking(bound(tcp()))
    see("send", send(s, b"data", 4, 0))
    see("recv", recv(s, bytearray(_ROOM), _ROOM, 0))


def unknown_flags(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"x", 1, 0x4000))
    send(client, b"y", 1, 0)
    see("recv", recv(nonblocking(wait_readable(server)), bytearray(1), 1, 0x4000))


def dontroute_changes_nothing_on_loopback(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"near", 4, MSG_DONTROUTE))
    buffer = bytearray(4)
    see("recv", recv(wait_readable(server), buffer, 4, 0), buffer)


def sendto_on_a_stream_ignores_the_address(see: Recorder) -> None:
    client, server = tcp_pair()
    see("sendto another", sendto(client, b"ab", 2, 0, inet(closed_port()), IN))
    see("sendto without an address", sendto(client, b"cd", 2, 0, None, 0))
    see("sendto garbage", sendto(client, b"ef", 2, 0, b"\xff" * 16, 16))
    see("sendto a short address", sendto(client, b"gh", 2, 0, b"\xff" * 3, 3))
    buffer = bytearray(_ROOM)
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 500)
    got = bytearray()
    while len(got) < _ROOM and (count := recv(server, buffer, _ROOM, 0)) > 0:
        got += buffer[:count]
    see("recv", len(got), got)


def recvfrom_on_a_stream_leaves_the_address_alone(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    buffer, name, length = bytearray(4), bytearray(b"." * IN), c_int(IN)
    see("recvfrom", recvfrom(wait_readable(server), buffer, 4, 0, name, length), buffer, name, length)
    ended(client)
    wait_readable(server)
    see("recvfrom end", recvfrom(server, buffer, 4, 0, name, length), name, length)


def recvfrom_on_a_stream_with_a_short_address(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    buffer, name, length = bytearray(4), bytearray(b"...."), c_int(4)
    see("recvfrom", recvfrom(wait_readable(server), buffer, 4, 0, name, length), buffer, name, length)


def a_stream_over_ipv6(see: Recorder) -> None:
    queue, client = bound6(tcp(AF_INET6)), tcp(AF_INET6)
    done(listen(queue, 1))
    done(connect(client, name6_of(queue), IN6))
    server = see("accept", accept(queue, None, None))
    see("send", send(client, b"six", 3, 0))
    buffer = bytearray(3)
    see("recv", recv(server, buffer, 3, 0), buffer)
