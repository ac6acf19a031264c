"""The MetaTrader5 package: the calls and structures that are used here, loading, and the conversion of its errors.

https://www.mql5.com/en/docs/python_metatrader5. A call that fails returns None or False; last_error() has the reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Protocol, cast

from demos.terminal.interfaces import TerminalError

# RES_E_INTERNAL_FAIL; this code and lower ones are failures of the pipe to the terminal. Every later call fails too.
_NO_TERMINAL = -10000

# RES_E_FAIL and RES_E_NO_MEMORY.
_UNSPECIFIC = (-1, -3)

NO_PACKAGE = "the package MetaTrader5 is not installed; it exists only for Windows: python -m pip install .[mt5]"


class Mt5Error(TerminalError):
    """The terminal does not answer, or its answer is invalid."""

    code = 4


class AccountInfo(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5accountinfo_py"""

    login: int
    trade_mode: int
    trade_allowed: bool
    trade_expert: bool
    margin_mode: int
    server: str
    currency: str
    currency_digits: int
    balance: float
    equity: float
    profit: float


class TerminalInfo(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5terminalinfo_py"""

    build: int
    connected: bool
    trade_allowed: bool
    tradeapi_disabled: bool


class SymbolInfo(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5symbolinfo_py"""

    name: str
    digits: int
    trade_mode: int
    trade_exemode: int
    filling_mode: int
    order_mode: int
    trade_contract_size: float
    volume_min: float
    volume_max: float
    volume_step: float
    point: float
    currency_base: str
    currency_profit: str


class LastTick(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5symbolinfotick_py"""

    bid: float
    ask: float
    time_msc: int


class TradePosition(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5positionsget_py"""

    ticket: int
    time_msc: int
    type: int
    magic: int
    identifier: int
    volume: float
    price_open: float
    price_current: float
    sl: float
    tp: float
    profit: float
    symbol: str


class TradeOrder(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5ordersget_py"""

    ticket: int
    type: int
    magic: int


class TradeDeal(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5historydealsget_py"""

    ticket: int
    time_msc: int
    type: int
    magic: int
    position_id: int
    volume: float
    price: float
    symbol: str


class OrderCheckResult(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5ordercheck_py; retcode 0 is success."""

    retcode: int
    comment: str


class OrderSendResult(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5ordersend_py"""

    retcode: int
    deal: int
    order: int
    volume: float
    price: float
    comment: str


class Mt5(Protocol):
    """The calls of the package that are used here; see its documentation for each."""

    def initialize(self, path: str = ..., /) -> bool: ...
    def shutdown(self) -> bool: ...
    def last_error(self) -> tuple[int, str]: ...
    def account_info(self) -> AccountInfo | None: ...
    def terminal_info(self) -> TerminalInfo | None: ...
    def symbol_select(self, symbol: str, enable: bool, /) -> bool: ...
    def symbol_info(self, symbol: str, /) -> SymbolInfo | None: ...
    def symbol_info_tick(self, symbol: str, /) -> LastTick | None: ...
    def copy_ticks_from(
        self, symbol: str, date_from: int, count: int, flags: int, /
    ) -> Sequence[Mapping[str, Any]] | None: ...
    def positions_get(self, *, symbol: str = ...) -> Sequence[TradePosition] | None: ...
    def orders_get(self, *, symbol: str = ...) -> Sequence[TradeOrder] | None: ...
    def history_deals_get(self, *dates: int, position: int = ...) -> Sequence[TradeDeal] | None: ...
    def order_check(self, request: dict[str, Any], /) -> OrderCheckResult | None: ...
    def order_send(self, request: dict[str, Any], /) -> OrderSendResult | None: ...


# The package's constants under their own names; the package lacks SYMBOL_FILLING_* and SYMBOL_ORDER_*, which are
# MQL5's.
RES_E_INVALID_PARAMS = -2
RES_E_AUTO_TRADING_DISABLED = -8
COPY_TICKS_INFO = 1
POSITION_TYPE_BUY = 0
ORDER_TYPE_BUY = 0
ORDER_TYPE_SELL = 1
ORDER_FILLING_FOK = 0
ORDER_FILLING_IOC = 1
ORDER_FILLING_RETURN = 2
ORDER_TIME_GTC = 0
ORDER_TIME_DAY = 1
DEAL_TYPE_BUY = 0
DEAL_TYPE_SELL = 1
TRADE_ACTION_DEAL = 1
TRADE_ACTION_SLTP = 6
SYMBOL_TRADE_MODE_DISABLED = 0
SYMBOL_TRADE_MODE_LONGONLY = 1
SYMBOL_TRADE_MODE_SHORTONLY = 2
SYMBOL_TRADE_MODE_CLOSEONLY = 3
SYMBOL_TRADE_MODE_FULL = 4
SYMBOL_TRADE_EXECUTION_REQUEST = 0
SYMBOL_TRADE_EXECUTION_INSTANT = 1
SYMBOL_TRADE_EXECUTION_MARKET = 2
SYMBOL_TRADE_EXECUTION_EXCHANGE = 3
ACCOUNT_TRADE_MODE_DEMO = 0
ACCOUNT_TRADE_MODE_CONTEST = 1
ACCOUNT_TRADE_MODE_REAL = 2
SYMBOL_FILLING_FOK = 1
SYMBOL_FILLING_IOC = 2
SYMBOL_ORDER_MARKET = 1


def load() -> Mt5:
    """Import the package.

    Errors: Mt5Error when it is not installed.
    """
    try:
        return cast(Mt5, importlib.import_module("MetaTrader5"))
    except ImportError as error:
        raise Mt5Error(f"{NO_PACKAGE} ({error})") from error


def connect(mt5: Mt5, path: Path | None) -> None:
    """Connect to the terminal in ``path``, or to the one that the package finds; it is started if it does not run.

    Errors: Mt5Error with the package's code and text.
    """
    if not mt5.initialize(str(path)) if path else not mt5.initialize():
        raise failure(mt5, "cannot connect to MetaTrader 5")


def failure(mt5: Mt5, what: str) -> Mt5Error:
    """An error with the code and the text of the last call, which failed."""
    code, text = mt5.last_error()
    return Mt5Error(f"{what}: {code} {text}")


def connection_lost(mt5: Mt5) -> bool:
    """Whether the last call failed because the connection to the terminal is lost."""
    return mt5.last_error()[0] <= _NO_TERMINAL


def may_be_temporary(mt5: Mt5) -> bool:
    """Whether the last call failed without a reason in its arguments, so that the same call may work later."""
    return mt5.last_error()[0] in _UNSPECIFIC


def exact(value: float) -> Decimal:
    """The shortest decimal form of a double, which is the number that the terminal shows."""
    return Decimal(repr(float(value)))


def points_of(price: float, digits: int) -> int:
    """A price in points, rounded to the nearest point."""
    return int(exact(price).scaleb(digits).to_integral_value(ROUND_HALF_EVEN))
