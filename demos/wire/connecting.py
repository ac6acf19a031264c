"""Connecting a product client over TCP without blocking: begin, then check the result at each timer event."""

from __future__ import annotations

from ctypes import c_int, sizeof

from demos.wire.addresses import Address, family_of
from demos.wire.opening import nonblocking_socket
from winsock import (
    FD_ISSET,
    FD_SET,
    NO_ERROR,
    SO_ERROR,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    connect,
    fd_set,
    getsockopt,
    select,
    timeval,
)


def begin_connect(address: Address) -> tuple[int, int]:
    """A nonblocking socket that connects to the address, and NO_ERROR or the error with which connect has failed.

    Errors: CallFailed when there is no socket.
    """
    s = nonblocking_socket(family_of(address), SOCK_STREAM)
    if connect(s, address, sizeof(address)) == SOCKET_ERROR and WSAGetLastError() != WSAEWOULDBLOCK:
        return s, WSAGetLastError()
    return s, NO_ERROR


def connect_result(s: int) -> int | None:
    """NO_ERROR when the socket is connected, the error when the connect has failed, None while it is in progress."""
    writefds, exceptfds = fd_set(), fd_set()
    FD_SET(s, writefds)
    FD_SET(s, exceptfds)
    if select(0, None, writefds, exceptfds, timeval()) == SOCKET_ERROR:
        return WSAGetLastError()
    if FD_ISSET(s, exceptfds):
        error = c_int()
        res = getsockopt(s, SOL_SOCKET, SO_ERROR, error, c_int(sizeof(error)))
        return WSAGetLastError() if res == SOCKET_ERROR else error.value
    return NO_ERROR if FD_ISSET(s, writefds) else None
