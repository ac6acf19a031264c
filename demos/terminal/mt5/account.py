"""A real terminal's account: positions with a magic number, and orders, whose every answer is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from demos.terminal.interfaces import Clock, Deal, Position, SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import (
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_DONE_PARTIAL,
    TRADE_RETCODE_ERROR,
    TRADE_RETCODE_INVALID_CLOSE_VOLUME,
    TRADE_RETCODE_INVALID_FILL,
    TRADE_RETCODE_LOCKED,
    TRADE_RETCODE_PLACED,
    TRADE_RETCODE_POSITION_CLOSED,
    TRADE_RETCODE_PRICE_OFF,
    TRADE_RETCODE_REJECT,
    TRADE_RETCODE_TIMEOUT,
)
from demos.terminal.mt5.api import (
    ORDER_TYPE_BUY,
    ORDER_TYPE_SELL,
    POSITION_TYPE_BUY,
    Mt5,
    Mt5Error,
    OrderSendResult,
    TradePosition,
    answered,
    exact,
    failure,
    points_of,
    terminal_is_gone,
)
from demos.terminal.mt5.deals import deals_between
from demos.terminal.mt5.requests import filling_mode, request_text, retcode_text, trade_request
from demos.terminal.points import volume_float

# Seconds: how often somebody else's trades are looked for; how long an order that was done may take to show in the
# positions before the program goes on; and how long after that no other order in the symbol is sent.
LOOK = 0.05
SETTLING = 3.0
LOCKED = 60.0

_TURN = 0.02

# The answers after which the order may have been carried out, or still be.
_UNDER_WAY = (TRADE_RETCODE_DONE, TRADE_RETCODE_DONE_PARTIAL, TRADE_RETCODE_PLACED, TRADE_RETCODE_TIMEOUT)


class Mt5Account:
    """The positions with the magic number, and orders that bear it; others are neither shown nor touched.

    A deal's profit is told as 0: the terminal counts it in the account's currency.
    """

    def __init__(
        self,
        mt5: Mt5,
        symbols: Mapping[str, SymbolSpec],
        clock: Clock,
        say: Callable[[str], None],
        *,
        magic: int | None = None,
        deviation: int = 10,
        live: bool = False,
    ) -> None:
        """Read the positions.

        ``magic`` None: all positions count as the program's own, and orders bear 0. ``deviation`` is in points. Unless
        ``live``, an order is checked by the terminal, told to ``say``, and not sent.

        Errors: Mt5Error when the terminal does not answer.
        """
        self._mt5 = mt5
        self._symbols = symbols
        self._clock = clock
        self._say = say
        self._magic = magic
        self._deviation = deviation
        self._live = live
        self._margin_mode = answered(mt5, "the account", mt5.account_info()).margin_mode
        self._locked: dict[str, tuple[int, float]] = {}
        self._deals: list[Deal] = []
        self._next = 0.0
        self._positions, self._prices = self._read()

    @property
    def margin_mode(self) -> int:
        """See interfaces.Account."""
        return self._margin_mode

    def positions(self) -> Sequence[Position]:
        """See interfaces.Account. As they were at the last look, which is at most a twentieth of a second ago.

        Errors: Mt5Error when the terminal does not answer.
        """
        self._look_when_due()
        return sorted(self._positions.values(), key=lambda position: position.ticket)

    def new_deals(self) -> Sequence[Deal]:
        """See interfaces.Account.

        Errors: Mt5Error when the terminal does not answer.
        """
        self._look_when_due()
        deals, self._deals = self._deals, []
        return deals

    def trade(self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0) -> TradeResult:
        """See interfaces.Account. With a ``ticket`` the order closes that position or a part of it.

        On a netting account it is refused where the symbol's position is foreign, for it would change that. It waits
        until the positions show what was done, so that the next difference is not computed from the old ones.

        Errors: Mt5Error when the terminal does not answer; whether the order was carried out is not known then.
        """
        present = self._raw(spec.name)
        own = [position for position in present if self._is_own(position)]
        before = sum(_signed(position, spec) for position in own)
        problem = self._problem(spec, volume, ticket, present, before)
        if problem:
            return problem
        request = self._request(spec, volume, ticket)
        if isinstance(request, TradeResult):
            return request
        self._say(f"{'order' if self._live else 'dry run, not sent'}: {request_text(request)}")
        check = self._mt5.order_check(request)
        if check is None:
            return self._unanswered("order_check")
        if check.retcode != 0:
            return TradeResult(check.retcode, text=f"order_check: {retcode_text(check.retcode, check.comment)}")
        if not self._live:
            return TradeResult(TRADE_RETCODE_DONE, text="a dry run, nothing was sent")
        sent = self._mt5.order_send(request)
        if sent is None:
            return self._unanswered("order_send")
        text = retcode_text(sent.retcode, sent.comment)
        self._say(f"answer: {text}, order {sent.order}, deal {sent.deal}, {sent.volume} lots at {sent.price}")
        if sent.retcode not in _UNDER_WAY:
            return TradeResult(sent.retcode, text=text)
        now = self._settled(spec, before, _filled(sent, volume, spec))
        if sent.retcode != TRADE_RETCODE_DONE and now != before + volume:
            return TradeResult(sent.retcode, text=text)
        price = points_of(sent.price or request["price"], spec.digits)
        return TradeResult(TRADE_RETCODE_DONE, Deal(sent.deal, ticket, spec, volume, price, now, 0, quote.time), text)

    def _problem(
        self, spec: SymbolSpec, volume: int, ticket: int, present: Sequence[TradePosition], before: int
    ) -> TradeResult | None:
        """Why the order must not be sent now."""
        symbol = spec.name
        if self._margin_mode != ACCOUNT_MARGIN_MODE_RETAIL_HEDGING:
            foreign = next((position for position in present if not self._is_own(position)), None)
            if foreign:
                text = f"position {foreign.ticket} in {symbol} has magic number {foreign.magic} and stays untouched"
                return TradeResult(TRADE_RETCODE_REJECT, text=text)
        if ticket:
            position = next((each for each in present if each.ticket == ticket), None)
            if position is None:
                return TradeResult(TRADE_RETCODE_POSITION_CLOSED, text=f"there is no position {ticket} in {symbol}")
            if not self._is_own(position):
                text = f"position {ticket} in {symbol} has magic number {position.magic} and stays untouched"
                return TradeResult(TRADE_RETCODE_REJECT, text=text)
            held = _signed(position, spec)
            if held * volume >= 0 or abs(volume) > abs(held):
                text = f"{volume} steps do not close a position of {held}"
                return TradeResult(TRADE_RETCODE_INVALID_CLOSE_VOLUME, text=text)
        waiting = self._waiting(symbol)
        if waiting:
            return TradeResult(TRADE_RETCODE_LOCKED, text=f"order {waiting} in {symbol} is still under way")
        old, until = self._locked.get(symbol, (0, 0.0))
        if until and before == old and self._clock.monotonic() < until:
            return TradeResult(
                TRADE_RETCODE_LOCKED, text=f"the last order in {symbol} does not show in the positions yet"
            )
        self._locked.pop(symbol, None)
        return None

    def _waiting(self, symbol: str) -> int:
        """The ticket of an own market order that the terminal has not carried out yet, or 0."""
        orders = answered(self._mt5, "the orders", self._mt5.orders_get(symbol=symbol))
        own = (order for order in orders if self._magic is None or order.magic == self._magic)
        return next((order.ticket for order in own if order.type in (ORDER_TYPE_BUY, ORDER_TYPE_SELL)), 0)

    def _request(self, spec: SymbolSpec, volume: int, ticket: int) -> dict[str, Any] | TradeResult:
        info = answered(self._mt5, f"the symbol {spec.name}", self._mt5.symbol_info(spec.name))
        tick = self._mt5.symbol_info_tick(spec.name)
        if tick is None and terminal_is_gone(self._mt5):
            raise failure(self._mt5, f"the quote of {spec.name}")
        price = (tick.ask if volume > 0 else tick.bid) if tick else 0.0
        if not price:
            return TradeResult(TRADE_RETCODE_PRICE_OFF, text=spec.name)
        filling = filling_mode(info)
        if filling is None:
            return TradeResult(
                TRADE_RETCODE_INVALID_FILL, text=f"{spec.name} can be filled neither at once nor in part"
            )
        return trade_request(
            symbol=spec.name,
            buy=volume > 0,
            lots=volume_float(abs(volume), spec),
            price=price,
            deviation=self._deviation,
            magic=self._magic or 0,
            filling=filling,
            position=ticket,
        )

    def _settled(self, spec: SymbolSpec, before: int, volume: int) -> int:
        """Wait until the positions show an order of so many steps; returns what they show, in steps.

        Where they still are what they were before, the symbol is locked for a while.
        """
        end = self._clock.monotonic() + SETTLING
        while True:
            own = [position for position in self._raw(spec.name) if self._is_own(position)]
            now = sum(_signed(position, spec) for position in own)
            if now == before + volume or self._clock.monotonic() >= end:
                break
            self._clock.wait(_TURN)
        if now == before:
            self._locked[spec.name] = (before, self._clock.monotonic() + LOCKED)
        self._look()
        return now

    def _unanswered(self, call: str) -> TradeResult:
        """What becomes of a call that has failed."""
        if terminal_is_gone(self._mt5):
            raise failure(self._mt5, call)
        code, text = self._mt5.last_error()
        return TradeResult(TRADE_RETCODE_ERROR, text=f"{call}: {code} {text}")

    def _raw(self, symbol: str) -> Sequence[TradePosition]:
        return answered(self._mt5, "the positions", self._mt5.positions_get(symbol=symbol))

    def _is_own(self, position: TradePosition) -> bool:
        return self._magic is None or position.magic == self._magic

    def _look_when_due(self) -> None:
        if self._clock.monotonic() >= self._next:
            self._look()

    def _look(self) -> None:
        """Read the positions, and find the deals that made them what they are now."""
        self._next = self._clock.monotonic() + LOOK
        old = self._positions
        self._positions, prices = self._read()
        self._deals += deals_between(self._mt5, old, self._positions, self._prices | prices)
        self._prices = prices

    def _read(self) -> tuple[dict[int, Position], dict[int, Decimal]]:
        """The own positions and their present prices, by identifier."""
        raw = answered(self._mt5, "the positions", self._mt5.positions_get())
        own = [position for position in raw if self._is_own(position)]
        found = [(position.identifier, self._position(position)) for position in own]
        prices = {position.identifier: exact(position.price_current) for position in own}
        return {identifier: position for identifier, position in found if position.volume}, prices

    def _position(self, position: TradePosition) -> Position:
        try:
            spec = self._symbols[position.symbol]
        except KeyError:
            raise Mt5Error(f"position {position.ticket} is in {position.symbol}, which is no symbol") from None
        volume = _signed(position, spec)
        cost = (exact(position.price_open).scaleb(spec.digits) * volume).to_integral_value(ROUND_HALF_EVEN)
        return Position(position.ticket, spec, volume, int(cost), position.time_msc, position.magic)


def _filled(sent: OrderSendResult, volume: int, spec: SymbolSpec) -> int:
    """The signed steps that an order is known to come to."""
    if sent.retcode != TRADE_RETCODE_DONE_PARTIAL:
        return volume
    steps = _steps(sent.volume, spec)
    return steps if volume > 0 else -steps


def _signed(position: TradePosition, spec: SymbolSpec) -> int:
    """A position's volume in steps of the symbol, to the nearest one, negative when it was sold.

    It lies between two only where the broker has changed the step since it was opened.
    """
    steps = _steps(position.volume, spec)
    return steps if position.type == POSITION_TYPE_BUY else -steps


def _steps(lots: float, spec: SymbolSpec) -> int:
    """A volume in steps of the symbol, to the nearest one."""
    return int((exact(lots) / spec.volume_step).to_integral_value(ROUND_HALF_EVEN))
