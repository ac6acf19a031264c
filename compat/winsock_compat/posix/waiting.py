"""Waiting: poll, the descriptors that wake a poll in another thread, and the clock of all deadlines."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping
from typing import Any

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
_new_poll: Any = vars(select)["poll"]  # by name: for Windows, type checkers do not know it


def poll(events_of: Mapping[int, int], milliseconds: int) -> dict[int, int] | None:
    """Waits until a descriptor is ready for its events: the revents of the ready ones; -1 milliseconds: no limit.

    After a signal, whose handler may raise, it waits on for the time left. The descriptor -1 is ignored. None if the
    kernel cannot poll so many descriptors: it has no memory, or there are more than RLIMIT_NOFILE allows.
    """
    poller = _new_poll()
    for fd, events in events_of.items():
        if fd >= 0:
            poller.register(fd, events)
    try:
        return dict(poller.poll(milliseconds))
    except OSError:
        return None


def poll_now(fd: int, events: int) -> int:
    """The revents of one descriptor, without waiting."""
    return (poll({fd: events}, 0) or {}).get(fd, 0)


_WITHOUT_WAKEUP = 50  # milliseconds


class Wakeup:
    """A descriptor that another thread can make readable: an eventfd on Linux, else a pipe."""

    def __init__(self) -> None:
        self._ends: list[int] = []  # the system calls store their descriptors in it and take them out, as in system

    @property
    def read_end(self) -> int:
        """The descriptor to poll; -1, which poll ignores, where it is not open."""
        return self._ends[0] if self._ends else -1

    def limited(self, milliseconds: int) -> int:
        """The time to poll; without a descriptor at most a moment, after which the caller looks at the state again."""
        if self.read_end >= 0:
            return milliseconds
        return _WITHOUT_WAKEUP if milliseconds < 0 else min(milliseconds, _WITHOUT_WAKEUP)

    def open(self) -> None:
        """Opens the descriptor, unless it is open; it stays closed where the process has too many descriptors."""
        if self.read_end >= 0:
            return
        self._ends.clear()
        if kernel.LINUX:
            self._ends.extend(map(lib.eventfd, (0,), (kernel.SOCK_NONBLOCK | kernel.SOCK_CLOEXEC,)))
            return
        ends = ffi.new("int[2]", (-1, -1))
        lib.pipe(ends)
        self._ends.extend(ends)
        for end in self._ends:
            lib.ioctl(end, kernel.FIONBIO, ffi.new("int *", 1))
            lib.ioctl(end, kernel.FIOCLEX, ffi.NULL)

    def wake(self) -> None:
        for end in self._ends[-1:]:
            lib.write(end, b"\1\0\0\0\0\0\0\0", 8)

    def drain(self) -> None:
        """Makes the descriptor unreadable again; does nothing where nobody has woken it."""
        lib.read(self.read_end, ffi.new("char[8]"), 8)

    def close(self) -> None:
        any(map(lib.close, map(self._ends.pop, [0] * len(self._ends))))
