"""A socket by which another thread wakes a program that waits for its sockets.

The program registers it with EventSetSocket, and OnSocket calls clear() before it looks at what the thread has left
for it.
"""

from __future__ import annotations

from ctypes import c_int, sizeof

from demos.wire.opening import CallFailed, nonblocking_socket, start_winsock
from winsock import (
    AF_INET,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSACleanup,
    WSAGetLastError,
    bind,
    closesocket,
    connect,
    getsockname,
    htonl,
    htons,
    in_addr,
    recv,
    send,
    sockaddr_in,
)

# The wake-ups that are read at once; more of them only cause another event.
_MOST_READ = 1000


class WakeUp:
    """The socket, from the constructor to close(). Only wake() may be called by other threads."""

    def __init__(self) -> None:
        """Call WSAStartup and create the socket. Errors: CallFailed."""
        start_winsock()
        try:
            self.socket = connected_to_itself()
        except CallFailed:
            WSACleanup()
            raise

    def wake(self) -> None:
        """Have the program called."""
        # send fails if the receive buffer is full of wake-ups, or if the socket was closed meanwhile.
        send(self.socket, b"\0", 1, 0)

    def clear(self) -> None:
        """Read the wake-ups so far: what a thread leaves from now on causes a new one."""
        buf = bytearray(1)
        for _ in range(_MOST_READ):
            if recv(self.socket, buf, len(buf), 0) == SOCKET_ERROR:
                return

    def close(self) -> None:
        """Close the socket and call WSACleanup; closing twice is allowed."""
        s, self.socket = self.socket, INVALID_SOCKET
        if s != INVALID_SOCKET:
            closesocket(s)
            WSACleanup()


def connected_to_itself() -> int:
    """A nonblocking UDP socket on loopback that receives what it sends, and nothing else. Errors: CallFailed."""
    s = nonblocking_socket(AF_INET, SOCK_DGRAM)
    name = sockaddr_in(AF_INET, htons(0), in_addr(htonl(INADDR_LOOPBACK)))
    size = sizeof(name)
    if (
        bind(s, name, size) == SOCKET_ERROR
        or getsockname(s, name, c_int(size)) == SOCKET_ERROR
        or connect(s, name, size) == SOCKET_ERROR
    ):
        failure = CallFailed("Connect to itself", WSAGetLastError())
        closesocket(s)
        raise failure
    return s
