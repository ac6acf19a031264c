"""Moving averages, RSI and ATR, with the definitions of the indicators that come with MetaTrader 5.

A calculation is a function that takes one closed bar after another and returns the value at each, or None while there
are too few bars. It keeps what it needs of the earlier bars. So a value never changes later, and each bar costs the
same. Sums are exact (math.fsum): the result does not depend on where the calculation began, except where the
definition says so, as for the exponential average.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import fsum
from typing import NamedTuple, TypeAlias


class Bar(NamedTuple):
    """A closed bar: its begin in milliseconds since 1970, market time; prices in the quote currency."""

    time: int
    open: float
    high: float
    low: float
    close: float
    ticks: int


Calculation: TypeAlias = Callable[[Bar], "float | None"]
# The same for numbers instead of bars.
Step: TypeAlias = Callable[[float], "float | None"]

# https://www.mql5.com/en/docs/constants/indicatorconstants/prices
PRICES: dict[str, Callable[[Bar], float]] = {
    "close": lambda bar: bar.close,
    "open": lambda bar: bar.open,
    "high": lambda bar: bar.high,
    "low": lambda bar: bar.low,
    "median": lambda bar: (bar.high + bar.low) / 2,
    "typical": lambda bar: (bar.high + bar.low + bar.close) / 3,
    "weighted": lambda bar: (bar.high + bar.low + 2 * bar.close) / 4,
}


def of_price(step: Step, price: str) -> Calculation:
    """A calculation over one price of each bar, a name of PRICES."""
    value = PRICES[price]
    return lambda bar: step(value(bar))


def simple_average(period: int) -> Step:
    """The mean of the last ``period`` numbers (MODE_SMA)."""
    return _over_window(period, lambda numbers: fsum(numbers) / period)


def weighted_average(period: int) -> Step:
    """The mean of the last ``period`` numbers with the weights 1 to ``period``, the newest the largest (MODE_LWMA)."""
    weights = range(1, period + 1)
    total = sum(weights)
    return _over_window(
        period, lambda numbers: fsum(weight * each for weight, each in zip(weights, numbers, strict=True)) / total
    )


def exponential_average(period: int) -> Step:
    """The average that moves by 2 / (period + 1) of the distance to each number (MODE_EMA).

    It begins with the first number, as in MetaTrader, and has its first value at the one with the number ``period``.
    """
    factor = 2.0 / (period + 1.0)
    count, average = 0, 0.0

    def take(number: float) -> float | None:
        nonlocal count, average
        average = number * factor + average * (1.0 - factor) if count else number
        count += 1
        return average if count >= period else None

    return take


def smoothed_average(period: int) -> Step:
    """The average that moves by 1 / period of the distance to each number (MODE_SMMA).

    It begins with the simple average of the first ``period`` numbers.
    """
    simple = simple_average(period)
    average: float | None = None

    def take(number: float) -> float | None:
        nonlocal average
        average = simple(number) if average is None else (average * (period - 1) + number) / period
        return average

    return take


def relative_strength(period: int) -> Step:
    """Wilder's relative strength index (iRSI), 0 to 100; 50 while no number has changed.

    The averages of gains and losses begin with the means of the first ``period`` changes.
    """
    gains, losses = smoothed_average(period), smoothed_average(period)
    last: float | None = None

    def take(number: float) -> float | None:
        nonlocal last
        before, last = last, number
        if before is None:
            return None
        gain, loss = gains(max(number - before, 0.0)), losses(max(before - number, 0.0))
        if gain is None or loss is None:
            return None
        if loss:
            return 100.0 - 100.0 / (1.0 + gain / loss)
        return 100.0 if gain else 50.0

    return take


def average_true_range(period: int) -> Calculation:
    """The average true range (iATR): in MetaTrader 5 the simple average of the last ``period`` true ranges.

    A true range spans the bar and the close before it, so the first bar has none.
    """
    average = simple_average(period)
    last: float | None = None

    def take(bar: Bar) -> float | None:
        nonlocal last
        before, last = last, bar.close
        return None if before is None else average(max(bar.high, before) - min(bar.low, before))

    return take


def _over_window(period: int, value: Callable[[deque[float]], float]) -> Step:
    numbers: deque[float] = deque(maxlen=period)

    def take(number: float) -> float | None:
        numbers.append(number)
        return value(numbers) if len(numbers) == period else None

    return take
