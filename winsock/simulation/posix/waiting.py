"""Waiting: poll on descriptors, the files that wake it, and the clock of all deadlines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..kernel.files import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, Event, Files
from ..kernel.stack import Stack
from ..units import MILLISECOND, SECOND

# Suspends the process until the time `deadline`, or without one until it is woken; True: woken. The text says what it
# waits for.
Wait: TypeAlias = "Callable[[int | None, Callable[[], str]], bool]"

_WITHOUT_WAKEUP = 50  # milliseconds
_EVENT_NAMES = {POLLIN: "data", POLLOUT: "room to send", POLLPRI: "an urgent byte", POLLRDHUP: "the peer's end"}


class Waiting:
    """The module posix.waiting of one process."""

    POLLIN, POLLPRI, POLLOUT = POLLIN, POLLPRI, POLLOUT
    POLLERR, POLLHUP, POLLRDHUP = POLLERR, POLLHUP, POLLRDHUP

    def __init__(self, stack: Stack, files: Files, wait: Wait) -> None:
        self._environment, self._files, self._wait = stack.environment, files, wait
        self.Wakeup: type[Wakeup] = type("Wakeup", (Wakeup,), {"_files": files})

    def monotonic(self) -> float:
        """Seconds since the start of the simulation."""
        return self._environment.now / SECOND

    def poll(self, events_of: dict[int, int], milliseconds: int) -> dict[int, int] | None:
        """Waits until a descriptor is ready for its events: the revents of the ready ones; -1 milliseconds: no limit.

        None if there are more descriptors than a process can have.
        """
        files = self._files
        if len(events_of) > files.limit:
            return None
        entries = [*events_of.items()]
        ready = files.poll(entries)
        if ready or not milliseconds:
            return ready
        deadline = None if milliseconds < 0 else self._environment.now + milliseconds * MILLISECOND
        polled = [file for file in map(files.get, events_of) if file is not None]
        for file in polled:
            file.polled += 1
        try:
            while self._wait(deadline, lambda: self._reason(entries)):
                ready = files.poll(entries)
                if ready:
                    return ready
            return files.poll(entries)
        finally:
            for file in polled:
                file.polled -= 1

    def poll_now(self, fd: int, events: int) -> int:
        """The revents of one descriptor, without waiting."""
        return self._files.poll(((fd, events),)).get(fd, 0)

    def _reason(self, entries: list[tuple[int, int]]) -> str:
        """What a poll waits for."""
        parts = []
        for fd, events in entries:
            file = self._files.get(fd)
            if file is not None and not isinstance(file, Event):
                wanted = " or ".join(name for event, name in _EVENT_NAMES.items() if events & event)
                parts.append(f"{wanted or 'an error'} on {file.describe()}")
        return "; ".join(parts) or "a time-out"


class Wakeup:
    """A descriptor that another thread of the process can make readable."""

    _files: Files

    def __init__(self) -> None:
        self.read_end = -1  # the descriptor to poll; -1, which poll ignores, where it is not open
        self._event: Event | None = None

    def limited(self, milliseconds: int) -> int:
        """The time to poll; without a descriptor at most a moment, after which the caller looks at the state again."""
        if self.read_end >= 0:
            return milliseconds
        return _WITHOUT_WAKEUP if milliseconds < 0 else min(milliseconds, _WITHOUT_WAKEUP)

    def open(self) -> None:
        """Opens the descriptor, unless it is open; it stays closed where the process has too many descriptors."""
        if self.read_end < 0:
            self._event = Event()
            self.read_end = max(self._files.open(self._event), -1)

    def wake(self) -> None:
        if self._event is not None and self.read_end >= 0:
            self._event.set()

    def drain(self) -> None:
        """Makes the descriptor unreadable again; does nothing where it was not woken."""
        if self._event is not None:
            self._event.ready = False

    def close(self) -> None:
        fd, self.read_end = self.read_end, -1
        if fd >= 0:
            self._files.close(fd)
