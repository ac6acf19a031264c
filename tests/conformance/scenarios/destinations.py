"""Destination addresses of datagrams."""

from __future__ import annotations

from ctypes import c_int

from winsock import AF_INET6, INADDR_ANY, SO_BROADCAST, SOL_SOCKET, getsockname, recv, send, sendto, sockaddr_in

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    bound_udp,
    inet,
    inet6,
    look,
    name6_of,
    name_of,
    port_of,
    switch,
    udp,
    udp_pair,
    wait_readable,
)
from ..recorder import Recorder


def no_destination(see: Recorder) -> None:
    s = bound_udp()
    see("send", send(s, b"x", 1, 0))
    see("sendto NULL", sendto(s, b"x", 1, 0, None, 0))
    see("sendto NULL with a length", sendto(s, b"x", 1, 0, None, IN))
    see("send unbound", send(udp(), b"x", 1, 0))


def sendto_null_goes_to_the_default_peer(see: Recorder) -> None:
    first, second = udp_pair()
    see("sendto", sendto(first, b"x", 1, 0, None, 0))
    buffer = bytearray(1)
    see("recv", recv(wait_readable(second), buffer, 1, 0), buffer)


def sendto_elsewhere_from_a_connected_socket(see: Recorder) -> None:
    first, second = udp_pair()
    other = bound_udp()
    see("sendto", sendto(first, b"elsewhere", 9, 0, name_of(other), IN))
    see("select other", look(wait_readable(other)))
    see("select peer", look(second))
    see("send", send(first, b"back", 4, 0))


def bad_destinations(see: Recorder) -> None:
    s = bound_udp()
    see("sendto short", sendto(s, b"x", 1, 0, inet(9), IN - 1))
    see("sendto length 0", sendto(s, b"x", 1, 0, inet(9), 0))
    name = inet(9)
    name.sin_family = 0xBAD
    see("sendto unknown family", sendto(s, b"x", 1, 0, name, IN))


def destinations_of_the_other_family(see: Recorder) -> None:
    see("sendto IPv6", sendto(bound_udp(), b"x", 1, 0, inet6(9), IN6))
    see("sendto IPv4", sendto(bound6(udp(AF_INET6)), b"x", 1, 0, inet(9), IN))


def sendto_with_a_longer_length(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), b"x", 1, 0, bytes(name_of(receiver)) + bytes(16), 32))
    see("recv", recv(wait_readable(receiver), bytearray(1), 1, 0))


def sendto_null_data(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), None, 4, 0, name_of(receiver), IN))
    see("select", look(receiver))


def sendto_port_0(see: Recorder) -> None:
    s = udp()
    see("sendto", sendto(s, b"x", 1, 0, inet(0), IN))
    see("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))
    see("select", look(s))


def sendto_the_wildcard(see: Recorder) -> None:
    receiver = bound(udp(), 0, INADDR_ANY)
    see("sendto", sendto(udp(), b"x", 1, 0, inet(port_of(receiver), INADDR_ANY), IN))
    six = bound6(udp(AF_INET6), 0, bytes(16))
    see("sendto IPv6", sendto(udp(AF_INET6), b"x", 1, 0, name6_of(six), IN6))


def broadcast_without_leave(see: Recorder) -> None:
    see("sendto", sendto(bound(udp(), 0, INADDR_ANY), b"x", 1, 0, inet(9, 0x7FFFFFFF), IN))


def broadcast_with_leave(see: Recorder) -> None:
    s = switch(bound(udp(), 0, INADDR_ANY), SOL_SOCKET, SO_BROADCAST)
    see("sendto", sendto(s, b"x", 1, 0, inet(9, 0x7FFFFFFF), IN))
