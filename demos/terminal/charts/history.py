"""The quotes of the past: stored as bars of one minute, from which the bars of any period are built."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import NamedTuple

from demos.terminal.interfaces import Tick
from demos.terminal.mql.conversion import milliseconds_of, time_of

MAX_MINUTES = 100_000

_MINUTE = 60_000
_DAY = 1440 * _MINUTE

# The two highest of a period's 16 bits are its unit, the others its count: PERIOD_H4 is 0x4004.
MINUTES, HOURS, WEEKS, MONTHS = range(4)


class Bar(NamedTuple):
    """``time`` is the beginning of the bar in milliseconds since 1970, market time; prices are bids in points."""

    time: int
    open: int
    high: int
    low: int
    close: int
    ticks: int


class History:
    """The last minutes of each symbol, at most ``max_minutes``."""

    def __init__(self, max_minutes: int = MAX_MINUTES) -> None:
        self._max_minutes = max_minutes
        self._minutes: dict[str, deque[Bar]] = {}

    def take(self, tick: Tick) -> None:
        """Add a quote."""
        minutes = self._minutes.setdefault(tick.symbol, deque(maxlen=self._max_minutes))
        minute = Bar(tick.time - tick.time % _MINUTE, tick.bid, tick.bid, tick.bid, tick.bid, 1)
        if minutes and minutes[-1].time == minute.time:
            minute = _joined(minutes.pop(), minute)
        minutes.append(minute)

    def bars(self, symbol: str, period: int, count: int) -> list[Bar]:
        """The last ``count`` bars of the symbol, oldest first; the last one is not complete."""
        bars: list[Bar] = []
        for minute in reversed(self._minutes.get(symbol, ())):
            begin = begin_of_bar(minute.time, period)
            if bars and bars[-1].time == begin:
                bars[-1] = _joined(minute._replace(time=begin), bars[-1])
            elif len(bars) < count:
                bars.append(minute._replace(time=begin))
            else:
                break
        bars.reverse()
        return bars


def unit_and_count(period: int) -> tuple[int, int]:
    """A period as templates write it: MINUTES, HOURS, WEEKS or MONTHS, and their number."""
    return period >> 14, period & 0x3FFF


def begin_of_bar(time: int, period: int) -> int:
    """The beginning of the bar that contains ``time``, in milliseconds since 1970; a week begins on Sunday."""
    unit, _ = unit_and_count(period)
    if unit == MONTHS:
        return milliseconds_of(time_of(time).replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    if unit == WEEKS:
        day = time_of(time - time % _DAY)
        return milliseconds_of(day - timedelta(days=day.isoweekday() % 7))
    length = length_of(period)
    return time - time % length


def length_of(period: int) -> int:
    """A bar's length in milliseconds; a month counts as thirty days."""
    unit, count = unit_and_count(period)
    return {MINUTES: _MINUTE, HOURS: 60 * _MINUTE, WEEKS: 7 * _DAY, MONTHS: 30 * _DAY}[unit] * count


def _joined(first: Bar, second: Bar) -> Bar:
    return Bar(
        first.time,
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.ticks + second.ticks,
    )
