"""A paper account in an SQLite file. A deal is on disk before its request is answered.

Deals and positions are integers in the file: points and steps, and profits in the smallest unit of the account's
currency. Each deal, or change of a position's stops, is one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from demos.terminal.interfaces import (
    NO_STOPS,
    AccountError,
    Clock,
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
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING, TRADE_RETCODE_DONE
from demos.terminal.paper.account_file import AccountTerms, account_errors, open_account, read_specs, transaction
from demos.terminal.paper.fills import Fill, Order, filled, modified, reached
from demos.terminal.runtime.clock import RealClock

_UPSERT_SYMBOL = """
INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (symbol) DO UPDATE
SET volume_min = excluded.volume_min, volume_max = excluded.volume_max, contract_size = excluded.contract_size
"""
_INSERT_DEAL = "INSERT INTO deals (position, symbol, volume, price, profit, time, gain) VALUES (?, ?, ?, ?, ?, ?, ?)"
_READ_POSITIONS = "SELECT ticket, symbol, volume, cost, time, sl, tp FROM positions ORDER BY ticket"

# SQLite's sum() of integers is limited to 64 bits.
_MOST_GAINED = 2**63 - 1


class PaperAccount:
    """Fills every order immediately at the quote, and executes stops when a quote reaches them.

    It keeps an exclusive lock on the file until close() or the end of the process. The operating system releases the
    lock of a process that was killed.
    """

    def __init__(self, path: Path | None = None, terms: AccountTerms | None = None, clock: Clock | None = None) -> None:
        """Open the account's file, or create it; without a path the account exists only in memory.

        ``clock`` measures the wait for a file that is in use; None: the computer's clock.

        Errors: AccountError when the file is not an account, has another version or other terms, is in use, has an
        invalid or inconsistent content, or cannot be written.
        """
        self._name = str(path) if path else "the account"
        self._deals: list[Deal] = []
        self._new_stops: list[Position] = []
        # No other process can change the file, so the positions stay valid until the next trade here.
        self._positions: tuple[Position, ...] | None = None
        self._realized: dict[tuple[int, int], Decimal] = {}
        self._prices: Prices = MarketPrices()
        self._db, self._terms = open_account(path, self._name, terms or AccountTerms(), clock or RealClock())
        self.margin_mode = self._terms.margin_mode
        with account_errors(self._name):
            self._gained = int(self._db.execute("SELECT coalesce(sum(gain), 0) FROM deals").fetchone()[0])

    @property
    def connected(self) -> bool:
        """See interfaces.Account. The file is here."""
        return True

    def close(self) -> None:
        """Close the file and release its lock."""
        self._db.close()

    def use_prices(self, prices: Prices) -> None:
        """See interfaces.Account."""
        self._prices = prices

    def check(self, spec: SymbolSpec) -> None:
        """Errors: AccountError when the account has the symbol with different digits or another volume step."""
        with account_errors(self._name):
            known = read_specs(self._db).get(spec.name)
        if known and (known.digits, known.volume_step) != (spec.digits, spec.volume_step):
            raise AccountError(
                f"{self._name}: {spec.name} has {known.digits} digits and volume step {known.volume_step} there, "
                f"{spec.digits} digits and step {spec.volume_step} in this market"
            )

    @property
    def currency(self) -> Currency:
        """See interfaces.Account."""
        return self._terms.currency

    def unconverted(self) -> Sequence[str]:
        """The symbols with deals whose profit is not in the balance, because it could not be converted."""
        with account_errors(self._name):
            rows = self._db.execute("SELECT DISTINCT symbol FROM deals WHERE gain IS NULL ORDER BY symbol").fetchall()
        return [symbol for (symbol,) in rows]

    def figures(self) -> Figures:
        """See interfaces.Account. Profits that cannot be converted are left out, and reported."""
        balance = Decimal(self._terms.initial + self._gained).scaleb(-self.currency.digits)
        profits = (self._prices.open_profit(position, self.currency) for position in self.positions())
        profit = sum(filter(None, profits), Decimal(0))
        return Figures(balance, balance + profit, profit)

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account."""
        if self._positions is None:
            with account_errors(self._name):
                specs = read_specs(self._db)
                self._positions = tuple(
                    Position(ticket, specs[symbol], volume, cost, time, stops=Stops(sl, tp))
                    for ticket, symbol, volume, cost, time, sl, tp in self._db.execute(_READ_POSITIONS)
                )
        return self._positions

    def trade(
        self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0, stops: Stops = NO_STOPS
    ) -> TradeResult:
        """See interfaces.Account. The deal and its position are one transaction, which is on disk on return.

        Errors: AccountError when it cannot be written, or a number is too large; then the account is unchanged.
        """
        return self._execute(Order(spec, volume, quote, ticket, stops))

    def modify(self, ticket: int, stops: Stops, quote: Tick) -> TradeResult:
        """See interfaces.Account. The change is on disk on return. Errors: as trade()."""
        position = modified(self.positions(), ticket, stops, quote)
        if isinstance(position, TradeResult):
            return position
        with account_errors(self._name), transaction(self._db):
            self._db.execute("UPDATE positions SET sl = ?, tp = ? WHERE ticket = ?", (*stops, ticket))
        self._positions = None
        self._new_stops.append(position)
        return TradeResult(TRADE_RETCODE_DONE)

    def take_quote(self, spec: SymbolSpec, quote: Tick) -> None:
        """See interfaces.Account. Errors: as trade()."""
        for position, stop in reached(self.positions(), spec, quote):
            self._execute(Order(position.spec, -position.volume, quote, position.ticket), stop)

    def blocked(self, symbol: str) -> str:
        """See interfaces.Account."""
        return ""

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account."""
        deals, self._deals = self._deals, []
        return deals

    def new_stops(self) -> Sequence[Position]:
        """See interfaces.Account."""
        positions, self._new_stops = self._new_stops, []
        return positions

    def realized(self, begin: int, end: int) -> Decimal:
        """See interfaces.Account. The deals are read from the file, so those of earlier processes count too."""
        if (begin, end) not in self._realized:
            with account_errors(self._name):
                specs = read_specs(self._db)
                rows = self._db.execute("SELECT symbol, profit FROM deals WHERE time >= ? AND time < ?", (begin, end))
                total = sum((profit * specs[symbol].volume_step for symbol, profit in rows), Decimal(0))
            self._realized = {(begin, end): total}
        return self._realized[begin, end]

    def _execute(self, order: Order, comment: str = "") -> TradeResult:
        """Execute an order; ``comment`` is that of its deal."""
        self.check(order.spec)
        fill = filled(self.positions(), order, hedging=self.margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)
        if isinstance(fill, TradeResult):
            return fill
        amount = self._prices.profit(fill.profit, order.spec, self.currency)
        gain = None if amount is None else int(amount.scaleb(self.currency.digits))
        with account_errors(self._name), transaction(self._db):
            deal, position = self._store(order, fill, gain)
            if abs(self._gained + (gain or 0)) > _MOST_GAINED:
                raise OverflowError
        self._gained += gain or 0
        self._positions = None
        self._realized.clear()
        done = Deal(
            deal, position, order.spec, order.volume, order.price, fill.total, fill.profit, order.quote.time, comment
        )
        self._deals.append(done)
        return TradeResult(TRADE_RETCODE_DONE, done)

    def _store(self, order: Order, fill: Fill, gain: int | None) -> tuple[int, int]:
        """Write the symbol, the deal and its position; the tickets of both."""
        spec, db = order.spec, self._db
        limits = (str(spec.volume_step), spec.volume_min, spec.volume_max, spec.contract_size)
        db.execute(_UPSERT_SYMBOL, (spec.name, spec.digits, *limits))
        ticket = fill.position.ticket
        values = (ticket, spec.name, order.volume, order.price, fill.profit, order.quote.time, gain)
        deal = db.execute(_INSERT_DEAL, values).lastrowid
        assert deal is not None
        if not ticket:
            # A position has the ticket of the deal that opened it.
            ticket = deal
            db.execute("UPDATE deals SET position = ticket WHERE ticket = ?", (deal,))
        position = replace(fill.position, ticket=ticket)
        if position.volume:
            row = (ticket, spec.name, position.volume, position.cost, position.time, *position.stops)
            db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        else:
            db.execute("DELETE FROM positions WHERE ticket = ?", (ticket,))
        return deal, ticket
