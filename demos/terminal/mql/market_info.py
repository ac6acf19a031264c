"""Market information: symbols and their properties. https://www.mql5.com/en/docs/marketinformation"""

from __future__ import annotations

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.mql import constants as c
from demos.terminal.points import price_float, volume_float
from demos.terminal.terminal import current_terminal

__all__ = ["SymbolInfoDouble", "SymbolInfoInteger", "SymbolInfoString", "SymbolSelect"]


def SymbolSelect(name: str, select: bool) -> bool:
    """Have the market quote a symbol; False when the market lacks it. ``select`` False has no effect."""
    return not select or current_terminal().market.select(name)


def SymbolInfoDouble(symbol: str, property_id: int) -> float:
    """A SYMBOL_* property; prices in the quote currency, volumes in lots; 0 for an unknown symbol or before a tick."""
    spec = _spec(symbol)
    if spec is None:
        return 0.0
    if property_id in (c.SYMBOL_BID, c.SYMBOL_ASK):
        quote = _quote(symbol)
        if quote is None:
            return 0.0
        return price_float(quote.bid if property_id == c.SYMBOL_BID else quote.ask, spec.digits)
    if property_id == c.SYMBOL_POINT:
        return price_float(1, spec.digits)
    if property_id == c.SYMBOL_TRADE_CONTRACT_SIZE:
        return float(spec.contract_size)
    steps = {c.SYMBOL_VOLUME_MIN: spec.volume_min, c.SYMBOL_VOLUME_MAX: spec.volume_max, c.SYMBOL_VOLUME_STEP: 1}
    if property_id not in steps:
        raise ValueError(f"no double property {property_id} of a symbol")
    return volume_float(steps[property_id], spec)


def SymbolInfoInteger(symbol: str, property_id: int) -> int:
    """A SYMBOL_* property; the spread in points, times in (milli)seconds since 1970; 0 for an unknown symbol."""
    spec = _spec(symbol)
    if spec is None:
        return 0
    if property_id == c.SYMBOL_DIGITS:
        return spec.digits
    quote = _quote(symbol)
    if property_id == c.SYMBOL_SPREAD:
        return quote.ask - quote.bid if quote else 0
    if property_id == c.SYMBOL_TIME:
        return quote.time // 1000 if quote else 0
    if property_id == c.SYMBOL_TIME_MSC:
        return quote.time if quote else 0
    raise ValueError(f"no integer property {property_id} of a symbol")


def SymbolInfoString(symbol: str, property_id: int) -> str:
    """SYMBOL_CURRENCY_BASE or SYMBOL_CURRENCY_PROFIT; "" for an unknown symbol or currency.

    The embedded market takes the currencies from the symbol's name, as in EURUSD.m.
    """
    spec = _spec(symbol)
    if property_id not in (c.SYMBOL_CURRENCY_BASE, c.SYMBOL_CURRENCY_PROFIT):
        raise ValueError(f"no string property {property_id} of a symbol")
    if spec is None:
        return ""
    return spec.currency_base if property_id == c.SYMBOL_CURRENCY_BASE else spec.currency_profit


def _spec(symbol: str) -> SymbolSpec | None:
    return current_terminal().market.symbols().get(symbol)


def _quote(symbol: str) -> Tick | None:
    return current_terminal().quotes.get(symbol)
