"""connect on datagram sockets."""

from __future__ import annotations

from ctypes import c_int

from winsock import AF_INET, AF_UNSPEC, connect, getpeername, recv, send, sendto, sockaddr_in

from ..kit import IN, IN6, bound_udp, closed_udp_port, inet, inet6, look, name_of, port_of, udp, udp_pair, wait_readable
from ..recorder import Recorder


def a_datagram_socket_gets_a_default_peer(see: Recorder) -> None:
    receiver, s = bound_udp(), udp()
    see.know_port(receiver=port_of(receiver))
    see("connect", connect(s, name_of(receiver), IN))
    name, length = sockaddr_in(), c_int(IN)
    see("getpeername", getpeername(s, name, length), name, length)
    see("getsockname", 0, name_of(s))
    see("send", send(s, b"hello", 5, 0))
    buffer = bytearray(8)
    see("recv", recv(wait_readable(receiver), buffer, 8, 0), buffer)


def a_datagram_socket_can_change_its_peer(see: Recorder) -> None:
    first, second, s = bound_udp(), bound_udp(), udp()
    see.know_port(second=port_of(second))
    see("connect", connect(s, name_of(first), IN))
    see("connect again", connect(s, name_of(second), IN))
    name = sockaddr_in()
    see("getpeername", getpeername(s, name, c_int(IN)), name)
    see("send", send(s, b"x", 1, 0))
    see("select second", look(wait_readable(second)))
    see("select first", look(first))


def a_connected_datagram_socket_receives_from_its_peer_only(see: Recorder) -> None:
    peer, stranger, s = bound_udp(), bound_udp(), bound_udp()
    see("connect", connect(s, name_of(peer), IN))
    see("sendto stranger", sendto(stranger, b"stranger", 8, 0, name_of(s), IN))
    see("sendto peer", sendto(peer, b"peer", 4, 0, name_of(s), IN))
    buffer = bytearray(8)
    see("recv", recv(wait_readable(s), buffer, 8, 0), buffer)
    see("select", look(s))


def an_address_of_zeros_removes_the_peer(see: Recorder) -> None:
    first, second = udp_pair()
    see("connect", connect(first, sockaddr_in(AF_INET), IN))
    see("getpeername", getpeername(first, sockaddr_in(), c_int(IN)))
    see("send", send(first, b"x", 1, 0))
    see("sendto", sendto(first, b"x", 1, 0, name_of(second), IN))


def an_unspecified_family_removes_the_peer(see: Recorder) -> None:
    first, second = udp_pair()
    see("connect", connect(first, sockaddr_in(AF_UNSPEC), IN))
    see("getpeername", getpeername(first, sockaddr_in(), c_int(IN)))
    see("send", send(first, b"x", 1, 0))
    see("sendto", sendto(first, b"x", 1, 0, name_of(second), IN))


def a_disconnected_datagram_socket_receives_from_all_senders(see: Recorder) -> None:
    first, _ = udp_pair()
    stranger = bound_udp()
    see.know_port(first=port_of(first))
    to = name_of(first)
    see("connect", connect(first, sockaddr_in(AF_UNSPEC), IN))
    see("sendto", sendto(stranger, b"x", 1, 0, to, IN))
    see("select", look(first))
    see("getsockname", 0, name_of(first))


def a_datagram_connect_to_a_closed_port_succeeds(see: Recorder) -> None:
    s = udp()
    see("connect", connect(s, inet(closed_udp_port()), IN))
    see("select", look(s))


def a_datagram_connect_with_bad_addresses(see: Recorder) -> None:
    s = udp()
    see.trial("connect NULL", connect, s, None, IN)
    see("connect short", connect(s, inet(9), IN - 1))
    see("connect IPv6 address", connect(s, inet6(9), IN6))
    see("getpeername", getpeername(s, sockaddr_in(), c_int(IN)))


def a_datagram_connect_to_a_broadcast_address(see: Recorder) -> None:
    s = udp()
    see("connect", connect(s, inet(9, 0x7FFFFFFF), IN))
    see("send", send(s, b"x", 1, 0))
