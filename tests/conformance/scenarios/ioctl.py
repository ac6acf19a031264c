"""ioctlsocket: FIONBIO, FIONREAD and errors."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    FIONBIO,
    FIONREAD,
    INVALID_SOCKET,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    SIOCATMARK,
    SO_RCVTIMEO,
    SOL_SOCKET,
    closesocket,
    ioctlsocket,
    recv,
    send,
    u_long,
)

from ..kit import bound, bound_udp, listener, nonblocking, pause, switch, tcp, tcp_pair, udp, udp_pair, wait_readable
from ..recorder import Recorder


def any_nonzero_argument_makes_nonblocking(see: Recorder) -> None:
    for value in (1, 2, 0x100, 0x80000000, 0xFFFFFFFF):
        s, argument = switch(bound_udp(), SOL_SOCKET, SO_RCVTIMEO, 30), u_long(value)
        see(f"ioctlsocket {value}", ioctlsocket(s, FIONBIO, argument), argument)
        see(f"recv {value}", recv(s, bytearray(1), 1, 0))


def zero_makes_blocking(see: Recorder) -> None:
    s, argument = switch(nonblocking(bound_udp()), SOL_SOCKET, SO_RCVTIMEO, 30), u_long(0)
    see("ioctlsocket", ioctlsocket(s, FIONBIO, argument), argument)
    see("recv", recv(s, bytearray(1), 1, 0))


def fionbio_as_a_negative_number(see: Recorder) -> None:
    s = switch(bound_udp(), SOL_SOCKET, SO_RCVTIMEO, 30)
    see("ioctlsocket", ioctlsocket(s, FIONBIO - (1 << 32), u_long(1)))
    see("recv", recv(s, bytearray(1), 1, 0))


def fionbio_with_a_signed_argument(see: Recorder) -> None:
    s, argument = switch(bound_udp(), SOL_SOCKET, SO_RCVTIMEO, 30), c_int(-1)
    see("ioctlsocket", ioctlsocket(s, FIONBIO, argument), argument)
    see("recv", recv(s, bytearray(1), 1, 0))


def fionbio_on_each_kind_of_stream(see: Recorder) -> None:
    see("ioctlsocket fresh", ioctlsocket(tcp(), FIONBIO, u_long(1)))
    see("ioctlsocket bound", ioctlsocket(bound(tcp()), FIONBIO, u_long(1)))
    see("ioctlsocket listening", ioctlsocket(listener(), FIONBIO, u_long(1)))
    client, server = tcp_pair()
    see("ioctlsocket client", ioctlsocket(client, FIONBIO, u_long(1)))
    see("recv client", recv(client, bytearray(1), 1, 0))
    closesocket(server)
    wait_readable(client)
    see("ioctlsocket after the end", ioctlsocket(client, FIONBIO, u_long(0)))


def fionread_on_a_stream(see: Recorder) -> None:
    client, server = tcp_pair()
    waiting = u_long(99)
    see("ioctlsocket", ioctlsocket(server, FIONREAD, waiting), waiting)
    send(client, b"hello", 5, 0)
    see("ioctlsocket with data", ioctlsocket(wait_readable(server), FIONREAD, waiting), waiting)
    recv(server, bytearray(2), 2, 0)
    see("ioctlsocket with the rest", ioctlsocket(server, FIONREAD, waiting), waiting)


def fionread_after_the_end(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    closesocket(client)
    waiting = u_long(99)
    see("ioctlsocket with data", ioctlsocket(wait_readable(server), FIONREAD, waiting), waiting)
    recv(server, bytearray(8), 8, 0)
    see("ioctlsocket", ioctlsocket(wait_readable(server), FIONREAD, waiting), waiting)


def fionread_on_unconnected_sockets(see: Recorder) -> None:
    waiting = u_long(99)
    see("ioctlsocket fresh", ioctlsocket(tcp(), FIONREAD, waiting), waiting)
    waiting.value = 99
    see("ioctlsocket listening", ioctlsocket(listener(), FIONREAD, waiting), waiting)
    waiting.value = 99
    see("ioctlsocket datagrams", ioctlsocket(udp(), FIONREAD, waiting), waiting)


def fionread_on_a_datagram(see: Recorder) -> None:
    first, second = udp_pair()
    send(first, b"hello", 5, 0)
    waiting = u_long(99)
    see("ioctlsocket", ioctlsocket(wait_readable(second), FIONREAD, waiting), waiting)
    recv(second, bytearray(8), 8, 0)
    see("ioctlsocket afterwards", ioctlsocket(second, FIONREAD, waiting), waiting)


def fionread_on_several_datagrams(see: Recorder) -> None:
    first, second = udp_pair()
    send(first, b"hello", 5, 0)
    send(first, b"abc", 3, 0)
    wait_readable(second)
    pause(30)
    waiting = u_long(99)
    see("ioctlsocket", ioctlsocket(second, FIONREAD, waiting), waiting)


def unknown_commands(see: Recorder) -> None:
    s, argument = tcp(), u_long(99)
    see("ioctlsocket 0", ioctlsocket(s, 0, argument), argument)
    see("ioctlsocket a number", ioctlsocket(s, 0xDEAD, argument), argument)
    see("ioctlsocket datagrams", ioctlsocket(udp(), 0x8004667C, argument), argument)


def a_null_argument(see: Recorder) -> None:
    s = tcp()
    see("ioctlsocket FIONBIO", ioctlsocket(s, FIONBIO, None))
    see("ioctlsocket FIONREAD", ioctlsocket(s, FIONREAD, None))
    see("ioctlsocket SIOCATMARK", ioctlsocket(s, SIOCATMARK, None))


def ioctl_on_what_is_no_socket(see: Recorder) -> None:
    argument = u_long(99)
    see("ioctlsocket FIONBIO", ioctlsocket(INVALID_SOCKET, FIONBIO, argument), argument)
    see("ioctlsocket FIONREAD", ioctlsocket(0, FIONREAD, argument), argument)


def connreset_is_for_datagrams(see: Recorder) -> None:
    see("ioctlsocket", ioctlsocket(udp(), SIO_UDP_CONNRESET, u_long(0)))
    see("ioctlsocket on", ioctlsocket(bound_udp(), SIO_UDP_CONNRESET, u_long(1)))
    see("ioctlsocket IPv6", ioctlsocket(udp(AF_INET6), SIO_UDP_CONNRESET, u_long(0)))
    see("ioctlsocket NULL", ioctlsocket(udp(), SIO_UDP_CONNRESET, None))


def netreset_is_for_datagrams(see: Recorder) -> None:
    see("ioctlsocket", ioctlsocket(udp(), SIO_UDP_NETRESET, u_long(0)))
    see("ioctlsocket on", ioctlsocket(bound_udp(), SIO_UDP_NETRESET, u_long(1)))
    see("ioctlsocket IPv6", ioctlsocket(udp(AF_INET6), SIO_UDP_NETRESET, u_long(0)))
    see("ioctlsocket NULL", ioctlsocket(udp(), SIO_UDP_NETRESET, None))


def the_mark_on_datagrams(see: Recorder) -> None:
    argument = u_long(99)
    see("ioctlsocket", ioctlsocket(bound_udp(), SIOCATMARK, argument), argument)
