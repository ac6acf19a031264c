"""The account of a real MetaTrader 5: the positions with one magic number, and orders whose answers are all checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from demos.terminal.interfaces import (
    NO_STOPS,
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
from demos.terminal.mql.constants import (
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_DONE_PARTIAL,
    TRADE_RETCODE_ERROR,
    TRADE_RETCODE_INVALID,
    TRADE_RETCODE_INVALID_VOLUME,
    TRADE_RETCODE_PLACED,
    TRADE_RETCODE_PRICE_OFF,
    TRADE_RETCODE_TIMEOUT,
)
from demos.terminal.mt5.api import (
    Mt5,
    OrderSendResult,
    TradeDeal,
    TradeOrder,
    TradePosition,
    may_be_temporary,
    points_of,
)
from demos.terminal.mt5.deals import RealizedProfit
from demos.terminal.mt5.failures import check_connection, first_answer, unanswered
from demos.terminal.mt5.figures import FigureReader
from demos.terminal.mt5.market import Symbols
from demos.terminal.mt5.order_checks import OrderChecks
from demos.terminal.mt5.orders import Orders
from demos.terminal.mt5.positions import POSITIONS, PositionReader, nearest_steps, signed_steps
from demos.terminal.mt5.requests import retcode_text, stop_fields, trade_request, with_advice
from demos.terminal.mt5.specs import limits_text
from demos.terminal.mt5.stops import CONFIRM_INTERVAL, CONFIRM_TIMEOUT, modify_stops
from demos.terminal.points import volume_float

# The interval in seconds at which the deals of the day are read.
DEALS_INTERVAL = 1.0

# After these answers the order was executed, or may still be executed.
_UNDER_WAY = (TRADE_RETCODE_DONE, TRADE_RETCODE_DONE_PARTIAL, TRADE_RETCODE_PLACED, TRADE_RETCODE_TIMEOUT)


class Mt5Account:
    """The positions and orders with one magic number; all others are neither shown nor changed.

    The profit of a deal is reported as 0, because the terminal counts it in the account's currency.
    """

    def __init__(
        self,
        mt5: Mt5,
        symbols: Symbols,
        clock: Clock,
        report: Callable[[str], None],
        *,
        magic: int | None = None,
        deviation: int = 10,
        live: bool = False,
        filling: int | None = None,
    ) -> None:
        """Read the positions.

        ``magic`` None: all positions are the program's own, and orders have the magic number 0. ``deviation`` is in
        points. ``report`` gets a line for each order and answer. Unless ``live`` is true, the terminal only checks an
        order, and it is not sent. ``filling`` is the only ORDER_FILLING_* to use; None: the broker's answers decide.

        Errors: Mt5Error when the connection to the terminal is lost, or the positions cannot be read.
        """
        self._mt5 = mt5
        self._symbols = symbols
        self._clock = clock
        self._orders = Orders(mt5, report, live=live, filling=filling)
        self._magic = magic
        self._deviation = deviation
        info = first_answer(mt5, "the account", mt5.account_info, clock.wait)
        self._margin_mode = info.margin_mode
        self._figures = FigureReader(mt5, symbols.failures, clock, info)
        hedging = info.margin_mode == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
        self._checks = OrderChecks(mt5, clock, self._is_own, hedging=hedging)
        self._reader = PositionReader(mt5, symbols, clock, self._is_own, self._figures.currency)
        self._profit = RealizedProfit(mt5, symbols, symbols.failures, self._is_own)
        self._realized = ((0, 0), -math.inf, Decimal(0))

    @property
    def connected(self) -> bool:
        """See interfaces.Account.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        self._reader.positions()
        info = None if self._reader.stale else self._mt5.terminal_info()
        return info is not None and info.connected

    @property
    def margin_mode(self) -> int:
        """See interfaces.Account."""
        return self._margin_mode

    @property
    def currency(self) -> Currency:
        """See interfaces.Account."""
        return self._figures.currency

    def use_prices(self, prices: Prices) -> None:
        """See interfaces.Account. The terminal states all profits."""

    def figures(self) -> Figures:
        """See interfaces.Account. They are those of the whole account, whatever the magic numbers of its positions.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        return self._figures.read()

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account. They were read at most READ_INTERVAL seconds ago, unless the reads fail at present.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        return self._reader.positions()

    def blocked(self, symbol: str) -> str:
        """See interfaces.Account.

        Errors: Mt5Error when the terminal does not answer.
        """
        present = self._present(symbol)
        return present.text if isinstance(present, TradeResult) else self._checks.foreign_problem(symbol, present)

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        return self._reader.new_deals()

    def new_stops(self) -> Sequence[Position]:
        """See interfaces.Account. Errors: as new_deals()."""
        return self._reader.new_stops()

    def take_quote(self, spec: SymbolSpec, quote: Tick) -> None:
        """See interfaces.Account. The trade server executes stops."""

    def refresh(self) -> None:
        """Read the positions now. Errors: as new_deals()."""
        self._reader.refresh()

    def realized(self, begin: int, end: int) -> Decimal:
        """See interfaces.Account. The deals were read at most DEALS_INTERVAL seconds ago; without commission and swap.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        time, until, _ = self._realized
        now = self._clock.monotonic()
        if time != (begin, end) or now >= until:
            self._realized = ((begin, end), now + DEALS_INTERVAL, self._profit.read(begin, end))
        return self._realized[2]

    def modify(self, ticket: int, stops: Stops, quote: Tick) -> TradeResult:
        """See interfaces.Account. The call waits until the positions show the new stops.

        Errors: as trade().
        """
        present = self._present(quote.symbol)
        if isinstance(present, TradeResult):
            return present
        position = self._checks.own_position(ticket, quote.symbol, present)
        if isinstance(position, TradeResult):
            return position
        result = modify_stops(self._mt5, self._orders, self._clock, position, stops, self._symbols[quote.symbol])
        self.refresh()
        return result

    def trade(
        self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0, stops: Stops = NO_STOPS
    ) -> TradeResult:
        """See interfaces.Account. With a ``ticket`` the order closes that position or a part of it.

        On a netting account the order is rejected when the symbol's position has another magic number, because it
        would change that position. The call waits until the positions show the executed order, so that the program
        does not compute its next order from old positions.

        Errors: Mt5Error when the connection to the terminal is lost; then it is unknown whether the order was executed.
        """
        present = self._present(spec.name)
        if isinstance(present, TradeResult):
            return present
        own = [position for position in present if self._is_own(position)]
        before = sum(signed_steps(position, spec) for position in own)
        problem = self._checks.problem(spec, volume, ticket, present, before)
        if problem:
            return problem
        info = self._mt5.symbol_info(spec.name)
        if info is None:
            return self._no_symbol(spec.name)
        price = self._price(spec.name, volume)
        if not price:
            return TradeResult(TRADE_RETCODE_PRICE_OFF, text=f"{spec.name} has no {'ask' if volume > 0 else 'bid'}")
        request = self._request(spec, volume, price, ticket, stops)
        sent = self._orders.send(request, info)
        if sent.retcode == TRADE_RETCODE_INVALID_VOLUME:
            return self._invalid_volume(spec, sent)
        if isinstance(sent, TradeResult):
            if sent.retcode == TRADE_RETCODE_TIMEOUT:
                self._confirmed(spec, before, volume)
            return sent
        text = retcode_text(sent.retcode, sent.comment)
        if sent.retcode not in _UNDER_WAY:
            return TradeResult(sent.retcode, text=with_advice(sent.retcode, text))
        now = self._confirmed(spec, before, _filled(sent, volume, spec))
        if sent.retcode != TRADE_RETCODE_DONE and now != before + volume:
            return TradeResult(sent.retcode, text=text)
        # Some servers answer without the price of the deal.
        dealt = points_of(sent.price if math.isfinite(sent.price) and sent.price > 0 else price, spec.digits)
        return TradeResult(TRADE_RETCODE_DONE, Deal(sent.deal, ticket, spec, volume, dealt, now, 0, quote.time), text)

    def _request(self, spec: SymbolSpec, volume: int, price: float, ticket: int, stops: Stops) -> dict[str, Any]:
        return trade_request(
            symbol=spec.name,
            buy=volume > 0,
            lots=volume_float(abs(volume), spec),
            price=price,
            deviation=self._deviation,
            magic=self._magic or 0,
            position=ticket,
            stops=stop_fields(stops, spec.digits),
        )

    def _present(self, symbol: str) -> Sequence[TradePosition] | TradeResult:
        """All positions in the symbol; a TradeResult when they cannot be read."""
        if self._reader.stale:
            # The caller has computed its order from positions that may have changed.
            return TradeResult(TRADE_RETCODE_ERROR, text="the positions cannot be read at present")
        present = self._mt5.positions_get(symbol=symbol)
        return unanswered(self._mt5, POSITIONS) if present is None else present

    def _no_symbol(self, symbol: str) -> TradeResult:
        """The answer when the terminal does not give the symbol's properties."""
        if may_be_temporary(self._mt5):
            return unanswered(self._mt5, f"the symbol {symbol}")
        check_connection(self._mt5, f"the symbol {symbol}")
        return TradeResult(TRADE_RETCODE_INVALID, text=f"the terminal has no symbol {symbol}")

    def _price(self, symbol: str, volume: int) -> float:
        """The ask for a purchase, the bid for a sale; 0.0 when the terminal has none."""
        tick = self._mt5.symbol_info_tick(symbol)
        if tick is None:
            check_connection(self._mt5, f"the quote of {symbol}")
            # The trader may have removed the symbol from the Market Watch.
            self._mt5.symbol_select(symbol, True)
            tick = self._mt5.symbol_info_tick(symbol)
        price = (tick.ask if volume > 0 else tick.bid) if tick else 0.0
        return price if math.isfinite(price) and price > 0 else 0.0

    def _invalid_volume(self, spec: SymbolSpec, sent: OrderSendResult | TradeResult) -> TradeResult:
        """The answer to an order with a wrong volume: the broker may have changed the symbol's limits."""
        text = sent.text if isinstance(sent, TradeResult) else retcode_text(sent.retcode, sent.comment)
        self.refresh()
        try:
            present = self._symbols.read(spec.name)
        except KeyError:
            present = spec
        self._reader.refresh_with_other_step()
        changed = "" if present == spec else "the symbol's limits have changed: it now "
        return TradeResult(sent.retcode, text=f"{text}; {changed or 'the symbol '}allows {limits_text(present)}")

    def _confirmed(self, spec: SymbolSpec, before: int, volume: int) -> int:
        """Wait until the positions show an order of ``volume`` steps; returns the steps that they show.

        When they still show the steps ``before``, or cannot be read, the symbol is locked for LOCK_TIME seconds.
        """
        now = before
        end = self._clock.monotonic() + CONFIRM_TIMEOUT
        while True:
            present = self._mt5.positions_get(symbol=spec.name)
            if present is None:
                check_connection(self._mt5, POSITIONS)
            else:
                now = sum(signed_steps(position, spec) for position in present if self._is_own(position))
            if now == before + volume or self._clock.monotonic() >= end:
                break
            self._clock.wait(CONFIRM_INTERVAL)
        if now == before:
            self._checks.lock(spec.name, before)
        self.refresh()
        return now

    def _is_own(self, position: TradePosition | TradeDeal | TradeOrder) -> bool:
        return self._magic is None or position.magic == self._magic


def _filled(sent: OrderSendResult, volume: int, spec: SymbolSpec) -> int:
    """The signed steps that the terminal executed of an order."""
    if sent.retcode != TRADE_RETCODE_DONE_PARTIAL:
        return volume
    steps = nearest_steps(sent.volume, spec)
    return steps if volume > 0 else -steps
