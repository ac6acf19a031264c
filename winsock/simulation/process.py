"""A program that runs on a simulated host: its threads, its own Winsock, its clock and its random numbers.

The function of the process runs in the main thread; `start_thread` starts others, of which each is a task of the
scheduler. All end with the main thread. They share the Winsock and need no locks, because only one of them runs.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from winsock.api import Winsock

from .errors import BusyLoop, SimulationError
from .reference import load_winsock
from .scheduler import Scheduler, Task
from .units import SECOND
from .values import nanoseconds

# More calls without a wait than a program makes that lets the time advance.
MOST_CALLS = 200_000
# So often BusyLoop is raised in a program that catches it; then it is killed, and the run fails.
_MOST_CAUGHT = 1000


class Files(Protocol):
    """The descriptors of one process in the kernel of its host; their number is its length."""

    def __len__(self) -> int: ...

    def close_all(self) -> None: ...


class ProcessHost(Protocol):
    """What a process needs of its host."""

    name: str

    @property
    def disk(self) -> Path:
        """The folder of the only files that a simulated program may use."""
        ...

    def utc_ns(self) -> int:
        """The host's clock: nanoseconds since 1970 UTC; a fault can make it jump."""
        ...

    def open_files(self, wake: Callable[[], None], owner: str) -> Files: ...

    def process_ended(self, process: Process) -> None: ...

    def posix_modules(
        self, files: Files, wait: Callable[[int | None, Callable[[], str]], bool]
    ) -> dict[str, object]: ...


