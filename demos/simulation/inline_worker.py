"""What calculates for agents and coordinators in a simulation: no process, and time that passes for each point."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from demos.ideas.agents.evaluation import calculate
from demos.ideas.agents.grid import Number
from demos.ideas.agents.history import History, file_digest, read_history
from demos.ideas.agents.strategy_file import Strategy, StrategyError, digest, read_source, strategy_of
from demos.ideas.agents.values import Value
from demos.ideas.agents.worker_process import Files, Finished, Loaded
from demos.terminal.interfaces import MarketError


class _Work(NamedTuple):
    key: int
    names: Sequence[str]
    points: Sequence[Sequence[Number]]


class InlineWorker:
    """See Worker. ``seconds`` of simulated time pass for each point."""

    def __init__(self, files: Files, point_ms: int, seconds: float) -> None:
        self.loaded: Loaded | None = None
        self.problem = ""
        self.point_ms = point_ms
        self._files = files
        self._each_ms = round(seconds * 1000)
        self._strategy: Strategy | None = None
        self._history: History | None = None
        self._work: deque[_Work] = deque()
        self._values: list[Value] = []
        # When the present point is calculated; None without work.
        self._done_at: int | None = None

    def add(self, key: int, names: Sequence[str], points: Sequence[Sequence[Number]]) -> None:
        """See WorkerProcess."""
        self._work.append(_Work(key, names, points))

    def drop(self) -> None:
        """See WorkerProcess."""
        while len(self._work) > (self._done_at is not None):
            self._work.pop()

    def check(self, now: int) -> list[Finished]:
        """See WorkerProcess."""
        if self.loaded is None and not self.problem:
            self._load()
        finished = []
        while self._work and self.loaded is not None:
            if self._done_at is None:
                self._done_at = now + self._each_ms
            if now < self._done_at:
                break
            work = self._work[0]
            self._values.append(self.value(work.names, work.points[len(self._values)]))
            self._done_at += self._each_ms
            if len(self._values) == len(work.points):
                self._work.popleft()
                finished.append(Finished(work.key, tuple(self._values)))
                self._values = []
                self._done_at = self._done_at if self._work else None
        return finished

    def close(self) -> None:
        """See WorkerProcess."""

    def value(self, names: Sequence[str], point: Sequence[Number]) -> Value:
        """The value of a point."""
        assert self._strategy is not None
        assert self._history is not None
        return calculate(self._strategy, self._history, names, point)

    def _load(self) -> None:
        source, data = self._files
        try:
            content = read_source(source)
            strategy = strategy_of(content, str(source.path), source.function)
            self._history = read_history(Path(data))
            self._strategy = strategy
            self.loaded = Loaded(digest(content), strategy.__name__, file_digest(data), len(self._history))
        except (StrategyError, MarketError) as error:
            self.problem = str(error)


class LyingWorker(InlineWorker):
    """The worker of an agent that does not calculate, and invents high results."""

    def value(self, names: Sequence[str], point: Sequence[Number]) -> Value:
        """A number that the strategy does not return."""
        return {"result": 1e6 + float(point[0])}
