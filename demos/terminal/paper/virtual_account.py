"""An account in memory that begins as a copy of another account: what a dry run trades on.

Each order is executed at the current quote, here and not in the other account, and so are the stops of its positions.
So a dry run's next order follows from its earlier ones, as in a real run. From the other account the positions and the
balance are read at the beginning, and before each order whether it would reject every order in the symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from demos.terminal.interfaces import (
    NO_STOPS,
    Account,
    Currency,
    Deal,
    Figures,
    Position,
    Prices,
    Stops,
    SymbolSpec,
    Tick,
    TradeResult,
)
from demos.terminal.money import MarketPrices
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, TRADE_RETCODE_DONE, TRADE_RETCODE_REJECT
from demos.terminal.paper.fills import Order, filled, modified, reached


class VirtualAccount:
    """Fills every order immediately at the quote; nets or hedges positions as the account that it copies."""

    def __init__(self, account: Account, prices: Prices | None = None) -> None:
        """Copy the positions and the balance of ``account``; profits are converted at ``prices``."""
        self._account = account
        self._prices: Prices = prices or MarketPrices()
        self._margin_mode = account.margin_mode
        self._currency = account.currency
        self._balance = account.figures().balance
        # The other account's profit is that of a moment.
        self._positions = {position.ticket: replace(position, profit=None) for position in account.positions()}
        self._last_ticket = max(self._positions, default=0)
        self._deals: list[Deal] = []
        self._new_stops: list[Position] = []
        # The time and the profit, in points times lots, of each deal that closed a position or a part.
        self._profits: list[tuple[int, Decimal]] = []

    @property
    def connected(self) -> bool:
        """See interfaces.Account."""
        return self._account.connected

    @property
    def margin_mode(self) -> int:
        """See interfaces.Account."""
        return self._margin_mode

    @property
    def currency(self) -> Currency:
        """See interfaces.Account."""
        return self._currency

    def use_prices(self, prices: Prices) -> None:
        """See interfaces.Account."""
        self._prices = prices

    def figures(self) -> Figures:
        """See interfaces.Account. Profits that cannot be converted are left out, and reported."""
        profits = (self._prices.open_profit(position, self._currency) for position in self.positions())
        profit = sum(filter(None, profits), Decimal(0))
        return Figures(self._balance, self._balance + profit, profit)

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account."""
        return [self._positions[ticket] for ticket in sorted(self._positions)]

    def trade(
        self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0, stops: Stops = NO_STOPS
    ) -> TradeResult:
        """See interfaces.Account."""
        if text := self.blocked(spec.name):
            return TradeResult(TRADE_RETCODE_REJECT, text=text)
        return self._execute(Order(spec, volume, quote, ticket, stops))

    def modify(self, ticket: int, stops: Stops, quote: Tick) -> TradeResult:
        """See interfaces.Account."""
        position = modified(self.positions(), ticket, stops, quote)
        if isinstance(position, TradeResult):
            return position
        self._positions[ticket] = position
        self._new_stops.append(position)
        return TradeResult(TRADE_RETCODE_DONE)

    def take_quote(self, spec: SymbolSpec, quote: Tick) -> None:
        """See interfaces.Account."""
        for position, stop in reached(self.positions(), spec, quote):
            self._execute(Order(position.spec, -position.volume, quote, position.ticket), stop)

    def blocked(self, symbol: str) -> str:
        """See interfaces.Account. It is what the other account answers."""
        return self._account.blocked(symbol)

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account."""
        deals, self._deals = self._deals, []
        return deals

    def new_stops(self) -> Sequence[Position]:
        """See interfaces.Account."""
        positions, self._new_stops = self._new_stops, []
        return positions

    def realized(self, begin: int, end: int) -> Decimal:
        """See interfaces.Account. Only deals of this virtual account count."""
        return sum((profit for time, profit in self._profits if begin <= time < end), Decimal(0))

    def _execute(self, order: Order, comment: str = "") -> TradeResult:
        """Execute an order; ``comment`` is that of its deal."""
        fill = filled(self.positions(), order, hedging=self._margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
        if isinstance(fill, TradeResult):
            return fill
        self._last_ticket += 1
        position = replace(fill.position, ticket=fill.position.ticket or self._last_ticket)
        self._positions[position.ticket] = position
        if not position.volume:
            del self._positions[position.ticket]
        spec, time = order.spec, order.quote.time
        number, volume, price = self._last_ticket, order.volume, order.price
        deal = Deal(number, position.ticket, spec, volume, price, fill.total, fill.profit, time, comment)
        self._deals.append(deal)
        if fill.profit:
            self._profits.append((time, fill.profit * spec.volume_step))
            self._balance += self._prices.profit(fill.profit, spec, self._currency) or 0
        return TradeResult(TRADE_RETCODE_DONE, deal)
