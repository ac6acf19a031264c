"""Trade requests for the MetaTrader5 package, and the text of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demos.terminal.interfaces import Stops
from demos.terminal.mql import constants
from demos.terminal.mt5.api import (
    ORDER_FILLING_FOK,
    ORDER_FILLING_IOC,
    ORDER_FILLING_RETURN,
    ORDER_TIME_DAY,
    ORDER_TIME_GTC,
    ORDER_TYPE_BUY,
    ORDER_TYPE_SELL,
    SYMBOL_FILLING_FOK,
    SYMBOL_FILLING_IOC,
    SYMBOL_TRADE_EXECUTION_EXCHANGE,
    SYMBOL_TRADE_EXECUTION_INSTANT,
    SYMBOL_TRADE_EXECUTION_REQUEST,
    TRADE_ACTION_DEAL,
    TRADE_ACTION_SLTP,
    SymbolInfo,
    TradePosition,
)
from demos.terminal.points import price_float

_NAMES = {getattr(constants, name): name for name in vars(constants) if name.startswith("TRADE_RETCODE_")}
FILLINGS = {ORDER_FILLING_FOK: "FOK", ORDER_FILLING_IOC: "IOC", ORDER_FILLING_RETURN: "RETURN"}
_CHOICES = {
    "type_filling": ("filling", FILLINGS),
    "type_time": ("expiration", {ORDER_TIME_GTC: "GTC", ORDER_TIME_DAY: "DAY"}),
}

# What to do about an answer, where its name does not say it.
_ADVICE = {
    constants.TRADE_RETCODE_REJECT: "the terminal's journal may have the reason",
    constants.TRADE_RETCODE_INVALID_STOPS: "the stops are missing, on the wrong side of the price, or too close to it",
    constants.TRADE_RETCODE_TRADE_DISABLED: "see the symbol's specification in the terminal",
    constants.TRADE_RETCODE_MARKET_CLOSED: "the symbol's session is over; it can be traded when the next one begins",
    constants.TRADE_RETCODE_NO_MONEY: "the free margin is too small; use a smaller volume",
    constants.TRADE_RETCODE_INVALID_FILL: "no filling mode that was tried is accepted; --filling chooses one",
    constants.TRADE_RETCODE_INVALID_EXPIRATION: "the broker accepts neither GTC nor DAY",
    constants.TRADE_RETCODE_SERVER_DISABLES_AT: "ask the broker to allow automatic trading",
    constants.TRADE_RETCODE_CLIENT_DISABLES_AT: "turn AutoTrading on in the terminal",
    constants.TRADE_RETCODE_INVALID_ORDER: "the symbol may not accept market orders; see its specification",
}


def filling_modes(info: SymbolInfo) -> Sequence[int]:
    """Every ORDER_FILLING_* in the order in which a market order in this symbol tries them.

    https://www.mql5.com/en/docs/constants/environment_state/marketinfoconstants#symbol_filling_mode: fill-or-kill is
    always allowed in the execution modes Request and Instant. In the other modes the symbol's flags decide, and
    ORDER_FILLING_RETURN is allowed in all modes except Market. The modes that the flags name come first, because
    the flags of some brokers are wrong.
    """
    always = info.trade_exemode in (SYMBOL_TRADE_EXECUTION_REQUEST, SYMBOL_TRADE_EXECUTION_INSTANT)
    named = {
        ORDER_FILLING_FOK: always or bool(info.filling_mode & SYMBOL_FILLING_FOK),
        ORDER_FILLING_IOC: bool(info.filling_mode & SYMBOL_FILLING_IOC),
        ORDER_FILLING_RETURN: info.trade_exemode == SYMBOL_TRADE_EXECUTION_EXCHANGE,
    }
    return sorted(named, key=lambda mode: not named[mode])


def trade_request(
    *,
    symbol: str,
    buy: bool,
    lots: float,
    price: float,
    deviation: int,
    magic: int,
    position: int,
    stops: Mapping[str, float],
) -> dict[str, Any]:
    """A market order without filling mode and expiration; with a ``position`` it closes that position or a part.

    ``stops``: see stop_fields.
    """
    request: dict[str, Any] = {
        "action": TRADE_ACTION_DEAL,
        "symbol": symbol,
        "volume": lots,
        "type": ORDER_TYPE_BUY if buy else ORDER_TYPE_SELL,
        "price": price,
        "deviation": deviation,
        "magic": magic,
    }
    if position:
        request["position"] = position
    return {**request, **stops}


def stop_fields(stops: Stops, digits: int) -> dict[str, float]:
    """The fields sl and tp of a request, where there is a stop."""
    return {name: price_float(points, digits) for name, points in stops._asdict().items() if points}


def stops_request(position: TradePosition, stops: Stops, digits: int) -> dict[str, Any]:
    """A request that replaces the position's stops; 0.0 removes one."""
    return {
        "action": TRADE_ACTION_SLTP,
        "symbol": position.symbol,
        "position": position.ticket,
        "magic": position.magic,
        "sl": 0.0,
        "tp": 0.0,
        **stop_fields(stops, digits),
    }


def request_text(request: Mapping[str, Any]) -> str:
    """``buy 0.25 EURUSD at 1.0716, deviation 10, filling FOK, magic 7``, and the position to close, if any.

    Or ``modify position 7 in EURUSD, sl 1.07, tp 0.0``.
    """
    stops = "".join(f", {name} {request[name]}" for name in ("sl", "tp") if name in request)
    if request["action"] == TRADE_ACTION_SLTP:
        return f"modify position {request['position']} in {request['symbol']}{stops}"
    action = "buy" if request["type"] == ORDER_TYPE_BUY else "sell"
    filling = FILLINGS[request["type_filling"]]
    closing = f", closing position {request['position']}" if "position" in request else ""
    return (
        f"{action} {request['volume']} {request['symbol']} at {request['price']}, deviation {request['deviation']}, "
        f"filling {filling}, magic {request['magic']}{stops}{closing}"
    )


def retcode_text(code: int, comment: str) -> str:
    """``TRADE_RETCODE_NO_MONEY 10019 (No money)``: name and number of a return code, and the terminal's comment."""
    name = _NAMES.get(code, "return code")
    return f"{name} {code} ({comment})" if comment else f"{name} {code}"


def with_advice(code: int, text: str) -> str:
    """The text of an answer, and what to do about it."""
    return f"{text}; {_ADVICE[code]}" if code in _ADVICE else text


def choice_text(field: str, value: int) -> str:
    """``filling FOK``: a field that is chosen for each symbol, and its value."""
    name, values = _CHOICES[field]
    return f"{name} {values[value]}"
