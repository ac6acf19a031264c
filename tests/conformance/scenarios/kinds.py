"""Arguments of the wrong type and numbers out of range raise; all kinds of buffers are accepted."""

from __future__ import annotations

from ctypes import POINTER, c_byte, c_char, c_double, c_int, c_short, c_uint32, sizeof
from typing import Any

from winsock import (
    AF_INET,
    FD_SET,
    FIONBIO,
    SO_KEEPALIVE,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    WSADATA,
    WSACleanup,
    WSAPoll,
    WSASetLastError,
    WSAStartup,
    accept,
    addrinfo,
    bind,
    closesocket,
    fd_set,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    gethostname,
    getpeername,
    getsockname,
    getsockopt,
    htonl,
    htons,
    inet_addr,
    inet_ntoa,
    inet_pton,
    ioctlsocket,
    listen,
    ntohl,
    ntohs,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    u_long,
)

from ..kit import IN, NOW, inet, name_of, set_of, tcp, tcp_pair, wait_readable
from ..recorder import Recorder


def strings_are_no_buffers(see: Recorder) -> None:
    s: Any = tcp()
    see.trial("send", send, s, "text", 4, 0)
    see.trial("recv", recv, s, "text", 4, 0)
    see.trial("bind", bind, s, "127.0.0.1", 16)
    see.trial("sendto", sendto, s, b"x", 1, 0, "127.0.0.1", 16)
    see.trial("setsockopt", setsockopt, s, SOL_SOCKET, SO_KEEPALIVE, 1, 4)
    see.trial("gethostname", gethostname, 0, 256)


def bytes_cannot_be_written(see: Recorder) -> None:
    s = tcp()
    see.trial("recv", recv, s, b"....", 4, 0)
    see.trial("recvfrom", recvfrom, s, b"....", 4, 0, None, None)
    see.trial("recvfrom address", recvfrom, s, bytearray(4), 4, 0, bytes(IN), c_int(IN))
    see.trial("getsockname", getsockname, s, bytes(IN), c_int(IN))
    see.trial("getpeername", getpeername, s, bytes(IN), c_int(IN))
    see.trial("accept", accept, s, bytes(IN), c_int(IN))
    see.trial("getsockopt", getsockopt, s, SOL_SOCKET, SO_TYPE, b"....", c_int(4))
    see.trial("gethostname", gethostname, bytes(256), 256)
    see.trial("inet_pton", inet_pton, AF_INET, "1.2.3.4", b"....")
    see.trial("WSAPoll", WSAPoll, bytes(16), 1, 0)
    see.trial("WSAStartup", WSAStartup, 0x202, bytes(sizeof(WSADATA)))


def python_ints_are_no_pointers(see: Recorder) -> None:
    s = tcp()
    see.trial("ioctlsocket", ioctlsocket, s, FIONBIO, 1)
    see.trial("accept", accept, s, bytearray(IN), IN)
    see.trial("getsockname", getsockname, s, bytearray(IN), IN)
    see.trial("getpeername", getpeername, s, bytearray(IN), IN)
    see.trial("getsockopt", getsockopt, s, SOL_SOCKET, SO_TYPE, bytearray(4), 4)
    see.trial("recvfrom", recvfrom, s, bytearray(4), 4, 0, bytearray(IN), IN)
    see.trial("select", select, 0, [s], [], [], 0)


def narrow_integers_are_no_pointers(see: Recorder) -> None:
    s = tcp()
    see.trial("ioctlsocket", ioctlsocket, s, FIONBIO, c_short(1))
    see.trial("getsockname", getsockname, s, bytearray(IN), c_byte(IN))
    see.trial("getsockopt", getsockopt, s, SOL_SOCKET, SO_TYPE, bytearray(4), c_double(4))


def handles_are_integers(see: Recorder) -> None:
    for word, value in (("str", "7"), ("None", None), ("float", 7.0), ("list", [])):
        see.trial(f"closesocket {word}", closesocket, value)
        see.trial(f"listen {word}", listen, value, 5)
        see.trial(f"recv {word}", recv, value, bytearray(1), 1, 0)
        see.trial(f"FD_SET {word}", FD_SET, value, fd_set())


def handles_beyond_a_pointer(see: Recorder) -> None:
    see.trial("closesocket", closesocket, 1 << 64)
    see.trial("send", send, -(1 << 63) - 1, b"x", 1, 0)
    see.trial("closesocket the largest", closesocket, (1 << 64) - 1)
    see.trial("FD_SET", FD_SET, 1 << 64, fd_set())


