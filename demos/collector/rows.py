"""The rows of the collector's database, and the check of their values: a damaged file must not end in a traceback."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from demos.collector.schema import StoreError


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


class RunRow(NamedTuple):
    """The numbers of a run that were received; ``window`` is None in a file of version 1."""

    first: int
    last: int
    lost: int
    window: bytes | None


class TimesRow(NamedTuple):
    """The times of the first and the last tick."""

    time: int
    last_time: int


class IntervalRow(NamedTuple):
    """An interval of time, which has a number, and its ticks."""

    number: int
    ticks: int


Row = TypeVar("Row", SymbolRow, SenderRow, TickRow, RunRow, TimesRow, IntervalRow)

_ANY = range(2**63)

# A datagram has a number of at most 15 digits.
_NUMBERS = range(1, 10**15)

# About the years 1653 to 8307: what a calendar and a picture can show.
_TIMES = range(-(10**13), 2 * 10**14)

# The values that the fields of a row may have; a field that is not here is text.
_VALUES = {
    "ticks": _ANY,
    "refused": _ANY,
    "oversized": _ANY,
    "repeated": _ANY,
    "first": _NUMBERS,
    "last": _NUMBERS,
    "lost": _ANY,
    "bid": range(1, 10**17),
    "digits": range(9),
    "time": _TIMES,
    "last_time": _TIMES,
    "number": _ANY,
}


def checked(row: Row, file: str) -> Row:
    """The row, if its values are valid.

    Errors: StoreError.
    """
    for field, value in zip(row._fields, row, strict=True):
        if field in _VALUES:
            valid = isinstance(value, int) and value in _VALUES[field]
        else:
            valid = isinstance(value, (bytes, type(None)) if field == "window" else str)
        if not valid:
            raise StoreError(f"{file} is damaged: {field} is {value!r}")
    return row
