"""The tables of the collector's database: creating, upgrading and checking them, and the longer statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from demos.terminal.interfaces import TerminalError

# Version 1 has no windows of received numbers, and no lost ticks of deleted runs. Version 2 does not know which sender
# introduced a symbol. Version 3 does not know which sender introduced a run, and when a run was used last.
VERSION = 4

# "WSTK" in the header marks the file as a database of collected ticks.
_APPLICATION = 0x5753544B

_FROM_3 = f"""
ALTER TABLE runs ADD COLUMN introduced_by TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET introduced_by = coalesce((SELECT address FROM senders WHERE senders.id = runs.sender), ''),
time = coalesce((SELECT time FROM senders WHERE senders.id = runs.sender), 0);
PRAGMA user_version = {VERSION};
"""

_FROM_2 = f"""
ALTER TABLE symbols ADD COLUMN introduced_by TEXT NOT NULL DEFAULT '';
{_FROM_3}
"""

_SCHEMA = f"""
CREATE TABLE symbols (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL,
    bid INTEGER NOT NULL, digits INTEGER NOT NULL, time INTEGER NOT NULL, introduced_by TEXT NOT NULL DEFAULT ''
);
CREATE TABLE senders (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL, refused INTEGER NOT NULL,
    oversized INTEGER NOT NULL, repeated INTEGER NOT NULL, time INTEGER NOT NULL, lost INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE runs (
    run TEXT PRIMARY KEY, sender INTEGER NOT NULL REFERENCES senders,
    first INTEGER NOT NULL, last INTEGER NOT NULL, lost INTEGER NOT NULL, received BLOB,
    introduced_by TEXT NOT NULL DEFAULT '', time INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE ticks (
    id INTEGER PRIMARY KEY, symbol INTEGER NOT NULL REFERENCES symbols, bid INTEGER NOT NULL, digits INTEGER NOT NULL,
    sender INTEGER NOT NULL REFERENCES senders, time INTEGER NOT NULL
);
CREATE INDEX ticks_by_symbol ON ticks (symbol);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""

# The statements that create the tables, or upgrade those of an older version.
_STATEMENTS = {
    0: _SCHEMA,
    1: f"""
ALTER TABLE senders ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN received BLOB;
{_FROM_2}
""",
    2: _FROM_2,
    3: _FROM_3,
}

# A larger sum would become a floating-point number.
_MAX_COUNT = 2**63 - 1

COUNT_SYMBOL = f"""
INSERT INTO symbols (name, ticks, bid, digits, time, introduced_by) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET ticks = min(ticks + excluded.ticks, {_MAX_COUNT}), bid = excluded.bid,
digits = excluded.digits, time = excluded.time
"""

COUNT_SENDER = f"""
INSERT INTO senders (address, ticks, refused, oversized, repeated, time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET ticks = min(ticks + excluded.ticks, {_MAX_COUNT}),
refused = min(refused + excluded.refused, {_MAX_COUNT}), oversized = min(oversized + excluded.oversized, {_MAX_COUNT}),
repeated = min(repeated + excluded.repeated, {_MAX_COUNT}), time = excluded.time
"""

# The largest sum of lost ticks. total() adds doubles, which are exact up to here and cannot overflow.
_MAX_LOST = 2**53 - 1

# The "lost" of a sender is that of its deleted runs.
_SENDERS = f"""
SELECT address, ticks, refused, oversized, repeated,
CAST(min({{own}} + coalesce(of_runs.lost, 0.0), {_MAX_LOST}.0) AS INTEGER)
FROM senders LEFT JOIN (SELECT sender, total(lost) AS lost FROM runs GROUP BY sender) AS of_runs
ON of_runs.sender = senders.id ORDER BY senders.id
"""

WRITE_RUN = """
INSERT OR REPLACE INTO runs (run, sender, first, last, lost, received, introduced_by, time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
KEEP_LOST = f"""
UPDATE senders SET lost = CAST(min(lost + 1.0 * (SELECT lost FROM runs WHERE run = :run), {_MAX_LOST}.0) AS INTEGER)
WHERE id = (SELECT sender FROM runs WHERE run = :run)
"""
DELETE_RUN = "DELETE FROM runs WHERE run = :run"

# In the order of their last use. A damaged value must not keep the file from being opened.
SELECT_RUNS = "SELECT run, CAST(introduced_by AS TEXT), CAST(time AS INTEGER) FROM runs ORDER BY 3, rowid"


class StoreError(TerminalError):
    """The file has no collected ticks, has a newer version, or cannot be read or written."""

    code = 4


class StoreBusy(StoreError):
    """Another process has locked the file; the same call may work later."""


def open_schema(db: sqlite3.Connection, name: str, *, writing: bool) -> int:
    """Check that the file has collected ticks; to write, also create or upgrade its tables. Returns its version.

    Errors: StoreError; sqlite3.Error.
    """
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != _APPLICATION and not (empty and writing and application == 0 and version == 0):
        raise StoreError(f"not a file of collected ticks: {name}")
    if application == _APPLICATION and not 1 <= version <= VERSION:
        raise StoreError(f"{name} has version {version}; this program reads versions 1 to {VERSION}")
    if not writing:
        return version
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    with transaction(db):
        # Another process may have created or upgraded the tables since the check above.
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version < VERSION:
            for statement in _STATEMENTS[version].split(";"):
                db.execute(statement)
    return VERSION


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes; an exception inside rolls it back."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        yield


def select_senders(version: int) -> str:
    """The query for the rows of senders, in a file of this version."""
    return _SENDERS.format(own="senders.lost" if version >= 2 else "0")


def select_introduced(version: int) -> str:
    """The query for the names of the symbols and the senders that introduced them, in a file of this version."""
    return f"SELECT name, {'CAST(introduced_by AS TEXT)' if version >= 3 else repr('')} FROM symbols"
