"""The table of handles, and the start-up count.

A handle is a number that this module assigns. It is never a descriptor: the kernel gives the lowest free descriptor to
the next socket, so a program that still uses a closed one would reach another connection. No handle is used twice. It
consists of a *place* (20 bits, reused) and a *generation* (how often the place was used before), shifted left by two
bits, because Windows's handles are multiples of 4. Reusing places keeps the numbers small, and a fast path can find a
socket by its place in an array.

`table` maps each valid handle to its Socket. Reading it needs no lock. A socket is added when all its other state is
complete. It is removed once, when it is closed, under the lock of `waiters`. After that no call finds it. Calls that
found it before may still use its descriptor: the last of them closes the descriptor and frees the place (see waiters).

WSAStartup increments a count, WSACleanup decrements it. The last WSACleanup closes every socket; a socket that
another thread is opening at that time is closed when it is added to the table.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from winsock.arguments import socket_handle
from winsock.errors import WSAENOTSOCK, WSANOTINITIALISED

from ..posix import waiting
from . import sockets, waiters
from .sockets import CONNECTED, Socket

table: dict[int, Socket] = {}
_startups = 0


def find(s: int) -> Socket | int:
    """The socket of a handle, or the error: WSANOTINITIALISED or WSAENOTSOCK."""
    known = table.get(s) if type(s) is int else None
    return known or table.get(socket_handle(s)) or (WSAENOTSOCK if _startups else WSANOTINITIALISED)


def started() -> bool:
    return _startups > 0


def start() -> None:
    """Counts one WSAStartup."""
    global _startups
    with waiters.lock:
        _startups += 1
        waiters.keep_waiters(True)


def stop() -> bool:
    """Counts one WSACleanup; the last one closes every socket. False if there was no WSAStartup."""
    global _startups
    with waiters.lock:
        if not _startups:
            return False
        _startups -= 1
        if _startups:
            return True
        # All handles become invalid before the first descriptor is closed: a call that waits on one socket must not
        # report the end of another.
        unused = [sock for sock in list(table.values()) if not _invalidate(sock)]
    for sock in unused:
        sock.release()
    with waiters.lock:
        if sockets.slots is not None and not _startups:
            sockets.slots.last_closed()
    waiters.keep_waiters(False)
    return True


def close(sock: Socket) -> bool:
    """Makes the handle invalid, ends the socket's waits, and closes its descriptor or leaves it to the last wait.

    False if another thread has already closed the socket.
    """
    with waiters.lock:
        if sock.closed:
            return False
        in_use = _invalidate(sock)
    if not in_use:
        sock.release()
    return True


def _invalidate(sock: Socket) -> bool:
    """Removes the socket from the table; True if a waiting call still uses its descriptor."""
    del table[sock.handle]
    sock.closed = True
    sock.capabilities = 0
    if sock.slot is not None:
        sock.slot.handle = 0
    return waiters.wake_waiters_on_close(sock)


def open_socket(fd: int, family: int, type: int, protocol: int) -> Socket | None:
    """Adds a socket to the table; None if the last WSACleanup has closed it again."""
    return _enter(Socket(fd, family, type, protocol))


def open_accepted(listener: Socket, fd: int, peer: bytes, options: Mapping[tuple[int, int], Any]) -> Socket | None:
    """As open_socket, for a connection of a listener's queue."""
    sock = Socket(fd, listener.family, listener.type, listener.protocol)
    sock.bound, sock.state, sock.connected_at = True, CONNECTED, waiting.monotonic()
    sock.nonblocking, sock.peer, sock.options = listener.nonblocking, peer, options
    return _enter(sock)


def _enter(sock: Socket) -> Socket | None:
    sock.update_capabilities()
    table[sock.handle] = sock
    if not _startups:
        close(sock)
        return None
    return sock


if sys.platform != "win32":
    # The parent's other threads, and the calls that they were in, do not exist in the child.
    os.register_at_fork(after_in_child=waiters.forget_parent)
