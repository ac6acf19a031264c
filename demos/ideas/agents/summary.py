"""The outcome of an optimisation: its summary, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demos.ideas.agents.grid import Grid, Tasks
from demos.ideas.agents.outcome_files import best_rows, error_count, first_error, write_table
from demos.ideas.agents.outcomes import Outcome, best_points
from demos.ideas.agents.picture import draw_grid
from demos.ideas.agents.values import value_text
from demos.launcher.views import counted

_BEST = 10


def summary_of(grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome], *, kept: bool) -> dict[str, Any]:
    """The outcome as JSON; ``problem`` is why the job has failed, or None. ``kept``: another run can continue."""
    done = sum(len(outcome.values) for outcome in outcomes.values())
    errors = error_count(outcomes)
    error = first_error(tasks, outcomes)
    problem = None
    if done < grid.points:
        problem = f"{grid.points - done} of {grid.points} points are not calculated"
        problem += "; the same command continues" if kept else ""
    elif errors == done and error:
        problem = f"the strategy failed at every point; at {grid.text(error[0])}: {error[1]}"
    return {
        "points": grid.points,
        "done": done,
        "tasks": tasks.number,
        "verified": sum(outcome.is_verified for outcome in outcomes.values()),
        "errors": errors,
        "first_error": f"{grid.text(error[0])}: {error[1]}" if error else None,
        "best": best_rows(grid, tasks, outcomes, _BEST),
        "problem": problem,
    }


def write_files(
    table: Path | None, picture: Path | None, grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome]
) -> dict[str, Any]:
    """Write the table and the picture that the options ask for; returns their paths. Without a result: no picture.

    Errors: OutputError.
    """
    drawn = picture if best_points(tasks, outcomes, 1) else None
    if table:
        write_table(table, grid, tasks, outcomes)
    if drawn:
        draw_grid(drawn, grid, tasks, outcomes)
    return {"table": str(table) if table else None, "picture": str(drawn) if drawn else None}


def summary_text(summary: Mapping[str, Any]) -> str:
    """The outcome in lines: the best points as a table."""
    lines = [f"{summary['done']} of {counted(summary['points'], 'point')} calculated"]
    if "agents" in summary:
        verified = f"{summary['verified']} of {counted(summary['tasks'], 'task')} verified"
        lines[0] += f" by {counted(summary['agents'], 'agent')}, {verified}"
    if summary["errors"]:
        lines.append(f"{counted(summary['errors'], 'point')} ended with an error, the first {summary['first_error']}")
    for name in summary.get("distrusted", ()):
        lines.append(f"agent {name} is distrusted: it has reported a wrong value")
    rows = [(_point_text(best["parameters"]), value_text(best["figures"])) for best in summary["best"]]
    width = max((len(point) for point, _ in rows), default=0)
    lines += [f"{number:3}  {point:{width}}  {figures}" for number, (point, figures) in enumerate(rows, 1)]
    files = (summary.get(name) for name in ("table", "picture", "database"))
    return "\n".join([*lines, *(f"wrote {path}" for path in files if path)])


def _point_text(parameters: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())
