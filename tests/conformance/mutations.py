"""Broken calls: the mutation tests put them in the place of a call, and a scenario or a fact must notice."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from typing import Any

import winsock
from winsock import INVALID_SOCKET, SOCKET_ERROR, WSAECONNRESET, WSAEMSGSIZE, WSAESTALE, WSAGetLastError

Call = Callable[..., Any]
NUMBERS = {"htons", "ntohs", "htonl", "ntohl", "inet_addr", "WSAGetLastError"}
CODES = {"WSAStartup", "getaddrinfo", "getnameinfo"}


def refusing(call: str) -> Call:
    """A replacement that does nothing and always fails, or returns a wrong number."""
    failure: Any = WSAESTALE if call in CODES | NUMBERS else SOCKET_ERROR
    if call in ("socket", "accept"):
        failure = INVALID_SOCKET
    elif call in ("inet_ntop", "gethostbyname", "WSASetLastError"):
        failure = None
    elif call == "inet_ntoa":
        failure = "0.0.0.1"

    def broken(*arguments: Any, **named: Any) -> Any:
        if call != "WSASetLastError":
            winsock.WSASetLastError(WSAESTALE)
        return failure

    return broken


def mistaken(call: str) -> Call:
    """A replacement that sets another error whenever the call fails."""
    real: Call = getattr(winsock, call)

    def broken(*arguments: Any, **named: Any) -> Any:
        result = real(*arguments, **named)
        if call in CODES and result != 0:
            winsock.WSASetLastError(WSAESTALE)
            return WSAESTALE
        if result in (SOCKET_ERROR, INVALID_SOCKET, winsock.INADDR_NONE) or result is None:
            winsock.WSASetLastError(WSAESTALE)
        return result

    return broken


def reset_as_end(s: int, buf: Any, len: int, flags: int) -> int:
    result = winsock.recv(s, buf, len, flags)
    return 0 if result == SOCKET_ERROR and WSAGetLastError() == WSAECONNRESET else result


def cut_silently(s: int, buf: Any, len: int, flags: int) -> int:
    result = winsock.recv(s, buf, len, flags)
    return len if result == SOCKET_ERROR and WSAGetLastError() == WSAEMSGSIZE else result


def without_mode(s: int, addr: Any, addrlen: Any) -> int:
    client = winsock.accept(s, addr, addrlen)
    if client != INVALID_SOCKET:
        winsock.ioctlsocket(client, winsock.FIONBIO, winsock.u_long(0))
        winsock.setsockopt(client, winsock.SOL_SOCKET, winsock.SO_RCVTIMEO, c_int(50), 4)
    return client


def without_exceptions(nfds: int, readfds: Any, writefds: Any, exceptfds: Any, timeout: Any) -> int:
    result = winsock.select(nfds, readfds, writefds, exceptfds, timeout)
    if exceptfds is not None:
        winsock.FD_ZERO(exceptfds)
    return result


def with_four_bytes(s: int, level: int, optname: int, optval: Any, optlen: Any) -> int:
    result = winsock.getsockopt(s, level, optname, optval, optlen)
    if result == 0:
        optlen.value = 4
    return result


def shared(s: int, name: Any, namelen: int) -> int:
    winsock.setsockopt(s, winsock.SOL_SOCKET, winsock.SO_REUSEADDR, c_int(1), 4)
    return winsock.bind(s, name, namelen)


def half(s: int, buf: Any, len: int, flags: int) -> int:
    return winsock.send(s, buf, len // 2, flags)


def in_big_endian_order(hostshort: int) -> int:
    return hostshort
