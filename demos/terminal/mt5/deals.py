"""Finds the deals that changed a real account's positions between two reads."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from demos.terminal.interfaces import Deal, Position
from demos.terminal.mt5.api import DEAL_TYPE_BUY, DEAL_TYPE_SELL, Mt5, TradeDeal, exact, points_of
from demos.terminal.points import volume_steps


def deals_between(
    mt5: Mt5, old: Mapping[int, Position], new: Mapping[int, Position], prices: Mapping[int, Decimal]
) -> list[Deal]:
    """The deals that changed the old positions to the new ones; positions and prices are keyed by identifier.

    They are the last deals of the terminal's history that add up to the change. When the history does not contain them
    yet, one deal with ticket 0 at the current price replaces them, so that no change is missed.
    """
    totals: dict[str, int] = {}
    for held in old.values():
        totals[held.spec.name] = totals.get(held.spec.name, 0) + held.volume
    deals = []
    for identifier in sorted(old.keys() | new.keys()):
        before, after = old.get(identifier), new.get(identifier)
        position = after or before
        assert position is not None
        change = (after.volume if after else 0) - (before.volume if before else 0)
        if change == 0:
            continue
        spec, symbol = position.spec, position.spec.name
        for deal in _deals_of_change(mt5, identifier, change, position):
            volume = _steps(deal, position)
            totals[symbol] = totals.get(symbol, 0) + volume
            price = points_of(deal.price, spec.digits)
            deals.append(Deal(deal.ticket, identifier, spec, volume, price, totals[symbol], 0, deal.time_msc))
            change -= volume
        if change:
            totals[symbol] = totals.get(symbol, 0) + change
            price = points_of(float(prices.get(identifier, 0)), spec.digits)
            deals.append(Deal(0, identifier, spec, change, price, totals[symbol], 0, position.time))
    return deals


def _deals_of_change(mt5: Mt5, identifier: int, change: int, position: Position) -> list[TradeDeal]:
    """The last deals of a position that add up to the change, oldest first; empty when there are none."""
    history = mt5.history_deals_get(position=identifier) or ()
    trades = [deal for deal in history if deal.type in (DEAL_TYPE_BUY, DEAL_TYPE_SELL)]
    trades.sort(key=lambda deal: deal.ticket, reverse=True)
    found: list[TradeDeal] = []
    for deal in trades:
        found.insert(0, deal)
        change -= _steps(deal, position)
        if change == 0:
            return found
    return []


def _steps(deal: TradeDeal, position: Position) -> int:
    steps = volume_steps(exact(deal.volume), position.spec) or 0
    return steps if deal.type == DEAL_TYPE_BUY else -steps
