"""Clocks for a host: the machine's own, and one that a test moves."""

from __future__ import annotations

import queue
import sys
import time
from datetime import datetime, timedelta, timezone

# On Windows nothing interrupts a wait for a lock, so Ctrl-C would be seen only at its end: wait in slices.
_SLICE = 0.1 if sys.platform == "win32" else 3600.0


class RealClock:
    """The machine's clock.

    monotonic() is time.perf_counter(), which is system-wide on every platform, and on Windows, before Python 3.13, a
    thousand times finer than time.monotonic().
    """

    def __init__(self) -> None:
        # Its put() may be called from a signal handler, even while this very thread is in get(); a
        # threading.Event would dead-lock there.
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()

    def monotonic(self) -> float:
        """See interfaces.Clock."""
        return time.perf_counter()

    def wait(self, seconds: float | None) -> None:
        """See interfaces.Clock."""
        end = None if seconds is None else time.perf_counter() + seconds
        while True:
            left = _SLICE if end is None else min(end - time.perf_counter(), _SLICE)
            if left <= 0:
                return
            try:
                self._wakes.get(timeout=left)
            except queue.Empty:
                continue
            return

    def wake(self) -> None:
        """See interfaces.Clock."""
        # One is enough: what woke us is looked at after the wait, and a host that never waits must not pile them up.
        if self._wakes.empty():
            self._wakes.put(None)

    def now(self) -> datetime:
        """See interfaces.Clock."""
        return datetime.now().astimezone()


class ManualClock:
    """A clock that moves only when somebody waits for it, and then at once: hours pass in milliseconds."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self.waits: list[float] = []
        self._woken = False

    def monotonic(self) -> float:
        """See interfaces.Clock."""
        return self.time

    def wait(self, seconds: float | None) -> None:
        """Move on by so many seconds; not at all after a wake().

        Errors: RuntimeError for a wait without a limit that nobody has ended: it would never end.
        """
        if self._woken:
            self._woken = False
            return
        if seconds is None:
            raise RuntimeError("nothing is due and nobody wakes this clock: the wait would never end")
        self.waits.append(seconds)
        self.time += max(seconds, 0.0)

    def wake(self) -> None:
        """See interfaces.Clock."""
        self._woken = True

    def now(self) -> datetime:
        """2026-01-01 at UTC plus what has passed."""
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=self.time)
