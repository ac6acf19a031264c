"""In the place of the module `threading`: threads of the simulated process, with the part of it that the programs use.

A wait asks again in each simulated millisecond. That takes no real time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winsock.simulation import running_process

_STEP = 0.001


def _wait(condition: Callable[[], bool], seconds: float | None) -> bool:
    """Waits until the condition holds: True; or for this many seconds: False."""
    process = running_process()
    end = None if seconds is None else process.monotonic() + seconds
    while not condition():
        if end is not None and process.monotonic() >= end:
            return False
        process.sleep(_STEP)
    return True


class Thread:
    """A thread of the running process."""

    def __init__(self, *, target: Callable[..., object], args: tuple[Any, ...] = (), daemon: bool = True) -> None:
        self._target, self._args = target, args
        self._ended = False

    def start(self) -> None:
        running_process().start_thread("thread", self._run)

    def _run(self) -> None:
        try:
            self._target(*self._args)
        finally:
            self._ended = True

    def join(self, timeout: float | None = None) -> None:
        _wait(lambda: self._ended, timeout)

    def is_alive(self) -> bool:
        return not self._ended


class Timer(Thread):
    """A thread that calls its function later."""

    def __init__(self, interval: float, function: Callable[[], object]) -> None:
        super().__init__(target=self._later, args=(interval, function))

    @staticmethod
    def _later(interval: float, function: Callable[[], object]) -> None:
        running_process().sleep(interval)
        function()


class Event:
    """What one thread sets and others wait for."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout: float | None = None) -> bool:
        return _wait(lambda: self._is_set, timeout)


class Barrier:
    """Where threads wait until all of them are there."""

    def __init__(self, parties: int) -> None:
        self._missing = parties

    def wait(self) -> None:
        self._missing -= 1
        _wait(lambda: self._missing == 0, None)
