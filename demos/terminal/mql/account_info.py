"""Account information. https://www.mql5.com/en/docs/account"""

from __future__ import annotations

from demos.terminal.mql import constants as c
from demos.terminal.terminal import current_terminal

__all__ = ["AccountInfoDouble", "AccountInfoInteger", "AccountInfoString"]


def AccountInfoDouble(property_id: int) -> float:
    """ACCOUNT_BALANCE, ACCOUNT_EQUITY or ACCOUNT_PROFIT, in the account's currency.

    The profit is that of the open positions at the last quotes. The embedded account leaves out a profit that it cannot
    convert to its currency, and one line of the log says so.

    Errors: ValueError for another property.
    """
    if property_id not in (c.ACCOUNT_BALANCE, c.ACCOUNT_EQUITY, c.ACCOUNT_PROFIT):
        raise ValueError(f"no double property {property_id} of an account")
    figures = current_terminal().account.figures()
    if property_id == c.ACCOUNT_BALANCE:
        return float(figures.balance)
    return float(figures.equity if property_id == c.ACCOUNT_EQUITY else figures.profit)


def AccountInfoInteger(property_id: int) -> int:
    """ACCOUNT_MARGIN_MODE: an ACCOUNT_MARGIN_MODE_*, which says whether the account nets or hedges positions.

    ACCOUNT_CURRENCY_DIGITS: the number of decimal places of amounts in the account's currency.

    Errors: ValueError for another property.
    """
    account = current_terminal().account
    if property_id == c.ACCOUNT_CURRENCY_DIGITS:
        return account.currency.digits
    if property_id != c.ACCOUNT_MARGIN_MODE:
        raise ValueError(f"no integer property {property_id} of an account")
    return account.margin_mode


def AccountInfoString(property_id: int) -> str:
    """ACCOUNT_CURRENCY, as in ``USD``.

    Errors: ValueError for another property.
    """
    if property_id != c.ACCOUNT_CURRENCY:
        raise ValueError(f"no string property {property_id} of an account")
    return current_terminal().account.currency.name
