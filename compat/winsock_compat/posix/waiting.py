"""Waiting: poll, the descriptors that wake a poll in another thread, and the clock of all deadlines."""

from __future__ import annotations

import time
from collections.abc import Sequence

from . import declarations as kernel
from .declarations import POLLERR as POLLERR
from .declarations import POLLHUP as POLLHUP
from .declarations import POLLIN as POLLIN
from .declarations import POLLOUT as POLLOUT
from .declarations import POLLPRI as POLLPRI
from .declarations import POLLRDHUP as POLLRDHUP
from .loading import ffi, lib

# Seconds of a clock that cannot be set.
monotonic = time.monotonic


def poll(entries: Sequence[tuple[int, int]], milliseconds: int) -> list[int]:
    """Waits until an entry (descriptor, events) is ready: the revents of each entry; -1 milliseconds: no limit.

    The list is empty when no entry is ready: the time is over, or a signal arrived. A negative descriptor is ignored.
    """
    polled = ffi.new("struct pollfd[]", [(fd, events, 0) for fd, events in entries])
    if lib.poll(polled, len(entries), milliseconds) <= 0:
        return []
    return [entry.revents for entry in polled]


def poll_now(fd: int, events: int) -> int:
    """The revents of one descriptor, without waiting."""
    entry = ffi.new("struct pollfd *", (fd, events, 0))
    return entry.revents if lib.poll(entry, 1, 0) > 0 else 0


def open_wakeup() -> tuple[int, int]:
    """A pair of descriptors: `wake` on the second makes the first readable. On Linux both are the same eventfd."""
    if not kernel.LINUX:
        ends = ffi.new("int[2]")
        lib.pipe(ends)
        for end in ends:
            lib.ioctl(end, kernel.FIONBIO, ffi.new("int *", 1))
            lib.ioctl(end, kernel.FIOCLEX, ffi.NULL)
        return ends[0], ends[1]
    fd: int = lib.eventfd(0, kernel.SOCK_NONBLOCK | kernel.SOCK_CLOEXEC)
    return fd, fd


def wake(write_end: int) -> None:
    lib.write(write_end, b"\1\0\0\0\0\0\0\0", 8)


def drain_wakeup(read_end: int) -> None:
    """Makes the descriptor unreadable again; does nothing if it was not woken."""
    lib.read(read_end, ffi.new("char[8]"), 8)


def close_wakeup(read_end: int, write_end: int) -> None:
    for end in {read_end, write_end}:
        lib.close(end)
