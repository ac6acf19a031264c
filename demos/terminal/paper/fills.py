"""What an order does to the positions of an account that fills orders at the quote, and when its stops are reached.

These are MetaTrader's rules. A netting account has one position per symbol. Stops that come with an order which opens,
increases or reverses the position replace its stops, also when they are 0; an order that reduces the position leaves
them. In a hedging account each order without a ticket opens a position of its own.

A stop is reached when the price at which the position would be closed, the bid of a long and the ask of a short
position, is at the stop or beyond it. Then the position is closed at that price, which may be worse than a stop loss,
or better than a take profit, after a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from demos.terminal.interfaces import NO_STOPS, Position, Stops, SymbolSpec, Tick, TradeResult
from demos.terminal.mql.constants import (
    TRADE_RETCODE_INVALID_CLOSE_VOLUME,
    TRADE_RETCODE_INVALID_STOPS,
    TRADE_RETCODE_NO_CHANGES,
    TRADE_RETCODE_POSITION_CLOSED,
)
from demos.terminal.points import closing_price, netted, price_text


class Order(NamedTuple):
    """A market order; see interfaces.Account.trade."""

    spec: SymbolSpec
    volume: int
    quote: Tick
    ticket: int = 0
    stops: Stops = NO_STOPS

    @property
    def price(self) -> int:
        """The price in points at which it is filled."""
        return self.quote.ask if self.volume > 0 else self.quote.bid


class Fill(NamedTuple):
    """What an order changes: the position after it (ticket 0: a new one; volume 0: closed), the profit in point-steps.

    ``total`` is the signed volume of all positions in the symbol after it.
    """

    position: Position
    profit: int
    total: int


def filled(positions: Sequence[Position], order: Order, *, hedging: bool) -> Fill | TradeResult:
    """What the order changes, or why it is rejected."""
    spec = order.spec
    held = [position for position in positions if position.spec.name == spec.name]
    if order.ticket:
        old = next((position for position in held if position.ticket == order.ticket), None)
        if old is None:
            text = f"there is no position {order.ticket} in {spec.name}"
            return TradeResult(TRADE_RETCODE_POSITION_CLOSED, text=text)
        if old.volume * order.volume >= 0 or abs(order.volume) > abs(old.volume):
            text = f"{order.volume} steps do not close a position of {old.volume}"
            return TradeResult(TRADE_RETCODE_INVALID_CLOSE_VOLUME, text=text)
    else:
        old = None if hedging or not held else held[0]
    if old is None:
        old = Position(0, spec, 0, 0, order.quote.time)
    volume, cost, profit = netted(old.volume, old.cost, order.volume, order.price)
    position = replace(old, volume=volume, cost=cost)
    # The order opens, increases or reverses the position.
    if volume * order.volume > 0:
        if problem := stops_problem(order.stops, position, order.quote):
            return problem
        position = replace(position, stops=order.stops)
    return Fill(position, profit, sum(each.volume for each in held) + order.volume)


def modified(positions: Sequence[Position], ticket: int, stops: Stops, quote: Tick) -> Position | TradeResult:
    """The position with these stops, or why they are rejected."""
    position = next((position for position in positions if position.ticket == ticket), None)
    if position is None:
        return TradeResult(TRADE_RETCODE_POSITION_CLOSED, text=f"there is no position {ticket}")
    if stops == position.stops:
        return TradeResult(TRADE_RETCODE_NO_CHANGES, text=f"position {ticket} has these stops")
    return stops_problem(stops, position, quote) or replace(position, stops=stops)


def stops_problem(stops: Stops, position: Position, quote: Tick) -> TradeResult | None:
    """Why a position cannot have these stops: the quote has reached them already; None when it can."""
    price = closing_price(position, quote)
    side = 1 if position.volume > 0 else -1
    wrong = []
    if stops.sl and (price - stops.sl) * side <= 0:
        wrong.append(("stop loss", stops.sl, "below" if side > 0 else "above"))
    if stops.tp and (stops.tp - price) * side <= 0:
        wrong.append(("take profit", stops.tp, "above" if side > 0 else "below"))
    if not wrong:
        return None
    digits = position.spec.digits
    name, stop, place = wrong[0]
    text = (
        f"the {name} {price_text(stop, digits)} of a {'long' if side > 0 else 'short'} position must be {place} the "
        f"{'bid' if side > 0 else 'ask'} {price_text(price, digits)}"
    )
    return TradeResult(TRADE_RETCODE_INVALID_STOPS, text=text)


def reached(positions: Sequence[Position], spec: SymbolSpec, quote: Tick) -> Sequence[tuple[Position, str]]:
    """The positions whose stop the quote reaches, and the stop, as in ``sl 1.07160``.

    A market may have the symbol with other digits than the account: its points are other prices and reach no stop.
    """
    held = [each for each in positions if (each.spec.name, each.spec.digits) == (spec.name, spec.digits)]
    return [(position, stop) for position in held if (stop := _reached(position, quote))]


def _reached(position: Position, quote: Tick) -> str:
    price = closing_price(position, quote)
    side = 1 if position.volume > 0 else -1
    sl, tp = position.stops
    if sl and (price - sl) * side <= 0:
        return f"sl {price_text(sl, position.spec.digits)}"
    if tp and (tp - price) * side <= 0:
        return f"tp {price_text(tp, position.spec.digits)}"
    return ""
