"""Bar and tick exports of MetaTrader 5: the whole file is checked first, then read as a stream of ticks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple, TextIO

from demos.terminal.interfaces import MarketError, Tick
from demos.terminal.runtime.log import escaped

MOST_DIGITS = 8
TICKS_OF_A_BAR = 4

# The digits of a price, decimal places included: the largest order at such a price fits into an account's 64 bits.
_MAX_PRICE_DIGITS = 14

_MAX_LINE = 4096

# The number of rows after which the progress is reported.
_PROGRESS_ROWS = 10_000

_DAY = 86_400_000
_DATE = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{3}))?)?", re.ASCII)
_PRICE = re.compile(rf"(\d{{1,9}})(?:\.(\d{{1,{MOST_DIGITS}}}))?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)

_REQUIRED = {
    "bar": ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>"),
    "tick": ("<DATE>", "<TIME>", "<BID>", "<ASK>"),
}


class _Row(NamedTuple):
    """A line of the file: prices in 10**-8, None for a blank of a tick export; a bar has open, high, low, close."""

    line: int
    time: int
    prices: tuple[int | None, ...]
    spread: int
    fraction: int


@dataclass(frozen=True)
class Export:
    """A checked file: ``kind`` is "bar" or "tick"; ``bar_length`` is the length of the shortest bar in milliseconds."""

    path: Path
    kind: str
    digits: int
    rows: int
    bar_length: int


class _Malformed(Exception):
    """A malformed line: what was expected and what was found."""

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        super().__init__(f"expected {expected}, found '{escaped(found[:60])}'{hint}")


def check_export(
    path: Path, kind: str, digits: int | None = None, progress: Callable[[int], None] = lambda rows: None
) -> Export:
    """Check the whole file and collect what ticks_of() needs; only one line is in memory at a time.

    ``digits`` is the number of decimal places of a price; None takes that of the longest fraction in the file.
    ``progress`` is called with the number of rows that were read, at the first row and then every 10,000 rows.

    Errors: MarketError with the line number, what was expected there and what was found.
    """
    if path.exists() and not path.is_file():
        raise MarketError(f"{path} is not a regular file, and it must be read twice")
    rows = longest = longest_line = highest = highest_line = 0
    shortest: int | None = None
    known = [False, False]
    last = -1
    for row in _counted(_rows(path, kind), progress):
        if row.time < last or (kind == "bar" and row.time == last):
            raise MarketError(f"{path}: line {row.line}: expected a later time than on the line before")
        if rows and kind == "bar":
            shortest = min(shortest or _DAY, row.time - last)
        known = [was or price is not None for was, price in zip(known, row.prices, strict=False)]
        if row.fraction > longest:
            longest, longest_line = row.fraction, row.line
        top = max((price for price in row.prices if price is not None), default=0)
        if top > highest:
            highest, highest_line = top, row.line
        last = row.time
        rows += 1
    if not rows or not all(known):
        what = "bar" if kind == "bar" else "tick with a bid and an ask"
        raise MarketError(f"{path}: line {row.line if rows else 2}: expected at least one {what}, found the end")
    if digits is not None and longest > digits:
        raise MarketError(
            f"{path}: line {longest_line}: expected prices with at most {digits} digits, found one with {longest}"
        )
    digits = longest if digits is None else digits
    if highest >= 10 ** (_MAX_PRICE_DIGITS + MOST_DIGITS - digits):
        raise MarketError(
            f"{path}: line {highest_line}: expected prices below 1{'0' * (_MAX_PRICE_DIGITS - digits)} "
            f"where they have {digits} digits after the point, found a higher one"
        )
    return Export(path, kind, digits, rows, shortest or _DAY // 24)


def export_kind(path: Path) -> str:
    """The kind of an export file: "tick" where its header has the column <BID>, else "bar".

    Errors: MarketError when the file cannot be read.
    """
    try:
        with path.open(encoding=_encoding(path), errors="replace") as file:
            return "tick" if "<BID>" in file.readline(_MAX_LINE).split() else "bar"
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error


def ticks_of(export: Export, symbol: str) -> Iterator[Tick]:
    """The file's ticks. A bar gives four ticks, a quarter of its length apart:

    open, low, high, close when it closed at or above its open; open, high, low, close when it closed below.
    The ask is the bid plus the bar's spread. In a tick export a blank bid or ask means the previous one; a line before
    both are known gives no tick.

    Errors: MarketError when the file has changed since it was checked.
    """
    unit = 10 ** (MOST_DIGITS - export.digits)
    bid: int | None = None
    ask: int | None = None
    for row in _rows(export.path, export.kind):
        if row.fraction > export.digits:
            raise MarketError(f"{export.path}: line {row.line}: the file has changed since it was checked")
        points = [None if price is None else price // unit for price in row.prices]
        if export.kind == "tick":
            bid = bid if points[0] is None else points[0]
            ask = ask if points[1] is None else points[1]
            if bid is not None and ask is not None:
                yield Tick(symbol, row.time, bid, ask)
            continue
        first, high, low, close = (point for point in points if point is not None)
        path = (first, low, high, close) if close >= first else (first, high, low, close)
        for quarter, price in enumerate(path):
            yield Tick(symbol, row.time + quarter * export.bar_length // TICKS_OF_A_BAR, price, price + row.spread)


def bars_of(export: Export) -> Iterator[tuple[int, int, int, int, int, int]]:
    """The bars of a bar export: the time in milliseconds, and open, high, low, close and spread in points.

    Errors: MarketError when the file has changed since it was checked.
    """
    unit = 10 ** (MOST_DIGITS - export.digits)
    for row in _rows(export.path, "bar"):
        if row.fraction > export.digits:
            raise MarketError(f"{export.path}: line {row.line}: the file has changed since it was checked")
        first, high, low, close = (price // unit for price in row.prices if price is not None)
        yield row.time, first, high, low, close, row.spread


def _counted(rows: Iterator[_Row], progress: Callable[[int], None]) -> Iterator[_Row]:
    for number, row in enumerate(rows):
        if number % _PROGRESS_ROWS == 0:
            progress(number)
        yield row


def _rows(path: Path, kind: str) -> Iterator[_Row]:
    number = 0
    try:
        # Invalid bytes become U+FFFD, which no column accepts, so that the error names their line.
        with path.open(encoding=_encoding(path), errors="replace") as file:
            parse: Callable[[int, list[str]], _Row] | None = None
            for number, line in _lines(file):
                fields = line.split("\t")
                if parse is None:
                    parse = _parser(kind, fields)
                else:
                    yield parse(number, fields)
            if parse is None:
                number = 1
                raise _Malformed(f"the column headers of a {kind} export", "")
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error
    except _Malformed as error:
        raise MarketError(f"{path}: line {number}: {error}") from None


def _encoding(path: Path) -> str:
    """UTF-16, recognised by its byte order mark or by the NUL in the header's first character; otherwise UTF-8."""
    with path.open("rb") as file:
        start = file.read(2)
    return {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(
        start, "utf-8-sig"
    )


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends; blank lines are skipped at the end of the file."""
    blank = 0
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        text = line.rstrip("\n")
        if not text:
            blank = blank or number
            continue
        # The blank line is not at the end of the file: the parser rejects it.
        if blank:
            yield blank, ""
        yield number, text


def _parser(kind: str, headers: list[str]) -> Callable[[int, list[str]], _Row]:
    """A function that parses the columns of one line."""
    names = _REQUIRED[kind]
    missing = [name for name in names if name not in headers]
    if missing or len(set(headers)) != len(headers):
        other = "tick" if kind == "bar" else "bar"
        hint = f" (a {other} export: --{other}s reads it)" if set(_REQUIRED[other]) <= set(headers) else ""
        raise _Malformed(f"the tab-separated columns {' '.join(names)} of a {kind} export", " ".join(headers), hint)
    at = {name: headers.index(name) for name in headers}
    prices_at = [at[name] for name in names if name not in ("<DATE>", "<TIME>")]
    others = [(name, at[name]) for name in headers if name not in (*names, "<TIME>", "<SPREAD>")]
    days: dict[str, int] = {}

    def parse(number: int, fields: list[str]) -> _Row:
        if len(fields) != len(headers):
            raise _Malformed(f"{len(headers)} tab-separated columns", f"{len(fields)}")
        day = fields[at["<DATE>"]]
        if day not in days:
            days.clear()
            days[day] = _day(day)
        time = days[day] + (_time_of_day(fields[at["<TIME>"]]) if "<TIME>" in at else 0)
        prices, fraction = _prices(headers, fields, prices_at, blank=kind == "tick")
        if kind == "bar":
            _check_bar(fields, prices, prices_at)
        spread = fields[at["<SPREAD>"]] if "<SPREAD>" in at else "0"
        if not _COUNT.fullmatch(spread):
            raise _Malformed("a whole number of points, of at most 9 digits, in <SPREAD>", spread)
        for name, column in others:
            if fields[column] and not _NUMBER.fullmatch(fields[column]):
                raise _Malformed(f"a number in {name}", fields[column])
        return _Row(number, time, prices, int(spread), fraction)

    return parse


def _day(text: str) -> int:
    match = _DATE.fullmatch(text)
    try:
        if match:
            return (date(int(match[1]), int(match[2]), int(match[3])) - date(1970, 1, 1)).days * _DAY
    except ValueError:
        pass
    raise _Malformed("a date as 2017.04.19 in <DATE>", text)


def _time_of_day(text: str) -> int:
    match = _TIME.fullmatch(text)
    if not match:
        raise _Malformed("a time as 09:00:00 or 09:00:00.123 in <TIME>", text)
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _prices(
    headers: Sequence[str], fields: Sequence[str], columns: Sequence[int], *, blank: bool
) -> tuple[tuple[int | None, ...], int]:
    """The prices in 10**-8, and the number of decimal places of the longest fraction."""
    prices: list[int | None] = []
    longest = 0
    for column in columns:
        text = fields[column]
        if blank and not text:
            prices.append(None)
            continue
        match = _PRICE.fullmatch(text)
        fraction = (match[2] or "") if match else ""
        price = int(match[1] + fraction.ljust(MOST_DIGITS, "0")) if match else 0
        if price <= 0:
            raise _Malformed(f"a price of at most {MOST_DIGITS} digits after the point in {headers[column]}", text)
        prices.append(price)
        longest = max(longest, len(fraction))
    return tuple(prices), longest


def _check_bar(fields: Sequence[str], prices: Sequence[int | None], columns: Sequence[int]) -> None:
    first, high, low, close = (price or 0 for price in prices)
    if not low <= min(first, close) <= max(first, close) <= high:
        found = " ".join(fields[column] for column in columns)
        raise _Malformed("<LOW> at most, and <HIGH> at least, <OPEN> and <CLOSE>", found)
