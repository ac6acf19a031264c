"""Addresses as the calls take them: host names and ports to sockaddr bytes, and back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from winsock.api import Winsock
from winsock.constants import AF_UNSPEC, SOCK_DGRAM, SOCK_STREAM, SOCKET_ERROR
from winsock.errors import WSAErrorDescript
from winsock.formatting import address
from winsock.structures import addrinfo, sockaddr_storage

from .surroundings import Failure

__all__ = ["family_of", "local_address", "peer_address", "port_of", "resolve", "shown"]


def resolve(calls: Winsock, host: str, port: int, datagrams: bool = False) -> list[bytes]:
    """The sockaddr of each address of a host, as getaddrinfo returns them.

    Errors: Failure if the host is unknown.
    """
    hints = addrinfo(ai_family=AF_UNSPEC, ai_socktype=SOCK_DGRAM if datagrams else SOCK_STREAM)
    result = ctypes.POINTER(addrinfo)()
    code = calls.getaddrinfo(host, str(port), hints, result)
    if code:
        raise Failure(f"invalid host name: {host!r}: {WSAErrorDescript(code)}")
    found, entry = [], result
    while entry:
        found.append(ctypes.string_at(entry.contents.ai_addr, entry.contents.ai_addrlen))
        entry = entry.contents.ai_next
    calls.freeaddrinfo(result)
    return found


def family_of(name: bytes) -> int:
    return int.from_bytes(name[:2], "little")


def port_of(name: bytes) -> int:
    return int.from_bytes(name[2:4], "big")


def local_address(calls: Winsock, s: int) -> bytes | None:
    """The sockaddr of the socket; None if it has none."""
    return _address(calls.getsockname, s)


def peer_address(calls: Winsock, s: int) -> bytes | None:
    """The sockaddr of the other side; None if the socket is not connected."""
    return _address(calls.getpeername, s)


def _address(call: Callable[[int, sockaddr_storage, ctypes.c_int], int], s: int) -> bytes | None:
    name, length = sockaddr_storage(), ctypes.c_int(ctypes.sizeof(sockaddr_storage))
    return None if call(s, name, length) == SOCKET_ERROR else bytes(name)[: length.value]


def shown(name: bytes | None) -> str:
    """127.0.0.1:8081, or "-" where there is no address."""
    return "-" if name is None else address(name)
