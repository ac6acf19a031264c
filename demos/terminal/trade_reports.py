"""What the events file and the log show about a deal and about new stops."""

from __future__ import annotations

from collections.abc import Mapping

from demos.terminal.interfaces import Deal, Position
from demos.terminal.points import price_text, volume_text


def deal_report(deal: Deal) -> tuple[Mapping[str, object], str]:
    """The event's fields, and the line ``#2 EURUSD -0.25 at 0.99000 -> 0.00 (sl 0.99010)``."""
    symbol = deal.spec.name
    volume = volume_text(deal.volume, deal.spec)
    position = volume_text(deal.position_volume, deal.spec)
    price = price_text(deal.price, deal.spec.digits)
    cause = f" ({deal.comment})" if deal.comment else ""
    fields = {"symbol": symbol, "volume": volume, "position": position, "price": price}
    return fields, f"#{deal.ticket} {symbol} {volume} at {price} -> {position}{cause}"


def stops_report(position: Position) -> tuple[Mapping[str, object], str]:
    """The event's fields, and the line ``#1 EURUSD stop loss 0.99010, take profit none``."""
    symbol, digits = position.spec.name, position.spec.digits
    sl, tp = (price_text(price, digits) if price else "none" for price in position.stops)
    fields = {"symbol": symbol, "ticket": position.ticket, "sl": sl, "tp": tp}
    return fields, f"#{position.ticket} {symbol} stop loss {sl}, take profit {tp}"
