"""The threads of a program in a simulated process: tasks of the scheduler, of which only one runs at a time.

The work of a pool takes simulated time: then the thread that gets the result does it itself. A program
takes these threads from its context (demos/terminal/runtime/threads.py); each new thread gets a copy of it, so it has
the random numbers of its process too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from demos.terminal.runtime.threads import Pool, Signal
from winsock.simulation.dispatch import running_process
from winsock.simulation.process import Process
from winsock.simulation.scheduler import Task

T = TypeVar("T")

# How long a piece of work of a pool takes, in nanoseconds: about the time of the hash of a password.
WORK_NS = 150_000_000


class SimulatedThreads:
    """Threads of the process that creates it; see Threads."""

    def __init__(self) -> None:
        self._process = running_process()

    def start(self, name: str, work: Callable[[], None]) -> Callable[[], None]:
        """See Threads."""
        return self._process.start_thread(name, partial(copy_context().run, work))

    def signal(self) -> Signal:
        """See Threads."""
        return _SimulatedSignal(self._process)

    def pool(self, name: str, threads: int) -> Pool:
        """See Threads."""
        return _SimulatedPool(self._process, threads)


class _SimulatedSignal:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._is_set = False
        self._waiting: Task | None = None

    def set(self) -> None:
        self._is_set = True
        if self._waiting is not None:
            self._process.scheduler.wake(self._waiting)

    def wait(self, seconds: float) -> None:
        if not self._is_set:
            self._waiting = self._process.scheduler.current
            try:
                self._process.wait(seconds, "work from another thread")
            finally:
                self._waiting = None
        self._is_set = False


class _SimulatedPool:
    """Each thread of the pool is the time at which it has done its work."""

    def __init__(self, process: Process, threads: int) -> None:
        self._process = process
        self._free_at = [0] * threads
        self._closed = False

    def submit(self, work: Callable[[], T], done: Callable[[Callable[[], T]], object]) -> None:
        scheduler = self._process.scheduler
        begin = max(scheduler.now, min(self._free_at))
        self._free_at[self._free_at.index(min(self._free_at))] = begin + WORK_NS
        scheduler.call_at(begin + WORK_NS, partial(self._finish, work, done))

    def close(self) -> None:
        self._closed = True

    def _finish(self, work: Callable[[], T], done: Callable[[Callable[[], T]], object]) -> None:
        if not self._closed and not self._process.ended:
            done(work)
