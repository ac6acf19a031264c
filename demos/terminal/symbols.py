"""The one definition of a valid symbol name, for options, maps, file names, charts and markets.

A broker's names may contain blanks, dots, ``#`` and letters of either case: ``Volatility 75 Index``, ``EURUSD.m``. Case
and blanks count. The article's wire formats carry all names except those that contain the formats' own marks. A program
may have further limits: the template pair has room for nine bytes, and a code page may lack a letter.
"""

from __future__ import annotations

# What a symbol's name can state as the currency of its prices and profits.
_CURRENCIES = (
    "AED ARS AUD BRL CAD CHF CLP CNH CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR NOK NZD PHP PLN RON "
    "RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)

# MetaTrader's own limit is 31 characters.
LONGEST_SYMBOL = 64


def symbol_problem(name: str) -> str | None:
    """Why this is not a valid symbol name, or None when it is one."""
    if not name:
        return "a symbol's name is empty"
    if len(name) > LONGEST_SYMBOL:
        return f"a symbol's name has at most {LONGEST_SYMBOL} characters, not {len(name)}"
    if name != name.strip():
        return f"a symbol's name neither begins nor ends with a blank: {name!r}"
    if not name.isprintable():
        return f"a symbol's name has no control characters: {name!r}"
    for mark in ("|", "<<", ">>"):
        if mark in name:
            return f"a symbol's name cannot contain {mark!r}, which is a mark of the signal protocol: {name!r}"
    if name.startswith("<"):
        return f"a symbol's name cannot begin with '<', which would join a mark of the signal protocol: {name!r}"
    return None


def named_currencies(name: str) -> tuple[str, str]:
    """The base currency and the profit currency that a name like ``EURUSD`` or ``XAUUSD.m`` states; "" and "" if none.

    The name begins with six capital letters, of which the last three are a currency.
    """
    pair, suffix = name[:6], name[6:7]
    if not (len(pair) == 6 and pair.isascii() and pair.isalpha() and pair.isupper()):
        return "", ""
    if pair[3:] not in _CURRENCIES.split() or suffix.isupper() or suffix.isdigit():
        return "", ""
    return pair[:3], pair[3:]
