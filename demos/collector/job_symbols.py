"""Names for as many symbols as a job needs."""

from __future__ import annotations

from itertools import count, islice

_DIGITS = {"EURUSD": 5, "USDJPY": 3, "GBPUSD": 5, "XAUUSD": 2, "AUDUSD": 5, "USDCHF": 5, "EURJPY": 3, "USDCAD": 5}


def symbols_for(number: int, only: str | None = None) -> list[str]:
    """This many names: EURUSD, USDJPY …, EURUSD.2, USDJPY.2 …; with ``only`` names made from that one."""
    bases = [only] if only else list(_DIGITS)
    names = (base if round == 1 else f"{base}.{round}" for round in count(1) for base in bases)
    return list(islice(names, number))


def digits_of(symbol: str) -> int:
    """The digits of a symbol's price where there is no file that shows them."""
    return _DIGITS.get(symbol.partition(".")[0], 5)
