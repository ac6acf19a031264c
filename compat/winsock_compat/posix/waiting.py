"""Waiting: poll, the descriptors that wake a poll in another thread, and the clock of all deadlines."""

from __future__ import annotations

import errno
import time
from array import array
from functools import partial

from . import declarations as kernel
from .declarations import POLLERR as POLLERR
from .declarations import POLLHUP as POLLHUP
from .declarations import POLLIN as POLLIN
from .declarations import POLLOUT as POLLOUT
from .declarations import POLLPRI as POLLPRI
from .declarations import POLLRDHUP as POLLRDHUP
from .loading import ffi, from_buffer, get_errno, lib

# Seconds of a clock that cannot be set. A partial, because freezegun replaces the clocks that are names of modules: a
# wait with a limit would never end.
monotonic = partial(time.monotonic)
_POLLFDS = ffi.typeof("struct pollfd[]")


def poll(events_of: dict[int, int], milliseconds: int) -> dict[int, int] | None:
    """Waits until a descriptor is ready for its events: the revents of the ready ones; -1 milliseconds: no limit.

    Nothing is ready when the time is over or a signal arrived. A negative descriptor is ignored. None if the kernel
    cannot poll so many descriptors: it has no memory, or there are more than RLIMIT_NOFILE allows.
    """
    # Whole fields are copied: with 1,000 descriptors this is several times as fast as one cffi object for each.
    entries = memoryview(bytearray(ffi.sizeof("struct pollfd") * len(events_of)))
    halves = entries.cast("h")  # of an entry: two for fd, then events, then revents
    entries.cast("i")[::2] = array("i", events_of)
    halves[2::4] = array("h", events_of.values())
    polled = from_buffer(_POLLFDS, entries, True)
    # Both functions in one bytecode: the handler of the signal that interrupts poll may make calls that change errno.
    count, number = map(partial.__call__, (partial(lib.poll, polled, len(polled), milliseconds), partial(get_errno)))
    if count <= 0:
        return {} if count == 0 or number == errno.EINTR else None
    return {fd: revents for fd, revents in zip(events_of, halves[3::4].tolist(), strict=True) if revents}


def poll_now(fd: int, events: int) -> int:
    """The revents of one descriptor, without waiting."""
    entry = ffi.new("struct pollfd *", (fd, events, 0))
    return entry.revents if lib.poll(entry, 1, 0) > 0 else 0


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
