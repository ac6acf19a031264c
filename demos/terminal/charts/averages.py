"""Moving averages over bars, as MetaTrader 5's indicator Moving Average computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from demos.terminal.charts.history import Bar

SIMPLE, EXPONENTIAL, SMOOTHED, WEIGHTED = range(4)

# https://www.mql5.com/en/docs/constants/indicatorconstants/prices#enum_applied_price_enum
PRICES: dict[int, Callable[[Bar], float]] = {
    1: lambda bar: bar.close,
    2: lambda bar: bar.open,
    3: lambda bar: bar.high,
    4: lambda bar: bar.low,
    5: lambda bar: (bar.high + bar.low) / 2,
    6: lambda bar: (bar.high + bar.low + bar.close) / 3,
    7: lambda bar: (bar.high + bar.low + 2 * bar.close) / 4,
}


def moving_average(values: Sequence[float], count: int, method: int) -> list[float | None]:
    """The average of the last ``count`` values at each value; None while there are fewer values.

    An unknown method gives the simple average. The exponential and the smoothed average start with the simple average
    of the first values. MetaTrader's exponential average starts with the first value; the difference disappears after
    about four times ``count`` bars.
    """
    if not 1 <= count <= len(values):
        return [None] * len(values)
    if method == WEIGHTED:
        weights = range(1, count + 1)
        sums = [
            sum(weight * value for weight, value in zip(weights, values[end - count : end], strict=True))
            for end in range(count, len(values) + 1)
        ]
        return [None] * (count - 1) + [each / sum(weights) for each in sums]
    averages: list[float | None] = [None] * (count - 1)
    last = sum(values[:count]) / count
    averages.append(last)
    for index in range(count, len(values)):
        if method == EXPONENTIAL:
            last += (values[index] - last) * 2 / (count + 1)
        elif method == SMOOTHED:
            last += (values[index] - last) / count
        else:
            last += (values[index] - values[index - count]) / count
        averages.append(last)
    return averages
