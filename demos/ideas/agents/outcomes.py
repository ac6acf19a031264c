"""The calculated tasks: their values, who has calculated them, and what must still be checked."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from demos.ideas.agents.grid import Tasks
from demos.ideas.agents.values import Value, result_of

# The name of the coordinator's own calculations. No agent can have it.
COORDINATOR = "coordinator"


@dataclass
class Outcome:
    """The values of a task's points, and the agents that have calculated exactly these."""

    values: tuple[Value, ...]
    agents: list[str]

    def __post_init__(self) -> None:
        """Find the best value: its place and result; None when all are errors."""
        results = [(-result, at) for at, value in enumerate(self.values) if (result := result_of(value)) is not None]
        self.best = (min(results)[1], -min(results)[0]) if results else None

    @property
    def is_verified(self) -> bool:
        """Whether two agents agree, or the coordinator has calculated it."""
        return len(self.agents) > 1 or COORDINATOR in self.agents


class OpenChecks(NamedTuple):
    """What must still be checked of a task.

    ``points``: those that the coordinator is to calculate. ``second``: whether a second agent is to calculate the task.
    ``claims``: results that differ, between which the coordinator decides.
    """

    points: tuple[int, ...] = ()
    second: bool = False
    claims: tuple[Outcome, ...] = ()


class Change(NamedTuple):
    """What to store for a task: its outcome, None when it has none or its results differ, and its open checks."""

    outcome: Outcome | None
    open: OpenChecks = OpenChecks()


class Stored(NamedTuple):
    """What an earlier run has stored: outcomes and open checks by task, and why agents are distrusted by name."""

    outcomes: Mapping[int, Outcome]
    distrusted: Mapping[str, str]
    open: Mapping[int, OpenChecks]


def best_points(tasks: Tasks, outcomes: Mapping[int, Outcome], most: int) -> list[tuple[int, float]]:
    """The points with the highest results, and the results; of equal ones the first in the grid."""
    # They are in the tasks with the highest best results.
    bests = [(-outcome.best[1], task) for task, outcome in outcomes.items() if outcome.best is not None]
    results = [
        (-result, point)
        for _, task in heapq.nsmallest(most, bests)
        for point, value in zip(tasks.of(task), outcomes[task].values, strict=True)
        if (result := result_of(value)) is not None
    ]
    return [(point, -result) for result, point in heapq.nsmallest(most, results)]
