"""Free ports for programs that must be given one before they start.

The usual way, to bind port 0 and close the socket, has a race: until the program binds the port, the system may give
the same number to any other socket that asks for port 0 or connects. Two things avoid it:

- The ports are below those that the system chooses for programs (32768 and higher on Linux, 49152 and higher on
  Windows). So only a program that asks for this very number could take it.
- Test processes that run at the same time, such as the workers of pytest-xdist, exclude each other: while a port is
  reserved, a socket listens on a second port, a fixed distance above it, and a process that cannot listen there leaves
  the first one alone. The reserved port itself stays free for the program, in both protocols.

What stays: a program that uses a fixed port of this range may start at the wrong moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int, sizeof

import winsock
from winsock.api import Winsock
from winsock.constants import (
    AF_INET,
    AF_INET6,
    INADDR_ANY,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    SO_EXCLUSIVEADDRUSE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
)
from winsock.errors import WSAEACCES, WSAEADDRINUSE, WSAEMFILE, WSAENOBUFS, WSAErrorDescript
from winsock.structures import in_addr, sockaddr_in, sockaddr_in6

from .own_sockets import own_calls
from .running import start_winsock

__all__ = ["PortReservations", "reserved_ports"]

_FIRST, _NUMBER = 20_000, 6_000
# From a port to the one on which a socket listens while it is reserved.
_DISTANCE = 6_000
# Processes with neighbouring numbers begin far from each other.
_STRIDE = 997
# Windows gives WSAEACCES for a socket that does not share its port, and for ports that it excludes.
_IN_USE = (WSAEADDRINUSE, WSAEACCES)
_NO_RESOURCES = (WSAEMFILE, WSAENOBUFS)


class PortReservations:
    """Ports that no other user of this class has, until `release`."""

    def __init__(self, calls: Winsock) -> None:
        self._calls = calls
        self._next = os.getpid() * _STRIDE % _NUMBER
        self._held: list[int] = []

    def new_port(self) -> int:
        """A port of 127.0.0.1 and of all other addresses of this machine that is free for TCP and UDP.

        Errors: AssertionError if there is none, or no more socket can be opened.
        """
        for _ in range(_NUMBER):
            port = _FIRST + self._next
            self._next = (self._next + 1) % _NUMBER
            held = self._hold(port + _DISTANCE)
            if held is None:
                continue
            self._held.append(held)
            if self._is_free(port):
                return port
            self._calls.closesocket(self._held.pop())
        raise AssertionError(f"no free port from {_FIRST} to {_FIRST + _NUMBER - 1}")

    def release(self) -> None:
        """End all reservations."""
        while self._held:
            self._calls.closesocket(self._held.pop())

    def _hold(self, port: int) -> int | None:
        """A socket that listens on the port, which excludes other processes on every system; None if it is in use."""
        s = self._bind(AF_INET, SOCK_STREAM, port, INADDR_LOOPBACK)
        if s is not None and self._calls.listen(s, 1) == SOCKET_ERROR:
            self._calls.closesocket(s)
            return None
        return s

    def _is_free(self, port: int) -> bool:
        for family in (AF_INET, AF_INET6):
            for kind in (SOCK_STREAM, SOCK_DGRAM):
                s = self._bind(family, kind, port, INADDR_ANY)
                if s is not None:
                    self._calls.closesocket(s)
                elif self._calls.WSAGetLastError() in _IN_USE:
                    return False
        # A machine without IPv6 gives other errors there.
        return True

    def _bind(self, family: int, kind: int, port: int, host: int) -> int | None:
        """A bound socket; or None, and WSAGetLastError has the reason."""
        calls = self._calls
        s = calls.socket(family, kind, 0)
        if s == INVALID_SOCKET:
            # No other port would help. A machine without IPv6 has no sockets of its family.
            if family == AF_INET or calls.WSAGetLastError() in _NO_RESOURCES:
                raise AssertionError(f"no free port: socket failed: {WSAErrorDescript(calls.WSAGetLastError())}")
            return None
        calls.setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, c_int(1), 4)
        name: sockaddr_in | sockaddr_in6 = (
            sockaddr_in(AF_INET, calls.htons(port), in_addr(calls.htonl(host)))
            if family == AF_INET
            else sockaddr_in6(sin6_family=AF_INET6, sin6_port=calls.htons(port))
        )
        if calls.bind(s, name, sizeof(name)) == SOCKET_ERROR:
            error = calls.WSAGetLastError()
            calls.closesocket(s)
            calls.WSASetLastError(error)
            return None
        return s


@contextmanager
def reserved_ports() -> Iterator[PortReservations]:
    """Ports that are reserved until the end of the block."""
    calls = own_calls(winsock.calls)
    start_winsock(calls)
    reservations = PortReservations(calls)
    try:
        yield reservations
    finally:
        reservations.release()
        calls.WSACleanup()
