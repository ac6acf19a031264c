"""The progress of an optimisation: for the log, the chart's comment, and the view of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demos.ideas.agents.grid import Grid
from demos.ideas.agents.optimisation import Optimisation
from demos.ideas.agents.pace import Pace, time_text

# The best points that a job shows.
_BEST = 5


def progress_fields(optimisation: Optimisation, grid: Grid, pace: Pace, now: int) -> dict[str, Any]:
    """What a job shows: all values are JSON."""
    done = optimisation.done_points
    return {
        "points": grid.points,
        "done": done,
        "tasks": optimisation.tasks.number,
        "verified": optimisation.verified_tasks,
        "checks": optimisation.open_checks,
        "remaining_ms": pace.remaining_ms(done, now),
        "best": [{"point": grid.text(point), "result": result} for point, result in optimisation.best(_BEST)],
        "agents": [
            {"name": agent.name, "results": agent.results, "tasks": len(agent.leases), "late": agent.is_late}
            for agent in optimisation.agents.values()
        ],
        "distrusted": sorted(optimisation.distrusted),
    }


def progress_text(fields: Mapping[str, Any]) -> str:
    """The progress in one line."""
    parts = [f"{fields['done']} of {fields['points']} points"]
    if fields["done"] < fields["points"]:
        parts.append(f"remaining time {time_text(fields['remaining_ms'])}")
    if fields["checks"]:
        parts.append(_counted(fields["checks"], "open check"))
    parts.append(_counted(len(fields["agents"]), "agent"))
    if fields["distrusted"]:
        parts.append(f"{len(fields['distrusted'])} distrusted")
    if fields["best"]:
        parts.append(f"best result {fields['best'][0]['result']:g} at {fields['best'][0]['point']}")
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
