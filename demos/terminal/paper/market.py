"""Where the embedded terminal's ticks come from: an export that is replayed, or a random walk."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demos.terminal.interfaces import Market, SymbolSpec, Tick
from demos.terminal.mql.constants import PERIOD_H1, TIMEFRAMES
from demos.terminal.mql.conversion import milliseconds_of

# Where a random walk begins, in points: 1.10000 with five digits, 110.000 with three.
_WALK_START = 110_000
_WALK_SPREAD = 10
_WALK_STEP = 10
_WALK_TIME = milliseconds_of(datetime(2024, 1, 1))

# Seconds between two looks at the file that holds a market.
_LOOK = 0.02


@dataclass(frozen=True)
class Speed:
    """How fast ticks are replayed: so many a second, or the file's own time made faster by a factor.

    Both None: as fast as the programs take them.
    """

    per_second: float | None = None
    factor: float | None = None


def speed_from_text(text: str) -> Speed:
    """``10`` is ten ticks a second, ``60x`` an hour of the file in a minute, ``max`` no wait at all.

    Errors: ValueError with what was expected.
    """
    if text == "max":
        return Speed()
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{text!r} is none of a number of ticks a second (10), a factor (60x) and max")
    return Speed(factor=value) if text.endswith("x") else Speed(per_second=value)


def symbol_and_period(path: Path) -> tuple[str, int]:
    """What the file's name says as MetaTrader makes it: EURUSD_H1_201704190900_….csv; H1 when it names no period."""
    symbol, *rest = path.stem.split("_")
    return symbol, TIMEFRAMES.get(rest[0] if rest else "", PERIOD_H1)


def random_walk(symbols: Sequence[SymbolSpec], seed: int) -> Iterator[Tick]:
    """Ticks without end, one a second of market time, of each symbol in its turn; the same for the same seed."""
    # Of a seeded Random only random() is promised to give the same on every version of Python.
    chance = random.Random(seed)
    bids = dict.fromkeys((spec.name for spec in symbols), _WALK_START)
    time = _WALK_TIME
    while True:
        for symbol, bid in bids.items():
            step = int(chance.random() * (2 * _WALK_STEP + 1)) - _WALK_STEP
            bids[symbol] = bid = max(bid + step, 1)
            yield Tick(symbol, time, bid, bid + _WALK_SPREAD)
            time += 1000


class ReplayMarket:
    """Gives ticks at a speed, one at each poll() so that nothing else in the host has to wait for many.

    A host that is late gets all of them all the same, later: what a program sees does not depend on the machine.
    """

    def __init__(self, symbols: Sequence[SymbolSpec], ticks: Iterator[Tick], speed: Speed) -> None:
        self._symbols = {spec.name: spec for spec in symbols}
        self._ticks = ticks
        self._speed = speed
        self._next: Tick | None = None
        self._count = 0
        self._started: float | None = None
        self._first_time = 0

    def symbols(self) -> Mapping[str, SymbolSpec]:
        """See interfaces.Market."""
        return self._symbols

    def next_due(self) -> float | None:
        """See interfaces.Market."""
        if self._next is None:
            return None if self._started is not None else -math.inf
        assert self._started is not None
        if self._speed.per_second is not None:
            return self._started + self._count / self._speed.per_second
        if self._speed.factor is not None:
            return self._started + (self._next.time - self._first_time) / 1000 / self._speed.factor
        return -math.inf

    def poll(self, now: float) -> Sequence[Tick]:
        """See interfaces.Market. The first call begins the replay."""
        if self._started is None:
            self._started = now
            self._next = next(self._ticks, None)
            self._first_time = self._next.time if self._next else 0
        due = self.next_due()
        if self._next is None or due is None or due > now:
            return ()
        tick = self._next
        self._next = next(self._ticks, None)
        self._count += 1
        return (tick,)


class HeldMarket:
    """Another market, which does not begin before a file is gone: no tick of it is missed meanwhile."""

    def __init__(self, market: Market, hold: Path) -> None:
        self._market = market
        self._hold: Path | None = hold
        self._look_at = -math.inf

    def symbols(self) -> Mapping[str, SymbolSpec]:
        """See interfaces.Market."""
        return self._market.symbols()

    def next_due(self) -> float | None:
        """See interfaces.Market."""
        return self._look_at if self._hold else self._market.next_due()

    def poll(self, now: float) -> Sequence[Tick]:
        """See interfaces.Market."""
        if self._hold and self._hold.exists():
            self._look_at = now + _LOOK
            return ()
        self._hold = None
        return self._market.poll(now)
