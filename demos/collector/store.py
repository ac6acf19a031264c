"""Collected ticks in SQLite: what was received in one event is one transaction.

Bids are integer points with their digits; times are those of receipt, in milliseconds since 1970 at Greenwich.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from demos.collector.sequence import Sequence
from demos.terminal.interfaces import TerminalError
from demos.ticks.protocol import Quote

VERSION = 1

# "WSTK" in the file's header tells collected ticks from any other database.
_APPLICATION = 0x5753544B

# Seconds to wait for another process that is writing.
_PATIENCE = 5.0

_MOST_REMEMBERED = 10_000

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
    """A file that holds no collected ticks, is of a newer version, or cannot be read or written."""

    code = 4


@dataclass
class Counts:
    """What came from one sender: ticks that were kept, and datagrams that were not."""

    ticks: int = 0
    refused: int = 0
    oversized: int = 0
    repeated: int = 0


@dataclass
class Batch:
    """What was received in one event; ``time`` is that of receipt, ``lost`` how many more numbers are missing."""

    time: int
    lost: int = 0
    ticks: list[tuple[Quote, str]] = field(default_factory=list)
    senders: dict[str, Counts] = field(default_factory=dict)
    runs: dict[str, tuple[Sequence, str]] = field(default_factory=dict)


class SymbolRow(NamedTuple):
    """A symbol: how many ticks it has, and the last of them."""

    name: str
    ticks: int
    bid: int
    digits: int
    time: int


class SenderRow(NamedTuple):
    """A sender: its address, what came from it, and how many numbered ticks are missing."""

    address: str
    ticks: int
    refused: int
    oversized: int
    repeated: int
    lost: int


class TickRow(NamedTuple):
    """A tick as it is kept."""

    symbol: str
    bid: int
    digits: int
    sender: str
    time: int


class TickStore:
    """The file of collected ticks, or, without a path, their counts alone in memory.

    Others may read the file meanwhile. What a killed process had committed stays; a power cut may take the last events.
    """

    def __init__(self, path: Path | None = None, *, reading: bool = False) -> None:
        """Open the file, made when it does not exist; with ``reading`` it must exist and is not changed.

        Errors: StoreError when it is of no use.
        """
        self._name = str(path) if path else "the ticks"
        self._keeps = path is not None
        self._ids: dict[tuple[str, str], int] = {}
        uri = f"{path.absolute().as_uri()}?mode={'ro' if reading else 'rwc'}" if path else ":memory:"
        with self._one_clear_line():
            self._db = sqlite3.connect(uri, timeout=_PATIENCE, isolation_level=None, uri=True)
            try:
                self._open(reading)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def add(self, batch: Batch) -> None:
        """Keep all that came in one event; on return a kill cannot take it away.

        Errors: StoreError when that is not possible; nothing of it is kept then.
        """
        last: dict[str, Quote] = {}
        counts: dict[str, int] = {}
        for quote, _ in batch.ticks:
            last[quote.symbol] = quote
            counts[quote.symbol] = counts.get(quote.symbol, 0) + 1
        if len(self._ids) > _MOST_REMEMBERED:
            self._ids.clear()
        with self._one_clear_line(), self._transaction():
            for name, quote in last.items():
                self._db.execute(_COUNT_SYMBOL, (name, counts[name], quote.bid, quote.digits, batch.time))
            for address, count in batch.senders.items():
                values = (count.ticks, count.refused, count.oversized, count.repeated, batch.time)
                self._db.execute(_COUNT_SENDER, (address, *values))
            if self._keeps:
                rows = [
                    (self._id("symbols", "name", q.symbol), q.bid, q.digits, self._id("senders", "address", sender))
                    for q, sender in batch.ticks
                ]
                self._db.executemany(
                    f"INSERT INTO ticks (symbol, bid, digits, sender, time) VALUES (?, ?, ?, ?, {batch.time})", rows
                )
            for run, (sequence, sender) in batch.runs.items():
                state = (sequence.first, sequence.last, sequence.lost)
                self._db.execute(
                    "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
                    (run, self._id("senders", "address", sender), *state),
                )

    def sequence(self, run: str) -> Sequence | None:
        """What is known of a client's numbers, None for a new client."""
        with self._one_clear_line():
            row = self._db.execute("SELECT first, last, lost FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        first, last, lost = row
        return Sequence(first, last, lost, known_from=last + 1)

    def symbols(self) -> list[SymbolRow]:
        """All symbols by name."""
        with self._one_clear_line():
            rows = self._db.execute("SELECT name, ticks, bid, digits, time FROM symbols ORDER BY name")
            return [SymbolRow(*row) for row in rows]

    def senders(self) -> list[SenderRow]:
        """All senders in the order in which they came."""
        with self._one_clear_line():
            return [SenderRow(*row) for row in self._db.execute(_SENDERS)]

    def ticks(self, symbol: str) -> Iterator[TickRow]:
        """A symbol's ticks in the order of their receipt, a few at a time in memory."""
        with self._one_clear_line():
            yield from (
                TickRow(*row)
                for row in self._db.execute(
                    "SELECT symbols.name, ticks.bid, ticks.digits, senders.address, ticks.time FROM ticks "
                    "JOIN symbols ON symbols.id = ticks.symbol JOIN senders ON senders.id = ticks.sender "
                    "WHERE symbols.name = ? ORDER BY ticks.id",
                    (symbol,),
                )
            )

    def rates(self, most: int) -> tuple[int, int, list[int]]:
        """When the first tick came, an interval's milliseconds, and how many ticks came in each interval from then.

        There are at most so many, and none is shorter than a second.
        """
        with self._one_clear_line():
            begin, end = self._db.execute("SELECT coalesce(min(time), 0), coalesce(max(time), 0) FROM ticks").fetchone()
            width = max((end - begin) // most + 1, 1000)
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
            raise StoreError(f"{self._name} holds no collected ticks")
        if version > VERSION:
            raise StoreError(f"{self._name} holds ticks of version {version}; this program knows {VERSION}")
        if reading:
            return
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            # Another process may have made the tables meanwhile.
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            yield

    @contextmanager
    def _one_clear_line(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            if "not a database" in str(error):
                raise StoreError(f"{self._name} holds no collected ticks") from error
            raise StoreError(f"{self._name}: {error}") from error
