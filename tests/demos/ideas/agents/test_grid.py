"""The grid of the parameters' values and its tasks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.ideas.agents.grid import (
    MOST_IN_TASK,
    MOST_PARAMETERS,
    MOST_POINTS,
    MOST_TASKS,
    MOST_VALUES,
    GridError,
    read_grid,
    read_parameter,
    split,
)


def test_a_range_includes_its_last_value_and_a_list_has_the_given_values():
    assert read_parameter("fast=5:20:5").values == (5, 10, 15, 20)
    assert read_parameter("fast=5:19:5").values == (5, 10, 15)
    assert read_parameter("mode=3,1,2").values == (3, 1, 2)
    assert read_parameter("only=7").values == (7,)


def test_steps_with_a_decimal_point_have_no_rounding_errors_and_give_floats():
    assert read_parameter("k=0:1:0.1").values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert all(isinstance(value, float) for value in read_parameter("k=1:3:1.0").values)
    assert all(isinstance(value, int) for value in read_parameter("k=-1:3:1").values)


@pytest.mark.parametrize(
    "text",
    [
        "", "fast", "=1:2:1", "1a=1", "fast=", "fast=1:2", "fast=1:2:3:4", "fast=a", "fast=1e3", "fast=1,,2",
        "fast=nan", "fast=\N{ARABIC-INDIC DIGIT ONE}", "b" * 33 + "=1", "fast=1:2:x", "fast=9999999999",
    ],
)  # fmt: skip
def test_a_malformed_parameter_is_refused_with_the_form_that_is_expected(text):
    with pytest.raises(GridError, match=r"invalid parameter '.*': expected NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE"):
        read_parameter(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a=5:1:1", "no values from 5 to 1"),
        ("a=1:5:0", "no values from 1 to 5 with the step 0"),
        ("a=1:5:-1", "no values"),
        ("a=1,2,1", "has a value twice"),
        ("a=1,1.0", "has a value twice"),
        ("a=0:999999999:0.00000001", f"more than {MOST_VALUES}"),
    ],
)
def test_a_range_without_values_or_with_too_many_is_refused(text, problem):
    with pytest.raises(GridError, match=problem):
        read_parameter(text)


def test_a_grid_needs_a_parameter_and_refuses_a_name_twice_and_too_many_points():
    with pytest.raises(GridError, match="there is no parameter"):
        read_grid([])
    with pytest.raises(GridError, match="'a' occurs twice"):
        read_grid(["a=1", "a=2"])
    with pytest.raises(GridError, match=f"more than {MOST_PARAMETERS} parameters"):
        read_grid([f"p{number}=1" for number in range(MOST_PARAMETERS + 1)])
    with pytest.raises(GridError, match=f"1001000 points, more than {MOST_POINTS}"):
        read_grid(["a=1:1000:1", "b=1:1001:1"])


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_the_points_are_those_of_itertools_product_in_its_order(sizes):
    grid = read_grid([f"p{number}=1:{size}:1" for number, size in enumerate(sizes)])
    points = [grid.point(number) for number in range(grid.points)]
    assert points == list(product(*(parameter.values for parameter in grid.parameters)))


@given(st.integers(1, MOST_POINTS), st.integers(0, MOST_IN_TASK))
def test_the_tasks_have_every_point_once(points, size):
    if size and points > size * MOST_TASKS:
        with pytest.raises(GridError, match="use larger tasks"):
            split(points, size)
        return
    tasks = split(points, size)
    assert tasks.size <= MOST_IN_TASK
    assert tasks.number <= MOST_TASKS
    assert tasks.of(0).start == 0
    assert tasks.of(tasks.number - 1).stop == points
    assert len(tasks.of(tasks.number - 1)) >= 1


def test_a_point_is_shown_with_the_names():
    grid = read_grid(["fast=5:50:5", "k=0:1:0.5"])
    assert grid.text(4) == "fast=10 k=0.5"
