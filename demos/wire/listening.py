"""Starting a product server: one call from the host name to the bound, nonblocking socket."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int, sizeof

from demos.wire.addresses import Address, AddressError, address_text, family_of, find_address
from demos.wire.opening import CallFailed, nonblocking_socket, start_winsock
from winsock import (
    SOCK_STREAM,
    SOCKET_ERROR,
    SOMAXCONN,
    WSACleanup,
    WSAGetLastError,
    bind,
    closesocket,
    getsockname,
    listen,
)


class StartError(Exception):
    """A server cannot start; the text is a line for the log. ``temporary``: the same call may work later."""

    def __init__(self, text: str, *, temporary: bool = False) -> None:
        super().__init__(text)
        self.temporary = temporary


def start_server(
    host: str, port: int, kind: int, before_bind: Callable[[int], None] | None = None
) -> tuple[int, Address]:
    """Start Winsock and open a server's socket: its handle, and its address with the real port.

    The kind is SOCK_STREAM, for a socket that listens, or SOCK_DGRAM. `before_bind` sets options of the socket. After
    success the caller must call closesocket and WSACleanup.

    Errors: StartError; then no socket is left open and no WSACleanup is needed.
    """
    try:
        start_winsock()
    except CallFailed as error:
        raise StartError(str(error)) from error
    try:
        return _open(host, port, kind, before_bind)
    except (AddressError, CallFailed) as error:
        WSACleanup()
        # A server's own name is usually in the hosts file, so an unknown name is an error of the user. A client's
        # server may get its name later.
        temporary = isinstance(error, AddressError) and error.temporary and not error.unknown
        raise StartError(str(error), temporary=temporary) from error


def _open(host: str, port: int, kind: int, before_bind: Callable[[int], None] | None) -> tuple[int, Address]:
    address = find_address(host, port, kind)
    s = nonblocking_socket(family_of(address), kind)
    try:
        if before_bind:
            before_bind(s)
        _bind(s, address, kind)
    except CallFailed:
        closesocket(s)
        raise
    return s, address


def _bind(s: int, address: Address, kind: int) -> None:
    """Bind, and listen on a stream socket; the address then has the real port."""
    if bind(s, address, sizeof(address)) == SOCKET_ERROR:
        raise CallFailed(f"Bind to {address_text(address)}", WSAGetLastError())
    # On some systems a port in use is reported by listen and not by bind.
    if kind == SOCK_STREAM and listen(s, SOMAXCONN) == SOCKET_ERROR:
        raise CallFailed(f"Listen on {address_text(address)}", WSAGetLastError())
    if getsockname(s, address, c_int(sizeof(address))) == SOCKET_ERROR:
        raise CallFailed("getsockname", WSAGetLastError())
