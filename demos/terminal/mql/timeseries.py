"""Timeseries access: the bars of a chart. https://www.mql5.com/en/docs/series"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from demos.terminal.charts.history import MAX_MINUTES, Bar
from demos.terminal.mql import constants as c
from demos.terminal.mql.conversion import EPOCH, time_of
from demos.terminal.points import price_float
from demos.terminal.terminal import current_terminal

__all__ = ["CopyRates", "MqlRates", "iTime"]


class MqlRates(NamedTuple):
    """A bar: the time of its beginning, its prices in the quote currency, and its number of ticks."""

    time: datetime
    open: float
    high: float
    low: float
    close: float
    tick_volume: int


def CopyRates(symbol_name: str, timeframe: int, start_pos: int, count: int) -> list[MqlRates]:
    """The bars of a symbol, oldest first: up to ``count``, the last one ``start_pos`` bars before the present bar.

    The bar with the number 0 is not complete. MQL5 fills an array instead and returns the number of bars.

    Errors: ValueError for an unknown period, and for negative numbers.
    """
    if timeframe not in c.TIMEFRAMES.values() or start_pos < 0 or count < 0:
        raise ValueError(f"invalid period, start_pos or count: {timeframe}, {start_pos}, {count}")
    terminal = current_terminal()
    spec = terminal.market.symbols().get(symbol_name)
    if spec is None or not count:
        return []
    bars = terminal.history.bars(symbol_name, timeframe, min(start_pos + count, MAX_MINUTES))
    last = len(bars) - start_pos
    return [_rates(bar, spec.digits) for bar in bars[max(last - count, 0) : max(last, 0)]]


def iTime(symbol: str, timeframe: int, shift: int) -> datetime:
    """The beginning of the bar that is ``shift`` bars before the present one; 1970 when there is none.

    Errors: as CopyRates.
    """
    rates = CopyRates(symbol, timeframe, shift, 1)
    return rates[0].time if rates else EPOCH


def _rates(bar: Bar, digits: int) -> MqlRates:
    open, high, low, close = (price_float(price, digits) for price in (bar.open, bar.high, bar.low, bar.close))
    return MqlRates(time_of(bar.time), open, high, low, close, bar.ticks)
