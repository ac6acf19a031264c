"""What the checks do with sockets: resolve a name, round trips on loopback, one bind, one connect.

Every wait has a time limit.
"""

from __future__ import annotations

import ctypes
import re
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
    WSANO_DATA,
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

__all__ = [
    "LIMIT",
    "Address",
    "InvalidHost",
    "resolve",
    "tcp_round_trip",
    "try_bind",
    "try_connect",
    "udp_round_trip",
]

# In seconds; far longer than a round trip on loopback takes.
LIMIT = 5.0
MESSAGE = b"winsock.doctor"
# A blank or a control character is never part of a name or an address.
_INVALID = re.compile(r"[\0- \x7f]")
_MAX_HOST = 255
# Python's codec has IDNA 2003, browsers have IDNA 2008. These characters give the names of two different machines.
_AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")


class Address(NamedTuple):
    """A numeric address: its family, the bytes of its sockaddr, and its text ADDRESS:PORT."""

    family: int
    name: bytes
    text: str


class InvalidHost(Exception):
    """The text cannot be the name or the address of a host; the message says why."""


def _host_name(host: str) -> bytes:
    """The ASCII form of a host name, as the name server knows it: IDNA for other characters."""
    if not host or len(host) > _MAX_HOST or _INVALID.search(host):
        raise InvalidHost(f"invalid host name: {host!r}")
    if host.isascii():
        return host.encode("ascii")
    if _AMBIGUOUS.search(host):
        raise InvalidHost(f"ambiguous host name: {host!r}; use its ASCII form, which begins with xn--")
    try:
        return host.encode("idna")
    except UnicodeError as error:
        raise InvalidHost(f"invalid host name: {host!r} ({error})") from None


def resolve(host: str, port: int) -> list[Address]:
    """The IPv4 and IPv6 addresses of a host name or numeric address; there is at least one.

    Errors: InvalidHost if the text is neither. Failure if getaddrinfo fails, with WSANO_DATA if the host has no such
    address.
    """
    name = _host_name(host)
    found = POINTER(addrinfo)()
    hints = addrinfo(ai_family=AF_UNSPEC, ai_socktype=SOCK_STREAM)
    code = getaddrinfo(name, str(port), hints, found)
    if code:
        raise Failure("getaddrinfo", code)
    addresses = []
    entry = found
    while entry:
        raw = ctypes.string_at(entry.contents.ai_addr, entry.contents.ai_addrlen)
        if entry.contents.ai_family in (AF_INET, AF_INET6):
            addresses.append(Address(entry.contents.ai_family, raw, _text(raw, port)))
        entry = entry.contents.ai_next
    freeaddrinfo(found)
    if not addresses:
        raise Failure("getaddrinfo", WSANO_DATA)
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
    """The sockets of one check; all are closed at the end of the with block."""

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
    """Binds to a free port on loopback and returns the address."""
    name = _loopback(family)
    _checked("bind", bind(s, name, sizeof(name)))
    _checked("getsockname", getsockname(s, name, c_int(sizeof(name))))
    return name


def _wait(s: int, call: str) -> None:
    """Waits until there is data to receive or a connection to accept."""
    fds = fd_set()
    FD_SET(s, fds)
    if _checked("select", select(0, fds, None, None, timeval(int(LIMIT), 0))) == 0:
        raise Failure(call, WSAETIMEDOUT)


def _receive(s: int, call: str) -> None:
    """Receives the message with recv or recvfrom."""
    _wait(s, call)
    buffer = bytearray(64)
    count = recv(s, buffer, 64, 0) if call == "recv" else recvfrom(s, buffer, 64, 0, None, None)
    if buffer[: _checked(call, count)] != MESSAGE:
        raise Failure(f"{call} returned {bytes(buffer[:count])!r} instead of {MESSAGE!r}", WSAEINVAL)


def tcp_round_trip(family: int) -> None:
    """Sends a message from a client to a server and back.

    Errors: Failure for the first call that fails.
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


def udp_round_trip(family: int) -> None:
    """Sends a datagram from one socket to another and back.

    Errors: Failure for the first call that fails.
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


def try_bind(address: Address) -> None:
    """Binds a socket to the address and closes it.

    Errors: Failure if the address cannot be bound.
    """
    with _Sockets() as sockets:
        s = sockets.new(address.family, SOCK_STREAM)
        _checked("bind", bind(s, address.name, len(address.name)))


def try_connect(address: Address, seconds: float) -> None:
    """Connects to the address and closes the connection.

    Errors: Failure if the connection fails, with WSAETIMEDOUT after `seconds` without an answer.
    """
    with _Sockets() as sockets:
        s = sockets.new(address.family, SOCK_STREAM)
        _checked("ioctlsocket", ioctlsocket(s, FIONBIO, u_long(1)))
        if connect(s, address.name, len(address.name)) == 0:
            return
        if WSAGetLastError() != WSAEWOULDBLOCK:
            raise Failure("connect", WSAGetLastError())
        connected, failed = fd_set(), fd_set()
        FD_SET(s, connected)
        FD_SET(s, failed)
        limit = timeval(int(seconds), int(seconds % 1 * 1_000_000))
        if _checked("select", select(0, None, connected, failed, limit)) == 0:
            raise Failure("connect", WSAETIMEDOUT)
        code = u_long()
        _checked("getsockopt", getsockopt(s, SOL_SOCKET, SO_ERROR, code, c_int(4)))
        if code.value:
            raise Failure("connect", code.value)
