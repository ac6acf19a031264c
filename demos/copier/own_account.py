"""The own account as the account rules take it: figures, and each copied symbol with its position and prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from demos.copier.account_values import OwnAccount, OwnSymbol
from demos.copier.trading import SymbolLimits
from demos.terminal import (
    ACCOUNT_BALANCE,
    ACCOUNT_CURRENCY,
    ACCOUNT_EQUITY,
    SYMBOL_ASK,
    SYMBOL_BID,
    SYMBOL_POINT,
    SYMBOL_TRADE_CONTRACT_SIZE,
    AccountInfoDouble,
    AccountInfoString,
    SymbolInfoDouble,
)


def read_account(names: Mapping[str, str], positions: Mapping[str, Decimal], currency: str, suffix: str) -> OwnAccount:
    """The account with the symbols in ``names``, which maps the provider's symbols to local ones.

    ``positions`` are those of the account, see AllPositions. ``currency`` is the provider's; ``suffix`` is that of the
    symbols of the own broker.
    """
    symbols = {}
    for symbol, local in names.items():
        limits = SymbolLimits(local)
        if limits is not None:
            bid, ask, point, contract = _numbers(
                local, (SYMBOL_BID, SYMBOL_ASK, SYMBOL_POINT, SYMBOL_TRADE_CONTRACT_SIZE)
            )
            held = positions.get(local, Decimal(0))
            symbols[symbol] = OwnSymbol(local, held, bid, ask, point, limits, contract)
    own = AccountInfoString(ACCOUNT_CURRENCY)
    balance, equity = (Decimal(repr(AccountInfoDouble(each))) for each in (ACCOUNT_BALANCE, ACCOUNT_EQUITY))
    return OwnAccount(own, balance, equity, symbols, _rate(currency, own, suffix))


def _rate(theirs: str, own: str, suffix: str) -> Decimal | None:
    """What one unit of the provider's currency is worth in the own one, by the symbol of both; None: unknown."""
    if theirs == own:
        return Decimal(1)
    [direct] = _numbers(theirs + own + suffix, (SYMBOL_BID,))
    [inverse] = _numbers(own + theirs + suffix, (SYMBOL_ASK,))
    return direct or (1 / inverse if inverse else None)


def _numbers(symbol: str, properties: Iterable[int]) -> list[Decimal]:
    # The shortest decimal of a double is the number that the terminal means.
    return [Decimal(repr(SymbolInfoDouble(symbol, each))) for each in properties]
