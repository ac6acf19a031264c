"""The embedded market: replays the ticks of an export, or of a random walk."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demos.terminal.interfaces import Market, SymbolSpec, Tick
from demos.terminal.mql.conversion import milliseconds_of

# The first bid of a random walk, in points: 1.10000 with five digits, 110.000 with three.
_WALK_START = 110_000
_WALK_SPREAD = 10
_WALK_STEP = 10
_WALK_TIME = milliseconds_of(datetime(2024, 1, 1))

# The interval in seconds at which HeldMarket tests whether the file still exists.
_POLL_INTERVAL = 0.02


@dataclass(frozen=True)
class Speed:
    """How fast ticks are replayed: a number per second, or the file's own times accelerated by a factor.

    Both None: as fast as the programs process them.
    """

    per_second: float | None = None
    factor: float | None = None


def speed_from_text(text: str) -> Speed:
    """``10`` is ten ticks per second, ``60x`` an hour of the file in a minute, ``max`` without waiting.

    Errors: ValueError for any other text.
    """
    if text == "max":
        return Speed()
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"invalid speed: {text!a}; use ticks per second (10), a factor (60x) or max")
    return Speed(factor=value) if text.endswith("x") else Speed(per_second=value)


def random_walk(symbols: Sequence[SymbolSpec], seed: int) -> Iterator[Tick]:
    """Endless ticks, one per second of market time for each symbol. The same seed gives the same ticks.

    Symbols that are added to ``symbols`` later are quoted from then on.
    """
    # Only random() of a seeded Random is guaranteed to give the same numbers on every version of Python.
    chance = random.Random(seed)
    bids: dict[str, int] = {}
    time = _WALK_TIME
    while True:
        for symbol in [spec.name for spec in symbols]:
            step = int(chance.random() * (2 * _WALK_STEP + 1)) - _WALK_STEP
            bids[symbol] = bid = max(bids.get(symbol, _WALK_START) + step, 1)
            yield Tick(symbol, time, bid, bid + _WALK_SPREAD)
            time += 1000


class ReplayMarket:
    """Replays ticks at a given speed. Each poll() returns at most one tick, so that other events are not delayed.

    When the terminal is late, it still gets every tick, later: a program sees the same ticks on any machine.
    """

    def __init__(
        self,
        symbols: Sequence[SymbolSpec],
        ticks: Iterator[Tick],
        speed: Speed,
        add: Callable[[str], SymbolSpec | None] = lambda name: None,
    ) -> None:
        """``add`` has ``ticks`` contain a further symbol, and returns it; None where that is not possible."""
        self._add = add
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

    def select(self, name: str) -> bool:
        """See interfaces.Market."""
        spec = None if name in self._symbols else self._add(name)
        if spec:
            self._symbols[name] = spec
        return name in self._symbols

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
        """See interfaces.Market. The first call starts the replay."""
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
    """Delays the start of another market while a file exists; no tick is lost.

    ``begin`` is called once, just before the other market's first tick.
    """

    def __init__(self, market: Market, hold: Path, begin: Callable[[], None] = lambda: None) -> None:
        self._market = market
        self._begin = begin
        self._hold: Path | None = hold
        self._next_poll = -math.inf

    def symbols(self) -> Mapping[str, SymbolSpec]:
        """See interfaces.Market."""
        return self._market.symbols()

    def select(self, name: str) -> bool:
        """See interfaces.Market."""
        return self._market.select(name)

    def next_due(self) -> float | None:
        """See interfaces.Market."""
        return self._next_poll if self._hold else self._market.next_due()

    def poll(self, now: float) -> Sequence[Tick]:
        """See interfaces.Market."""
        if self._hold and self._hold.exists():
            self._next_poll = now + _POLL_INTERVAL
            return ()
        if self._hold:
            self._hold = None
            self._begin()
        return self._market.poll(now)
