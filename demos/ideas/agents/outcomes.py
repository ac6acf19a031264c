"""The calculated tasks: their values, and who has calculated them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

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
