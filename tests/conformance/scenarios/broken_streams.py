"""send and recv after the end of the stream, a reset, or closesocket of the peer."""

from __future__ import annotations

from winsock import (
    MSG_PEEK,
    POLLRDNORM,
    SD_RECEIVE,
    SD_SEND,
    SO_ERROR,
    SOL_SOCKET,
    closesocket,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
)

from ..kit import done, look, nonblocking, option, polled, reset, tcp_pair, wait_readable
from ..recorder import Recorder

_ROOM = 8


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


def each_call_after_a_reset_reports_it(see: Recorder) -> None:
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


def a_reset_discards_unread_data(see: Recorder) -> None:
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
    """A client whose peer has closed and has reset the connection because of later data."""
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
