"""Trade functions that read positions. https://www.mql5.com/en/docs/trading"""

from __future__ import annotations

from bisect import bisect_left

from demos.terminal.interfaces import Position
from demos.terminal.mql import constants as c
from demos.terminal.points import closing_price, open_price, price_float, volume_float
from demos.terminal.terminal import current_program, current_terminal

__all__ = [
    "PositionGetDouble",
    "PositionGetInteger",
    "PositionGetString",
    "PositionGetSymbol",
    "PositionGetTicket",
    "PositionSelect",
    "PositionSelectByTicket",
    "PositionsTotal",
]


def PositionsTotal() -> int:
    """The number of open positions."""
    return len(current_terminal().account.positions())


def PositionGetTicket(index: int) -> int:
    """The ticket of the position at that index, which becomes the selected one; 0 when there is none."""
    positions = current_terminal().account.positions()
    return _select(positions[index] if 0 <= index < len(positions) else None)


def PositionGetSymbol(index: int) -> str:
    """The symbol of the position at that index, which becomes the selected one; "" when there is none."""
    return _selected().spec.name if PositionGetTicket(index) else ""


def PositionSelectByTicket(ticket: int) -> bool:
    """Select a position for the PositionGet* functions; they show it as it is at this moment."""
    positions = current_terminal().account.positions()
    place = bisect_left(positions, ticket, key=lambda position: position.ticket)
    found = positions[place] if place < len(positions) else None
    return _select(found if found and found.ticket == ticket else None) != 0


def PositionSelect(symbol: str) -> bool:
    """Select the symbol's position, on a hedging account the one with the lowest ticket."""
    return _select(next((p for p in current_terminal().account.positions() if p.spec.name == symbol), None)) != 0


def PositionGetString(property_id: int) -> str:
    """POSITION_SYMBOL of the selected position."""
    if property_id != c.POSITION_SYMBOL:
        raise ValueError(f"no string property {property_id} of a position")
    return _selected().spec.name


def PositionGetDouble(property_id: int) -> float:
    """Volume in lots, prices, or profit in the account's currency, of the selected position.

    A price POSITION_SL or POSITION_TP of 0 is none. The current price and the profit are 0 while the market has not
    quoted the symbol; the profit also when it cannot be converted, and then one line of the log says so.
    """
    position = _selected()
    digits = position.spec.digits
    if property_id == c.POSITION_VOLUME:
        return volume_float(abs(position.volume), position.spec)
    if property_id == c.POSITION_PRICE_OPEN:
        return float(open_price(position) / 10**digits)
    if property_id in (c.POSITION_SL, c.POSITION_TP):
        return price_float(position.stops.sl if property_id == c.POSITION_SL else position.stops.tp, digits)
    terminal = current_terminal()
    if property_id == c.POSITION_PRICE_CURRENT:
        quote = terminal.quotes.get(position.spec.name)
        return price_float(closing_price(position, quote), digits) if quote else 0.0
    if property_id == c.POSITION_PROFIT:
        profit = position.profit
        if profit is None:
            profit = terminal.prices.open_profit(position, terminal.account.currency)
        return float(profit or 0)
    raise ValueError(f"no double property {property_id} of a position")


def PositionGetInteger(property_id: int) -> int:
    """Type, ticket, identifier or time (seconds or milliseconds since 1970) of the selected position."""
    position = _selected()
    if property_id == c.POSITION_TYPE:
        return c.POSITION_TYPE_BUY if position.volume > 0 else c.POSITION_TYPE_SELL
    values = {
        c.POSITION_TICKET: position.ticket,
        c.POSITION_IDENTIFIER: position.ticket,
        c.POSITION_MAGIC: position.magic,
        c.POSITION_TIME: position.time // 1000,
        c.POSITION_TIME_MSC: position.time,
    }
    if property_id not in values:
        raise ValueError(f"no integer property {property_id} of a position")
    return values[property_id]


def _select(position: Position | None) -> int:
    """Select a position and return its ticket, 0 for None."""
    if position is None:
        return 0
    current_program().selected = position
    return position.ticket


def _selected() -> Position:
    position = current_program().selected
    if position is None:
        raise RuntimeError("no position was selected")
    return position
