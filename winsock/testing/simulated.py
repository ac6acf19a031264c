"""A peer as a process of a simulated host. Its times are simulated ones, and it runs while the test waits."""

from __future__ import annotations

import math
from collections.abc import Callable

import winsock
from winsock.api import Winsock
from winsock.simulation.errors import SimulationError
from winsock.simulation.hosts import Host
from winsock.simulation.process import Process
from winsock.simulation.units import SECOND

__all__ = ["SimulatedProcess"]


class SimulatedProcess:
    """The surroundings of a peer on a simulated host."""

    longest_wait = math.inf

    def __init__(self, host: Host) -> None:
        self.calls: Winsock = winsock.calls
        self._host, self._scheduler = host, host.scheduler
        self._process: Process | None = None
        self._opened = self._stopped = False
        self._error: AssertionError | None = None

    def now(self) -> float:
        return self._scheduler.now / SECOND

    def pause(self, seconds: float) -> None:
        assert self._process is not None
        self._process.sleep(seconds)

    def check(self) -> None:
        """A killed process raises Killed in each call."""

    def start(self, open: Callable[[], None], execute: Callable[[], None]) -> None:
        """The process opens its socket when the test waits, so this waits for a nanosecond of simulated time."""

        __tracebackhide__ = True

        def peer() -> None:
            __tracebackhide__ = True
            try:
                open()
            except AssertionError as error:
                self._error = error
                return
            self._opened = True
            execute()

        self._process = self._host.start(peer)
        self._scheduler.wait(self._scheduler.now + 1, lambda: "waits until the peer has opened its socket")
        if self._error is not None:
            raise self._error
        if not self._opened:
            raise SimulationError(f"the peer on host {self._host.name} does not run: is the host frozen?")

    def join(self) -> None:
        assert self._process is not None
        while not self._process.ended:
            self._scheduler.wait(None, lambda: "waits for the end of the peer's script")

    def stop(self) -> None:
        assert self._process is not None
        if not self._process.ended:
            self._stopped = True
            self._process.kill()

    @property
    def killed(self) -> bool:
        return self._process is not None and self._process.killed and not self._stopped
