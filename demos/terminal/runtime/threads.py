"""The threads of a program that needs them: their start and end, their waits, and work for a pool.

A program takes present_threads() when its event function starts. Those are threads of the operating system. use()
replaces them in the present context (contextvars): in a simulation, where only one thread runs at a time, they are
tasks of the simulated process, and work of a pool takes simulated time.

A program may use locks of ``threading`` besides, if no thread waits for anything while it holds one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from demos.terminal.runtime.replacement import replaced

T = TypeVar("T")


class Signal(Protocol):
    """A flag that one thread waits for, and any thread sets."""

    def set(self) -> None:
        """End the present wait(), or the next one."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when set() was called since the last wait, or after this time."""
        ...


class Pool(Protocol):
    """A few threads for work that takes long."""

    def submit(self, work: Callable[[], T], done: Callable[[Callable[[], T]], object]) -> None:
        """Do the work in one of the threads, and then call ``done`` there.

        ``done`` gets a function that returns the result of the work, or raises its exception.
        """
        ...

    def close(self) -> None:
        """End the threads; work that has not begun is not done."""
        ...


class Threads(Protocol):
    """See the head of this module."""

    def start(self, name: str, work: Callable[[], None]) -> Callable[[], None]:
        """Do the work in a new thread; returns a function that waits for its end. ``work`` raises no exception."""
        ...

    def signal(self) -> Signal:
        """A new signal, which is not set."""
        ...

    def pool(self, name: str, threads: int) -> Pool:
        """A new pool of this many threads."""
        ...


class SystemThreads:
    """Threads of the operating system."""

    def start(self, name: str, work: Callable[[], None]) -> Callable[[], None]:
        """See Threads. The thread does not keep the process alive."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread.join

    def signal(self) -> Signal:
        """See Threads."""
        return _EventSignal()

    def pool(self, name: str, threads: int) -> Pool:
        """See Threads."""
        return _ExecutorPool(ThreadPoolExecutor(threads, name))


class _EventSignal:
    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)
        # A set() from here on ends the next wait. One between the two calls belongs to this one: what the other thread
        # has prepared before it is visible now.
        self._event.clear()


class _ExecutorPool:
    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor

    def submit(self, work: Callable[[], T], done: Callable[[Callable[[], T]], object]) -> None:
        def finish(future: Future[T]) -> None:
            if not future.cancelled():
                done(future.result)

        self._executor.submit(work).add_done_callback(finish)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


_threads: ContextVar[Threads] = ContextVar("threads", default=SystemThreads())  # noqa: B039 - it has no state


def present_threads() -> Threads:
    """The threads of the present context."""
    return _threads.get()


def use(threads: Threads) -> AbstractContextManager[None]:
    """Take threads from here, in this context."""
    return replaced(_threads, threads)
