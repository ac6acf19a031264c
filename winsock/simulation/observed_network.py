"""What happens in a network, for observers: traces are some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .errors import SimulationError
from .process import Process
from .scheduler import Scheduler, Task
from .trace import MOST_LINES, Trace
from .wires import Wires

__all__ = ["ObservedNetwork"]


class ObservedNetwork:
    """The part of a network that says what happens."""

    def __init__(self, scheduler: Scheduler, wires: Wires) -> None:
        self.scheduler, self._wires = scheduler, wires
        self._observers: list[Callable[[int, str, str], None]] = []

    @property
    def counters(self) -> Counter[str]:
        """How often things happened: "sent", "delivered", "duplicated", "dropped: loss", "fault: crash" …"""
        return self._wires.counters

    def observe(self, observer: Callable[[int, str, str], None]) -> None:
        """From now on calls observer(time in nanoseconds, host, text) for what happens.

        That is each packet, each fault, start and end of each process, and which process is next if several can run.
        The observer must not wait, and makes no calls of winsock.
        """
        if not callable(observer):
            raise SimulationError(f"invalid observer: {observer!r}; give a function")
        self._observers.append(observer)
        self._wires.record = self.record
        self.scheduler.observer = self._record_turn

    def trace(self, most_lines: int | None = MOST_LINES) -> Trace:
        """From now on records what happens. The same seed gives the same `text()` of the trace in each run."""
        trace = Trace(most_lines)
        self.observe(trace.record)
        return trace

    def record(self, host: str, text: str) -> None:
        """Passes what happens on a host to the observers. One that raises gets nothing more, and run() raises it."""
        if not self._observers:
            return
        with self.scheduler.inside():
            for observer in list(self._observers):
                try:
                    observer(self.scheduler.now, host, text)
                except BaseException as error:
                    self._observers.remove(observer)
                    self.scheduler.fail(error)

    def _record_turn(self, task: Task, ready: int) -> None:
        process = task.owner if isinstance(task.owner, Process) else None
        self.record(process.host.name if process else "", f"turn of {task.name}, one of {ready} that can run")
