"""Collected ticks in an SQLite file. Each timer event of the collector is one transaction.

Bids are integer points with their digits. Times are times of receipt, in milliseconds since 1970-01-01 UTC.

Anyone who reaches the collector's port can invent symbols, addresses and runs, so their numbers are limited. The module
admission says which new symbols are refused. Senders above the limit are counted together as OTHER_SENDERS. The module
run_admission says which new runs are refused and which old ones are forgotten; the lost ticks of a forgotten run are
added to its sender. With a largest size, ticks are refused when the file has reached it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demos.collector.admission import SymbolAdmission
from demos.collector.rows import IntervalRow, RunRow, SenderRow, SymbolRow, TickRow, TimesRow, checked
from demos.collector.run_admission import RunAdmission
from demos.collector.schema import (
    COUNT_SENDER,
    COUNT_SYMBOL,
    DELETE_RUN,
    KEEP_LOST,
    SELECT_RUNS,
    WRITE_RUN,
    StoreBusy,
    StoreError,
    open_schema,
    select_introduced,
    select_senders,
    transaction,
)
from demos.collector.sequence import SequenceTracker
from demos.ticks.protocol import Quote

# Seconds to wait while another process writes.
LOCK_TIMEOUT = 5.0

MAX_SENDERS = 10_000
OTHER_SENDERS = "other senders"

_MAX_CACHED_IDS = 10_000


@dataclass
class Counts:
    """The datagrams of one sender: stored ticks, invalid, oversized and repeated ones."""

    ticks: int = 0
    refused: int = 0
    oversized: int = 0
    repeated: int = 0


@dataclass
class Batch:
    """The datagrams of one event. ``time`` is the time of receipt, ``lost`` the change of the number of lost ticks.

    ``runs`` has for each run its numbers, its sender, and the sender that introduced it; ``forgotten`` has the runs to
    delete.
    """

    time: int
    lost: int = 0
    ticks: list[tuple[Quote, str]] = field(default_factory=list)
    senders: dict[str, Counts] = field(default_factory=dict)
    runs: dict[str, tuple[SequenceTracker, str, str]] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


class TickStore:
    """The file of collected ticks. Without a path: only the counts, in memory. ``full``: no tick should be added.

    Other processes can read the file at the same time. Committed events survive a kill of the process; a power failure
    may lose the last events.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        reading: bool = False,
        timeout: float = LOCK_TIMEOUT,
        max_bytes: int | None = None,
    ) -> None:
        """Open the file, and create it when it does not exist; with ``reading`` it must exist and is not changed.

        ``timeout``: the seconds that a call waits while another process has locked the file. ``max_bytes``: the size
        from which on no tick is accepted.

        Errors: StoreError when it is not a file of ticks or cannot be opened; StoreBusy when it stays locked.
        """
        self._name = str(path) if path else "the ticks"
        self._stores_ticks = path is not None
        self._max_bytes = max_bytes
        self._ids: dict[tuple[str, str], int] = {}
        uri = f"{path.absolute().as_uri()}?{_mode(path, reading=reading)}" if path else ":memory:"
        with self._store_errors():
            self._db = sqlite3.connect(uri, timeout=timeout, isolation_level=None, uri=True)
            try:
                self._version = open_schema(self._db, self._name, writing=not reading)
                self._symbols = SymbolAdmission(self._db.execute(select_introduced(self._version)))
                self._senders = {address for [address] in self._db.execute("SELECT address FROM senders")}
                # A reader admits no runs.
                self.runs = RunAdmission(() if reading else self._db.execute(SELECT_RUNS))
                self.full = self._is_full()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def set_timeout(self, seconds: float) -> None:
        """Change how long a call waits while another process has locked the file."""
        self._db.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def symbol_problem(self, name: str, address: str) -> str:
        """Why a tick of this symbol from this sender cannot be stored, or "". A new symbol becomes a known one."""
        return "the database is full" if self.full else self._symbols.problem(name, address)

    def admit_sender(self, address: str) -> str:
        """The address under which a sender is counted: OTHER_SENDERS when there are MAX_SENDERS others."""
        if address not in self._senders:
            if len(self._senders) >= MAX_SENDERS:
                return OTHER_SENDERS
            self._senders.add(address)
        return address

    def add(self, batch: Batch) -> None:
        """Store one event in one transaction; after the return it survives a kill of the process.

        Errors: StoreError when the event cannot be written; then nothing of it is stored.
        """
        if len(self._ids) > _MAX_CACHED_IDS:
            self._ids.clear()
        with self._store_errors(), transaction(self._db):
            self._add_counts(batch)
            if self._stores_ticks:
                rows = [
                    (self._id("symbols", "name", q.symbol), q.bid, q.digits, self._id("senders", "address", sender))
                    for q, sender in batch.ticks
                ]
                self._db.executemany(
                    f"INSERT INTO ticks (symbol, bid, digits, sender, time) VALUES (?, ?, ?, ?, {batch.time})", rows
                )
            self._add_runs(batch)
            self.full = self._is_full()

    def _is_full(self) -> bool:
        if self._max_bytes is None or not self._stores_ticks:
            return False
        [pages], [size] = (self._db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        return bool(pages * size >= self._max_bytes)

    def _add_runs(self, batch: Batch) -> None:
        for run in batch.forgotten:
            self._db.execute(KEEP_LOST, {"run": run})
            self._db.execute(DELETE_RUN, {"run": run})
        for run, (tracker, sender, introducer) in batch.runs.items():
            size = (tracker.received.bit_length() + 7) // 8
            numbers = (tracker.first, tracker.last, tracker.lost, tracker.received.to_bytes(size, "little"))
            self._db.execute(WRITE_RUN, (run, self._id("senders", "address", sender), *numbers, introducer, batch.time))

    def _add_counts(self, batch: Batch) -> None:
        last: dict[str, Quote] = {}
        counts: dict[str, int] = {}
        for quote, _ in batch.ticks:
            last[quote.symbol] = quote
            counts[quote.symbol] = counts.get(quote.symbol, 0) + 1
        for name, quote in last.items():
            values = (counts[name], quote.bid, quote.digits, batch.time, self._symbols.senders.get(name, ""))
            self._db.execute(COUNT_SYMBOL, (name, *values))
        for address, count in batch.senders.items():
            numbers = (count.ticks, count.refused, count.oversized, count.repeated, batch.time)
            self._db.execute(COUNT_SENDER, (address, *numbers))

    def sequence(self, run: str) -> SequenceTracker | None:
        """The numbers received from a run of a sender, or None for a new run."""
        with self._store_errors():
            row = self._db.execute("SELECT first, last, lost, received FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        first, last, lost, window = checked(RunRow(*row), self._name)
        if lost > last - first:
            raise StoreError(f"{self._name} is damaged: lost is {lost} between {first} and {last}")
        if window is None:
            return SequenceTracker.without_window(first, last, lost)
        return SequenceTracker(first, last, lost, int.from_bytes(window, "little"))

    def symbols(self) -> list[SymbolRow]:
        """All symbols by name."""
        with self._store_errors():
            rows = self._db.execute("SELECT name, ticks, bid, digits, time FROM symbols ORDER BY name")
            return [checked(SymbolRow(*row), self._name) for row in rows]

    def senders(self) -> list[SenderRow]:
        """All senders, in the order of their first datagrams."""
        with self._store_errors():
            rows = self._db.execute(select_senders(self._version))
            return [checked(SenderRow(*row), self._name) for row in rows]

    def ticks(self, symbol: str) -> Iterator[TickRow]:
        """A symbol's ticks in the order of receipt, read from the file one by one."""
        with self._store_errors():
            yield from (
                checked(TickRow(*row), self._name)
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
            times = self._db.execute("SELECT coalesce(min(time), 0), coalesce(max(time), 0) FROM ticks").fetchone()
            begin, end = checked(TimesRow(*times), self._name)
            width = max((end - begin) // max_intervals + 1, 1000)
            counts = [0] * ((end - begin) // width + 1)
            rows = self._db.execute(
                "SELECT (time - ?) / ? AS number, count(*) FROM ticks GROUP BY number", (begin, width)
            )
            for number, count in rows:
                counts[checked(IntervalRow(number, count), self._name).number] = count
            return begin, width, counts

    def _id(self, table: str, column: str, value: str) -> int:
        known = self._ids.get((table, value))
        if known is None:
            [known] = self._db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
            self._ids[table, value] = known
        return known

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Raise StoreError for an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            if "not a database" in str(error):
                raise StoreError(f"not a file of collected ticks: {self._name}") from error
            if "is locked" in str(error):
                raise StoreBusy(f"{self._name} is in use by another process") from error
            raise StoreError(f"{self._name}: {error}") from error


def _mode(path: Path, *, reading: bool) -> str:
    """The parameters of the file's URI."""
    if not reading:
        return "mode=rwc"
    # To read a file, SQLite creates files in its folder, which fails on a read-only medium. Without a "-wal" file
    # no process is writing it, so it can be read as a file that never changes.
    written = path.with_name(f"{path.name}-wal").exists()
    return "mode=ro" if written or os.access(path.absolute().parent, os.W_OK) else "mode=ro&immutable=1"
