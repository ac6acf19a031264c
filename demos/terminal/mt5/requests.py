"""Trade requests for the MetaTrader5 package, and the text of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demos.terminal.mql import constants
from demos.terminal.mt5.api import (
    ORDER_FILLING_FOK,
    ORDER_FILLING_IOC,
    ORDER_FILLING_RETURN,
    ORDER_TIME_GTC,
    ORDER_TYPE_BUY,
    ORDER_TYPE_SELL,
    SYMBOL_FILLING_FOK,
    SYMBOL_FILLING_IOC,
    SYMBOL_TRADE_EXECUTION_INSTANT,
    SYMBOL_TRADE_EXECUTION_MARKET,
    SYMBOL_TRADE_EXECUTION_REQUEST,
    TRADE_ACTION_DEAL,
    SymbolInfo,
)

_NAMES = {getattr(constants, name): name for name in vars(constants) if name.startswith("TRADE_RETCODE_")}
_FILLINGS = {ORDER_FILLING_FOK: "FOK", ORDER_FILLING_IOC: "IOC", ORDER_FILLING_RETURN: "RETURN"}


def filling_mode(info: SymbolInfo) -> int | None:
    """The ORDER_FILLING_* for a market order in this symbol; fill-or-kill is preferred. None when none is allowed.

    https://www.mql5.com/en/docs/constants/environment_state/marketinfoconstants#symbol_filling_mode: fill-or-kill is
    always allowed in the execution modes Request and Instant. In the other modes the symbol's flags decide, and
    ORDER_FILLING_RETURN is allowed in all modes except Market.
    """
    if info.trade_exemode in (SYMBOL_TRADE_EXECUTION_REQUEST, SYMBOL_TRADE_EXECUTION_INSTANT):
        return ORDER_FILLING_FOK
    if info.filling_mode & SYMBOL_FILLING_FOK:
        return ORDER_FILLING_FOK
    if info.filling_mode & SYMBOL_FILLING_IOC:
        return ORDER_FILLING_IOC
    return None if info.trade_exemode == SYMBOL_TRADE_EXECUTION_MARKET else ORDER_FILLING_RETURN


def trade_request(
    *, symbol: str, buy: bool, lots: float, price: float, deviation: int, magic: int, filling: int, position: int
) -> dict[str, Any]:
    """A market order; with a ``position`` it closes that position or a part of it."""
    request: dict[str, Any] = {
        "action": TRADE_ACTION_DEAL,
        "symbol": symbol,
        "volume": lots,
        "type": ORDER_TYPE_BUY if buy else ORDER_TYPE_SELL,
        "price": price,
        "deviation": deviation,
        "magic": magic,
        "type_time": ORDER_TIME_GTC,
        "type_filling": filling,
    }
    if position:
        request["position"] = position
    return request


def request_text(request: Mapping[str, Any]) -> str:
    """``buy 0.25 EURUSD at 1.0716, deviation 10, filling FOK, magic 7``, and the position to close, if any."""
    action = "buy" if request["type"] == ORDER_TYPE_BUY else "sell"
    filling = next(name for value, name in _FILLINGS.items() if value == request["type_filling"])
    closing = f", closing position {request['position']}" if "position" in request else ""
    return (
        f"{action} {request['volume']} {request['symbol']} at {request['price']}, deviation {request['deviation']}, "
        f"filling {filling}, magic {request['magic']}{closing}"
    )


def retcode_text(code: int, comment: str) -> str:
    """``TRADE_RETCODE_NO_MONEY 10019 (No money)``: name and number of a return code, and the terminal's comment."""
    name = _NAMES.get(code, "return code")
    return f"{name} {code} ({comment})" if comment else f"{name} {code}"
