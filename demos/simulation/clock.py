"""The clock of a terminal in a simulated process: simulated time, which advances only while every process waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from demos.terminal.interfaces import Waiter
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import Killed

_LEAST_WAIT = 1e-9
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class SimulatedClock:
    """The clock of the process that creates it; only that process waits with it."""

    def __init__(self) -> None:
        self._process = running_process()
        # Called when the process is killed while it waits, before the exception that ends it passes the program.
        self.on_kill: Callable[[], None] = lambda: None
        self._woken = False
        self._waiter: Waiter | None = None

    def monotonic(self) -> float:
        """See interfaces.Clock. The same for all processes of a simulation."""
        return self._process.monotonic()

    def wait(self, seconds: float | None, waiter: Waiter | None = None) -> None:
        """See interfaces.Clock."""
        if self._woken:
            self._woken = False
            return
        self._waiter = waiter
        try:
            if waiter is not None:
                waiter.wait(seconds)
            else:
                # At least a nanosecond: a wait that is rounded to nothing would be repeated without end.
                time = None if seconds is None else max(seconds, _LEAST_WAIT)
                self._process.wait(time, "the next event of its terminal")
        except Killed:
            self.on_kill()
            raise
        self._woken = False

    def wake(self) -> None:
        """See interfaces.Clock."""
        self._woken = True
        if self._waiter is not None:
            self._waiter.wake()
        else:
            self._process.wake()

    def utc_ms(self) -> int:
        """See interfaces.Clock. The time of the host's clock, which a fault may set."""
        return self._process.utc_ns() // 1_000_000

    def now(self) -> datetime:
        """See interfaces.Clock; always in UTC."""
        return _EPOCH + timedelta(microseconds=self._process.utc_ns() // 1000)
