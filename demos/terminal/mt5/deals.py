"""Reads a real account's deals: those that changed the positions between two reads, and the profit of a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from demos.terminal.interfaces import Deal, Position, SymbolSpec
from demos.terminal.mt5.api import (
    DEAL_TYPE_BUY,
    DEAL_TYPE_SELL,
    Mt5,
    TradeDeal,
    exact,
    points_of,
)
from demos.terminal.mt5.failures import Failures
from demos.terminal.mt5.market import Symbols, UnansweredError
from demos.terminal.points import netted, volume_steps


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
            volume = _steps(deal, position.spec)
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
    trades = list(filter(_is_trade, history))
    trades.sort(key=lambda deal: deal.ticket, reverse=True)
    found: list[TradeDeal] = []
    for deal in trades:
        found.insert(0, deal)
        change -= _steps(deal, position.spec)
        if change == 0:
            return found
    return []


def _steps(deal: TradeDeal, spec: SymbolSpec) -> int:
    steps = volume_steps(exact(deal.volume), spec) or 0
    return steps if deal.type == DEAL_TYPE_BUY else -steps


_DEALS_OF_DAY = "the deals of the day"
_DEALS_OF_POSITION = "the deals of a position"


class RealizedProfit:
    """The profit of the deals of a time, in points times lots.

    The terminal counts a deal's profit in the account's currency. So the profit is computed from the prices of all
    deals of the position. A position is read again only when it has a new deal in this time, or while its deals
    could not be read, or the terminal returns fewer of them than there are in this time.
    """

    def __init__(self, mt5: Mt5, symbols: Symbols, failures: Failures, is_own: Callable[[TradeDeal], bool]) -> None:
        """``is_own`` says whether a position is the program's own, by its first deal."""
        self._mt5 = mt5
        self._symbols = symbols
        self._failures = failures
        self._is_own = is_own
        self._time = (0, 0)
        # By position: the number of its deals in this time, 0 while it must be read again, and their profit.
        self._known: dict[int, tuple[int, Decimal]] = {}

    def read(self, begin: int, end: int) -> Decimal:
        """The profit of the deals from ``begin`` to before ``end``, milliseconds of the market.

        While the terminal cannot give the deals, the profit that was known before stays; a report says so.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        if self._time != (begin, end):
            self._time = (begin, end)
            self._known.clear()
        deals = self._mt5.history_deals_get(begin // 1000, end // 1000)
        if deals is None:
            self._failures.failed(_DEALS_OF_DAY)
        else:
            self._failures.worked(_DEALS_OF_DAY)
            self._read_positions(Counter(deal.position_id for deal in deals if self._counts(deal)))
        return sum((profit for _, profit in self._known.values()), Decimal(0))

    def _read_positions(self, counts: Mapping[int, int]) -> None:
        """Read each position whose number of deals in this time is not the known one."""
        complete = True
        for position, count in counts.items():
            known, profit = self._known.get(position, (0, Decimal(0)))
            if known == count:
                continue
            deals = self._mt5.history_deals_get(position=position)
            found = None
            if deals is None:
                self._failures.failed(_DEALS_OF_POSITION)
            else:
                found = self._profit(deals)
                if sum(map(self._counts, deals)) < count:
                    self._failures.failed(_DEALS_OF_POSITION, f"the history of position {position} is incomplete")
                    count = 0
            if found is None:
                count, found = 0, profit
            complete = complete and count > 0
            self._known[position] = (count, found)
        if complete:
            self._failures.worked(_DEALS_OF_POSITION)

    def _counts(self, deal: TradeDeal) -> bool:
        """Whether this is a trade of this time."""
        begin, end = self._time
        return _is_trade(deal) and begin <= deal.time_msc < end

    def _profit(self, history: Sequence[TradeDeal]) -> Decimal | None:
        """The profit of a position's deals of this time; None when the terminal cannot give the symbol at present."""
        deals = sorted(filter(_is_trade, history), key=lambda deal: deal.ticket)
        if not deals or not self._is_own(deals[0]):
            return Decimal(0)
        try:
            spec = self._symbols[deals[0].symbol]
        except UnansweredError:
            return None
        except KeyError:
            return Decimal(0)
        volume = cost = total = 0
        for deal in deals:
            price = points_of(deal.price, spec.digits)
            volume, cost, profit = netted(volume, cost, _steps(deal, spec), price)
            if self._counts(deal):
                total += profit
        return total * spec.volume_step


def _is_trade(deal: TradeDeal) -> bool:
    return deal.type in (DEAL_TYPE_BUY, DEAL_TYPE_SELL)
