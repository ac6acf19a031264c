"""For the tests of the tester agents: an optimisation without processes and sockets, and strategies in files."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from demos.__main__ import main
from demos.ideas.agents.grid import Tasks
from demos.ideas.agents.optimisation import Optimisation, Rules
from demos.ideas.agents.outcomes import OpenChecks, Outcome, Stored
from demos.ideas.agents.values import Value

LEASE_MS = 1_000

# A calculation of a task's points: of an agent, honest or not.
Calculate = Callable[[int], Value]

LEVEL = """
def level(bars, a, b):
    return {"result": a * 10 + b, "close": bars.close[-1]}
"""

# 20 ms for each point: slow enough that a test can interrupt an optimisation.
SLOW = """
import time

def level(bars, a):
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        pass
    return a % 97
"""


# Runs `python -m demos agents` with these arguments to its end.
Agents = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def agents(capsys: pytest.CaptureFixture[str]) -> Agents:
    """Runs the command in the test's own process, which saves the start of one; its children are processes."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        texts = list(map(str, arguments))
        capsys.readouterr()
        try:
            code: object = main(["agents", *texts])
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(texts, code, printed.out, printed.err)

    return run


def true_value(point: int) -> Value:
    """The value of a point: some are errors, two are equal, and the best is neither the first nor the last."""
    if point % 11 == 3:
        return f"ValueError: {point}"
    return {"result": float((point * 7919) % 101), "trades": float(point)}


def true_values(tasks: Tasks, task: int, calculate: Calculate = true_value) -> tuple[Value, ...]:
    """The values of a task."""
    return tuple(calculate(point) for point in tasks.of(task))


def _copy(outcome: Outcome) -> Outcome:
    return Outcome(outcome.values, list(outcome.agents))


class Run:
    """An optimisation, and the coordinator's own calculations, with a clock that is moved by hand."""

    def __init__(
        self, points: int = 40, size: int = 4, check: float = 1.0, seed: int = 1, continued: Stored | None = None
    ) -> None:
        self.tasks = Tasks(points, size)
        rules = Rules(check, LEASE_MS)
        self.optimisation = Optimisation(self.tasks, rules, random.Random(seed), continued)
        # What the coordinator's file contains.
        self.stored = Stored({}, {}, {})
        self.now = 0
        self.own_points = 0

    def join(self, *names: str) -> None:
        """Agents connect."""
        for name in names:
            self.optimisation.join(name)

    def assign(self, name: str) -> int | None:
        """The next task of an agent."""
        return self.optimisation.assign(name, self.now)

    def report(self, name: str, task: int, calculate: Calculate = true_value) -> None:
        """An agent reports a task."""
        self.optimisation.take_result(name, task, true_values(self.tasks, task, calculate))

    def work(self, name: str, calculate: Calculate = true_value) -> bool:
        """An agent that is connected fetches one task and reports it; whether there was one."""
        if name not in self.optimisation.agents or (task := self.assign(name)) is None:
            return False
        self.report(name, task, calculate)
        return True

    def own(self) -> None:
        """The coordinator calculates all that it has to."""
        self.optimisation.check_times(self.now)
        while work := self.optimisation.own_work():
            self.own_points += len(work.points)
            self.optimisation.own_result(work, tuple(map(true_value, work.points)))
            self.optimisation.check_times(self.now)

    def store(self) -> None:
        """Store what has changed, as the coordinator does."""
        outcomes, distrusted, checks = map(dict, self.stored)
        for task, (outcome, open_checks) in self.optimisation.take_changes().items():
            outcomes.pop(task, None)
            checks.pop(task, None)
            if outcome:
                outcomes[task] = _copy(outcome)
            if open_checks != OpenChecks():
                checks[task] = open_checks._replace(claims=tuple(map(_copy, open_checks.claims)))
        self.stored = Stored(outcomes, {**distrusted, **self.optimisation.take_distrusted()}, checks)

    def killed(self, check: float = 1.0, seed: int = 2) -> Run:
        """The optimisation that continues from what is stored."""
        stored = Stored({task: _copy(each) for task, each in self.stored.outcomes.items()}, *self.stored[1:])
        return Run(self.tasks.points, self.tasks.size, check, seed, stored)

    def finish(self, *names: str) -> None:
        """Honest agents and the coordinator work until all is done."""
        for _ in range(10_000):
            self.now += 10
            for name in names:
                self.work(name)
            self.own()
            if self.optimisation.is_finished:
                return
        raise AssertionError("the optimisation does not end")

    def check_outcome(self) -> None:
        """Every value is that of a direct calculation."""
        values = {task: outcome.values for task, outcome in self.optimisation.outcomes.items()}
        assert values == {task: true_values(self.tasks, task) for task in range(self.tasks.number)}


def strategy_file(folder: Path, text: str = LEVEL, name: str = "level.py") -> Path:
    """A file with a strategy."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
