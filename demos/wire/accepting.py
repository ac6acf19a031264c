"""How the product servers accept clients: all that wait, each as a nonblocking socket with keep-alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import c_int, sizeof

from demos.wire.addresses import Address, empty_address
from demos.wire.keepalive import keep_alive
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    NO_ERROR,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEWOULDBLOCK,
    WSAErrorDescript,
    WSAGetLastError,
    accept,
    closesocket,
    ioctlsocket,
    u_long,
)


class Acceptor:
    """Accepts clients; an error of accept that lasts is reported once. ``report`` gets a line for the log."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._last_error = NO_ERROR

    def clients(
        self, server: int, family: int, most: int, make_room: Callable[[], bool]
    ) -> Iterator[tuple[int, Address]]:
        """The clients that wait, as sockets and addresses; accept is called at most ``most`` times.

        ``make_room`` is called when the process has no descriptor left: it closes a connection, or returns False. The
        caller owns the sockets. After an error the server continues to listen.
        """
        for _ in range(most):
            address = empty_address(family)
            client = accept(server, address, c_int(sizeof(address)))
            if client != INVALID_SOCKET:
                if self._prepare(client):
                    yield client, address
                continue
            error = WSAGetLastError()
            # The client has already closed the connection; or no descriptor is free, and closing another client helps.
            if error == WSAECONNRESET or (error == WSAEMFILE and make_room()):
                continue
            if error not in (WSAEWOULDBLOCK, self._last_error):
                self._report(f"-Accept failed error: {WSAErrorDescript(error)}")
            self._last_error = error
            return

    def _prepare(self, client: int) -> bool:
        # Winsock alone gives an accepted socket the listener's mode; the mode is set explicitly for every system.
        if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
            self._report(f"-ioctlsocket failed error: {WSAErrorDescript(WSAGetLastError())}")
            closesocket(client)
            return False
        # This notices a client that has disappeared.
        if problem := keep_alive(client):
            self._report(f"-{problem}")
        return True
