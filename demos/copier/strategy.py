"""A small strategy that gives the provider trades to publish: the same ticks always give the same trades."""

from __future__ import annotations

import os

from demos.terminal import (
    SYMBOL_BID,
    SYMBOL_POINT,
    SYMBOL_VOLUME_MIN,
    SYMBOL_VOLUME_STEP,
    CTrade,
    Event,
    NormalizeDouble,
    Print,
    Symbol,
    SymbolInfoDouble,
)

# The weight of a new price in the average; the points that make one minimum volume; the largest number of volumes.
FOLLOW = 0.1
POINTS = 5
MOST_VOLUMES = 100


class Strategy:
    """Sells above a moving average of the bid and buys below it; the volume grows with the distance."""

    def __init__(self, every: int, pause: str) -> None:
        """Trade at each tick number that is a multiple of ``every`` (0: never), not while the file ``pause`` exists."""
        self._every = every
        self._pause = pause
        self._paused = False
        self._average = 0.0
        self._ticks = 0

    def report_pause(self) -> bool:
        """Whether the pause file exists; records the change as an event. After ``paused`` no trade follows."""
        paused = bool(self._pause) and os.path.exists(self._pause)
        if paused != self._paused:
            self._paused = paused
            Event("paused", paused=paused)
        return paused

    def tick(self, position: float) -> None:
        """Take a tick of the chart's symbol, and trade to the position that the strategy wants."""
        symbol = Symbol()
        bid = SymbolInfoDouble(symbol, SYMBOL_BID)
        self._average += (bid - self._average) * FOLLOW if self._ticks else bid
        self._ticks += 1
        if not self._every or self._ticks % self._every or self.report_pause():
            return
        volume = max(SymbolInfoDouble(symbol, SYMBOL_VOLUME_MIN), SymbolInfoDouble(symbol, SYMBOL_VOLUME_STEP))
        volumes = round((self._average - bid) / SymbolInfoDouble(symbol, SYMBOL_POINT) / POINTS)
        wanted = min(max(volumes, -MOST_VOLUMES), MOST_VOLUMES) * volume
        dif = NormalizeDouble(wanted - position, 2)
        trade = CTrade()
        if dif and not (trade.Buy(dif) if dif > 0 else trade.Sell(-dif)):
            Print("-Trade failed: ", trade.ResultRetcodeDescription())
