"""Collected ticks in an SQLite file. Each timer event of the collector is one transaction.

Bids are integer points with their digits. Times are times of receipt, in milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from demos.collector.sequence import SequenceTracker
from demos.terminal.interfaces import TerminalError
from demos.ticks.protocol import Quote

VERSION = 1

# "WSTK" in the header marks the file as a database of collected ticks.
_APPLICATION = 0x5753544B

# Seconds to wait while another process writes.
_LOCK_TIMEOUT = 5.0

_MAX_CACHED_IDS = 10_000

_SCHEMA = f"""
CREATE TABLE symbols (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL,
    bid INTEGER NOT NULL, digits INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE TABLE senders (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL, refused INTEGER NOT NULL,
    oversized INTEGER NOT NULL, repeated INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE TABLE runs (
    run TEXT PRIMARY KEY, sender INTEGER NOT NULL REFERENCES senders,
    first INTEGER NOT NULL, last INTEGER NOT NULL, lost INTEGER NOT NULL
);
CREATE TABLE ticks (
    id INTEGER PRIMARY KEY, symbol INTEGER NOT NULL REFERENCES symbols, bid INTEGER NOT NULL, digits INTEGER NOT NULL,
    sender INTEGER NOT NULL REFERENCES senders, time INTEGER NOT NULL
);
CREATE INDEX ticks_by_symbol ON ticks (symbol);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""

_COUNT_SYMBOL = """
INSERT INTO symbols (name, ticks, bid, digits, time) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE
SET ticks = ticks + excluded.ticks, bid = excluded.bid, digits = excluded.digits, time = excluded.time
"""

_COUNT_SENDER = """
INSERT INTO senders (address, ticks, refused, oversized, repeated, time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET ticks = ticks + excluded.ticks, refused = refused + excluded.refused,
oversized = oversized + excluded.oversized, repeated = repeated + excluded.repeated, time = excluded.time
"""

_SENDERS = """
SELECT address, ticks, refused, oversized, repeated, coalesce((SELECT sum(lost) FROM runs WHERE sender = id), 0)
FROM senders ORDER BY id
"""


class StoreError(TerminalError):
    """The file has no collected ticks, has a newer version, or cannot be read or written."""

    code = 4


@dataclass
class Counts:
    """The datagrams of one sender: stored ticks, invalid, oversized and repeated ones."""

    ticks: int = 0
    refused: int = 0
    oversized: int = 0
    repeated: int = 0


@dataclass
class Batch:
    """The datagrams of one event. ``time`` is the time of receipt, ``lost`` the change of the number of lost ticks."""

    time: int
    lost: int = 0
    ticks: list[tuple[Quote, str]] = field(default_factory=list)
    senders: dict[str, Counts] = field(default_factory=dict)
    runs: dict[str, tuple[SequenceTracker, str]] = field(default_factory=dict)


class SymbolRow(NamedTuple):
    """A symbol, the number of its ticks, and the last tick."""

    name: str
    ticks: int
    bid: int
    digits: int
    time: int


class SenderRow(NamedTuple):
    """A sender: its address, its counts, and the number of its lost ticks."""

    address: str
    ticks: int
    refused: int
    oversized: int
    repeated: int
    lost: int


class TickRow(NamedTuple):
    """A stored tick."""

    symbol: str
    bid: int
    digits: int
    sender: str
    time: int


class TickStore:
    """The file of collected ticks. Without a path: only the counts, in memory.

    Other processes can read the file at the same time. Committed events survive a kill of the process; a power failure
    may lose the last events.
    """

    def __init__(self, path: Path | None = None, *, reading: bool = False) -> None:
        """Open the file, and create it when it does not exist; with ``reading`` it must exist and is not changed.

        Errors: StoreError when it is not a file of ticks or cannot be opened.
        """
        self._name = str(path) if path else "the ticks"
        self._stores_ticks = path is not None
        self._ids: dict[tuple[str, str], int] = {}
        uri = f"{path.absolute().as_uri()}?mode={'ro' if reading else 'rwc'}" if path else ":memory:"
        with self._store_errors():
            self._db = sqlite3.connect(uri, timeout=_LOCK_TIMEOUT, isolation_level=None, uri=True)
            try:
                self._open(reading)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, batch: Batch) -> None:
        """Store one event in one transaction; after the return it survives a kill of the process.

        Errors: StoreError when the event cannot be written; then nothing of it is stored.
        """
        if len(self._ids) > _MAX_CACHED_IDS:
            self._ids.clear()
        with self._store_errors(), self._transaction():
            self._add_counts(batch)
            if self._stores_ticks:
                rows = [
                    (self._id("symbols", "name", q.symbol), q.bid, q.digits, self._id("senders", "address", sender))
                    for q, sender in batch.ticks
                ]
                self._db.executemany(
                    f"INSERT INTO ticks (symbol, bid, digits, sender, time) VALUES (?, ?, ?, ?, {batch.time})", rows
                )
            for run, (tracker, sender) in batch.runs.items():
                numbers = (tracker.first, tracker.last, tracker.lost)
                self._db.execute(
                    "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
                    (run, self._id("senders", "address", sender), *numbers),
                )

    def _add_counts(self, batch: Batch) -> None:
        last: dict[str, Quote] = {}
        counts: dict[str, int] = {}
        for quote, _ in batch.ticks:
            last[quote.symbol] = quote
            counts[quote.symbol] = counts.get(quote.symbol, 0) + 1
        for name, quote in last.items():
            self._db.execute(_COUNT_SYMBOL, (name, counts[name], quote.bid, quote.digits, batch.time))
        for address, count in batch.senders.items():
            values = (count.ticks, count.refused, count.oversized, count.repeated, batch.time)
            self._db.execute(_COUNT_SENDER, (address, *values))

    def sequence(self, run: str) -> SequenceTracker | None:
        """The numbers received from a run of a sender, or None for a new run."""
        with self._store_errors():
            row = self._db.execute("SELECT first, last, lost FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        first, last, lost = row
        return SequenceTracker(first, last, lost, known_from=last + 1)

    def symbols(self) -> list[SymbolRow]:
        """All symbols by name."""
        with self._store_errors():
            rows = self._db.execute("SELECT name, ticks, bid, digits, time FROM symbols ORDER BY name")
            return [SymbolRow(*row) for row in rows]

    def senders(self) -> list[SenderRow]:
        """All senders, in the order of their first datagrams."""
        with self._store_errors():
            return [SenderRow(*row) for row in self._db.execute(_SENDERS)]

    def ticks(self, symbol: str) -> Iterator[TickRow]:
        """A symbol's ticks in the order of receipt, read from the file one by one."""
        with self._store_errors():
            yield from (
                TickRow(*row)
                for row in self._db.execute(
                    "SELECT symbols.name, ticks.bid, ticks.digits, senders.address, ticks.time FROM ticks "
                    "JOIN symbols ON symbols.id = ticks.symbol JOIN senders ON senders.id = ticks.sender "
                    "WHERE symbols.name = ? ORDER BY ticks.id",
                    (symbol,),
                )
            )

    def rates(self, max_intervals: int) -> tuple[int, int, list[int]]:
        """The time of the first tick, the length of an interval in milliseconds, and the ticks in each interval.

        There are at most ``max_intervals``; an interval is at least one second long.
        """
        with self._store_errors():
            begin, end = self._db.execute("SELECT coalesce(min(time), 0), coalesce(max(time), 0) FROM ticks").fetchone()
            width = max((end - begin) // max_intervals + 1, 1000)
            counts = [0] * ((end - begin) // width + 1)
            rows = self._db.execute(
                "SELECT (time - ?) / ? AS number, count(*) FROM ticks GROUP BY number", (begin, width)
            )
            for number, count in rows:
                counts[number] = count
            return begin, width, counts

    def _id(self, table: str, column: str, value: str) -> int:
        known = self._ids.get((table, value))
        if known is None:
            [known] = self._db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
            self._ids[table, value] = known
        return known

    def _open(self, reading: bool) -> None:
        db = self._db
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != _APPLICATION and not (empty and not reading and application == 0 and version == 0):
            raise StoreError(f"not a file of collected ticks: {self._name}")
        if version > VERSION:
            raise StoreError(f"{self._name} has version {version}; this program reads versions up to {VERSION}")
        if reading:
            return
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            # Another process may have created the tables since the check above.
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            yield

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Raise StoreError for an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            if "not a database" in str(error):
                raise StoreError(f"not a file of collected ticks: {self._name}") from error
            raise StoreError(f"{self._name}: {error}") from error
