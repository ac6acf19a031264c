"""What the checks do with sockets: round trips on loopback, one bind, one connect. No wait is without a limit."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int, sizeof
from ipaddress import IPv6Address
from typing import NamedTuple

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FD_SET,
    FIONBIO,
    INVALID_SOCKET,
    SO_ERROR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEINVAL,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    fd_set,
    freeaddrinfo,
    getaddrinfo,
    getsockname,
    getsockopt,
    in_addr,
    inet_addr,
    ioctlsocket,
    listen,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    sockaddr_in,
    sockaddr_in6,
    socket,
    timeval,
    u_long,
)

from .findings import Failure

__all__ = ["LIMIT", "Address", "bind_once", "connect_within", "resolve", "tcp", "udp"]

# Seconds: far more than anything on loopback takes.
LIMIT = 5.0
MESSAGE = b"winsock.doctor"


class Address(NamedTuple):
    """A numeric address: its family, its sockaddr, and both as text."""

    family: int
    name: bytes
    text: str


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name or of digits.

    Errors: Failure when there is none.
    """
    found = POINTER(addrinfo)()
    hints = addrinfo(ai_family=AF_UNSPEC, ai_socktype=SOCK_STREAM)
    code = getaddrinfo(host, str(port), hints, found)
    if code:
        raise Failure("getaddrinfo", code)
    addresses = []
    entry = found
    while entry:
        name = ctypes.string_at(entry.contents.ai_addr, entry.contents.ai_addrlen)
        if entry.contents.ai_family in (AF_INET, AF_INET6):
            addresses.append(Address(entry.contents.ai_family, name, _text(name, port)))
        entry = entry.contents.ai_next
    freeaddrinfo(found)
    return list(dict.fromkeys(addresses))


def _text(name: bytes, port: int) -> str:
    if len(name) == sizeof(sockaddr_in):
        return ".".join(map(str, name[4:8])) + f":{port}"
    return f"[{IPv6Address(name[8:24])}]:{port}"


def _checked(call: str, result: int) -> int:
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise Failure(call, WSAGetLastError())
    return result


class _Sockets:
    """The sockets of one check, closed at its end."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def __enter__(self) -> _Sockets:
        return self

    def __exit__(self, *raised: object) -> None:
        for s in self._open:
            closesocket(s)

    def new(self, family: int, kind: int) -> int:
        return self.keep("socket", socket(family, kind, 0))

    def keep(self, call: str, s: int) -> int:
        self._open.append(_checked(call, s))
        return s


def _loopback(family: int) -> sockaddr_in | sockaddr_in6:
    if family == AF_INET:
        return sockaddr_in(AF_INET, 0, in_addr(inet_addr("127.0.0.1")))
    name6 = sockaddr_in6(sin6_family=AF_INET6)
    name6.sin6_addr.s6_addr = bytes(15) + b"\1"
    return name6


def _bound(s: int, family: int) -> sockaddr_in | sockaddr_in6:
    """Bind to loopback; the address with the port that the system chose."""
    name = _loopback(family)
    _checked("bind", bind(s, name, sizeof(name)))
    _checked("getsockname", getsockname(s, name, c_int(sizeof(name))))
    return name


def _wait(s: int, call: str) -> None:
    """Wait until there is something to receive or to accept."""
    fds = fd_set()
    FD_SET(s, fds)
    if _checked("select", select(0, fds, None, None, timeval(int(LIMIT), 0))) == 0:
        raise Failure(call, WSAETIMEDOUT)


def _receive(s: int, call: str) -> None:
    """Receive the message, by recv or recvfrom."""
    _wait(s, call)
    buffer = bytearray(64)
    taken = recv(s, buffer, 64, 0) if call == "recv" else recvfrom(s, buffer, 64, 0, None, None)
    if buffer[: _checked(call, taken)] != MESSAGE:
        raise Failure(f"{call} of {MESSAGE!r}, which gave {bytes(buffer[:taken])!r}", WSAEINVAL)


def tcp(family: int) -> None:
    """A message there and back through a connection.

    Errors: Failure.
    """
    with _Sockets() as sockets:
        server = sockets.new(family, SOCK_STREAM)
        name = _bound(server, family)
        _checked("listen", listen(server, 1))
        client = sockets.new(family, SOCK_STREAM)
        _checked("connect", connect(client, name, sizeof(name)))
        _wait(server, "accept")
        accepted = sockets.keep("accept", accept(server, None, None))
        for source, target in ((client, accepted), (accepted, client)):
            _checked("send", send(source, MESSAGE, len(MESSAGE), 0))
            _receive(target, "recv")


def udp(family: int) -> None:
    """A datagram there and back.

    Errors: Failure.
    """
    with _Sockets() as sockets:
        names: list[tuple[int, sockaddr_in | sockaddr_in6]] = []
        for _ in range(2):
            s = sockets.new(family, SOCK_DGRAM)
            names.append((s, _bound(s, family)))
        (one, one_name), (other, other_name) = names
        for source, target, name in ((one, other, other_name), (other, one, one_name)):
            _checked("sendto", sendto(source, MESSAGE, len(MESSAGE), 0, name, sizeof(name)))
            _receive(target, "recvfrom")


def bind_once(address: Address) -> None:
    """Bind a socket to the address, and close it.

    Errors: Failure.
    """
    with _Sockets() as sockets:
        s = sockets.new(address.family, SOCK_STREAM)
        _checked("bind", bind(s, address.name, len(address.name)))


def connect_within(address: Address, seconds: float) -> None:
    """Connect and close again.

    Errors: Failure, with WSAETIMEDOUT when the time is over.
    """
    with _Sockets() as sockets:
        s = sockets.new(address.family, SOCK_STREAM)
        _checked("ioctlsocket", ioctlsocket(s, FIONBIO, u_long(1)))
        if connect(s, address.name, len(address.name)) == 0:
            return
        if WSAGetLastError() != WSAEWOULDBLOCK:
            raise Failure("connect", WSAGetLastError())
        writable, failed = fd_set(), fd_set()
        FD_SET(s, writable)
        FD_SET(s, failed)
        limit = timeval(int(seconds), int(seconds % 1 * 1_000_000))
        if _checked("select", select(0, None, writable, failed, limit)) == 0:
            raise Failure("connect", WSAETIMEDOUT)
        code = u_long()
        _checked("getsockopt", getsockopt(s, SOL_SOCKET, SO_ERROR, code, c_int(4)))
        if code.value:
            raise Failure("connect", code.value)
