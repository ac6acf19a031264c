"""The tables of failed logins, bans and known addresses, in the provider's file. The rules are in the module guard.

A record belongs to a login from an address, or with the login WHOLE_ADDRESS to the address. The tables have at most
MAX_ROWS records, MAX_LOGINS_OF_ADDRESS of them for one address, and MAX_KNOWN known addresses of each login.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from demos.provider.state_file import StateFile

MAX_ROWS = 20_000
MAX_LOGINS_OF_ADDRESS = 50
MAX_KNOWN = 16

WHOLE_ADDRESS = ""

_KNOWN = "FROM known JOIN users ON id = user WHERE login = ? AND address = ?"
_IN_FUTURE = """
SELECT 1 FROM attempts WHERE since > ? OR last > ? OR next > ? UNION ALL SELECT 1 FROM known WHERE time > ? LIMIT 1
"""


@dataclass(frozen=True)
class Record:
    """Failures, and the last ban. Times are seconds since 1970.

    ``level``: the bans in a row. ``last``: the last failure. ``next``: when the next attempt may be checked.
    """

    failures: int = 0
    level: int = 0
    last: float = 0.0
    next: float = 0.0
    since: float = 0.0
    until: float = 0.0


class Ban(NamedTuple):
    """A ban; ``login`` is None for the address as a whole."""

    login: str | None
    address: str
    since: float
    until: float
    level: int


class AttemptTables:
    """The tables; see the head of this module. Errors of all methods: StateError."""

    def __init__(self, state: StateFile) -> None:
        self.state = state
        # An upper bound of the number of rows, which needs no query at each failure.
        [[self._rows]] = state.rows("SELECT count(*) FROM attempts")

    def read(self, login: str, address: str) -> Record:
        """The record of a login from an address; an empty one when there is none."""
        query = "SELECT failures, level, last, next, since, until FROM attempts WHERE address = ? AND login = ?"
        rows = self.state.rows(query, (address, login))
        return Record(*rows[0]) if rows else Record()

    def write(self, db: sqlite3.Connection, login: str, address: str, record: Record) -> None:
        """Write a record within a transaction; older records are deleted if there are too many."""
        values = (record.failures, record.level, record.last, record.next, record.since, record.until)
        found = db.execute("SELECT 1 FROM attempts WHERE address = ? AND login = ?", (address, login)).fetchone()
        if found is None:
            self._make_room(db, address)
        db.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (login, address, *values))

    def known_since(self, login: str, address: str) -> float | None:
        """When the login last logged in from the address, to the hour; None when it is not known there."""
        rows = self.state.rows(f"SELECT time {_KNOWN}", (login, address))
        return float(rows[0][0]) if rows else None

    def write_known(self, db: sqlite3.Connection, login: str, address: str, now: float) -> None:
        """Remember within a transaction that a login has logged in from an address."""
        for [user] in db.execute("SELECT id FROM users WHERE login = ?", (login,)).fetchall():
            db.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (user, address, now))
            db.execute(
                "DELETE FROM known WHERE user = ? AND address NOT IN "
                "(SELECT address FROM known WHERE user = ? ORDER BY time DESC LIMIT ?)",
                (user, user, MAX_KNOWN),
            )

    def bans(self, now: float) -> list[Ban]:
        """The bans in force, the one that ends last first."""
        query = "SELECT login, address, since, until, level FROM attempts WHERE until > ? ORDER BY until DESC, login"
        # After the clock went back, no ban lasts longer than its length.
        return [
            Ban(login or None, address, since, min(until, now + until - since), level)
            for login, address, since, until, level in self.state.rows(query, (now,))
        ]

    def unban(self, address: str | None, login: str | None, now: float) -> int:
        """Forget failures and bans, and return the number of bans in force; None means any address, or any login."""
        condition, values = "(address = ? OR ? IS NULL) AND (login = ? OR ? IS NULL)", (address, address, login, login)
        with self.state.writing() as db:
            query = f"SELECT count(*) FROM attempts WHERE {condition} AND until > ?"
            [count] = db.execute(query, (*values, now)).fetchone()
            db.execute(f"DELETE FROM attempts WHERE {condition}", values)
        return int(count)

    def move_to_present(self, now: float, longest_wait: float) -> None:
        """Move what lies in the future to the present, after the clock went back."""
        soon = now + longest_wait
        if self.state.rows(_IN_FUTURE, (now, now, soon, now)):
            with self.state.writing(durable=False) as db:
                db.execute("UPDATE attempts SET until = ? + until - since, since = ? WHERE since > ?", (now, now, now))
                db.execute("UPDATE attempts SET last = ? WHERE last > ?", (now, now))
                db.execute("UPDATE attempts SET next = ? WHERE next > ?", (soon, soon))
                db.execute("UPDATE known SET time = ? WHERE time > ?", (now, now))

    def _make_room(self, db: sqlite3.Connection, address: str) -> None:
        """Make room for one more record. The oldest are deleted first, and those with a ban last: it ends later."""
        order = "ORDER BY max(last, until) LIMIT ?"
        query = "SELECT count(*) FROM attempts WHERE address = ? AND login <> ''"
        [of_address] = db.execute(query, (address,)).fetchone()
        if of_address >= MAX_LOGINS_OF_ADDRESS:
            oldest = f"SELECT login FROM attempts WHERE address = ? AND login <> '' {order}"
            db.execute(f"DELETE FROM attempts WHERE address = ? AND login IN ({oldest})", (address, address, 1))
        self._rows += 1
        if self._rows > MAX_ROWS:
            [self._rows] = db.execute("SELECT count(*) + 1 FROM attempts").fetchone()
        if self._rows > MAX_ROWS:
            # A few more than needed, so that not every failure has to delete some.
            count = self._rows - MAX_ROWS + MAX_ROWS // 8
            oldest = f"SELECT address, login FROM attempts {order}"
            db.execute(f"DELETE FROM attempts WHERE (address, login) IN ({oldest})", (count,))
            self._rows -= count
