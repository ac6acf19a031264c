"""The handles, and the start-up count.

A handle is a number of our own, never a descriptor: the kernel gives the lowest free descriptor to the next socket, and
a program that still uses an old one would reach a stranger's connection. Handles are multiples of 4, as on Windows, and
count up to 2**31 before the first one comes back, so a closed handle stays invalid.

`table` maps each valid handle to its Socket. A socket enters it before its descriptor is opened and leaves it when it
is closed (waiters). From then on no call finds it, but calls that found it earlier may still be using its descriptor.

WSAStartup and WSACleanup count. The last WSACleanup closes every socket.
"""

from __future__ import annotations

from collections.abc import Iterable

from winsock.errors import WSAENOTSOCK, WSANOTINITIALISED

from ..posix import system, waiting
from ..posix.errnos import winsock_error
from . import waiters
from .sockets import CONNECTED, Socket
from .waiters import table

_startups = 0


def find(handle: int) -> Socket | int:
    """The socket of a handle, or the error: WSANOTINITIALISED or WSAENOTSOCK."""
    return table.get(handle) or (WSAENOTSOCK if _startups else WSANOTINITIALISED)


def started() -> bool:
    return _startups > 0


def start() -> None:
    """Counts one WSAStartup."""
    global _startups
    with waiters.lock:
        _startups += 1
        waiters.keep_wakeups(True)


def stop() -> bool:
    """Counts one WSACleanup; the last one closes every socket. False if there was no WSAStartup."""
    global _startups
    closer = waiters.Wait(0)
    with waiters.lock:
        counted = _startups > 0
        _startups -= counted
        if _startups:
            return counted
        # Also where nothing was counted: a signal handler may have raised in the last WSACleanup.
        waiters.keep_wakeups(False)
        sockets = waiters.invalidate_all(closer)
    waiters.complete_closing(sockets)
    return counted


def open_socket(family: int, type: int, protocol: int, options: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The error, or 0 and the handle of a new socket, with these options of the kernel set to 1."""
    sock = Socket(family, type, protocol)
    waiters.finish_closing()
    try:
        with waiters.lock:
            if not _startups:
                return WSANOTINITIALISED, 0
            table.add(sock)
            result = system.socket(sock, family, type, protocol)
            if result < 0:
                table.pop(sock.handle)
                return winsock_error(-result), 0
            sock.update_capabilities()
        for level, option in options:
            system.set_option(sock.fd, level, option, 1)
    except BaseException:
        _give_back(sock)
        raise
    return 0, sock.handle


def _give_back(sock: Socket) -> None:
    """Closes a new socket whose handle the caller does not get, because a signal handler has raised."""
    if table.get(sock.handle) is sock:
        waiters.close(sock)


def open_accepted(listener: Socket) -> tuple[int, Socket]:
    """The next connection of a listener's queue: 0 or minus the errno, and a socket that is in the table after 0."""
    sock = Socket(listener.family, listener.type, listener.protocol)
    sock.bound, sock.state, sock.connected_at = True, CONNECTED, waiting.monotonic()
    sock.nonblocking = listener.nonblocking
    sock.options = listener.options
    try:
        with waiters.lock:
            table.add(sock)
            result, sock.peer = system.accept(sock, listener.fd)
            if result < 0:
                table.pop(sock.handle)
            else:
                sock.update_capabilities()
    except BaseException:
        _give_back(sock)
        raise
    return min(result, 0), sock
