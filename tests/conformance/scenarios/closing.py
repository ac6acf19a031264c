"""closesocket, and calls on a closed socket."""

from __future__ import annotations

import threading
from ctypes import c_int

from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    SD_BOTH,
    SO_BROADCAST,
    SO_LINGER,
    SO_TYPE,
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
    u_long,
)

from ..kit import IN, done, full_pair, inet, listener, name_of, nonblocking, pause, tcp, tcp_pair, udp, wait_readable
from ..recorder import Recorder


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


def closing_lingers_only_while_something_is_unsent(see: Recorder) -> None:
    client, server = tcp_pair()
    done(setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 5), 4))
    see("closesocket", closesocket(nonblocking(client)))
    see("recv", recv(server, bytearray(1), 1, 0))


def a_nonblocking_socket_that_would_linger(see: Recorder) -> None:
    client, _ = full_pair()
    done(setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 4), 4))
    closing = threading.Thread(target=closesocket, args=(client,), daemon=True)
    closing.start()
    closing.join(1)
    see("closesocket", not closing.is_alive())


def a_nonblocking_socket_that_would_linger_and_its_answer(see: Recorder) -> None:
    client, server = full_pair()
    done(setsockopt(client, SOL_SOCKET, SO_LINGER, linger(1, 1), 4))
    see("closesocket", closesocket(client))
    see("recv", recv(server, bytearray(4), 4, 0))
