"""Datagram sockets after a datagram to a closed port."""

from __future__ import annotations

from winsock import (
    AF_INET6,
    POLLRDNORM,
    SIO_UDP_CONNRESET,
    SO_ERROR,
    SOL_SOCKET,
    closesocket,
    connect,
    ioctlsocket,
    recv,
    recvfrom,
    send,
    sendto,
    u_long,
)

from ..kit import (
    IN,
    IN6,
    bound6,
    bound_udp,
    closed_udp_port,
    done,
    inet,
    look,
    name6_of,
    name_of,
    nonblocking,
    option,
    pause,
    polled,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def _refused(s: int) -> int:
    """`s` in nonblocking mode, after a datagram to a closed port and time for the answer to arrive."""
    assert sendto(s, b"x", 1, 0, inet(closed_udp_port()), IN) == 1
    pause(50)
    return nonblocking(s)


def the_next_recv_reports_a_closed_port(see: Recorder) -> None:
    s = nonblocking(udp())
    done(connect(s, inet(closed_udp_port()), IN))
    see("send", send(s, b"x", 1, 0))
    pause(50)
    see("select", look(s))
    see("recv", recv(s, bytearray(1), 1, 0))
    see("recv again", recv(s, bytearray(1), 1, 0))


def unconnected_sockets_report_a_closed_port(see: Recorder) -> None:
    s = _refused(bound_udp())
    see("select", look(s))
    see("recvfrom", recvfrom(s, bytearray(1), 1, 0, None, None))
    see("recvfrom again", recvfrom(s, bytearray(1), 1, 0, None, None))


def a_closed_port_over_ipv6(see: Recorder) -> None:
    other = bound6(udp(AF_INET6))
    name = name6_of(other)
    closesocket(other)
    s = nonblocking(udp(AF_INET6))
    see("sendto", sendto(s, b"x", 1, 0, name, IN6))
    pause(50)
    see("recv", recv(s, bytearray(1), 1, 0))
    see("recv again", recv(s, bytearray(1), 1, 0))


def send_does_not_report_a_closed_port(see: Recorder) -> None:
    s = nonblocking(udp())
    done(connect(s, inet(closed_udp_port()), IN))
    for number in ("first", "second", "third"):
        see(f"send {number}", send(s, b"x", 1, 0))
        pause(30)


def sendto_does_not_report_a_closed_port(see: Recorder) -> None:
    s = _refused(bound_udp())
    receiver = bound_udp()
    see("sendto", sendto(s, b"x", 1, 0, name_of(receiver), IN))
    see("select", look(wait_readable(receiver)))


def a_closed_port_and_a_datagram(see: Recorder) -> None:
    s = _refused(bound_udp())
    sendto(udp(), b"data", 4, 0, name_of(s), IN)
    wait_readable(s)
    buffer = bytearray(4)
    see("recv", recv(s, buffer, 4, 0), buffer)
    see("recv again", recv(s, buffer, 4, 0), buffer)


def a_closed_port_in_poll(see: Recorder) -> None:
    s = _refused(bound_udp())
    see("WSAPoll", polled(s, POLLRDNORM))
    see("recv", recv(s, bytearray(1), 1, 0))
    see("WSAPoll afterwards", polled(s, POLLRDNORM))


def a_closed_port_leaves_no_so_error(see: Recorder) -> None:
    s = _refused(bound_udp())
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))


def connreset_can_be_turned_off(see: Recorder) -> None:
    s = bound_udp()
    see("ioctlsocket", ioctlsocket(s, SIO_UDP_CONNRESET, u_long(0)))
    _refused(s)
    see("select", look(s))
    see("recv", recv(s, bytearray(1), 1, 0))


def connreset_can_be_turned_on_again(see: Recorder) -> None:
    s = bound_udp()
    see("ioctlsocket off", ioctlsocket(s, SIO_UDP_CONNRESET, u_long(0)))
    see("ioctlsocket on", ioctlsocket(s, SIO_UDP_CONNRESET, u_long(1)))
    _refused(s)
    see("recv", recv(s, bytearray(1), 1, 0))
