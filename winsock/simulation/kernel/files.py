"""The descriptors of one process, and what they refer to.

A File is what poll can ask: a socket, or the file that wakes a poll. Descriptors are the lowest free numbers from 3 on.
A poll that waits registers itself with its files (`polled`), and a file that changes wakes the process of the table.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable, Iterable

POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL, POLLRDHUP = 1, 2, 4, 8, 0x10, 0x20, 0x2000
ALWAYS = POLLERR | POLLHUP  # what poll reports without being asked for it
_FIRST = 3


class File:
    """Something that a descriptor refers to."""

    table: Files
    polled = 0  # the number of polls that wait for it
    references = 0  # the number of its descriptors

    def events(self) -> int:
        """All events that are there now."""
        raise NotImplementedError

    def close(self) -> None:
        """Its last descriptor has been closed."""

    def notify(self) -> None:
        """Wakes the polls that wait for it."""
        if self.polled:
            self.table.wake()

    def describe(self) -> str:
        return "a wake-up"


class Files:
    """The descriptor table of a process."""

    def __init__(self, wake: Callable[[], None], owner: str = "", limit: int = 65536) -> None:
        self.wake, self.owner, self.limit = wake, owner, limit
        self._files: dict[int, File] = {}
        self._free: list[int] = []
        self._next = _FIRST

    def open(self, file: File) -> int:
        """A descriptor for a file, or minus the errno."""
        if not self.has_room():
            return -errno.EMFILE
        fd = heapq.heappop(self._free) if self._free else self._next
        self._next = max(self._next, fd + 1)
        file.table = self
        file.references += 1
        self._files[fd] = file
        return fd

    def __len__(self) -> int:
        """The number of open descriptors."""
        return len(self._files)

    def has_room(self) -> bool:
        return len(self._files) < self.limit

    def get(self, fd: int) -> File | None:
        return self._files.get(fd)

    def close(self, fd: int) -> int:
        """Closes a descriptor: 0, or minus the errno."""
        file = self._files.pop(fd, None)
        if file is None:
            return -errno.EBADF
        heapq.heappush(self._free, fd)
        self._release(file)
        return 0

    def replace(self, fd: int, other: int) -> None:
        """Makes a descriptor refer to the file of another one; the file that it had is closed."""
        file, new = self._files.get(fd), self._files.get(other)
        if file is None or new is None or file is new:
            return
        self._files[fd] = new
        new.references += 1
        self._release(file)

    @staticmethod
    def _release(file: File) -> None:
        file.references -= 1
        if not file.references:
            file.notify()
            file.close()

    def close_all(self) -> None:
        """Closes every descriptor, as the kernel does at the end of a process."""
        for fd in sorted(self._files):
            self.close(fd)

    def poll(self, events_of: Iterable[tuple[int, int]]) -> dict[int, int]:
        """The events of the descriptors that are ready, without waiting. A negative descriptor is ignored."""
        ready = {}
        for fd, wanted in events_of:
            if fd < 0:
                continue
            file = self._files.get(fd)
            found = POLLNVAL if file is None else file.events() & (wanted | ALWAYS)
            if found:
                ready[fd] = found
        return ready


class Event(File):
    """The file that a program makes ready itself."""

    ready = False

    def events(self) -> int:
        return POLLIN if self.ready else 0

    def set(self) -> None:
        self.ready = True
        self.notify()
