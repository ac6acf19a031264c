"""The file that an optimisation continues from."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from cleanup_kit import closed_after_test

from demos.ideas.agents.grid import read_grid
from demos.ideas.agents.outcomes import Outcome
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.run_file import RunFile, stored_plan
from demos.provider.sqlite_file import StateError

GRID = read_grid(["a=1:4:1"])
PLAN = Plan(GRID, 2, "1" * 64, "level", "2" * 64)
OUTCOME = Outcome(({"result": 0.1, "trades": 3.0}, "ValueError: x"), ["agent1", "coordinator"])


def test_outcomes_and_distrusted_agents_are_stored_exactly(tmp_path):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: OUTCOME, 1: OUTCOME}, {"liar": "point 1"})
        file.save({1: None}, {})
    with closing(RunFile(path, PLAN)) as file:
        assert file.outcomes(PLAN) == {0: OUTCOME}
        assert file.distrusted() == {"liar": "point 1"}
    assert stored_plan(path, GRID) == PLAN


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (Plan(read_grid(["a=1:5:1"]), 2, "1" * 64, "level", "2" * 64), r"parameters differs \(a=1:4:1 there, a=1:5:1"),
        (Plan(GRID, 3, "1" * 64, "level", "2" * 64), r"points of a task differs \(2 there, 3 here\)"),
        (Plan(GRID, 2, "3" * 64, "level", "2" * 64), r"strategy differs \(111111111111… there, 333333333333… here\)"),
        (Plan(GRID, 2, "1" * 64, "other", "2" * 64), "function differs"),
        (Plan(GRID, 2, "1" * 64, "level", "3" * 64), "data differs"),
    ],
)
def test_a_file_of_another_optimisation_is_refused(tmp_path, plan, problem):
    path = tmp_path / "run.sqlite"
    RunFile(path, PLAN).close()
    with pytest.raises(StateError, match=f"belongs to another optimisation: its {problem}.*; use another file"):
        RunFile(path, plan)


def test_a_plan_of_other_parameters_is_refused(tmp_path):
    path = tmp_path / "run.sqlite"
    RunFile(path, PLAN).close()
    with pytest.raises(StateError, match="belongs to another optimisation: the plan has other parameters"):
        stored_plan(path, read_grid(["b=1:4:1"]))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE outcomes SET data = '[]'", "task 0 has 0 values"),
        ("UPDATE outcomes SET task = 7", "task 7 has 2 values"),
        ('UPDATE outcomes SET data = \'[{"result": "x"}, 1]\'', "task 0: .*not a number"),
        ("UPDATE outcomes SET agents = 'x'", "task 0"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, statement, problem):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: OUTCOME}, {})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
    file = closed_after_test(RunFile(path, PLAN))
    with pytest.raises(StateError, match=f"is damaged: {problem}"):
        file.outcomes(PLAN)
