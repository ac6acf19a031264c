"""sendto and recvfrom, send and recv, on UDP."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    INADDR_ANY,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    MSG_PEEK,
    MSG_WAITALL,
    SO_RCVTIMEO,
    SOL_SOCKET,
    closesocket,
    getsockname,
    ntohs,
    recv,
    recvfrom,
    send,
    sendto,
    sockaddr_in,
    sockaddr_in6,
)

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    bound_udp,
    inet,
    look,
    name6_of,
    name_of,
    nonblocking,
    pause,
    port_of,
    switch,
    udp,
    udp_pair,
    wait_readable,
)
from ..recorder import Recorder

_ROOM = 8


def a_datagram_and_its_sender(see: Recorder) -> None:
    sender, receiver = bound_udp(), bound_udp()
    see.know_port(sender=port_of(sender))
    see("sendto", sendto(sender, b"hello", 5, 0, name_of(receiver), IN))
    buffer, name, length = bytearray(b"." * _ROOM), sockaddr_in(), c_int(IN)
    see("recvfrom", recvfrom(wait_readable(receiver), buffer, _ROOM, 0, name, length), buffer, name, length)


def a_datagram_over_ipv6(see: Recorder) -> None:
    sender, receiver = bound6(udp(AF_INET6)), bound6(udp(AF_INET6))
    see.know_port(sender=ntohs(name6_of(sender).sin6_port))
    see("sendto", sendto(sender, b"six", 3, 0, name6_of(receiver), IN6))
    buffer, name, length = bytearray(b"." * _ROOM), sockaddr_in6(), c_int(IN6)
    see("recvfrom", recvfrom(wait_readable(receiver), buffer, _ROOM, 0, name, length), buffer, name, length)


def a_datagram_received_without_its_sender(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), b"hello", 5, 0, name_of(receiver), IN))
    buffer = bytearray(_ROOM)
    see("recvfrom", recvfrom(wait_readable(receiver), buffer, _ROOM, 0, None, None), buffer)


def recv_takes_a_datagram_too(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), b"hello", 5, 0, name_of(receiver), IN))
    buffer = bytearray(_ROOM)
    see("recv", recv(wait_readable(receiver), buffer, _ROOM, 0), buffer)


def datagrams_stay_apart(see: Recorder) -> None:
    receiver, sender = bound_udp(), udp()
    for text in (b"one", b"two", b"three"):
        sendto(sender, text, len(text), 0, name_of(receiver), IN)
    for number in (1, 2, 3):
        buffer = bytearray(b"." * _ROOM)
        see(f"recv {number}", recv(wait_readable(receiver), buffer, _ROOM, 0), buffer)


def sendto_binds(see: Recorder) -> None:
    receiver, sender = bound_udp(), udp()
    see("getsockname before", getsockname(sender, sockaddr_in(), c_int(IN)))
    see("sendto", sendto(sender, b"x", 1, 0, name_of(receiver), IN))
    see("getsockname", 0, name_of(sender))
    see("recv", recv(nonblocking(sender), bytearray(1), 1, 0))


def an_unbound_socket_receives_nothing(see: Recorder) -> None:
    s, buffer = switch(udp(), SOL_SOCKET, SO_RCVTIMEO, 30), bytearray(_ROOM)
    see("recv", recv(s, buffer, _ROOM, 0))
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, sockaddr_in(), c_int(IN)))
    see("recvfrom nonblocking", recvfrom(nonblocking(s), buffer, _ROOM, 0, None, None))
    see("recv peeking", recv(s, buffer, _ROOM, MSG_PEEK))


def nothing_there(see: Recorder) -> None:
    s, buffer, name, length = nonblocking(bound_udp()), bytearray(b"." * _ROOM), bytearray(b"." * IN), c_int(IN)
    see("recv", recv(s, buffer, _ROOM, 0), buffer)
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, name, length), buffer, name, length)


def a_receive_timeout_on_datagrams(see: Recorder) -> None:
    s = switch(bound_udp(), SOL_SOCKET, SO_RCVTIMEO, 40)
    see("recv", recv(s, bytearray(_ROOM), _ROOM, 0))
    name, length = bytearray(b"." * IN), c_int(IN)
    see("recvfrom", recvfrom(s, bytearray(_ROOM), _ROOM, 0, name, length), name, length)


def _five_bytes() -> int:
    """A socket on which the datagrams "hello" and "next" are waiting."""
    receiver, sender = bound_udp(), udp()
    for text in (b"hello", b"next"):
        assert sendto(sender, text, len(text), 0, name_of(receiver), IN) == len(text)
    return nonblocking(wait_readable(receiver))


def a_datagram_larger_than_the_buffer(see: Recorder) -> None:
    s, buffer = _five_bytes(), bytearray(b"." * _ROOM)
    see("recv", recv(s, buffer, 3, 0), buffer)
    see("recv next", recv(s, buffer, _ROOM, 0), buffer)


def a_larger_datagrams_sender(see: Recorder) -> None:
    sender, receiver = bound_udp(), bound_udp()
    see.know_port(sender=port_of(sender))
    sendto(sender, b"hello", 5, 0, name_of(receiver), IN)
    buffer, name, length = bytearray(b"." * _ROOM), sockaddr_in(), c_int(IN)
    see("recvfrom", recvfrom(wait_readable(receiver), buffer, 2, 0, name, length), buffer, name, length)
    see("recv next", recv(nonblocking(receiver), buffer, _ROOM, 0))


def a_larger_datagram_peeked(see: Recorder) -> None:
    s, buffer = _five_bytes(), bytearray(b"." * _ROOM)
    see("recv peeking", recv(s, buffer, 3, MSG_PEEK), buffer)
    see("recv", recv(s, buffer, _ROOM, 0), buffer)


def a_datagram_into_no_room(see: Recorder) -> None:
    s, buffer = _five_bytes(), bytearray(b"." * _ROOM)
    see("recv length 0", recv(s, buffer, 0, 0), buffer)
    see("recv next", recv(s, buffer, _ROOM, 0), buffer)


def a_datagram_that_just_fits(see: Recorder) -> None:
    s, buffer = _five_bytes(), bytearray(b"." * _ROOM)
    see("recv", recv(s, buffer, 5, 0), buffer)


def a_datagram_peeked_whole(see: Recorder) -> None:
    sender, receiver = bound_udp(), bound_udp()
    see.know_port(sender=port_of(sender))
    sendto(sender, b"hello", 5, 0, name_of(receiver), IN)
    buffer, name, length = bytearray(_ROOM), sockaddr_in(), c_int(IN)
    see("recvfrom peeking", recvfrom(wait_readable(receiver), buffer, _ROOM, MSG_PEEK, name, length), buffer, name)
    see("recvfrom", recvfrom(receiver, buffer, _ROOM, 0, name, length), buffer, name)


def an_address_too_short_leaves_the_datagram(see: Recorder) -> None:
    s, buffer, name, length = _five_bytes(), bytearray(b"." * _ROOM), bytearray(b"." * IN), c_int(IN - 1)
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, name, length), buffer, name, length)
    see("recv", recv(s, buffer, _ROOM, 0), buffer)


def an_address_of_length_0_leaves_the_datagram(see: Recorder) -> None:
    s, buffer, name, length = _five_bytes(), bytearray(b"." * _ROOM), bytearray(b"." * IN), c_int(0)
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, name, length), name, length)
    see("recv", recv(s, buffer, _ROOM, 0), buffer)


def an_address_longer_than_needed(see: Recorder) -> None:
    s, buffer, name, length = _five_bytes(), bytearray(_ROOM), bytearray(b"." * 32), c_int(32)
    see("recvfrom", recvfrom(s, buffer, _ROOM, 0, name, length), name[IN:], length)


def an_address_without_a_length(see: Recorder) -> None:
    s, name = _five_bytes(), bytearray(b"." * IN)
    see("recvfrom", recvfrom(s, bytearray(_ROOM), _ROOM, 0, name, None), name)


def a_length_without_an_address(see: Recorder) -> None:
    s, length = _five_bytes(), c_int(IN)
    see("recvfrom", recvfrom(s, bytearray(_ROOM), _ROOM, 0, None, length), length)


def a_null_buffer_leaves_the_datagram(see: Recorder) -> None:
    s, buffer = _five_bytes(), bytearray(_ROOM)
    see("recv", recv(s, None, _ROOM, 0))
    see("recvfrom", recvfrom(s, None, _ROOM, 0, None, None))
    see("recv again", recv(s, buffer, _ROOM, 0), buffer)


def an_empty_datagram(see: Recorder) -> None:
    sender, receiver = bound_udp(), bound_udp()
    see.know_port(sender=port_of(sender))
    see("sendto", sendto(sender, b"", 0, 0, name_of(receiver), IN))
    see("select", look(wait_readable(receiver)))
    name = sockaddr_in()
    see("recvfrom", recvfrom(receiver, bytearray(_ROOM), _ROOM, 0, name, c_int(IN)), name)
    see("select afterwards", look(receiver))


def an_empty_datagram_from_null(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), None, 0, 0, name_of(receiver), IN))
    see("recv", recv(wait_readable(receiver), bytearray(_ROOM), _ROOM, 0))


def an_empty_datagram_to_a_default_peer(see: Recorder) -> None:
    first, second = udp_pair()
    see("send", send(first, b"", 0, 0))
    see("recv", recv(wait_readable(second), bytearray(_ROOM), _ROOM, 0))


def the_largest_datagram(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), bytes(65507), 65507, 0, name_of(receiver), IN))
    buffer = bytearray(65507)
    see("recv", recv(wait_readable(receiver), buffer, len(buffer), 0))


def a_datagram_too_large(see: Recorder) -> None:
    receiver = bound_udp()
    see("sendto", sendto(udp(), bytes(65508), 65508, 0, name_of(receiver), IN))
    first, _ = udp_pair()
    see("send", send(first, bytes(70000), 70000, 0))
    see("select", look(receiver))


def unknown_flags_on_datagrams(see: Recorder) -> None:
    s, receiver = udp(), bound_udp()
    see("sendto", sendto(s, b"x", 1, 0x4000, name_of(receiver), IN))
    sendto(s, b"x", 1, 0, name_of(receiver), IN)
    wait_readable(receiver)
    see("recvfrom", recvfrom(nonblocking(receiver), bytearray(1), 1, 0x4000, None, None))


def waitall_on_datagrams(see: Recorder) -> None:
    see("recv", recv(_five_bytes(), bytearray(_ROOM), _ROOM, MSG_WAITALL))


def a_datagram_waits_for_its_reader(see: Recorder) -> None:
    sender, receiver = udp(), bound_udp()
    sendto(sender, b"posted", 6, 0, name_of(receiver), IN)
    see("closesocket", closesocket(sender))
    buffer = bytearray(_ROOM)
    see("recv", recv(wait_readable(receiver), buffer, _ROOM, 0), buffer)


def a_socket_sends_to_itself(see: Recorder) -> None:
    s = bound_udp()
    see.know_port(own=port_of(s))
    see("sendto", sendto(s, b"me", 2, 0, name_of(s), IN))
    name = sockaddr_in()
    see("recvfrom", recvfrom(wait_readable(s), bytearray(2), 2, 0, name, c_int(IN)), name)


def a_socket_on_the_wildcard_receives_from_loopback(see: Recorder) -> None:
    receiver = bound(udp(), 0, INADDR_ANY)
    see("sendto", sendto(bound_udp(), b"x", 1, 0, inet(port_of(receiver)), IN))
    name = sockaddr_in()
    see("recvfrom", recvfrom(wait_readable(receiver), bytearray(1), 1, 0, name, c_int(IN)), name)


def an_ipv4_datagram_on_a_socket_of_both_families(see: Recorder) -> None:
    receiver = bound6(switch(udp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, 0), 0, bytes(16))
    see("sendto", sendto(udp(), b"four", 4, 0, inet(ntohs(name6_of(receiver).sin6_port)), IN))
    name, length = sockaddr_in6(), c_int(IN6)
    see("recvfrom", recvfrom(wait_readable(receiver), bytearray(_ROOM), _ROOM, 0, name, length), name, length)


def an_ipv6_socket_does_not_receive_ipv4(see: Recorder) -> None:
    receiver = bound6(udp(AF_INET6), 0, bytes(16))
    sender = nonblocking(udp())
    see("sendto", sendto(sender, b"four", 4, 0, inet(ntohs(name6_of(receiver).sin6_port)), IN))
    pause(50)
    see("select", look(receiver))
