"""What the template client does with its nonblocking socket: wait for the connect, send, read, pause."""

from __future__ import annotations

from demos.chartfeed.frames import HELLO
from demos.terminal import GetTickCount64, IsStopped, Sleep
from demos.wire.connecting import connect_result
from winsock import SOCKET_ERROR, WSAETIMEDOUT, WSAEWOULDBLOCK, WSAErrorDescript, WSAGetLastError, recv, send

# The pause while nothing arrives, and the limit of a connect.
PAUSE_MS = 20
CONNECT_MS = 10_000

# The limit of one read, in bytes.
MAX_RECEIVED = 1024 * 1024


class Disconnected(Exception):
    """A connection that was not made, or has ended too early; the text is the reason.

    ``temporary``: the same download may work later.
    """

    def __init__(self, text: str, *, temporary: bool = False) -> None:
        # Error descriptions end with a point, other reasons do not.
        super().__init__(text.rstrip("."))
        self.temporary = temporary


def wait_for_connect(client: int) -> int:
    """Wait until the connect has succeeded or failed; its error, or 0."""
    until = GetTickCount64() + CONNECT_MS
    while not IsStopped():
        error = connect_result(client)
        if error is not None:
            return error
        if GetTickCount64() >= until:
            break
        Sleep(PAUSE_MS)
    return WSAETIMEDOUT


def send_hello(client: int) -> None:
    """Become a subscriber. A new socket's send buffer has room for the few bytes.

    Errors: Disconnected.
    """
    if send(client, HELLO, len(HELLO), 0) != len(HELLO):
        raise Disconnected("Send failed error: " + WSAErrorDescript(WSAGetLastError()))


def read(client: int) -> tuple[bytes, bool]:
    """The bytes that have arrived, and whether the stream has ended.

    Errors: Disconnected.
    """
    rdata = bytearray()
    rbuf = bytearray(64 * 1024)
    while len(rdata) < MAX_RECEIVED:
        res = recv(client, rbuf, len(rbuf), 0)
        if res == 0:
            return bytes(rdata), True
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                raise Disconnected("Receive failed error: " + WSAErrorDescript(err), temporary=True)
            break
        rdata += rbuf[:res]
    return bytes(rdata), False


def pause() -> None:
    """Wait for PAUSE_MS.

    Errors: Disconnected when the program is asked to end.
    """
    Sleep(PAUSE_MS)
    if IsStopped():
        raise Disconnected("stopped")
