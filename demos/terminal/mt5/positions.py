"""Reads the positions of a real account, and finds what has changed them.

They are read at most every READ_INTERVAL seconds. While they cannot be read, the known ones stay, and the pauses
between the attempts grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from demos.terminal.interfaces import Clock, Currency, Deal, Position, Stops, SymbolSpec
from demos.terminal.mt5.api import POSITION_TYPE_BUY, Mt5, Mt5Error, TradePosition, exact, points_of
from demos.terminal.mt5.deals import deals_between
from demos.terminal.mt5.failures import first_answer
from demos.terminal.mt5.market import Symbols, UnansweredError

# Times in seconds. The interval at which the positions are read, and the longest pause after failed reads.
READ_INTERVAL = 0.05
LONGEST_PAUSE = 1.0

POSITIONS = "the positions"


class PositionReader:
    """The program's own positions as they were read last, and the deals and stops that have changed them."""

    def __init__(
        self, mt5: Mt5, symbols: Symbols, clock: Clock, is_own: Callable[[TradePosition], bool], currency: Currency
    ) -> None:
        """Read the positions; ``is_own`` says whether one is the program's own.

        Errors: Mt5Error when the connection to the terminal is lost, or the positions cannot be read.
        """
        self._mt5 = mt5
        self._symbols = symbols
        self._failures = symbols.failures
        self._clock = clock
        self._is_own = is_own
        self._currency = currency
        self._deals: list[Deal] = []
        self._stops: list[Position] = []
        self._next = 0.0
        self._pause = READ_INTERVAL
        # Whether the next read finds no deals: the volumes have another step.
        self._other_step = False
        # Whether the last read has failed.
        self.stale = False
        self._known, self._prices = first_answer(mt5, POSITIONS, self._read, clock.wait)

    def positions(self) -> list[Position]:
        """The positions, sorted by ticket; they are read when that is due. Errors: as refresh()."""
        self._read_when_due()
        return list(self._known.values())

    def new_deals(self) -> Sequence[Deal]:
        """The deals since the last call. Errors: as refresh()."""
        self._read_when_due()
        deals, self._deals = self._deals, []
        return deals

    def new_stops(self) -> Sequence[Position]:
        """The positions whose stops were modified since the last call. Errors: as refresh()."""
        self._read_when_due()
        positions, self._stops = self._stops, []
        return positions

    def refresh(self) -> None:
        """Read the positions now, and find what has changed them since the last time.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        read = self._read()
        self._next = self._clock.monotonic() + self._pause
        self.stale = read is None
        if read is None:
            return
        old = self._known
        self._known, prices = read
        if not self._other_step:
            self._deals += deals_between(self._mt5, old, self._known, self._prices | prices)
        for identifier, position in self._known.items():
            if identifier in old and old[identifier].stops != position.stops:
                self._stops.append(position)
        self._other_step = False
        self._prices = prices

    def refresh_with_other_step(self) -> None:
        """Read the positions after the symbol's volume step has changed.

        It gives the same positions other numbers of steps, which are no deals. Errors: as refresh().
        """
        self._other_step = True
        self.refresh()

    def _read_when_due(self) -> None:
        if self._clock.monotonic() >= self._next:
            self.refresh()

    def _read(self) -> tuple[dict[int, Position], dict[int, Decimal]] | None:
        """The own positions, sorted by ticket, and their current prices, by identifier.

        None after a failure that may be temporary.
        """
        raw = self._mt5.positions_get()
        if raw is None:
            self._failures.failed(POSITIONS)
        own = sorted(filter(self._is_own, raw or ()), key=lambda position: position.ticket)
        try:
            found = [(position.identifier, self._position(position)) for position in own]
        except UnansweredError:
            raw = None
        if raw is None:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return None
        self._pause = READ_INTERVAL
        self._failures.worked(POSITIONS)
        prices = {position.identifier: exact(position.price_current) for position in own}
        return {identifier: position for identifier, position in found if position.volume}, prices

    def _position(self, position: TradePosition) -> Position:
        try:
            spec = self._symbols[position.symbol]
        except UnansweredError:
            raise
        except KeyError:
            raise Mt5Error(f"position {position.ticket} has an unknown symbol: {position.symbol}") from None
        volume = signed_steps(position, spec)
        cost = (exact(position.price_open).scaleb(spec.digits) * volume).to_integral_value(ROUND_HALF_EVEN)
        return Position(
            position.ticket,
            spec,
            volume,
            int(cost),
            position.time_msc,
            position.magic,
            stops_of(position, spec),
            amount_of(position.profit, self._currency),
        )


def stops_of(position: TradePosition, spec: SymbolSpec) -> Stops:
    """A position's stop loss and take profit in points."""
    return Stops(*(points_of(price, spec.digits) if price > 0 else 0 for price in (position.sl, position.tp)))


def amount_of(value: float, currency: Currency) -> Decimal | None:
    """An amount of money without the rounding error of a double; None when it is not a number."""
    return exact(round(value, currency.digits)) if math.isfinite(value) else None


def signed_steps(position: TradePosition, spec: SymbolSpec) -> int:
    """A position's volume in steps of the symbol, negative when it was sold; rounded to the nearest step.

    It is not a whole number of steps only when the broker changed the step after the position was opened.
    """
    steps = nearest_steps(position.volume, spec)
    return steps if position.type == POSITION_TYPE_BUY else -steps


def nearest_steps(lots: float, spec: SymbolSpec) -> int:
    """A volume in steps of the symbol, rounded to the nearest step."""
    return int((exact(lots) / spec.volume_step).to_integral_value(ROUND_HALF_EVEN))
