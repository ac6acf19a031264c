"""An example of a strategy: two moving averages that cross.

A strategy is one function. Its first argument is the data: bars (or ticks) with one sequence for each column. The
others are its parameters, by name. It returns the number to maximize, or a dict with "result" and further numbers.

It must be a function of its arguments alone: the same point gives the same numbers on every computer. So it uses no
clock, no file, and no random numbers without a fixed seed.
"""

from itertools import accumulate

from demos.ideas.agents.history import Bars


def crossing(bars: Bars, fast: int, slow: int) -> dict[str, float]:
    """Be long while the average of ``fast`` closes is above that of ``slow`` closes, else short.

    The result is the profit in points, after the spread. A signal at a bar's close is traded at the next bar's open.
    """
    if not 1 <= fast < slow:
        raise ValueError("fast must be at least 1 and below slow")
    sums = [0.0, *accumulate(bars.close)]
    profit = best = drawdown = 0.0
    trades = 0
    position = 0
    entry = 0.0
    for number in range(slow, len(bars)):
        fast_average = (sums[number] - sums[number - fast]) / fast
        slow_average = (sums[number] - sums[number - slow]) / slow
        wanted = 1 if fast_average > slow_average else -1
        if wanted != position:
            price = bars.open[number]
            profit += position * (price - entry) - bars.spread[number]
            best = max(best, profit)
            drawdown = max(drawdown, best - profit)
            position, entry = wanted, price
            trades += 1
    profit += position * (bars.close[-1] - entry) if position else 0.0
    return {"result": profit / bars.point, "trades": trades, "drawdown": drawdown / bars.point}
