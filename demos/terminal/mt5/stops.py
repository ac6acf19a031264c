"""Modifies the stops of a position of a real account."""

from __future__ import annotations

from demos.terminal.interfaces import Clock, Stops, SymbolSpec, TradeResult
from demos.terminal.mql.constants import TRADE_RETCODE_DONE, TRADE_RETCODE_TIMEOUT
from demos.terminal.mt5.api import Mt5, TradePosition
from demos.terminal.mt5.failures import check_connection
from demos.terminal.mt5.orders import Orders
from demos.terminal.mt5.positions import POSITIONS, stops_of
from demos.terminal.mt5.requests import retcode_text, stops_request, with_advice

# Times in seconds: how long to wait until the positions show the new stops, and the interval at which they are read.
CONFIRM_TIMEOUT = 3.0
CONFIRM_INTERVAL = 0.02


def modify_stops(
    mt5: Mt5, orders: Orders, clock: Clock, position: TradePosition, stops: Stops, spec: SymbolSpec
) -> TradeResult:
    """Replace the position's stops, and wait until the positions show them.

    Errors: Mt5Error when the connection to the terminal is lost; then it is unknown whether they were replaced.
    """
    sent = orders.attempt(stops_request(position, stops, spec.digits))
    if isinstance(sent, TradeResult):
        if sent.retcode == TRADE_RETCODE_TIMEOUT:
            _await_stops(mt5, clock, position, stops, spec)
        return sent
    text = retcode_text(sent.retcode, sent.comment)
    if sent.retcode == TRADE_RETCODE_DONE:
        _await_stops(mt5, clock, position, stops, spec)
        return TradeResult(TRADE_RETCODE_DONE, text=text)
    return TradeResult(sent.retcode, text=with_advice(sent.retcode, text))


def _await_stops(mt5: Mt5, clock: Clock, position: TradePosition, stops: Stops, spec: SymbolSpec) -> None:
    """Wait until the terminal shows the position with these stops, or not at all."""
    end = clock.monotonic() + CONFIRM_TIMEOUT
    while clock.monotonic() < end:
        present = mt5.positions_get(symbol=position.symbol)
        if present is None:
            check_connection(mt5, POSITIONS)
        elif all(each.ticket != position.ticket or stops_of(each, spec) == stops for each in present):
            return
        clock.wait(CONFIRM_INTERVAL)
