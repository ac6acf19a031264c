"""Reads the provider's account from the terminal."""

from __future__ import annotations

from collections.abc import Collection
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
    POSITION_TIME,
    POSITION_TP,
    POSITION_TYPE,
    POSITION_TYPE_SELL,
    POSITION_VOLUME,
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
)


def ReadAccount(symbols: Collection[str] = ()) -> AccountState:
    """The account's figures and its open positions: of these symbols only, or of all."""
    hedging = AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    holdings = []
    for i in range(PositionsTotal()):
        ticket = PositionGetTicket(i)
        # It selects the position, unless that was closed meanwhile.
        if ticket and (not symbols or PositionGetString(POSITION_SYMBOL) in symbols):
            holdings.append(_selected(ticket if hedging else None))
    return AccountState(
        AccountInfoString(ACCOUNT_CURRENCY),
        hedging,
        _decimal(AccountInfoDouble(ACCOUNT_BALANCE)),
        _decimal(AccountInfoDouble(ACCOUNT_EQUITY)),
        tuple(holdings),
    )


def ReadPositions(symbols: Collection[str] = ()) -> list[PositionRow]:
    """The open positions with their profits, for the dashboard: of these symbols only, or of all."""
    rows = []
    for i in range(PositionsTotal()):
        ticket = PositionGetTicket(i)
        if ticket and (not symbols or PositionGetString(POSITION_SYMBOL) in symbols):
            each = _selected(ticket)
            profit = _decimal(PositionGetDouble(POSITION_PROFIT))
            time = PositionGetInteger(POSITION_TIME) * 1000
            rows.append(PositionRow(each.symbol, each.lots, each.price, each.sl, each.tp, profit, time, ticket))
    return rows


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
