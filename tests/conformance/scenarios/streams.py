"""send and recv on streams."""

from __future__ import annotations

import threading
from ctypes import c_int

from winsock import (
    AF_INET6,
    FIONREAD,
    MSG_DONTROUTE,
    MSG_PEEK,
    MSG_WAITALL,
    POLLRDNORM,
    SD_RECEIVE,
    SD_SEND,
    SO_ERROR,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOL_SOCKET,
    accept,
    closesocket,
    connect,
    ioctlsocket,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
    u_long,
)

from ..kit import (
    IN,
    IN6,
    blocking,
    bound,
    bound6,
    closed_port,
    done,
    ended,
    full_pair,
    inet,
    look,
    name6_of,
    name_of,
    nonblocking,
    option,
    polled,
    reset,
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


def send_after_the_end_was_sent(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(client, SD_SEND))
    see("send", send(client, b"x", 1, 0))
    see("send again", send(client, b"x", 1, 0))
    see("send no bytes", send(client, b"", 0, 0))
    see("recv", recv(server, bytearray(1), 1, 0))


def recv_after_receiving_was_ended(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(server, SD_RECEIVE))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("send", send(client, b"x", 1, 0))
    see("recv again", recv(server, bytearray(1), 1, 0))
    see("send back", send(server, b"y", 1, 0))


def recv_after_receiving_was_ended_with_data_there(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    see("shutdown", shutdown(wait_readable(server), SD_RECEIVE))
    buffer = bytearray(b"." * _ROOM)
    see("recv", recv(server, buffer, _ROOM, 0), buffer)
    see("recv peeking", recv(server, buffer, _ROOM, MSG_PEEK), buffer)


def recv_after_the_peers_end(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"last", 4, 0)
    shutdown(client, SD_SEND)
    buffer = bytearray(4)
    see("recv", recv(server, buffer, 4, 0), buffer)
    for again in ("first", "second", "third"):
        see(f"recv end {again}", recv(server, buffer, 4, 0))
    see("send", send(server, b"still", 5, 0))


def a_half_closed_stream_goes_on_the_other_way(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(client, SD_SEND))
    see("recv end", recv(server, bytearray(1), 1, 0))
    see("send", send(server, b"reply", 5, 0))
    buffer = bytearray(5)
    see("recv", recv(client, buffer, 5, 0), buffer)


def each_call_after_a_reset_says_so(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("recv", recv(client, bytearray(1), 1, 0))
    see("recv again", recv(client, bytearray(1), 1, 0))
    see("send", send(client, b"x", 1, 0))
    see("send again", send(client, b"x", 1, 0))


def send_first_after_a_reset(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("send", send(client, b"x", 1, 0))
    see("send again", send(client, b"x", 1, 0))
    see("recv", recv(client, bytearray(1), 1, 0))


def a_reset_leaves_no_so_error(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("getsockopt before recv", option(client, SOL_SOCKET, SO_ERROR))
    see("recv", recv(client, bytearray(1), 1, 0))
    see("getsockopt", option(client, SOL_SOCKET, SO_ERROR))


def a_reset_takes_unread_data_along(see: Recorder) -> None:
    client, server = tcp_pair()
    send(server, b"lost", 4, 0)
    wait_readable(client)
    reset(server)
    buffer = bytearray(b"." * _ROOM)
    while look(client) != "rw" or polled(client, POLLRDNORM) == "RDNORM":
        pass
    see("recv", recv(client, buffer, _ROOM, 0), buffer)


def nonblocking_recv_after_a_reset(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    nonblocking(wait_readable(client))
    see("recv", recv(client, bytearray(1), 1, 0))
    see("recv again", recv(client, bytearray(1), 1, MSG_PEEK))


def the_first_send_to_a_peer_that_closed(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(server)
    wait_readable(client)
    see("send", send(client, b"x", 1, 0))


def _answered_by_a_reset() -> int:
    """A client whose peer closed, and refused what came after that."""
    client, server = tcp_pair()
    done(closesocket(server))
    wait_readable(client)
    assert send(client, b"x", 1, 0) == 1
    while polled(client, POLLRDNORM) == "HUP":
        pass
    return client


def recv_after_sending_to_a_peer_that_closed(see: Recorder) -> None:
    client = _answered_by_a_reset()
    see("recv", recv(client, bytearray(1), 1, 0))
    see("recv again", recv(client, bytearray(1), 1, 0))


def send_after_sending_to_a_peer_that_closed(see: Recorder) -> None:
    client = _answered_by_a_reset()
    see("send", send(client, b"x", 1, 0))


def data_sent_before_the_peer_closed_is_read_first(see: Recorder) -> None:
    client, server = tcp_pair()
    send(server, b"farewell", 8, 0)
    closesocket(server)
    buffer = bytearray(3)
    see("recv", recv(client, buffer, 3, 0), buffer)
    see("recv more", recv(client, buffer, 3, 0), buffer)
    see("recv rest", recv(client, buffer, 3, 0), buffer)
    see("recv end", recv(client, buffer, 3, 0))


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


def tiny_buffers_still_let_data_flow(see: Recorder) -> None:
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


def sendto_on_a_stream_ignores_the_address(see: Recorder) -> None:
    client, server = tcp_pair()
    see("sendto another", sendto(client, b"ab", 2, 0, inet(closed_port()), IN))
    see("sendto nobody", sendto(client, b"cd", 2, 0, None, 0))
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


def a_nonblocking_socket_can_block_again(see: Recorder) -> None:
    _, server = tcp_pair()
    see("recv nonblocking", recv(nonblocking(server), bytearray(1), 1, 0))
    blocking(server)
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 30)
    see("recv blocking", recv(server, bytearray(1), 1, 0))


def sendto_on_a_stream_that_broke(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("sendto", sendto(client, b"x", 1, 0, None, 0))
    see("recvfrom", recvfrom(client, bytearray(1), 1, 0, None, None))


def sendto_on_a_stream_whose_peer_closed(see: Recorder) -> None:
    client = _answered_by_a_reset()
    see("recvfrom", recvfrom(client, bytearray(1), 1, 0, None, None))
    see("sendto", sendto(client, b"x", 1, 0, None, 0))


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
