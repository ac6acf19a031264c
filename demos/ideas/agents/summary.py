"""The outcome of an optimisation: its summary, and its files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from demos.ideas.agents.grid import Grid, Tasks
from demos.ideas.agents.outcome_files import best_rows, error_count, first_error, write_table
from demos.ideas.agents.outcomes import Outcome, best_points
from demos.ideas.agents.picture import draw_grid
from demos.ideas.agents.values import value_text
from demos.launcher.views import counted
from demos.terminal.interfaces import TerminalError

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


def with_files(
    summary: Mapping[str, Any], options: argparse.Namespace, grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome]
) -> dict[str, Any]:
    """Write the table and the picture that the options ask for; without a result there is no picture.

    Returns the summary with their paths, and ``unwritten``: an error for each that cannot be written. These errors are
    part of the problem.
    """
    picture = options.picture if best_points(tasks, outcomes, 1) else None
    files: dict[str, str | None] = {"table": None, "picture": None}
    unwritten = []
    for name, path, write in (("table", options.table, write_table), ("picture", picture, draw_grid)):
        try:
            if path:
                write(path, grid, tasks, outcomes)
                files[name] = str(path)
        except TerminalError as error:
            unwritten.append(str(error))
    problem = "; ".join(filter(None, [summary["problem"], *unwritten])) or None
    return {**summary, **files, "unwritten": unwritten, "problem": problem}


def exit_code(summary: Mapping[str, Any], failure: TerminalError | None = None) -> int:
    """The exit code of a job with this summary. ``failure``: why it has ended early, or None."""
    if failure is not None:
        return failure.code
    return 4 if summary["unwritten"] else int(summary["problem"] is not None)


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
