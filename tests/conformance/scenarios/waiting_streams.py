"""Blocking streams: MSG_WAITALL, timeouts, and full send buffers."""

from __future__ import annotations

import threading
from ctypes import c_int

from winsock import (
    MSG_PEEK,
    MSG_WAITALL,
    SD_SEND,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOL_SOCKET,
    accept,
    connect,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
)

from ..kit import IN, blocking, bound, done, full_pair, look, name_of, nonblocking, switch, tcp, tcp_pair, wait_readable
from ..recorder import Recorder

_ROOM = 8


def waitall_fills_the_buffer(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    late = threading.Timer(0.1, lambda: send(client, b"defgh", 5, 0))
    late.start()
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(wait_readable(server), buffer, _ROOM, MSG_WAITALL), buffer)
    late.join()


def waitall_ends_at_the_end_of_the_stream(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    shutdown(client, SD_SEND)
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, MSG_WAITALL), buffer)
    see("recv again", recv(server, buffer, _ROOM, MSG_WAITALL))


def waitall_on_a_nonblocking_socket(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    nonblocking(wait_readable(server))
    see("recv", recv(server, bytearray(_ROOM), _ROOM, MSG_WAITALL))


def waitall_while_peeking(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abcdefgh", 8, 0)
    wait_readable(server)
    see("recv", recv(server, bytearray(_ROOM), _ROOM, MSG_WAITALL | MSG_PEEK))


def a_receive_timeout(see: Recorder) -> None:
    _, server = tcp_pair()
    see("setsockopt", setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, c_int(50), 4))
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)
    see("recv again", recv(server, buffer, _ROOM, MSG_PEEK))
    see("recvfrom", recvfrom(server, buffer, _ROOM, 0, None, None))


def data_after_a_receive_timeout(see: Recorder) -> None:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 30)
    buffer = bytearray(_ROOM)
    see("recv", recv(server, buffer, _ROOM, 0))
    see("send", send(client, b"late", 4, 0))
    wait_readable(server)
    see("recv again", recv(server, buffer, _ROOM, 0), buffer)


def a_receive_timeout_does_not_make_nonblocking_wait(see: Recorder) -> None:
    _, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 5000)
    see("recv", recv(nonblocking(server), bytearray(1), 1, 0))


def a_nonblocking_send_with_no_room(see: Recorder) -> None:
    client, _ = full_pair()
    see("send", send(client, b"x" * 100000, 100000, 0))
    see("select", look(client))


def room_again_after_the_peer_has_read(see: Recorder) -> None:
    client, server = full_pair()
    nonblocking(server)
    buffer = bytearray(1 << 18)
    while look(client) == "-":
        recv(wait_readable(server), buffer, len(buffer), 0)
    see("send", send(client, b"x", 1, 0))


def a_send_timeout(see: Recorder) -> None:
    client, _ = full_pair()
    blocking(client)
    see("setsockopt", setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, c_int(50), 4))
    block = bytes(1 << 20)
    see("send", send(client, block, len(block), 0))


def a_blocking_send_sends_all(see: Recorder) -> None:
    client, server = tcp_pair()
    size, got = 3 << 20, 0
    buffer = bytearray(1 << 18)
    result = []
    thread = threading.Thread(target=lambda: result.append(send(client, bytes(size), size, 0)))
    thread.start()
    while got < size:
        count = recv(server, buffer, len(buffer), 0)
        assert count > 0
        got += count
    thread.join()
    see("send", result[0])
    see("recv", got)


def data_flows_with_tiny_buffers(see: Recorder) -> None:
    queue = switch(tcp(), SOL_SOCKET, SO_RCVBUF, 1)
    done(listen(bound(queue), 1))
    client = switch(switch(tcp(), SOL_SOCKET, SO_SNDBUF, 0), SOL_SOCKET, SO_RCVBUF, 0)
    done(connect(client, name_of(queue), IN))
    server = accept(queue, None, None)
    switch(client, SOL_SOCKET, SO_SNDTIMEO, 4000)
    see("send", send(client, b"x" * 3000, 3000, 0))
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 4000)
    got, buffer = 0, bytearray(4000)
    while got < 3000:
        count = recv(server, buffer, 4000, 0)
        if count <= 0:
            break
        got += count
    see("recv", got)


def a_nonblocking_socket_can_block_again(see: Recorder) -> None:
    _, server = tcp_pair()
    see("recv nonblocking", recv(nonblocking(server), bytearray(1), 1, 0))
    blocking(server)
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 30)
    see("recv blocking", recv(server, bytearray(1), 1, 0))


def sendto_on_a_stream_with_no_room(see: Recorder) -> None:
    client, _ = full_pair()
    block = bytes(1 << 20)
    see("sendto", sendto(client, block, len(block), 0, None, 0))
    blocking(client)
    switch(client, SOL_SOCKET, SO_SNDTIMEO, 50)
    see("sendto blocking", sendto(client, block, len(block), 0, None, 0))


def the_end_can_be_sent_with_no_room(see: Recorder) -> None:
    client, server = full_pair()
    see("shutdown", shutdown(client, SD_SEND))
    see("send", send(client, b"x", 1, 0))
    see("recv", recv(server, bytearray(4), 4, 0))
