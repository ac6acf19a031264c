"""What one optimisation is: two runs with equal plans calculate the same."""

from __future__ import annotations

import json
from dataclasses import dataclass

from demos.ideas.agents.grid import Grid, Tasks, split

# The field's name, as errors show it.
SIZE = "points of a task"


@dataclass(frozen=True)
class Plan:
    """The grid, the points of a task, and the digests of the strategy's file and of its data."""

    grid: Grid
    size: int
    strategy: str
    function: str
    data: str

    @classmethod
    def read(cls, text: str, grid: Grid) -> Plan:
        """The plan of a text that text() has returned; ``grid`` is that of the parameters in it.

        Errors: ValueError when it is not such a text, or belongs to another grid.
        """
        fields = json.loads(text)
        try:
            plan = cls(grid, fields[SIZE], fields["strategy"], fields["function"], fields["data"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"the plan has no field {error}") from error
        if plan.text() != text:
            raise ValueError("the plan has other parameters")
        return plan

    @property
    def tasks(self) -> Tasks:
        """The tasks."""
        return split(self.grid.points, self.size)

    def text(self) -> str:
        """The plan as one line of JSON, the same for equal plans."""
        fields = {
            "parameters": self.grid.texts,
            SIZE: self.tasks.size,
            "strategy": self.strategy,
            "function": self.function,
            "data": self.data,
        }
        return json.dumps(fields)
