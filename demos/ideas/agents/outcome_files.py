"""The outcome as a table: CSV with one row for each point, and the best points as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from demos.ideas.agents.grid import Grid, Tasks
from demos.ideas.agents.outcomes import Outcome, best_points
from demos.ideas.agents.values import RESULT, Value, result_of
from demos.terminal.interfaces import OutputError
from demos.terminal.runtime.files import write_whole


def values_of(tasks: Tasks, outcomes: Mapping[int, Outcome]) -> Iterator[tuple[int, Value, Outcome]]:
    """Each calculated point in order, its value, and the outcome that it belongs to."""
    for task in sorted(outcomes):
        outcome = outcomes[task]
        for point, value in zip(tasks.of(task), outcome.values, strict=True):
            yield point, value, outcome


def write_table(path: Path, grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome]) -> None:
    """Write a CSV file: the parameters, the figures, the error, the agents, and whether the value is verified.

    A column whose name an earlier one has is numbered, as in ``result_2``.

    Errors: OutputError.
    """
    figures = figure_names(outcomes)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_distinct([*grid.names, *figures, "error", "agents", "verified"]))
    for point, value, outcome in values_of(tasks, outcomes):
        numbers = [repr(value[name]) if not isinstance(value, str) and name in value else "" for name in figures]
        error = value if isinstance(value, str) else ""
        verified = "yes" if outcome.is_verified else "no"
        rows.writerow([*grid.point(point), *numbers, error, " ".join(outcome.agents), verified])
    try:
        write_whole(path, text.getvalue().encode())
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _distinct(names: Sequence[str]) -> list[str]:
    """The names in their order, each of them once: a repeated one gets the first number that is free."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found.append(name if name not in found else next(each for each in numbered if each not in {*names, *found}))
    return found


def figure_names(outcomes: Mapping[int, Outcome]) -> list[str]:
    """The names of all figures, the result first."""
    names = {RESULT: None}
    for outcome in outcomes.values():
        for value in outcome.values:
            names.update({} if isinstance(value, str) else dict.fromkeys(value))
    return list(names)


def best_rows(grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome], most: int) -> list[dict[str, Any]]:
    """The best points with their parameters and figures, best first."""
    found = []
    for point, _ in best_points(tasks, outcomes, most):
        task = point // tasks.size
        value = outcomes[task].values[point - tasks.of(task)[0]]
        parameters = dict(zip(grid.names, grid.point(point), strict=True))
        found.append({"parameters": parameters, "figures": value})
    return found


def error_count(outcomes: Mapping[int, Outcome]) -> int:
    """The number of points whose value is an error."""
    return sum(result_of(value) is None for outcome in outcomes.values() for value in outcome.values)


def first_error(tasks: Tasks, outcomes: Mapping[int, Outcome]) -> tuple[int, str] | None:
    """The first point whose value is an error, and the error."""
    errors = ((point, value) for point, value, _ in values_of(tasks, outcomes) if isinstance(value, str))
    return next(errors, None)
