"""The table and the picture of the parameter space."""

from __future__ import annotations

import csv
import math

import pytest
from agents_kit import true_value, true_values

from demos.ideas.agents.grid import Grid, Tasks, read_grid, split
from demos.ideas.agents.outcome_files import best_rows, write_table
from demos.ideas.agents.outcomes import Outcome
from demos.ideas.agents.picture import draw_grid, figure_of
from demos.ideas.agents.values import result_of
from demos.terminal.interfaces import OutputError


def calculated(grid: Grid, agents: str = "a b") -> tuple[Tasks, dict[int, Outcome]]:
    tasks = split(grid.points, 3)
    return tasks, {task: Outcome(true_values(tasks, task), agents.split()) for task in range(tasks.number)}


def test_the_table_has_a_row_for_each_point_with_figures_or_an_error(tmp_path):
    grid = read_grid(["a=1:2:1", "b=0:1:0.5"])
    tasks, outcomes = calculated(grid)
    outcomes[1].agents = ["a"]
    write_table(tmp_path / "t.csv", grid, tasks, outcomes)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["a"], row["b"]) for row in rows[:4]] == [("1", "0.0"), ("1", "0.5"), ("1", "1.0"), ("2", "0.0")]
    for number, row in enumerate(rows):
        value = true_value(number)
        assert row["error"] == (value if isinstance(value, str) else "")
        assert row["result"] == ("" if isinstance(value, str) else repr(value["result"]))
    assert [row["verified"] for row in rows] == ["yes"] * 3 + ["no"] * 3
    assert [row["agents"] for row in rows] == ["a b"] * 3 + ["a"] * 3


def test_a_table_that_cannot_be_written_is_an_error(tmp_path):
    grid = read_grid(["a=1:2:1"])
    with pytest.raises(OutputError, match=r"t\.csv"):
        write_table(tmp_path / "no" / "t.csv", grid, *calculated(grid))


def test_the_best_points_come_with_their_parameters():
    grid = read_grid(["a=1:5:1", "b=1:5:1"])
    [best] = best_rows(grid, *calculated(grid), 1)
    expected = max((result_of(true_value(point)) or -1.0, -point) for point in range(25))
    assert best["figures"]["result"] == expected[0]
    assert best["parameters"] == dict(zip("ab", grid.point(-expected[1]), strict=True))


def test_a_map_has_the_result_of_each_point_and_is_empty_where_the_strategy_failed():
    pytest.importorskip("matplotlib", reason="the extra charts is not installed")
    grid = read_grid(["a=1:3:1", "b=1:5:1"])
    figure = figure_of(grid, *calculated(grid))
    cells = figure.axes[0].images[0].get_array().filled(math.nan)
    for point in range(grid.points):
        value = result_of(true_value(point))
        cell = cells[point % 5][point // 5]
        assert math.isnan(cell) if value is None else cell == value
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("a", "b")


@pytest.mark.parametrize(
    ("texts", "maps"),
    [
        (["a=1:9:1"], 0),
        (["a=1:9:1", "b=2"], 0),
        (["a=1:3:1", "b=1:3:1", "c=1:3:1"], 3),
        (["a=1,2", "b=1,2", "c=1,2", "d=1,2", "e=1,2"], 6),
    ],
)
def test_each_pair_of_parameters_has_a_map_and_a_single_one_a_curve(tmp_path, texts, maps):
    pytest.importorskip("matplotlib", reason="the extra charts is not installed")
    grid = read_grid(texts)
    figure = figure_of(grid, *calculated(grid))
    assert sum(bool(axes.images) for axes in figure.axes) == maps
    assert sum(bool(axes.lines) for axes in figure.axes) == max(maps, 1)
    draw_grid(tmp_path / "p.png", grid, *calculated(grid))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_map_of_more_parameters_shows_the_best_over_the_others():
    pytest.importorskip("matplotlib", reason="the extra charts is not installed")
    grid = read_grid(["a=1,2", "b=1,2", "c=1,2"])
    figure = figure_of(grid, *calculated(grid))
    cells = figure.axes[0].images[0].get_array()
    results = [result_of(true_value(point)) for point in (0, 1)]
    assert float(cells[0][0]) == max(result for result in results if result is not None)


def test_without_a_result_there_is_no_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra charts is not installed")
    grid = read_grid(["a=1:2:1"])
    with pytest.raises(OutputError, match="there is no result to draw"):
        draw_grid(tmp_path / "p.png", grid, split(2), {0: Outcome(("ValueError",), ["a"])})