class Process:
    """One process of a simulated host. `start` gives it a thread; an attached process has the main thread."""

    def __init__(self, scheduler: Scheduler, host: ProcessHost, name: str, chance: random.Random) -> None:
        self.scheduler, self.host, self.name, self.random = scheduler, host, name, chance
        self.task: Task | None = None
        # The other threads, and all tasks that wait in a poll of the kernel.
        self.threads: list[Task] = []
        self._polling: list[Task] = []
        # The Winsock call that runs, for the text about a wait.
        self.call = ""
        self.ended = False
        # Whether the test waits in a call or sleep of this attached process.
        self._main_waits = False
        self._result: Any = None
        self._failed: BaseException | None = None
        self.files = host.open_files(self._wake_polling, name)
        self.winsock: Winsock = load_winsock(host.posix_modules(self.files, self._poll))

    def start(self, function: Callable[..., Any], *args: Any, may_fail: bool = False) -> None:
        """Let the process call the function once it is its turn. An exception ends it, and net.run() raises it too,
        unless the process `may_fail`."""
        self.task = self.scheduler.start(self.name, partial(self._run, function, args, may_fail), self._end)
        self.task.owner = self

    def start_thread(self, name: str, function: Callable[[], object]) -> Callable[[], None]:
        """Call the function in another thread of the process; returns a function that waits for its end."""
        joining: list[Task] = []

        def ended() -> None:
            self.threads.remove(task)
            for each in joining:
                self.scheduler.wake(each)

        def join() -> None:
            while not task.ended:
                joining.append(self.scheduler.current)
                self._wait(None, lambda: f"waits for the end of the thread {name}")

        task = self.scheduler.start(f"{self.name}, {name},", function, ended)
        task.owner = self
        self.threads.append(task)
        return join

    @property
    def tasks(self) -> list[Task]:
        """The tasks of all threads; none of an attached process."""
        return [] if self.task is None else [self.task, *self.threads]

    def runs_in(self, thread: threading.Thread) -> bool:
        """Whether it is a thread of this process; an attached one has that of the test."""
        return any(task.thread is thread for task in self.tasks or [self.scheduler.main])

    @property
    def target(self) -> str:
        """The name of the process in faults: "host/process"."""
        return f"{self.host.name}/{self.name}"

    @property
    def killed(self) -> bool:
        """Whether it was killed, or its host has crashed."""
        return self.task is not None and self.task.killed

    def monotonic(self) -> float:
        """Seconds since the start of the simulation."""
        self._count("monotonic")
        return self.scheduler.now / SECOND

    def utc_ns(self) -> int:
        """The time of the host's clock, in nanoseconds since 1970 UTC."""
        self._count("utc_ns")
        return self.host.utc_ns()

    def sleep(self, seconds: float) -> None:
        """Wait for this many simulated seconds. Errors: SimulationError if they are no number."""
        self._count("sleep")
        # A time above 0 lets the clock advance, however short it is.
        duration = max(nanoseconds("time of a sleep", seconds, negative=True), int(seconds > 0))
        deadline = self.scheduler.now + duration
        while self._wait(deadline, lambda: f"sleeps until {deadline / SECOND:.6f} s"):
            pass

    def wait(self, seconds: float | None, reason: str) -> bool:
        """Wait until wake() is called: True; or for this many seconds: False."""
        self._count("wait")
        # Rounded up: a wait of less than a nanosecond would end at the same time, and be repeated without end.
        deadline = None if seconds is None else self.scheduler.now + ceil(seconds * SECOND)
        return self._wait(deadline, lambda: f"waits: {reason}")

    def wake(self) -> None:
        """End the wait() of the process; does nothing where it does not wait."""
        self.scheduler.wake(self.task or self.scheduler.main)

    def kill(self) -> None:
        """End the process as by SIGKILL: the kernel closes its sockets."""
        if not self.ended:
            self.ended = True
            self.files.close_all()
            for task in self.tasks:
                self.scheduler.kill(task)
            if self._main_waits:
                self.scheduler.wake(self.scheduler.main)

    def result(self) -> Any:
        """What the function of the process has returned.

        Errors: what it has raised; SimulationError where it has not ended, or was killed.
        """
        if self._failed is not None:
            raise self._failed
        if self.task is None or not self.task.ended or self.task.killed:
            raise SimulationError(f"process {self.name} on host {self.host.name} has no result: {self._state()}")
        return self._result

    def before_call(self, name: str) -> None:
        """Called before each Winsock call.

        Errors: Killed, or SimulationError if it is attached; BusyLoop; SimulationError in an action.
        """
        if self.scheduler.internal:
            raise SimulationError(f"an action or observer of the simulation, as of net.call_at(), has called {name}")
        self._check_attached()
        if self.ended:
            self.scheduler.raise_killed(self.scheduler.current)
        self.call = name
        self._count(name)

    def _count(self, name: str) -> None:
        """Count a call that does not let the time advance. Errors: BusyLoop; Killed if the program has caught it."""
        task = self.scheduler.current
        # The test may read the clock of a process.
        if task.owner is not self or self.scheduler.internal:
            return
        task.calls += 1
        if task.calls <= MOST_CALLS:
            return
        error = BusyLoop(
            f"process {self.name} on host {self.host.name} has made {MOST_CALLS} calls without a wait, the last "
            f"one {name}: the simulated time advances only when every process waits. Wait in select, WSAPoll, "
            "a blocking call or sleep"
        )
        if task.calls <= MOST_CALLS + _MOST_CAUGHT:
            raise error
        if not self.ended:
            self.scheduler.fail(error)
            self.kill()
        self.scheduler.raise_killed(task)

    def _state(self) -> str:
        return "it was killed" if self.ended else "it runs"

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...], may_fail: bool) -> None:
        try:
            self._result = self._call(function, args)
        except Exception as error:
            self._failed = error
            if hasattr(error, "add_note"):
                now = self.scheduler.now / SECOND
                error.add_note(f"in process {self.name} on host {self.host.name} at {now:.6f} s")
            if not may_fail:
                raise

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Calls the program's function; sys.exit ends the program and not the test.

        Errors: SimulationError for another status than that of success.
        """
        try:
            return function(*args)
        except SystemExit as error:
            if error.code in (None, 0):
                return None
            raise SimulationError(
                f"process {self.name} on host {self.host.name} has ended with sys.exit({error.code!r})"
            ) from error

    def _end(self) -> None:
        self.ended = True
        self.files.close_all()
        for task in self.threads:
            self.scheduler.kill(task)
        self.host.process_ended(self)

    def _wait(self, deadline: int | None, reason: Callable[[], str]) -> bool:
        self._check_attached()
        self._main_waits = self.task is None
        try:
            woken = self.scheduler.wait(deadline, lambda: f"on host {self.host.name} {reason()}")
        finally:
            self._main_waits = False
        self._check_attached()
        return woken

    def _check_attached(self) -> None:
        if self.task is None and self.ended:
            raise SimulationError(
                f"process {self.name} on host {self.host.name}, to which the test is attached, has ended: "
                "it was killed, its host has crashed, or the block has ended"
            )

    def _poll(self, deadline: int | None, reason: Callable[[], str]) -> bool:
        """As _wait, for the kernel."""
        task = self.scheduler.current
        self._polling.append(task)
        try:
            call = self.call
            return self._wait(deadline, lambda: f"waits in {call}: {reason()}")
        finally:
            self._polling.remove(task)

    def _wake_polling(self) -> None:
        for task in self._polling:
            self.scheduler.wake(task)
