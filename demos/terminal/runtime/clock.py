"""Two clocks for a terminal: the computer's, and one that moves only when a test waits for it."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from demos.terminal.interfaces import Waiter

# On Windows nothing interrupts a wait for a lock, so that Ctrl-C has no effect before its end: wait in slices.
_MAX_WAIT = 0.1 if sys.platform == "win32" else 3600.0


class RealClock:
    """The computer's clock.

    monotonic() is time.perf_counter(). It is the same for all processes on every platform. On Windows before Python
    3.13 its resolution is a thousand times that of time.monotonic().
    """

    def __init__(self) -> None:
        # wait() acquires this lock, and wake() releases it, perhaps in a signal handler that has interrupted wait() in
        # the same thread. A threading.Event would deadlock there. The get() of a queue.SimpleQueue would never end if
        # a signal handler took longer than the rest of the timeout.
        self._awake = threading.Lock()
        self._awake.acquire()
        self._waiter: Waiter | None = None

    def monotonic(self) -> float:
        """See interfaces.Clock."""
        return time.perf_counter()

    def wait(self, seconds: float | None, waiter: Waiter | None = None) -> None:
        """See interfaces.Clock."""
        end = None if seconds is None else time.perf_counter() + seconds
        # From here on wake() ends the wait of the waiter too. A call before has released the lock.
        self._waiter = waiter
        while True:
            left = _MAX_WAIT if end is None else min(end - time.perf_counter(), _MAX_WAIT)
            if left <= 0:
                return
            if waiter is None:
                if self._awake.acquire(timeout=left):
                    return
            elif self._awake.acquire(blocking=False):
                return
            elif waiter.wait(left):
                # If wake() has ended the wait, the lock is released too.
                self._awake.acquire(blocking=False)
                return

    def wake(self) -> None:
        """See interfaces.Clock."""
        # RuntimeError: it was called before, and no thread has waited since.
        with suppress(RuntimeError):
            self._awake.release()
        if waiter := self._waiter:
            waiter.wake()

    def utc_ms(self) -> int:
        """See interfaces.Clock."""
        return time.time_ns() // 1_000_000

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

    def wait(self, seconds: float | None, waiter: Waiter | None = None) -> None:
        """Advance the time by this many seconds.

        Returns without advancing it when wake() was called before, or when what the waiter waits for has happened.

        Errors: RuntimeError for a wait without a limit and without a wake(), which would never end.
        """
        if self._woken:
            self._woken = False
            return
        if waiter and waiter.wait(0):
            return
        if seconds is None:
            raise RuntimeError("wait() without a limit and without a wake(): the wait would never end")
        self.waits.append(seconds)
        self.time += max(seconds, 0.0)

    def wake(self) -> None:
        """See interfaces.Clock."""
        self._woken = True

    def utc_ms(self) -> int:
        """See interfaces.Clock."""
        return round(self.now().timestamp() * 1000)

    def now(self) -> datetime:
        """2026-01-01 00:00 UTC plus the clock's time."""
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=self.time)
