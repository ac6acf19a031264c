"""shutdown: in both directions, on all types of sockets, and calls afterwards."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    POLLRDNORM,
    POLLWRNORM,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_ERROR,
    SO_RCVTIMEO,
    SOL_SOCKET,
    closesocket,
    getpeername,
    getsockname,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
)

from ..kit import (
    IN,
    bound,
    bound_udp,
    look,
    name_of,
    option,
    pause,
    polled,
    port_of,
    reset,
    tcp,
    tcp_pair,
    udp,
    udp_pair,
    wait_readable,
)
from ..recorder import Recorder


def an_unconnected_stream_cannot_be_shut_down(see: Recorder) -> None:
    for how, direction in (("SD_RECEIVE", SD_RECEIVE), ("SD_SEND", SD_SEND), ("SD_BOTH", SD_BOTH)):
        see(f"shutdown fresh {how}", shutdown(tcp(), direction))
        see(f"shutdown bound {how}", shutdown(bound(tcp()), direction))


def an_unknown_direction(see: Recorder) -> None:
    client, _ = tcp_pair()
    see("shutdown 3", shutdown(client, 3))
    see("shutdown -1", shutdown(client, -1))
    see("shutdown datagrams", shutdown(bound_udp(), 99))
    see("send", send(client, b"x", 1, 0))


def an_unknown_direction_on_an_unconnected_stream(see: Recorder) -> None:
    see("shutdown", shutdown(tcp(), 99))


def the_end_is_sent_after_the_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    see("shutdown", shutdown(client, SD_SEND))
    buffer = bytearray(8)
    see("recv", recv(server, buffer, 8, 0), buffer)
    see("recv end", recv(server, buffer, 8, 0))


def both_directions(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(client, SD_BOTH))
    see("send", send(client, b"x", 1, 0))
    see("recv", recv(client, bytearray(1), 1, 0))
    see("recv peer", recv(server, bytearray(1), 1, 0))


def one_direction_after_the_other(see: Recorder) -> None:
    client, _ = tcp_pair()
    see("shutdown SD_RECEIVE", shutdown(client, SD_RECEIVE))
    see("send", send(client, b"x", 1, 0))
    see("shutdown SD_SEND", shutdown(client, SD_SEND))
    see("send again", send(client, b"x", 1, 0))
    see("recv", recv(client, bytearray(1), 1, 0))


def a_shutdown_can_be_repeated(see: Recorder) -> None:
    client, _ = tcp_pair()
    see("shutdown SD_SEND", shutdown(client, SD_SEND))
    see("shutdown SD_SEND again", shutdown(client, SD_SEND))
    see("shutdown SD_BOTH", shutdown(client, SD_BOTH))
    see("shutdown SD_BOTH again", shutdown(client, SD_BOTH))
    see("shutdown SD_RECEIVE", shutdown(client, SD_RECEIVE))


def shutdown_after_the_peer_closed(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(server)
    wait_readable(client)
    see("shutdown SD_SEND", shutdown(client, SD_SEND))
    see("shutdown SD_BOTH", shutdown(client, SD_BOTH))


def shutdown_after_both_ends_were_sent(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown client", shutdown(client, SD_SEND))
    see("shutdown server", shutdown(server, SD_SEND))
    see("recv client", recv(client, bytearray(1), 1, 0))
    see("recv server", recv(server, bytearray(1), 1, 0))
    see("shutdown client again", shutdown(client, SD_BOTH))


def shutdown_after_a_reset(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("shutdown SD_RECEIVE", shutdown(client, SD_RECEIVE))
    see("shutdown SD_SEND", shutdown(client, SD_SEND))


def names_after_shutdown(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know_port(client=port_of(client), server=port_of(server))
    see("shutdown client", shutdown(client, SD_BOTH))
    see("shutdown server", shutdown(server, SD_BOTH))
    name = sockaddr_in()
    see("getpeername", getpeername(client, name, c_int(IN)), name)
    see("getsockname", getsockname(client, name, c_int(IN)), name)


def select_after_receiving_was_ended(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(server, SD_RECEIVE))
    see("select", look(server))
    send(client, b"x", 1, 0)
    pause(30)
    see("select with data", look(server))
    see("WSAPoll", polled(server, POLLRDNORM | POLLWRNORM))


def select_after_sending_was_ended(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(client, SD_SEND))
    see("select", look(client))
    see("select peer", look(wait_readable(server)))


def datagrams_can_be_shut_down(see: Recorder) -> None:
    for how, direction in (("SD_RECEIVE", SD_RECEIVE), ("SD_SEND", SD_SEND), ("SD_BOTH", SD_BOTH)):
        see(f"shutdown fresh {how}", shutdown(udp(), direction))
        see(f"shutdown bound {how}", shutdown(bound_udp(), direction))
        see(f"shutdown connected {how}", shutdown(udp_pair()[0], direction))


def sending_datagrams_ended(see: Recorder) -> None:
    first, second = udp_pair()
    see("shutdown", shutdown(first, SD_SEND))
    see("send", send(first, b"x", 1, 0))
    see("sendto", sendto(first, b"x", 1, 0, name_of(second), IN))
    send(second, b"y", 1, 0)
    see("recv", recv(wait_readable(first), bytearray(1), 1, 0))


def receiving_datagrams_ended(see: Recorder) -> None:
    first, second = udp_pair()
    see("shutdown", shutdown(first, SD_RECEIVE))
    see("recv", recv(first, bytearray(1), 1, 0))
    see("recvfrom", recvfrom(first, bytearray(1), 1, 0, None, None))
    see("send", send(first, b"x", 1, 0))
    see("recv peer", recv(wait_readable(second), bytearray(1), 1, 0))


def a_waiting_datagram_after_receiving_was_ended(see: Recorder) -> None:
    first, second = udp_pair()
    send(second, b"x", 1, 0)
    see("shutdown", shutdown(wait_readable(first), SD_RECEIVE))
    see("recv", recv(first, bytearray(1), 1, 0))


def the_peer_sends_on_after_receiving_was_ended(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(server, SD_RECEIVE))
    for number in (1, 2, 3):
        see(f"send {number}", send(client, b"unheard", 7, 0))
    see("send back", send(server, b"still", 5, 0))
    buffer = bytearray(5)
    see("recv", recv(wait_readable(client), buffer, 5, 0), buffer)


def receiving_is_ended_with_unread_data(see: Recorder) -> None:
    for how, direction in (("SD_RECEIVE", SD_RECEIVE), ("SD_BOTH", SD_BOTH)):
        client, server = tcp_pair()
        send(server, b"unread", 6, 0)
        see(f"shutdown {how}", shutdown(wait_readable(client), direction))
        see(f"send {how}", send(client, b"x", 1, 0))
        see(f"shutdown again {how}", shutdown(client, direction))


def a_socket_shut_down_can_be_closed(see: Recorder) -> None:
    client, server = tcp_pair()
    see("shutdown", shutdown(client, SD_BOTH))
    see("closesocket", closesocket(client))
    see("shutdown closed", shutdown(client, SD_BOTH))
    see("recv", recv(server, bytearray(1), 1, 0))


def options_after_shutdown(see: Recorder) -> None:
    client, _ = tcp_pair()
    see("shutdown", shutdown(client, SD_BOTH))
    see("setsockopt", setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, c_int(77), 4))
    see("getsockopt", option(client, SOL_SOCKET, SO_RCVTIMEO))
    see("getsockopt SO_ERROR", option(client, SOL_SOCKET, SO_ERROR))
