"""The symbols and ticks of a real MetaTrader 5, which is polled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import NamedTuple

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mt5.api import COPY_TICKS_INFO, Mt5, Mt5Error, connection_lost, exact, failure, points_of

# The interval in seconds between two polls. A call takes the terminal far less than a millisecond.
POLL_INTERVAL = 0.05

_MAX_TICKS = 10_000


class _Quote(NamedTuple):
    """A tick as the terminal gives it: milliseconds and prices."""

    time: int
    bid: float
    ask: float


class Symbols(Mapping[str, SymbolSpec]):
    """The terminal's symbols by their exact names. A lookup adds the symbol to the Market Watch."""

    def __init__(self, mt5: Mt5) -> None:
        self._mt5 = mt5
        self._known: dict[str, SymbolSpec] = {}

    def __getitem__(self, name: str) -> SymbolSpec:
        """Errors: KeyError when the terminal has no symbol with exactly this name; Mt5Error when it does not answer."""
        if name not in self._known:
            info = self._mt5.symbol_info(name) if self._mt5.symbol_select(name, True) else None
            if info is None:
                if connection_lost(self._mt5):
                    raise failure(self._mt5, f"the symbol {name}")
                raise KeyError(name)
            if info.name != name:
                raise KeyError(name)
            step = exact(info.volume_step)
            if step <= 0:
                raise Mt5Error(f"invalid volume step of {name}: {info.volume_step}")
            self._known[name] = SymbolSpec(
                name,
                info.digits,
                step,
                max(int((exact(info.volume_min) / step).to_integral_value(ROUND_CEILING)), 1),
                int((exact(info.volume_max) / step).to_integral_value(ROUND_FLOOR)),
                # The contract size of a few symbols is not an integer; only the profit in money depends on it.
                int(info.trade_contract_size),
            )
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the symbols that were looked up."""
        return iter(self._known)

    def __len__(self) -> int:
        """The number of symbols that were looked up."""
        return len(self._known)


class Mt5Market:
    """The ticks since the last poll. The terminal stores ticks, so that none is lost between two polls."""

    def __init__(self, mt5: Mt5) -> None:
        self._mt5 = mt5
        self._symbols = Symbols(mt5)
        self._seen: dict[str, _Quote] = {}
        self._next = 0.0

    def symbols(self) -> Symbols:
        """See interfaces.Market."""
        return self._symbols

    def next_due(self) -> float:
        """See interfaces.Market. A real market never ends."""
        return self._next

    def poll(self, now: float) -> Sequence[Tick]:
        """See interfaces.Market. The first poll of a symbol gives only its last tick.

        Errors: Mt5Error when the terminal does not answer.
        """
        if now < self._next:
            return ()
        self._next = now + POLL_INTERVAL
        ticks = [tick for spec in list(self._symbols.values()) for tick in self._new_ticks(spec)]
        return sorted(ticks, key=lambda tick: tick.time)

    def _new_ticks(self, spec: SymbolSpec) -> list[Tick]:
        last = self._mt5.symbol_info_tick(spec.name)
        if last is None:
            if connection_lost(self._mt5):
                raise failure(self._mt5, f"the quote of {spec.name}")
            return []
        newest = _Quote(int(last.time_msc), float(last.bid), float(last.ask))
        seen = self._seen.get(spec.name)
        if newest == seen or not newest.bid or not newest.ask:
            return []
        quotes = (self._since(spec.name, seen) if seen else []) or [newest]
        self._seen[spec.name] = quotes[-1]
        digits = spec.digits
        return [Tick(spec.name, time, points_of(bid, digits), points_of(ask, digits)) for time, bid, ask in quotes]

    def _since(self, symbol: str, seen: _Quote) -> list[_Quote]:
        """The ticks that the terminal stored after the tick ``seen``."""
        # The call starts at a whole second, and several ticks may have the same millisecond.
        rows = self._mt5.copy_ticks_from(symbol, seen.time // 1000, _MAX_TICKS, COPY_TICKS_INFO)
        quotes = [_Quote(int(row["time_msc"]), float(row["bid"]), float(row["ask"])) for row in _rows(rows)]
        same = [quote for quote in quotes if quote.time == seen.time]
        known = len(same) - same[::-1].index(seen) if seen in same else len(same)
        later = [quote for quote in quotes if quote.time > seen.time]
        return [quote for quote in same[known:] + later if quote.bid and quote.ask]


def _rows(copied: Sequence[Mapping[str, float]] | None) -> Sequence[Mapping[str, float]]:
    """The rows of an answer, which is None or an array without a truth value."""
    return () if copied is None else copied
