"""Reads the provider's account from the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from demos.provider.accounts import AccountState, Holding
from demos.provider.overview import PositionRow
from demos.terminal import (
    ACCOUNT_BALANCE,
    ACCOUNT_CURRENCY,
    ACCOUNT_EQUITY,
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    POSITION_PRICE_OPEN,
    POSITION_PROFIT,
    POSITION_SL,
    POSITION_SYMBOL,
    POSITION_TP,
    POSITION_TYPE,
    POSITION_TYPE_SELL,
    POSITION_VOLUME,
    SYMBOL_DIGITS,
    SYMBOL_TRADE_CONTRACT_SIZE,
    AccountInfoDouble,
    AccountInfoInteger,
    AccountInfoString,
    PositionGetDouble,
    PositionGetInteger,
    PositionGetString,
    PositionGetTicket,
    PositionsTotal,
    SymbolInfoDouble,
    SymbolInfoInteger,
)


def ReadAccount(symbols: Collection[str] = ()) -> AccountState:
    """The account's figures and its open positions: of these symbols only, or of all."""
    hedging = AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    return AccountState(
        AccountInfoString(ACCOUNT_CURRENCY),
        hedging,
        _decimal(AccountInfoDouble(ACCOUNT_BALANCE)),
        _decimal(AccountInfoDouble(ACCOUNT_EQUITY)),
        tuple(_selected(ticket if hedging else None) for ticket in _tickets(symbols)),
    )


def ReadPositions(symbols: Collection[str] = ()) -> list[PositionRow]:
    """The open positions with their profits, for the dashboard: of these symbols only, or of all.

    They have no times: the market's time is in another time zone, and years ago when old ticks are replayed.
    """
    rows = []
    for ticket in _tickets(symbols):
        each = _selected(ticket)
        profit = _decimal(PositionGetDouble(POSITION_PROFIT))
        digits = SymbolInfoInteger(each.symbol, SYMBOL_DIGITS)
        rows.append(PositionRow(each.symbol, each.lots, each.price, each.sl, each.tp, profit, 0, ticket, digits))
    return rows


def _tickets(symbols: Collection[str]) -> Iterator[int]:
    """The tickets of the open positions in these symbols, or of all; each is the selected one until the next."""
    for i in range(PositionsTotal()):
        ticket = PositionGetTicket(i)
        # It is 0, and selects nothing, when the position was closed meanwhile.
        if ticket and (not symbols or PositionGetString(POSITION_SYMBOL) in symbols):
            yield ticket


def _selected(ticket: int | None) -> Holding:
    symbol = PositionGetString(POSITION_SYMBOL)
    lots = _decimal(PositionGetDouble(POSITION_VOLUME))
    return Holding(
        symbol,
        -lots if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL else lots,
        _decimal(PositionGetDouble(POSITION_PRICE_OPEN)),
        _decimal(SymbolInfoDouble(symbol, SYMBOL_TRADE_CONTRACT_SIZE)),
        # The terminal has 0 for a position without a stop.
        _decimal(PositionGetDouble(POSITION_SL)) or None,
        _decimal(PositionGetDouble(POSITION_TP)) or None,
        ticket,
    )


def _decimal(value: float) -> Decimal:
    """The number that the terminal means: the shortest decimal of a double."""
    return Decimal(repr(value))
