"""Draws the parameter space: the result at each value of one parameter, or a map for each pair of parameters.

With more than two parameters, a map shows the best result over the values of all others. Points that ended with an
error, or are not calculated, stay empty.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demos.ideas.agents.grid import Grid, Tasks
from demos.ideas.agents.outcome_files import values_of
from demos.ideas.agents.outcomes import Outcome, best_points
from demos.ideas.agents.values import RESULT, result_of
from demos.terminal.charts import drawing
from demos.terminal.interfaces import OutputError, ProgramError
from demos.terminal.runtime.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More maps would be too small to read: those of the first parameters.
_MOST_MAPS = 6

# The labels of an axis; all values are labelled up to this number.
_MOST_LABELS = 12


def draw_grid(path: Path, grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome]) -> None:
    """Draw the outcomes into a PNG file.

    Errors: ProgramError without matplotlib; OutputError when there is no result or the file cannot be written.
    """
    problem = drawing.problem()
    if problem:
        raise ProgramError(problem)
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = figure_of(grid, tasks, outcomes)
        image = io.BytesIO()
        figure.savefig(image, format="png")
    try:
        write_whole(path, image.getvalue())
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def figure_of(grid: Grid, tasks: Tasks, outcomes: Mapping[int, Outcome]) -> Figure:
    """The figure of the outcomes. Errors: OutputError when there is no result."""
    from matplotlib.figure import Figure

    best = best_points(tasks, outcomes, 1)
    if not best:
        raise OutputError("there is no result to draw")
    point, result = best[0]
    results = {
        number: found for number, value, _ in values_of(tasks, outcomes) if (found := result_of(value)) is not None
    }
    varied = [at for at, parameter in enumerate(grid.parameters) if len(parameter.values) > 1] or [0]
    pairs = list(combinations(varied, 2))[:_MOST_MAPS]
    columns = min(len(pairs), 3) or 1
    rows = math.ceil(len(pairs) / columns) or 1
    figure = Figure(figsize=(max(9, 5 * columns), 6 * rows if rows == 1 else 4.5 * rows), layout="constrained")
    count = f"{len(results)} of {grid.points} points have a result"
    figure.suptitle(f"best {RESULT} {result:g} at {grid.text(point)}; {count}")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    if pairs:
        for each, pair in zip(axes, pairs, strict=False):
            _draw_map(figure, each, grid, results, pair, grid.point(point))
    else:
        _draw_curve(next(axes), grid, results, varied[0], point)
    for each in list(figure.axes):
        if not each.has_data():
            each.set_axis_off()
    return figure


def _draw_curve(axes: Any, grid: Grid, results: Mapping[int, float], at: int, best: int) -> None:
    pairs = sorted((grid.point(number)[at], result) for number, result in results.items())
    axes.plot(*zip(*pairs, strict=True), marker=".", linewidth=1)
    axes.plot(grid.point(best)[at], results[best], "o", color="tab:red")
    axes.set_xlabel(grid.names[at])
    axes.set_ylabel(RESULT)
    axes.grid(alpha=0.3)


def _draw_map(
    figure: Any,
    axes: Any,
    grid: Grid,
    results: Mapping[int, float],
    pair: tuple[int, int],
    best: tuple[float, ...],
) -> None:
    across, up = (grid.parameters[at] for at in pair)
    columns = {value: number for number, value in enumerate(across.values)}
    rows = {value: number for number, value in enumerate(up.values)}
    cells = [[math.nan] * len(columns) for _ in rows]
    for number, result in results.items():
        values = grid.point(number)
        column, row = columns[values[pair[0]]], rows[values[pair[1]]]
        if not cells[row][column] >= result:
            cells[row][column] = result
    image = axes.imshow(cells, origin="lower", aspect="auto", interpolation="nearest", cmap="viridis")
    axes.plot(columns[best[pair[0]]], rows[best[pair[1]]], "o", markersize=9, markerfacecolor="none", color="red")
    for parameter, axis in ((across, axes.xaxis), (up, axes.yaxis)):
        step = math.ceil(len(parameter.values) / _MOST_LABELS)
        axis.set_ticks(range(0, len(parameter.values), step), [f"{value:g}" for value in parameter.values[::step]])
        axis.set_label_text(parameter.name)
    others = len([each for each in grid.parameters if len(each.values) > 1]) - 2
    figure.colorbar(image, ax=axes, label=f"best {RESULT} over the other parameters" if others else RESULT)
