"""Commands on standard input that trade by hand on the first chart's symbol: buy, sell, close, stops, positions.

They work on any account behind the terminal: the paper account and that of a real MetaTrader 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from demos.terminal.interfaces import Account, Charts, Market, Position, Stops, SymbolSpec, TradeResult
from demos.terminal.mql.constants import TRADE_RETCODE_DONE, TRADE_RETCODES
from demos.terminal.points import price_text, volume_problem, volume_steps, volume_text
from demos.terminal.runtime.attachment import Attachment
from demos.terminal.runtime.commands import Command, CommandError

_LOTS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_STOPS = re.compile(r"(\d{1,9}(?:\.\d{1,15})?) +(\d{1,9}(?:\.\d{1,15})?)", re.ASCII)


class TradeTerminal(Protocol):
    """The terminal as these commands use it."""

    @property
    def market(self) -> Market:
        """See Terminal."""
        ...

    @property
    def account(self) -> Account:
        """See Terminal."""
        ...

    @property
    def charts(self) -> Charts:
        """See Terminal."""
        ...

    @property
    def first_chart(self) -> Attachment:
        """See Terminal."""
        ...

    def trade(self, symbol: str, volume: int, ticket: int = 0) -> TradeResult:
        """See Terminal."""
        ...

    def modify(self, position: Position, stops: Stops) -> TradeResult:
        """See Terminal."""
        ...


def _buy(terminal: TradeTerminal, arguments: str) -> Sequence[str]:
    return [_trade(terminal, _symbol(terminal), _volume(terminal, "buy", arguments), 0)]


def _sell(terminal: TradeTerminal, arguments: str) -> Sequence[str]:
    return [_trade(terminal, _symbol(terminal), -_volume(terminal, "sell", arguments), 0)]


def _close(terminal: TradeTerminal, arguments: str) -> Sequence[str]:
    return [_trade(terminal, position.spec.name, -position.volume, position.ticket) for position in _found(terminal)]


def _stops(terminal: TradeTerminal, arguments: str) -> Sequence[str]:
    match = _STOPS.fullmatch(arguments)
    if not match:
        raise CommandError("stops needs two prices, 0 for none, as in: stops 1.07000 0")
    answers = []
    for position in _found(terminal):
        spec = position.spec
        stops = Stops(*(_points(text, spec) for text in match.groups()))
        result = terminal.modify(position, stops)
        sl, tp = (price_text(points, spec.digits) if points else "none" for points in stops)
        done = result.text or f"position {position.ticket} in {spec.name} has stop loss {sl}, take profit {tp}"
        answers.append(f"done: {done}" if result.retcode == TRADE_RETCODE_DONE else _failure(result))
    return answers


def _positions(terminal: TradeTerminal, arguments: str) -> Sequence[str]:
    """One line for each symbol with a position; the chart's symbol is shown even when it has none."""
    symbol = _symbol(terminal)
    specs = {symbol: terminal.market.symbols()[symbol]}
    volumes = {symbol: 0}
    for position in terminal.account.positions():
        name = position.spec.name
        specs[name] = position.spec
        volumes[name] = volumes.get(name, 0) + position.volume
    return [f"{name} {volume_text(volume, specs[name])}" for name, volume in volumes.items()]


TRADE_COMMANDS: Sequence[Command[TradeTerminal]] = (
    Command("buy", "LOTS", "buy at the market, as in: buy 0.25", _buy),
    Command("sell", "LOTS", "sell at the market, as in: sell 0.10", _sell),
    Command("close", "", "close the position in the chart's symbol", _close),
    Command("stops", "SL TP", "stop loss and take profit of the position, as in: stops 1.07000 0", _stops),
    Command("positions", "", "show each position, as in: EURUSD -0.10", _positions),
)


def _symbol(terminal: TradeTerminal) -> str:
    return terminal.charts.view(terminal.first_chart.id).symbol


def _found(terminal: TradeTerminal) -> Sequence[Position]:
    """The positions in the chart's symbol."""
    symbol = _symbol(terminal)
    found = [position for position in terminal.account.positions() if position.spec.name == symbol]
    if not found:
        raise CommandError(f"there is no position in {symbol}")
    return found


def _points(price: str, spec: SymbolSpec) -> int:
    points = Decimal(price).scaleb(spec.digits)
    if points != int(points):
        raise CommandError(f"{price} has more than the {spec.digits} decimal places of {spec.name}")
    return int(points)


def _volume(terminal: TradeTerminal, name: str, arguments: str) -> int:
    """The volume of an order in steps."""
    if not _LOTS.fullmatch(arguments):
        raise CommandError(f"{name} needs one volume in lots, as in: {name} 0.25")
    spec = terminal.market.symbols()[_symbol(terminal)]
    lots = Decimal(arguments)
    problem = volume_problem(lots, spec)
    steps = volume_steps(lots, spec)
    if problem or steps is None:
        raise CommandError(f"{problem}")
    return steps


def _trade(terminal: TradeTerminal, symbol: str, steps: int, ticket: int) -> str:
    """The answer's line; an order that fails does not keep the next one from being sent."""
    result = terminal.trade(symbol, steps, ticket)
    deal = result.deal
    if result.retcode == TRADE_RETCODE_DONE and deal is None:
        return f"done: {result.text}"
    if result.retcode != TRADE_RETCODE_DONE or deal is None:
        return _failure(result)
    action = "buy" if deal.volume > 0 else "sell"
    volume = volume_text(abs(deal.volume), deal.spec)
    return f"done: {action} {volume} {symbol} at {price_text(deal.price, deal.spec.digits)}, deal {deal.ticket}"


def _failure(result: TradeResult) -> str:
    return f"error: {TRADE_RETCODES.get(result.retcode, result.retcode)}: {result.text}"
