"""The data that a strategy gets: the bars or the ticks of a file that MetaTrader 5 has exported.

Each column is a read-only memoryview: it can be indexed, sliced and iterated like a list of floats, numpy.asarray makes
an array of it without a copy, and a strategy cannot change it for the next point.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from demos.terminal.interfaces import MarketError
from demos.terminal.paper.export_file import bars_of, check_export, export_kind, ticks_of

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Bars:
    """The bars of a file, oldest first. ``time``: milliseconds since 1970; prices are bids; ``spread`` is a price."""

    time: memoryview
    open: memoryview
    high: memoryview
    low: memoryview
    close: memoryview
    spread: memoryview
    point: float

    def __len__(self) -> int:
        """The number of bars."""
        return len(self.time)


@dataclass(frozen=True)
class Ticks:
    """The ticks of a file, oldest first. ``time``: milliseconds since 1970."""

    time: memoryview
    bid: memoryview
    ask: memoryview
    point: float

    def __len__(self) -> int:
        """The number of ticks."""
        return len(self.time)


History: TypeAlias = "Bars | Ticks"


def read_history(path: Path) -> History:
    """The content of an export file: Ticks where its header has the column <BID>, else Bars.

    Errors: MarketError.
    """
    export = check_export(path, export_kind(path))
    scale = 10**export.digits
    times = array("q")
    if export.kind == "tick":
        bids, asks = array("d"), array("d")
        for tick in ticks_of(export, ""):
            times.append(tick.time)
            bids.append(tick.bid / scale)
            asks.append(tick.ask / scale)
        return Ticks(_read_only(times), _read_only(bids), _read_only(asks), 1 / scale)
    columns = tuple(array("d") for _ in range(5))
    for time, *points in bars_of(export):
        times.append(time)
        for column, point in zip(columns, points, strict=True):
            column.append(point / scale)
    opens, highs, lows, closes, spreads = map(_read_only, columns)
    return Bars(_read_only(times), opens, highs, lows, closes, spreads, 1 / scale)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file.

    Errors: MarketError.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error
    return found.hexdigest()


def _read_only(column: array[int] | array[float]) -> memoryview:
    return memoryview(column).toreadonly()
