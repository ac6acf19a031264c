"""The checks of an order of a real account before it is sent: whose position it changes, and what is under way.

A netting account has one position per symbol, so an order would change a position with another magic number: it is
rejected. After an order that the positions do not show, the symbol is locked for a time, so that the order is not sent
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from demos.terminal.interfaces import Clock, SymbolSpec, TradeResult
from demos.terminal.mql.constants import (
    TRADE_RETCODE_INVALID_CLOSE_VOLUME,
    TRADE_RETCODE_LOCKED,
    TRADE_RETCODE_POSITION_CLOSED,
    TRADE_RETCODE_REJECT,
)
from demos.terminal.mt5.api import ORDER_TYPE_BUY, ORDER_TYPE_SELL, Mt5, TradeOrder, TradePosition
from demos.terminal.mt5.failures import unanswered
from demos.terminal.mt5.positions import signed_steps

# How long in seconds the symbol is locked for further orders when the positions do not show an executed one.
LOCK_TIME = 60.0


class OrderChecks:
    """The checks, and the symbols that are locked."""

    def __init__(
        self, mt5: Mt5, clock: Clock, is_own: Callable[[TradePosition | TradeOrder], bool], *, hedging: bool
    ) -> None:
        """``is_own`` says whether a position or an order is the program's own."""
        self._mt5 = mt5
        self._clock = clock
        self._is_own = is_own
        self._hedging = hedging
        self._locked: dict[str, tuple[int, float]] = {}

    def lock(self, symbol: str, steps: int) -> None:
        """Lock the symbol for LOCK_TIME seconds, or until the positions show other steps."""
        self._locked[symbol] = (steps, self._clock.monotonic() + LOCK_TIME)

    def problem(
        self, spec: SymbolSpec, volume: int, ticket: int, present: Sequence[TradePosition], before: int
    ) -> TradeResult | None:
        """Why the order must not be sent now, or None."""
        symbol = spec.name
        if text := self.foreign_problem(symbol, present):
            return TradeResult(TRADE_RETCODE_REJECT, text=text)
        if ticket:
            position = self.own_position(ticket, symbol, present)
            if isinstance(position, TradeResult):
                return position
            held = signed_steps(position, spec)
            if held * volume >= 0 or abs(volume) > abs(held):
                text = f"{volume} steps do not close a position of {held}"
                return TradeResult(TRADE_RETCODE_INVALID_CLOSE_VOLUME, text=text)
        if waiting := self._waiting(symbol):
            return waiting
        old, until = self._locked.get(symbol, (0, 0.0))
        if until and before == old and self._clock.monotonic() < until:
            return TradeResult(
                TRADE_RETCODE_LOCKED, text=f"the last order in {symbol} does not show in the positions yet"
            )
        self._locked.pop(symbol, None)
        return None

    def own_position(self, ticket: int, symbol: str, present: Sequence[TradePosition]) -> TradePosition | TradeResult:
        """The own position with this ticket, or why there is none."""
        position = next((each for each in present if each.ticket == ticket), None)
        if position is None:
            return TradeResult(TRADE_RETCODE_POSITION_CLOSED, text=f"there is no position {ticket} in {symbol}")
        if not self._is_own(position):
            text = f"position {ticket} in {symbol} has magic number {position.magic} and stays untouched"
            return TradeResult(TRADE_RETCODE_REJECT, text=text)
        return position

    def foreign_problem(self, symbol: str, present: Sequence[TradePosition]) -> str:
        """Why no order may change the symbol's position on a netting account, or ""."""
        if self._hedging:
            return ""
        foreign = next((position for position in present if not self._is_own(position)), None)
        if foreign is None:
            return ""
        return f"position {foreign.ticket} in {symbol} has magic number {foreign.magic} and stays untouched"

    def _waiting(self, symbol: str) -> TradeResult | None:
        """The answer while an own market order is not executed yet, or the orders cannot be read; None otherwise."""
        orders = self._mt5.orders_get(symbol=symbol)
        if orders is None:
            return unanswered(self._mt5, "the orders")
        own = filter(self._is_own, orders)
        waiting = next((order.ticket for order in own if order.type in (ORDER_TYPE_BUY, ORDER_TYPE_SELL)), 0)
        text = f"order {waiting} in {symbol} is still under way"
        return TradeResult(TRADE_RETCODE_LOCKED, text=text) if waiting else None
