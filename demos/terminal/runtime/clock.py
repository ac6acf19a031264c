"""Two clocks for a terminal: the computer's, and one that moves only when a test waits for it."""

from __future__ import annotations

import queue
import sys
import time
from datetime import datetime, timedelta, timezone

# On Windows nothing interrupts a wait for a lock, so that Ctrl-C has no effect before its end: wait in slices.
_MAX_WAIT = 0.1 if sys.platform == "win32" else 3600.0


class RealClock:
    """The computer's clock.

    monotonic() is time.perf_counter(). It is the same for all processes on every platform. On Windows before Python
    3.13 its resolution is a thousand times that of time.monotonic().
    """

    def __init__(self) -> None:
        # put() may be called from a signal handler while the same thread is in get(); a threading.Event would
        # deadlock there.
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()

    def monotonic(self) -> float:
        """See interfaces.Clock."""
        return time.perf_counter()

    def wait(self, seconds: float | None) -> None:
        """See interfaces.Clock."""
        end = None if seconds is None else time.perf_counter() + seconds
        while True:
            left = _MAX_WAIT if end is None else min(end - time.perf_counter(), _MAX_WAIT)
            if left <= 0:
                return
            try:
                self._wakes.get(timeout=left)
            except queue.Empty:
                continue
            return

    def wake(self) -> None:
        """See interfaces.Clock."""
        # One entry is enough to end the wait, and the queue must not grow while no thread waits.
        if self._wakes.empty():
            self._wakes.put(None)

    def now(self) -> datetime:
        """See interfaces.Clock."""
        return datetime.now().astimezone()


class ManualClock:
    """A clock for tests: wait() returns at once and advances the time, so that hours pass in milliseconds."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self.waits: list[float] = []
        self._woken = False

    def monotonic(self) -> float:
        """See interfaces.Clock."""
        return self.time

    def wait(self, seconds: float | None) -> None:
        """Advance the time by this many seconds; return without advancing it when wake() was called before.

        Errors: RuntimeError for a wait without a limit and without a wake(), which would never end.
        """
        if self._woken:
            self._woken = False
            return
        if seconds is None:
            raise RuntimeError("wait() without a limit and without a wake(): the wait would never end")
        self.waits.append(seconds)
        self.time += max(seconds, 0.0)

    def wake(self) -> None:
        """See interfaces.Clock."""
        self._woken = True

    def now(self) -> datetime:
        """2026-01-01 00:00 UTC plus the clock's time."""
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=self.time)
