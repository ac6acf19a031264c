"""The SQLite file of an optimisation: what is calculated. A coordinator that was killed continues from it.

Each outcome is one row, written when it arrives. demos/provider/sqlite_file.py has the rest: versions, errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demos.ideas.agents.grid import Grid
from demos.ideas.agents.outcomes import Outcome
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.protocol import checked_values
from demos.provider.fields import parse_json
from demos.provider.sqlite_file import FileKind, SqliteFile, StateError

_KIND = FileKind(
    name="a file of an optimisation",
    application=0x6F707469,
    steps=(
        "CREATE TABLE plan (text TEXT NOT NULL);"
        "CREATE TABLE outcomes (task INTEGER PRIMARY KEY, data TEXT NOT NULL, agents TEXT NOT NULL);"
        "CREATE TABLE distrusted (name TEXT PRIMARY KEY, reason TEXT NOT NULL)",
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
        tasks = plan.tasks
        for task, data, agents in self._file.rows("SELECT task, data, agents FROM outcomes ORDER BY task"):
            try:
                values = checked_values(parse_json(data))
                names = json.loads(agents)
            except ValueError as error:
                raise StateError(f"{self._path} is damaged: task {task}: {error}") from error
            if not 0 <= task < tasks.number or len(values) != len(tasks.of(task)):
                raise StateError(f"{self._path} is damaged: task {task} has {len(values)} values")
            found[task] = Outcome(values, names)
        return found

    def distrusted(self) -> dict[str, str]:
        """The agents that have reported wrong values, and these.

        Errors: StateError.
        """
        return dict(self._file.rows("SELECT name, reason FROM distrusted"))

    def save(self, changes: Mapping[int, Outcome | None], distrusted: Mapping[str, str]) -> None:
        """Store changed outcomes, None for one that no longer counts, and the agents that are distrusted.

        Errors: StateError.
        """
        if not changes and not distrusted:
            return
        # Without waiting for the disk: what a power failure loses is calculated again.
        with self._file.writing(durable=False) as db:
            for task, outcome in changes.items():
                if outcome is None:
                    db.execute("DELETE FROM outcomes WHERE task = ?", (task,))
                    continue
                row: tuple[Any, ...] = (task, json.dumps(outcome.values), json.dumps(outcome.agents))
                db.execute("REPLACE INTO outcomes VALUES (?, ?, ?)", row)
            db.executemany("REPLACE INTO distrusted VALUES (?, ?)", distrusted.items())

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
                    f"{self._path} belongs to another optimisation: its {name} differs "
                    f"({_short(stored.get(name))} there, {_short(value)} here); use another file"
                )


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