def numbers_beyond_an_int(see: Recorder) -> None:
    s = tcp()
    see.trial("socket", socket, 1 << 32, SOCK_STREAM, 0)
    see.trial("listen", listen, s, 1 << 32)
    see.trial("send", send, s, b"x", 1, -(1 << 31) - 1)
    see.trial("recv", recv, s, bytearray(1), 1 << 40, 0)
    see.trial("shutdown", shutdown, s, 1 << 32)
    see.trial("setsockopt", setsockopt, s, 1 << 32, SO_KEEPALIVE, c_int(1), 4)
    see.trial("ioctlsocket", ioctlsocket, s, 1 << 32, u_long(1))
    see.trial("WSAPoll", WSAPoll, None, 1 << 32, 0)
    see.trial("select", select, 1 << 32, None, None, None, None)
    see.trial("WSASetLastError", WSASetLastError, 1 << 32)


def numbers_beyond_a_word(see: Recorder) -> None:
    see.trial("WSAStartup", WSAStartup, 1 << 16, WSADATA())
    see.trial("htons", htons, 1 << 16)
    see.trial("ntohs", ntohs, -(1 << 15) - 1)
    see.trial("htonl", htonl, 1 << 32)
    see.trial("ntohl", ntohl, -(1 << 31) - 1)
    see.trial("inet_ntoa", inet_ntoa, 1 << 32)


def words_are_integers(see: Recorder) -> None:
    see.trial("htons", htons, "80")
    see.trial("ntohs", ntohs, 80.0)
    see.trial("htonl", htonl, None)
    see.trial("ntohl", ntohl, b"\0\0\0\0")
    see.trial("inet_ntoa", inet_ntoa, "127.0.0.1")
    see.trial("WSASetLastError", WSASetLastError, "10035")


def names_must_be_ascii(see: Recorder) -> None:
    see.trial("inet_addr", inet_addr, "127.0.0.1\u00e9")
    see.trial("inet_pton", inet_pton, AF_INET, "ü", bytearray(4))
    see.trial("gethostbyname", gethostbyname, "münchen")
    see.trial("getaddrinfo", getaddrinfo, "münchen", None, None, POINTER(addrinfo)())


def names_must_be_text(see: Recorder) -> None:
    see.trial("inet_addr", inet_addr, 127)
    see.trial("inet_pton", inet_pton, AF_INET, 127, bytearray(4))
    see.trial("gethostbyname", gethostbyname, 127)
    see.trial("getaddrinfo", getaddrinfo, "127.0.0.1", 80, None, POINTER(addrinfo)())


def results_need_a_pointer_to_addrinfo(see: Recorder) -> None:
    see.trial("getaddrinfo", getaddrinfo, "127.0.0.1", "80", None, addrinfo())
    see.trial("getaddrinfo bytes", getaddrinfo, "127.0.0.1", "80", None, bytearray(48))
    see.trial("freeaddrinfo", freeaddrinfo, 0)


def mistakes_come_before_everything(see: Recorder) -> None:
    WSACleanup()
    see.trial("socket", socket, "AF_INET", SOCK_STREAM, 0)
    see.trial("recv", recv, 256, b"....", 4, 0)
    see.trial("send", send, 1 << 64, b"x", 1, 0)
    see.trial("ioctlsocket", ioctlsocket, 256, FIONBIO, 1)
    see.trial("gethostbyname", gethostbyname, 5)


def arguments_by_name(see: Recorder) -> None:
    s = see("socket", socket(af=AF_INET, type=SOCK_DGRAM, protocol=0))
    see("bind", bind(s=s, name=inet(), namelen=IN))
    see("sendto", sendto(s=s, buf=b"named", len=5, flags=0, to=name_of(s), tolen=IN))
    buffer, name, length = bytearray(8), sockaddr_in(), c_int(IN)
    see("recvfrom", recvfrom(s=wait_readable(s), buf=buffer, len=8, flags=0, from_=name, fromlen=length), buffer)
    see("select", select(nfds=0, readfds=None, writefds=set_of(s), exceptfds=None, timeout=NOW))
    see("closesocket", closesocket(s=s))


def ctypes_arrays_as_buffers(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, (c_char * 4).from_buffer_copy(b"data"), 4, 0))
    array = (c_char * 4)()
    see("recv", recv(wait_readable(server), array, 4, 0), bytes(array))
    see("send integers", send(client, (c_uint32 * 2)(0x64636261, 0x68676665), 8, 0))
    array8 = (c_char * 8)()
    see("recv integers", recv(wait_readable(server), array8, 8, 0), bytes(array8))


def a_slice_as_buffer(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    whole = bytearray(b"." * 8)
    see("recv", recv(wait_readable(server), memoryview(whole)[2:6], 4, 0), whole)
    see("recv beyond the slice", recv(server, memoryview(whole)[2:6], 5, 0), whole)
