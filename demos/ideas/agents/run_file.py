"""The SQLite file of an optimisation: what is calculated. A coordinator that was killed continues from it.

Each outcome is one row, written when it arrives. So are the open checks of a task: no kill saves an agent that lies.
demos/provider/sqlite_file.py has the rest: versions, errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demos.ideas.agents.grid import Grid, Tasks
from demos.ideas.agents.outcomes import Change, OpenChecks, Outcome, Stored
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.protocol import checked_values
from demos.ideas.agents.values import timeout_of
from demos.provider.fields import parse_json
from demos.provider.sqlite_file import LOCK_TIMEOUT, FileKind, SqliteFile, StateError

_KIND = FileKind(
    name="a file of an optimisation",
    application=0x6F707469,
    steps=(
        "CREATE TABLE plan (text TEXT NOT NULL);"
        "CREATE TABLE outcomes (task INTEGER PRIMARY KEY, data TEXT NOT NULL, agents TEXT NOT NULL);"
        "CREATE TABLE distrusted (name TEXT PRIMARY KEY, reason TEXT NOT NULL)",
        "CREATE TABLE open_checks (task INTEGER PRIMARY KEY, points TEXT NOT NULL, second INTEGER NOT NULL, "
        "claims TEXT NOT NULL)",
    ),
    creator="python -m demos agents",
)


class RunFile:
    """An open file of one optimisation."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Open the file, or create it.

        Errors: StateError, also when it belongs to another plan.
        """
        self._path = path
        self._file = SqliteFile(path, _KIND)
        # What could not be stored yet.
        self._changes: dict[int, Change] = {}
        self._distrusted: dict[str, str] = {}
        try:
            self._check_plan(plan)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def outcomes(self, plan: Plan) -> dict[int, Outcome]:
        """The calculated tasks.

        Errors: StateError.
        """
        found = {}
        for task, data, agents in self._file.rows("SELECT task, data, agents FROM outcomes ORDER BY task"):
            with self._damage(task):
                found[task] = _outcome(plan.tasks, task, parse_json(data), json.loads(agents))
        return found

    def distrusted(self) -> dict[str, str]:
        """The agents that have reported wrong values, and these.

        Errors: StateError.
        """
        return dict(self._file.rows("SELECT name, reason FROM distrusted"))

    def discard_timeouts(self, plan: Plan, seconds: float) -> int:
        """Forget the tasks with a point that had a shorter time limit than this and has exceeded it; their number.

        Errors: StateError.
        """
        found = [
            task
            for task, outcome in self.outcomes(plan).items()
            if any((limit := timeout_of(value)) is not None and limit < seconds for value in outcome.values)
        ]
        self.save({task: Change(None) for task in found}, {})
        return len(found)

    def stored(self, plan: Plan) -> Stored:
        """All that an optimisation continues from.

        Errors: StateError.
        """
        checks = {}
        for task, points, second, claims in self._file.rows("SELECT task, points, second, claims FROM open_checks"):
            with self._damage(task):
                own = tuple(json.loads(points))
                if not set(own) <= set(_points(plan.tasks, task)):
                    raise ValueError(f"it has no points {points}")
                results = tuple(_outcome(plan.tasks, task, *claim) for claim in parse_json(claims))
                checks[task] = OpenChecks(own, bool(second), results)
        return Stored(self.outcomes(plan), self.distrusted(), checks)

    def save(self, changes: Mapping[int, Change], distrusted: Mapping[str, str], wait: float = LOCK_TIMEOUT) -> None:
        """Store changed outcomes and open checks, and the agents that are distrusted.

        ``wait``: the seconds to wait while another process has locked the file.

        Errors: StateError; StateBusy, and then the next call stores this too.
        """
        self._changes.update(changes)
        self._distrusted.update(distrusted)
        if not self._changes and not self._distrusted:
            return
        self._file.rows(f"PRAGMA busy_timeout = {round(wait * 1000)}")
        # Without waiting for the disk: what a power failure loses is calculated again.
        with self._file.writing(durable=False) as db:
            for task, (outcome, checks) in self._changes.items():
                db.execute("DELETE FROM outcomes WHERE task = ?", (task,))
                db.execute("DELETE FROM open_checks WHERE task = ?", (task,))
                if outcome:
                    row = (task, json.dumps(outcome.values), json.dumps(outcome.agents))
                    db.execute("INSERT INTO outcomes VALUES (?, ?, ?)", row)
                if checks != OpenChecks():
                    claims = json.dumps([[claim.values, claim.agents] for claim in checks.claims])
                    fields = (task, json.dumps(checks.points), checks.second, claims)
                    db.execute("INSERT INTO open_checks VALUES (?, ?, ?, ?)", fields)
            db.executemany("REPLACE INTO distrusted VALUES (?, ?)", self._distrusted.items())
        self._changes.clear()
        self._distrusted.clear()

    @contextmanager
    def _damage(self, task: int) -> Iterator[None]:
        """Raise StateError for a row of a task that cannot be read."""
        try:
            yield
        except (ValueError, TypeError) as error:
            raise StateError(f"{self._path} is damaged: task {task}: {error}") from error

    def _check_plan(self, plan: Plan) -> None:
        with self._file.writing() as db:
            row = db.execute("SELECT text FROM plan").fetchone()
            if row is None:
                db.execute("INSERT INTO plan VALUES (?)", (plan.text(),))
                return
        stored, wanted = json.loads(row[0]), json.loads(plan.text())
        for name, value in wanted.items():
            if stored.get(name) != value:
                raise StateError(
                    f"{self._path} belongs to another optimisation ({name}: {_short(stored.get(name))} there, "
                    f"{_short(value)} here); use another file"
                )


def _points(tasks: Tasks, task: int) -> range:
    """The points of a task. Errors: ValueError when there is no such task."""
    if not 0 <= task < tasks.number:
        raise ValueError(f"there are only {tasks.number} tasks")
    return tasks.of(task)


def _outcome(tasks: Tasks, task: int, raw: Any, agents: Any) -> Outcome:
    """An outcome that was stored as JSON. Errors: ValueError."""
    values = checked_values(raw)
    if len(values) != len(_points(tasks, task)):
        raise ValueError(f"it has {len(values)} values")
    if not isinstance(agents, list) or not all(isinstance(name, str) for name in agents):
        raise ValueError("its agents are no names")
    return Outcome(values, agents)


def stored_plan(path: Path, grid: Grid) -> Plan:
    """The plan that a file belongs to, whose parameters are those of ``grid``.

    Errors: StateError, also when it belongs to other parameters.
    """
    file = SqliteFile(path, _KIND, create=False)
    try:
        rows = file.rows("SELECT text FROM plan")
        if not rows:
            raise StateError(f"{path} has no plan: the coordinator has not started")
        return Plan.read(rows[0][0], grid)
    except ValueError as error:
        raise StateError(f"{path} belongs to another optimisation: {error}") from error
    finally:
        file.close()


def _short(value: object) -> str:
    text = " ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else text[:12] + "…"
