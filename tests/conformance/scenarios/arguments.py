"""Argument checks: lengths beyond a buffer, arguments of the wrong type, numbers out of range."""

from __future__ import annotations

from ctypes import POINTER, c_int

from winsock import (
    AF_INET,
    AF_INET6,
    MAKEWORD,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    SO_TYPE,
    SOL_SOCKET,
    WSAPoll,
    WSAStartup,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    getaddrinfo,
    gethostname,
    getnameinfo,
    getpeername,
    getsockname,
    getsockopt,
    inet_ntop,
    inet_pton,
    recv,
    recvfrom,
    select,
    send,
    sendto,
)

from ..kit import (
    IN,
    NOW,
    bound_udp,
    inet,
    listener,
    look,
    name_of,
    nonblocking,
    pause,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def a_length_beyond_the_data_sends_nothing(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"data", 5, 0))
    see("send NULL", send(client, None, 1, 0))
    see("send negative", send(client, b"data", -1, 0))
    pause(30)
    see("select", look(server))


def a_length_beyond_the_buffer_receives_nothing(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    wait_readable(server)
    buffer = bytearray(b"....")
    see("recv", recv(server, buffer, 5, 0), buffer)
    see("recv NULL", recv(server, None, 4, 0))
    see("recv negative", recv(server, buffer, -1, 0), buffer)
    see("recvfrom", recvfrom(server, buffer, 5, 0, None, None), buffer)
    see("recv again", recv(server, buffer, 4, 0), buffer)


def a_length_beyond_the_datagram_sends_nothing(see: Recorder) -> None:
    receiver, s = bound_udp(), udp()
    to = name_of(receiver)
    see("sendto", sendto(s, b"data", 5, 0, to, IN))
    see("sendto beyond the address", sendto(s, b"data", 4, 0, to, IN + 1))
    see("sendto negative", sendto(s, b"data", -1, 0, to, IN))
    see("sendto negative tolen", sendto(s, b"data", 4, 0, to, -1))
    pause(30)
    see("select", look(receiver))


def a_length_beyond_the_buffer_leaves_the_datagram(see: Recorder) -> None:
    receiver = bound_udp()
    sendto(udp(), b"data", 4, 0, name_of(receiver), IN)
    wait_readable(receiver)
    buffer, name = bytearray(b"...."), bytearray(b"." * IN)
    see("recv", recv(receiver, buffer, 5, 0), buffer)
    see("recvfrom", recvfrom(receiver, buffer, 5, 0, None, None), buffer)
    see("recvfrom beyond the address", recvfrom(receiver, buffer, 4, 0, name, c_int(IN + 1)), buffer, name)
    see("recvfrom negative", recvfrom(receiver, buffer, 4, 0, name, c_int(-1)), buffer, name)
    see("recv again", recv(nonblocking(receiver), buffer, 4, 0), buffer)


def lengths_beyond_an_address(see: Recorder) -> None:
    s = tcp()
    see("bind", bind(s, inet(), IN + 1))
    see("bind negative", bind(s, inet(), -1))
    see("connect", connect(s, inet(9), IN + 1))
    see("connect negative", connect(s, inet(9), -1))
    see("bind good", bind(s, inet(), IN))


def a_length_beyond_a_name(see: Recorder) -> None:
    client, _ = tcp_pair()
    name, length = bytearray(b"." * IN), c_int(IN + 1)
    see("getsockname", getsockname(client, name, length), name, length)
    see("getpeername", getpeername(client, name, length), name, length)
    length = c_int(-1)
    see("getsockname negative", getsockname(client, name, length), name, length)
    see("getpeername negative", getpeername(client, name, length), name, length)


def a_length_beyond_accepts_address(see: Recorder) -> None:
    queue = nonblocking(listener())
    connect(tcp(), name_of(queue), IN)
    wait_readable(queue)
    name, length = bytearray(b"." * IN), c_int(IN + 1)
    see("accept", accept(queue, name, length), name, length)
    length = c_int(-1)
    see("accept negative", accept(queue, name, length), name, length)
    see("accept again", accept(queue, None, None))


def a_length_beyond_the_hosts_name(see: Recorder) -> None:
    name = bytearray(b"....")
    see("gethostname", gethostname(name, 5), name)
    see("gethostname negative", gethostname(name, -1), name)


def short_buffers_for_addresses_as_text(see: Recorder) -> None:
    short = bytearray(b"...")
    see("inet_pton", inet_pton(AF_INET, "1.2.3.4", short), short)
    see("inet_pton IPv6", inet_pton(AF_INET6, "::1", bytearray(15)))
    see("inet_ntop address", inet_ntop(AF_INET, b"123", bytearray(16), 16))
    see("inet_ntop IPv6 address", inet_ntop(AF_INET6, bytes(15), bytearray(46), 46))
    see("inet_ntop beyond the buffer", inet_ntop(AF_INET, b"1234", short, 16), short)


def short_structures(see: Recorder) -> None:
    see("WSAStartup", WSAStartup(MAKEWORD(2, 2), bytearray(100)))
    see("WSAPoll", WSAPoll(bytearray(8), 1, 0))
    found = POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo("127.0.0.1", None, bytearray(8), found), bool(found))
    see("select", select(0, bytearray(16), None, None, NOW))


def lengths_beyond_the_names(see: Recorder) -> None:
    see("getnameinfo", getnameinfo(inet(80), IN, bytearray(4), 5, None, 0, NI_NUMERICHOST))
    see("getnameinfo service", getnameinfo(inet(80), IN, None, 0, bytearray(4), 5, NI_NUMERICSERV))
    see("getnameinfo address", getnameinfo(inet(80), IN + 8, bytearray(64), 64, None, 0, NI_NUMERICHOST))


def no_socket_comes_before_a_length_beyond(see: Recorder) -> None:
    gone = tcp()
    closesocket(gone)
    see("send", send(gone, b"data", 5, 0))
    see("recv", recv(gone, bytearray(1), 5, 0))
    see("bind", bind(gone, inet(), 99))
    see("connect", connect(gone, inet(), 99))
    see("accept", accept(gone, bytearray(1), c_int(99)))
    see("getsockopt", getsockopt(gone, SOL_SOCKET, SO_TYPE, bytearray(1), c_int(99)))
    see("sendto", sendto(gone, b"data", 4, 0, inet(9), 99))


def a_length_beyond_comes_before_the_state(see: Recorder) -> None:
    s = nonblocking(tcp())
    see("send", send(s, b"data", 5, 0))
    see("recv", recv(s, bytearray(1), 5, 0))
    see("accept", accept(s, bytearray(1), c_int(99)))
    see("sendto", sendto(nonblocking(udp()), b"data", 5, 0, None, 0))


def scattered_memory_is_no_buffer(see: Recorder) -> None:
    client, _ = tcp_pair()
    scattered = memoryview(bytearray(16))[::2]
    see.trial("recv", recv, client, scattered, 8, 0)
    see.trial("send", send, client, scattered, 8, 0)
    see.trial("recv read-only", recv, client, memoryview(b"....").toreadonly(), 4, 0)
