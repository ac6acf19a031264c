"""The MetaTrader5 package as it is used here: its calls and structures, how it is loaded, and what its errors become.

https://www.mql5.com/en/docs/python_metatrader5. A call answers None, or False, when it fails; last_error() says why.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from demos.terminal.interfaces import TerminalError

_T = TypeVar("_T")

# Failures of the pipe to the terminal, RES_E_INTERNAL_FAIL and below: whatever is asked next will fail as well.
_NO_TERMINAL = -10000

NO_PACKAGE = "the package MetaTrader5 is not installed; it exists for Windows alone: python -m pip install .[mt5]"


class Mt5Error(TerminalError):
    """The terminal does not answer, or not as it should."""

    code = 4


class AccountInfo(Protocol):
    """https://www.mql5.com/en/docs/python_metatrader5/mt5accountinfo_py"""

    login: int
    trade_mode: int
    trade_allowed: bool
    trade_expert: bool
    margin_mode: int
    server: str


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
    trade_exemode: int
    filling_mode: int
    trade_contract_size: float
    volume_min: float
    volume_max: float
    volume_step: float


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
    volume: float
    price: float


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
    """The calls of the package that are used here."""

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
    def history_deals_get(self, *, position: int) -> Sequence[TradeDeal] | None: ...
    def order_check(self, request: dict[str, Any], /) -> OrderCheckResult | None: ...
    def order_send(self, request: dict[str, Any], /) -> OrderSendResult | None: ...


# The package's constants, under its own names; SYMBOL_FILLING_* are MQL5's, the package has none.
COPY_TICKS_INFO = 1
POSITION_TYPE_BUY = 0
ORDER_TYPE_BUY = 0
ORDER_TYPE_SELL = 1
ORDER_FILLING_FOK = 0
ORDER_FILLING_IOC = 1
ORDER_FILLING_RETURN = 2
ORDER_TIME_GTC = 0
DEAL_TYPE_BUY = 0
DEAL_TYPE_SELL = 1
TRADE_ACTION_DEAL = 1
SYMBOL_TRADE_EXECUTION_REQUEST = 0
SYMBOL_TRADE_EXECUTION_INSTANT = 1
SYMBOL_TRADE_EXECUTION_MARKET = 2
SYMBOL_TRADE_EXECUTION_EXCHANGE = 3
ACCOUNT_TRADE_MODE_DEMO = 0
ACCOUNT_TRADE_MODE_CONTEST = 1
ACCOUNT_TRADE_MODE_REAL = 2
SYMBOL_FILLING_FOK = 1
SYMBOL_FILLING_IOC = 2


def load() -> Mt5:
    """The package itself.

    Errors: Mt5Error where it is not installed.
    """
    try:
        return cast(Mt5, importlib.import_module("MetaTrader5"))
    except ImportError as error:
        raise Mt5Error(f"{NO_PACKAGE} ({error})") from error


def connect(mt5: Mt5, path: Path | None) -> None:
    """Reach the terminal, the one in ``path`` or the one that the package finds; it is started where it does not run.

    Errors: Mt5Error with the package's code and text.
    """
    if not mt5.initialize(str(path)) if path else not mt5.initialize():
        raise failure(mt5, "no MetaTrader 5 answers")


def failure(mt5: Mt5, what: str) -> Mt5Error:
    """An error with the code and the text of the call that has just failed."""
    code, text = mt5.last_error()
    return Mt5Error(f"{what}: {code} {text}")


def answered(mt5: Mt5, what: str, answer: _T | None) -> _T:
    """The answer itself.

    Errors: Mt5Error when the call has failed.
    """
    if answer is None:
        raise failure(mt5, what)
    return answer


def terminal_is_gone(mt5: Mt5) -> bool:
    """Whether the call that has just failed did so because there is no terminal any more."""
    return mt5.last_error()[0] <= _NO_TERMINAL


def exact(value: float) -> Decimal:
    """The shortest decimal that is this double: what the terminal shows, for it has no more digits than that."""
    return Decimal(repr(float(value)))


def points_of(price: float, digits: int) -> int:
    """A price in points, to the nearest one."""
    return int(exact(price).scaleb(digits).to_integral_value(ROUND_HALF_EVEN))
