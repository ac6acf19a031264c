"""The symbols and ticks of a real MetaTrader 5, which is polled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mt5.api import COPY_TICKS_INFO, Mt5, SymbolInfo, may_be_temporary, points_of
from demos.terminal.mt5.failures import START_PAUSES, Failures, check_connection
from demos.terminal.mt5.specs import spec_of

# The interval in seconds between two polls. A call takes the terminal far less than a millisecond.
POLL_INTERVAL = 0.05

_MAX_TICKS = 10_000

# The number of polls in a row in which the stored ticks cannot be read and are waited for; then the last quote is given
# without those before it.
MOST_FAILED_POLLS = 20


class UnansweredError(KeyError):
    """The terminal cannot give the symbol at present; a later lookup may find it."""


class _Quote(NamedTuple):
    """A tick as the terminal gives it: milliseconds and prices."""

    time: int
    bid: float
    ask: float


class Symbols(Mapping[str, SymbolSpec]):
    """The terminal's symbols by their exact names. A lookup adds the symbol to the Market Watch.

    ``failures`` are the calls that fail at present, those of the account included.
    """

    def __init__(self, mt5: Mt5, report: Callable[[str], None], wait: Callable[[float], None] | None = None) -> None:
        """``report`` gets a line for each property that the broker misreports, once, and for each failure.

        ``wait`` waits some seconds between two attempts to read the first symbol.
        """
        self._mt5 = mt5
        self._report = report
        self._wait = wait
        self.failures = Failures(mt5, report)
        # The symbols that could not be added to the Market Watch.
        self._unselected: set[str] = set()
        self._reported: set[str] = set()
        self._known: dict[str, SymbolSpec] = {}

    def __getitem__(self, name: str) -> SymbolSpec:
        """Return the symbol's properties, which are read at the first lookup.

        Errors: KeyError when the terminal has no symbol with exactly this name; UnansweredError, a KeyError, when it
        cannot give the symbol at present; Mt5Error when the connection is lost.
        """
        if name not in self._known:
            self.read(name)
        return self._known[name]

    def read(self, name: str) -> SymbolSpec:
        """Read the symbol's properties from the terminal again. Errors: as __getitem__."""
        selected, info, temporary = self._attempt(name)
        # The program cannot start without its first symbol.
        for pause in START_PAUSES if self._wait and not self._known else (0.0,):
            if not temporary:
                break
            if self._wait and pause:
                self._wait(pause)
            selected, info, temporary = self._attempt(name)
        what = f"the symbol {name}"
        if info is None and temporary:
            self.failures.failed(what)
            raise UnansweredError(name)
        self.failures.worked(what)
        if info is None or info.name != name:
            raise KeyError(name)
        self._known[name], problems = spec_of(info)
        if not selected:
            self._unselected.add(name)
            problems.append(f"{name} cannot be added to the Market Watch: it has no quotes until it is added there")
        for problem in problems:
            if problem not in self._reported:
                self._reported.add(problem)
                self._report(problem)
        return self._known[name]

    def _attempt(self, name: str) -> tuple[bool, SymbolInfo | None, bool]:
        """Whether the symbol is in the Market Watch, its properties, and whether another attempt may give more.

        Errors: Mt5Error when the connection is lost.
        """
        what = f"the symbol {name}"
        selected = self._mt5.symbol_select(name, True)
        if not selected:
            check_connection(self._mt5, what)
        temporary = not selected and may_be_temporary(self._mt5)
        info = self._mt5.symbol_info(name)
        if info is None:
            check_connection(self._mt5, what)
            temporary = may_be_temporary(self._mt5)
        return selected, info, temporary

    def select_again(self, name: str) -> None:
        """Add the symbol to the Market Watch, if that has failed before."""
        if name in self._unselected and self._mt5.symbol_select(name, True):
            self._unselected.remove(name)
            self._report(f"{name} was added to the Market Watch")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the symbols that were looked up."""
        return iter(self._known)

    def __len__(self) -> int:
        """The number of symbols that were looked up."""
        return len(self._known)


class Mt5Market:
    """The ticks since the last poll. The terminal stores ticks, so that none is lost between two polls."""

    def __init__(
        self,
        mt5: Mt5,
        report: Callable[[str], None] = lambda text: None,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        """``report`` and ``wait``: see Symbols."""
        self._mt5 = mt5
        self._symbols = Symbols(mt5, report, wait)
        self._failures = self._symbols.failures
        self._seen: dict[str, _Quote] = {}
        self._next = 0.0

    def symbols(self) -> Symbols:
        """See interfaces.Market."""
        return self._symbols

    def select(self, name: str) -> bool:
        """See interfaces.Market."""
        return name in self._symbols

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
        what = f"the quote of {spec.name}"
        if last is None:
            # Without a temporary failure the symbol has no quote yet.
            if may_be_temporary(self._mt5):
                self._failures.failed(what)
            check_connection(self._mt5, what)
            self._symbols.select_again(spec.name)
            return []
        self._failures.worked(what)
        newest = _Quote(int(last.time_msc), float(last.bid), float(last.ask))
        seen = self._seen.get(spec.name)
        if newest == seen or not _is_whole(newest):
            return []
        later = self._since(spec.name, seen) if seen else []
        if later is None:
            return []
        quotes = later or [newest]
        self._seen[spec.name] = quotes[-1]
        digits = spec.digits
        return [Tick(spec.name, time, points_of(bid, digits), points_of(ask, digits)) for time, bid, ask in quotes]

    def _since(self, symbol: str, seen: _Quote) -> list[_Quote] | None:
        """The ticks that the terminal stored after the tick ``seen``; None when the next poll may get them."""
        # The call starts at a whole second, and several ticks may have the same millisecond.
        rows = self._mt5.copy_ticks_from(symbol, seen.time // 1000, _MAX_TICKS, COPY_TICKS_INFO)
        what = f"the ticks of {symbol}"
        if rows is not None:
            self._failures.worked(what)
        elif may_be_temporary(self._mt5) and self._failures.failed(what) <= MOST_FAILED_POLLS:
            return None
        else:
            check_connection(self._mt5, what)
        quotes = [_Quote(int(row["time_msc"]), float(row["bid"]), float(row["ask"])) for row in _rows(rows)]
        same = [quote for quote in quotes if quote.time == seen.time]
        known = len(same) - same[::-1].index(seen) if seen in same else len(same)
        later = [quote for quote in quotes if quote.time > seen.time]
        return [quote for quote in same[known:] + later if _is_whole(quote)]


def _is_whole(quote: _Quote) -> bool:
    """Whether the tick has both prices."""
    return all(math.isfinite(price) and price > 0 for price in (quote.bid, quote.ask))


def _rows(copied: Sequence[Mapping[str, float]] | None) -> Sequence[Mapping[str, float]]:
    """The rows of an answer, which is None or an array without a truth value."""
    return () if copied is None else copied
