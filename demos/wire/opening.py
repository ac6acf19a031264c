"""The first steps of every product program's socket: start Winsock, create the socket, make it nonblocking."""

from __future__ import annotations

from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MAKEWORD,
    NO_ERROR,
    SOCK_STREAM,
    WSADATA,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    ioctlsocket,
    socket,
    u_long,
)


class CallFailed(Exception):
    """A call has failed; the text is a line for the log, with the number and description of the ``error``."""

    def __init__(self, what: str, error: int) -> None:
        super().__init__(f"{what} failed error: {WSAErrorDescript(error)}")
        self.error = error


def start_winsock() -> None:
    """Call WSAStartup for version 2.2.

    Errors: CallFailed; then no WSACleanup is needed.
    """
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        raise CallFailed("WSAStartup", res)


def nonblocking_socket(family: int, kind: int) -> int:
    """A new nonblocking socket; the kind is SOCK_STREAM for TCP or SOCK_DGRAM for UDP.

    Errors: CallFailed; then no socket is left open.
    """
    s = socket(family, kind, IPPROTO_TCP if kind == SOCK_STREAM else IPPROTO_UDP)
    if s == INVALID_SOCKET:
        raise CallFailed("Create", WSAGetLastError())
    if ioctlsocket(s, FIONBIO, u_long(1)) != NO_ERROR:
        failure = CallFailed("ioctlsocket", WSAGetLastError())
        closesocket(s)
        raise failure
    return s
