"""The values of indicators: the lines, a row of values for each closed bar, and the numbered rows that are kept."""

from __future__ import annotations

import csv
import io
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

# What one feed has at most: lines, and windows below the prices.
MOST_LINES = 16
MOST_WINDOWS = 4
LONGEST_NAME = 120

# Above this size a value is left out: no price and no indicator of prices needs it, and every chart can draw less.
LARGEST_VALUE = 1e12


@dataclass(frozen=True)
class Line:
    """How a chart shows the values of one line: name, window (0: on the prices), color, and levels of the window."""

    name: str
    window: int
    color: int
    levels: tuple[float, ...] = ()


class Row(NamedTuple):
    """The values at one closed bar, one for each line; None is no value. ``time``: the bar's begin, as Bar.time."""

    time: int
    values: tuple[float | None, ...]


class Series:
    """The newest rows, numbered by seq without a gap. ``last`` is the seq of the newest one; 0 before the first."""

    def __init__(self, keep: int) -> None:
        self.last = 0
        self._rows: deque[Row] = deque(maxlen=keep)

    @property
    def first(self) -> int:
        """The seq of the oldest row that is kept; last + 1 when there is none."""
        return self.last - len(self._rows) + 1

    @property
    def newest(self) -> Row:
        """The newest row. Errors: IndexError when there is none."""
        return self._rows[-1]

    def append(self, row: Row) -> None:
        """Add the row that follows the newest one."""
        self._rows.append(row)
        self.last += 1

    def restart(self, first: int) -> None:
        """Remove all rows; the next one has this seq."""
        self._rows.clear()
        self.last = first - 1

    def row(self, seq: int) -> Row:
        """The row with this seq, which must be kept."""
        return self._rows[seq - self.first]

    def rows(self, first: int, most: int) -> tuple[Row, ...]:
        """Up to ``most`` rows, from the one with the seq ``first``, which must be kept."""
        begin = first - self.first
        return tuple(islice(self._rows, begin, begin + most))


def usable(value: float | None) -> float | None:
    """The value; None for NaN, for infinity and for what is larger than LARGEST_VALUE."""
    return value if value is not None and math.isfinite(value) and abs(value) <= LARGEST_VALUE else None


def csv_text(lines: Sequence[Line], series: Series) -> str:
    """The rows as CSV: the begin of the bar in milliseconds since 1970, and the values, exact to the last bit."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["time", *(line.name for line in lines)])
    for row in series.rows(series.first, series.last):
        writer.writerow([row.time, *("" if value is None else repr(value) for value in row.values)])
    return table.getvalue()
