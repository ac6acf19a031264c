"""An account in memory that begins as a copy of another account: what a dry run trades on.

Each order is executed at the current quote, here and not in the other account. So a dry run's next order follows from
its earlier ones, as in a real run. From the other account the positions are read at the beginning, and before each
order whether it would reject every order in the symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from demos.terminal.interfaces import Account, Deal, Position, SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import (
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_INVALID_CLOSE_VOLUME,
    TRADE_RETCODE_POSITION_CLOSED,
    TRADE_RETCODE_REJECT,
)
from demos.terminal.points import netted


class VirtualAccount:
    """Fills every order immediately at the quote; nets or hedges positions as the account that it copies."""

    def __init__(self, account: Account) -> None:
        """Copy the positions of ``account``."""
        self._account = account
        self._margin_mode = account.margin_mode
        self._positions = {position.ticket: position for position in account.positions()}
        self._last_ticket = max(self._positions, default=0)
        self._deals: list[Deal] = []
        # The time and the profit, in points times lots, of each deal that closed a position or a part.
        self._profits: list[tuple[int, Decimal]] = []

    @property
    def margin_mode(self) -> int:
        """See interfaces.Account."""
        return self._margin_mode

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account."""
        return [self._positions[ticket] for ticket in sorted(self._positions)]

    def trade(self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0) -> TradeResult:
        """See interfaces.Account."""
        if text := self.blocked(spec.name):
            return TradeResult(TRADE_RETCODE_REJECT, text=text)
        hedging = self._margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
        if ticket and ticket not in self._positions:
            return TradeResult(TRADE_RETCODE_POSITION_CLOSED, text=f"there is no position {ticket} in {spec.name}")
        old = self._positions.get(ticket) if ticket or hedging else self._position_in(spec.name)
        if ticket and old and (old.volume * volume >= 0 or abs(volume) > abs(old.volume)):
            text = f"{volume} steps do not close a position of {old.volume}"
            return TradeResult(TRADE_RETCODE_INVALID_CLOSE_VOLUME, text=text)
        price = quote.ask if volume > 0 else quote.bid
        self._last_ticket += 1
        number = self._last_ticket
        if old is None:
            old = Position(number, spec, 0, 0, quote.time)
        left, cost, profit = netted(old.volume, old.cost, volume, price)
        self._positions[old.ticket] = replace(old, volume=left, cost=cost)
        if not left:
            del self._positions[old.ticket]
        total = sum(position.volume for position in self._positions.values() if position.spec.name == spec.name)
        deal = Deal(number, old.ticket, spec, volume, price, total, profit, quote.time)
        self._deals.append(deal)
        if profit:
            self._profits.append((deal.time, profit * spec.volume_step))
        return TradeResult(TRADE_RETCODE_DONE, deal)

    def blocked(self, symbol: str) -> str:
        """See interfaces.Account. It is what the other account answers."""
        return self._account.blocked(symbol)

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account."""
        deals, self._deals = self._deals, []
        return deals

    def realized(self, begin: int, end: int) -> Decimal:
        """See interfaces.Account. Only deals of this virtual account count."""
        return sum((profit for time, profit in self._profits if begin <= time < end), Decimal(0))

    def _position_in(self, symbol: str) -> Position | None:
        return next((position for position in self._positions.values() if position.spec.name == symbol), None)
