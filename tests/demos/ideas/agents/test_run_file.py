"""The file that an optimisation continues from."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from cleanup_kit import closed_after_test

from demos.ideas.agents.grid import read_grid
from demos.ideas.agents.outcomes import Change, OpenChecks, Outcome, Stored
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.run_file import RunFile, stored_plan
from demos.provider.sqlite_file import StateBusy, StateError

GRID = read_grid(["a=1:4:1"])
PLAN = Plan(GRID, 2, "1" * 64, "level", "2" * 64)
OUTCOME = Outcome(({"result": 0.1, "trades": 3.0}, "ValueError: x"), ["agent1", "coordinator"])


def test_outcomes_and_distrusted_agents_are_stored_exactly(tmp_path):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: Change(OUTCOME), 1: Change(OUTCOME)}, {"liar": "point 1"})
        file.save({1: Change(None)}, {})
    with closing(RunFile(path, PLAN)) as file:
        assert file.outcomes(PLAN) == {0: OUTCOME}
        assert file.distrusted() == {"liar": "point 1"}
        assert file.stored(PLAN) == Stored({0: OUTCOME}, {"liar": "point 1"}, {})
    assert stored_plan(path, GRID) == PLAN


@pytest.mark.parametrize(
    "change",
    [
        Change(OUTCOME, OpenChecks((0, 1))),
        Change(OUTCOME, OpenChecks((), second=True)),
        Change(None, OpenChecks((0, 1), second=True, claims=(OUTCOME, Outcome(("ValueError: y",) * 2, ["liar"])))),
    ],
)
def test_open_checks_are_stored_until_they_are_made(tmp_path, change):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: change}, {})
    with closing(RunFile(path, PLAN)) as file:
        assert file.stored(PLAN) == Stored({0: change.outcome} if change.outcome else {}, {}, {0: change.open})
        file.save({0: Change(OUTCOME)}, {})
        assert file.stored(PLAN) == Stored({0: OUTCOME}, {}, {})


def test_what_cannot_be_stored_because_of_a_lock_is_stored_by_the_next_call(tmp_path):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        lock = closed_after_test(sqlite3.connect(path, isolation_level=None))
        lock.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateBusy):
            file.save({0: Change(OUTCOME)}, {"liar": "point 1"}, 0.001)
        lock.rollback()
        file.save({}, {}, 0.001)
        assert file.stored(PLAN) == Stored({0: OUTCOME}, {"liar": "point 1"}, {})


def test_tasks_whose_points_had_less_time_are_forgotten(tmp_path):
    timeouts = {0: "no result within 1 s", 1: "no result within 30 s"}
    with closing(RunFile(tmp_path / "run.sqlite", PLAN)) as file:
        file.save({task: Change(Outcome(({"result": 1.0}, text), ["a"])) for task, text in timeouts.items()}, {})
        assert file.discard_timeouts(PLAN, 1) == 0
        assert file.discard_timeouts(PLAN, 30) == 1
        assert list(file.outcomes(PLAN)) == [1]


def test_a_file_without_open_checks_is_upgraded(tmp_path):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: Change(OUTCOME)}, {})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE open_checks")
        db.execute("PRAGMA user_version = 1")
    with closing(RunFile(path, PLAN)) as file:
        assert file.stored(PLAN) == Stored({0: OUTCOME}, {}, {})


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (Plan(read_grid(["a=1:5:1"]), 2, "1" * 64, "level", "2" * 64), r"parameters: a=1:4:1 there, a=1:5:1 here"),
        (Plan(GRID, 3, "1" * 64, "level", "2" * 64), r"points of a task: 2 there, 3 here"),
        (Plan(GRID, 2, "3" * 64, "level", "2" * 64), r"strategy: 111111111111… there, 333333333333… here"),
        (Plan(GRID, 2, "1" * 64, "other", "2" * 64), "function: level there, other here"),
        (Plan(GRID, 2, "1" * 64, "level", "3" * 64), "data: 222222222222… there, 333333333333… here"),
    ],
)
def test_a_file_of_another_optimisation_is_refused(tmp_path, plan, problem):
    path = tmp_path / "run.sqlite"
    RunFile(path, PLAN).close()
    with pytest.raises(StateError, match=rf"belongs to another optimisation \({problem}\); use another file"):
        RunFile(path, plan)


def test_a_plan_of_other_parameters_is_refused(tmp_path):
    path = tmp_path / "run.sqlite"
    RunFile(path, PLAN).close()
    with pytest.raises(StateError, match="belongs to another optimisation: the plan has other parameters"):
        stored_plan(path, read_grid(["b=1:4:1"]))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE outcomes SET data = '[]'", "task 0: it has 0 values"),
        ("UPDATE outcomes SET task = 7", "task 7: there are only 2 tasks"),
        ('UPDATE outcomes SET data = \'[{"result": "x"}, 1]\'', "task 0: .*not a number"),
        ("UPDATE outcomes SET agents = 'x'", "task 0"),
        ("UPDATE outcomes SET agents = '7'", "task 0: its agents are no names"),
        ("UPDATE open_checks SET points = '[2]'", r"task 0: it has no points \[2\]"),
        ("UPDATE open_checks SET points = '7'", "task 0"),
        ("UPDATE open_checks SET task = -1", "task -1: there are only 2 tasks"),
        ("UPDATE open_checks SET claims = '[[[], []]]'", "task 0: it has 0 values"),
        ("UPDATE open_checks SET claims = '[7]'", "task 0"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, statement, problem):
    path = tmp_path / "run.sqlite"
    with closing(RunFile(path, PLAN)) as file:
        file.save({0: Change(OUTCOME, OpenChecks((0,)))}, {})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
    file = closed_after_test(RunFile(path, PLAN))
    with pytest.raises(StateError, match=f"is damaged: {problem}"):
        file.stored(PLAN)
