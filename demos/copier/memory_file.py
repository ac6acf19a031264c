"""The copier's SQLite file: what it must not forget, requests of its commands, and the journal.

One running copier uses the file; a second one is refused. Its lock is that of another file next to it, which the
operating system releases when the process ends, however it ends. The commands read the file meanwhile, because it is in
WAL mode, and leave requests in it, which the copier takes at its next timer event.

Values are JSON objects with a name: the follower's memory, the rules' memory, and the copied positions. put_values()
returns when they survive a kill of the process.

Each commit delays the order that follows from it. So what is written inside joined() is one transaction.
commit() ends it, before anything leaves the process that follows from it: an order, or an acknowledgement. Until then
a kill undoes all of it, and the process that starts next receives the same state and decides again.

A commit writes to the system's cache, and does not wait for the disk (WAL, synchronous = NORMAL). So it survives a kill
of the process at any moment. After a failure of the power or the kernel the last commits may be missing, and the file
is as it was after an earlier one; waiting for the disk at each order would take milliseconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from demos.provider.sqlite_file import LOCK_TIMEOUT, FileKind, SqliteFile, StateError, create_file

# The request that a command leaves: continue after an alarm.
RESUME = "resume"

# Seconds to wait for the lock: the system may need a moment to release that of a killed process.
_OWNER_TIMEOUT = 1.0

# "WSCM" in the header marks the file as a copier's memory.
_APPLICATION = 0x5753434D

# Made once: json.dumps would make one for each value.
_ENCODER = json.JSONEncoder(separators=(",", ":"))

_STEPS = (
    """
CREATE TABLE named (name TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, symbol TEXT NOT NULL, local TEXT NOT NULL, stream TEXT NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, first_time INTEGER NOT NULL, last_time INTEGER NOT NULL,
    states INTEGER NOT NULL, lots TEXT NOT NULL, target TEXT NOT NULL, held TEXT NOT NULL,
    outcome TEXT NOT NULL, rule TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX decisions_of_symbol ON decisions (symbol, id);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, symbol TEXT NOT NULL, local TEXT NOT NULL, stream TEXT NOT NULL,
    seq INTEGER NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL, lots TEXT NOT NULL, ticket INTEGER NOT NULL,
    provider_price TEXT, change_ms INTEGER, network_ms INTEGER, decision_ms INTEGER,
    fill_ms INTEGER, retcode INTEGER, filled TEXT, price TEXT, slippage TEXT, text TEXT
);
CREATE INDEX orders_of_symbol ON orders (symbol, id);
""",
    # The times of orders are milliseconds.
    "UPDATE orders SET time = time * 1000;",
)
VERSION = len(_STEPS)
KIND = FileKind("a copier's memory", _APPLICATION, _STEPS, "python -m demos run copier --url URL")


class MemoryFile(SqliteFile):
    """An open memory file; see the head of this module. Use it in one thread."""

    def __init__(self, path: Path, *, owner: bool, timeout: float = LOCK_TIMEOUT) -> None:
        """Open the file. The ``owner`` is a running copier: it creates a missing file, and no second one can open it.

        Errors: StateError when another copier uses the file, or as in SqliteFile.
        """
        if path.is_dir():
            # A lock next to it would be of no use.
            raise StateError(f"not a file: {path}")
        self._lock = _take_lock(path) if owner else None
        self._joins = False
        try:
            super().__init__(path, KIND, create=owner, timeout=timeout)
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Close the file and release its lock."""
        super().close()
        self._release()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Join what is written inside to one transaction, up to each commit(); an exception inside rolls it back.

        Errors: StateError.
        """
        self._joins = True
        try:
            yield
            self.commit()
        finally:
            self._joins = False
            if self._db.in_transaction:
                self._db.rollback()

    def commit(self) -> None:
        """Return when everything that was written survives a kill of the process. Errors: StateError."""
        if self._db.in_transaction:
            with self.errors():
                self._db.commit()

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """See SqliteFile; inside joined() a part of its transaction, unless it is durable."""
        if durable or not self._joins:
            self.commit()
            with super().writing(durable=durable) as db:
                yield db
            return
        with self.errors():
            if not self._db.in_transaction:
                self._begin(durable=False)
            yield self._db

    def value(self, name: str) -> dict[str, Any] | None:
        """The value with this name; None when there is none.

        Errors: StateError.
        """
        for [data] in self.rows("SELECT data FROM named WHERE name = ?", (name,)):
            try:
                value = json.loads(data)
            except ValueError as error:
                raise StateError(f"the file is damaged: the value {name!r} cannot be read: {error}") from None
            if isinstance(value, dict):
                return value
            raise StateError(f"the file is damaged: the value {name!r} is no object")
        return None

    def put_values(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace these values in one transaction.

        Errors: StateError.
        """
        rows = [(name, _ENCODER.encode(value)) for name, value in values.items()]
        with self.writing(durable=False) as db:
            db.executemany("INSERT OR REPLACE INTO named VALUES (?, ?)", rows)

    def clear(self) -> None:
        """Forget everything, for a dry run. Errors: StateError."""
        with self.writing(durable=False) as db:
            for table in ("named", "requests", "decisions", "orders"):
                db.execute(f"DELETE FROM {table}")

    def request(self, kind: str) -> None:
        """Ask the copier for something, also one that starts later. Errors: StateError."""
        with self.writing() as db:
            db.execute("INSERT INTO requests (kind) VALUES (?)", (kind,))

    def requests(self) -> list[tuple[int, str]]:
        """The requests, each with its number, the oldest first. Errors: StateError."""
        return [(number, kind) for number, kind in self.rows("SELECT id, kind FROM requests ORDER BY id")]

    def remove_requests(self, last: int) -> None:
        """Forget the requests up to this number: they were carried out. Errors: StateError."""
        with self.writing(durable=False) as db:
            db.execute("DELETE FROM requests WHERE id <= ?", (last,))

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class NamedStore:
    """One value of a memory file as a follower's Store."""

    def __init__(self, file: MemoryFile, name: str) -> None:
        self._file = file
        self._name = name

    def load(self) -> dict[str, Any] | None:
        """See Store. Errors: StateError."""
        return self._file.value(self._name)

    def save(self, data: dict[str, Any]) -> None:
        """See Store. Errors: StateError."""
        self._file.put_values({self._name: data})


def _take_lock(path: Path) -> sqlite3.Connection:
    """An open transaction that locks the file next to the memory. Errors: StateError."""
    lock = path.with_name(path.name + ".lock")
    create_file(lock)
    db = sqlite3.connect(f"{lock.absolute().as_uri()}?mode=rw", timeout=_OWNER_TIMEOUT, isolation_level=None, uri=True)
    try:
        # Nothing is written, so no journal file is needed.
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        with closing(db):
            if "locked" in str(error):
                raise StateError(
                    f"{path} is in use by another copier: give each copier a file of its own (--memory)"
                ) from None
            raise StateError(f"{lock}: {error}") from None
    return db
