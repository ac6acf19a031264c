"""Waiting: the descriptors that end a wait in another thread, and who waits on which sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import libc
from .libc import ffi, lib

if TYPE_CHECKING:
    from .handles import Socket

# One lock for the table of handles too: closing a socket concerns both.
lock = threading.RLock()
_idle: list[Waiter] = []
_waiting: list[Waiter] = []
_keep = False


class Waiter:
    """A descriptor that ends a wait in another thread, and the sockets that the wait is for."""

    __slots__ = ("gone", "read_end", "sockets", "write_end")

    def __init__(self) -> None:
        if libc.LINUX:
            self.read_end = self.write_end = lib.eventfd(0, libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC)
        else:
            ends = ffi.new("int[2]")
            lib.pipe(ends)
            self.read_end, self.write_end = ends[0], ends[1]
            for end in ends:
                lib.ioctl(end, libc.FIONBIO, ffi.new("int *", 1))
                lib.ioctl(end, libc.FIOCLEX, ffi.NULL)
        self.sockets: tuple[Socket, ...] | None = ()
        self.gone: list[Socket] = []  # those of them that were closed during the wait

    def wake(self) -> None:
        lib.write(self.write_end, b"\1\0\0\0\0\0\0\0", 8)

    def drain(self) -> None:
        """Takes back what wake wrote; it was non-blocking from the start."""
        lib.read(self.read_end, ffi.new("char[8]"), 8)

    def close(self) -> None:
        for end in {self.read_end, self.write_end}:
            lib.close(end)


def keep_waiters(keep: bool) -> None:
    """Whether waiters stay for the next wait: from the first WSAStartup to the last WSACleanup."""
    global _keep
    with lock:
        _keep = keep
        while _idle and not keep:
            _idle.pop().close()


def part_with(sock: Socket) -> bool:
    """Wakes those who wait on a socket that is being closed; the last of them releases it. False where nobody does."""
    if not _waiting:
        return False
    holders = [waiter for waiter in _waiting if waiter.sockets is None or sock in waiter.sockets]
    sock.holders = len(holders)
    for waiter in holders:
        waiter.gone.append(sock)
        waiter.wake()
    return bool(holders)


def changed(sock: Socket) -> None:
    """Makes the calls that wait on the socket look at its state again."""
    if _waiting:
        with lock:
            for waiter in _waiting:
                if waiter.sockets is None or sock in waiter.sockets:
                    waiter.wake()


def begin_wait(sockets: Iterable[Socket] | None) -> Waiter:
    """Registers a wait: until end_wait the descriptors of these sockets stay open. None is any socket."""
    with lock:
        waiter = _idle.pop() if _idle else Waiter()
        waiter.sockets = None if sockets is None else tuple(sock for sock in sockets if not sock.closed)
        _waiting.append(waiter)
    return waiter


def end_wait(waiter: Waiter) -> None:
    left = []
    with lock:
        _waiting.remove(waiter)
        for sock in waiter.gone:
            sock.holders -= 1
            if not sock.holders:
                left.append(sock)
        waiter.sockets = ()
        waiter.gone.clear()
        waiter.drain()
        if _keep:
            _idle.append(waiter)
        else:
            waiter.close()
    for sock in left:
        sock.release()


def milliseconds_left(deadline: float | None) -> int:
    """What is left for poll, rounded up; -1 is for ever."""
    if deadline is None:
        return -1
    return min(max(0, -int(-(deadline - time.monotonic()) * 1000 // 1)), 0x7FFFFFFF)


def wait_ready(waiter: Waiter, fd: int, events: int, deadline: float | None) -> bool:
    """Waits for one socket of `waiter`; False when the deadline has passed. Its state may have changed too."""
    entries = ffi.new("struct pollfd[2]", [(fd, events, 0), (waiter.read_end, libc.POLLIN, 0)])
    while True:
        left = milliseconds_left(deadline)
        # A negative answer is EINTR: signal handlers have run by now, and the wait goes on with what is left.
        if lib.poll(entries, 2, left) > 0:
            if entries[1].revents:
                waiter.drain()
            return True
        if left == 0:
            return False


def poll_once(fd: int, events: int) -> int:
    """The host's revents for one descriptor, without waiting."""
    entry = ffi.new("struct pollfd *", (fd, events, 0))
    return entry.revents if lib.poll(entry, 1, 0) > 0 else 0


def forget_parent() -> threading.RLock:
    """After fork: the wake-up descriptors are the parent's, and the lock may be held by a thread that is not here."""
    global lock
    lock = threading.RLock()
    for waiter in _idle + _waiting:
        waiter.close()
    _idle.clear()
    _waiting.clear()
    return lock
