"""A real MetaTrader 5 as market and account, through the package MetaTrader5, which exists only for Windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from demos.terminal.interfaces import Clock
from demos.terminal.mql.constants import (
    ACCOUNT_MARGIN_MODE_EXCHANGE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
)
from demos.terminal.mt5.account import Mt5Account
from demos.terminal.mt5.api import (
    ACCOUNT_TRADE_MODE_CONTEST,
    ACCOUNT_TRADE_MODE_DEMO,
    ACCOUNT_TRADE_MODE_REAL,
    Mt5,
    Mt5Error,
    connect,
    load,
)
from demos.terminal.mt5.failures import first_answer
from demos.terminal.mt5.market import Mt5Market
from demos.terminal.runtime.log import Log

_KINDS = {
    ACCOUNT_TRADE_MODE_DEMO: "demo",
    ACCOUNT_TRADE_MODE_CONTEST: "contest",
    ACCOUNT_TRADE_MODE_REAL: "REAL",
}
_MARGINS = {
    ACCOUNT_MARGIN_MODE_RETAIL_NETTING: "netting",
    ACCOUNT_MARGIN_MODE_EXCHANGE: "exchange",
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING: "hedging",
}


@dataclass(frozen=True)
class Settings:
    """How a real terminal is used.

    ``path`` is its terminal64.exe (None: the package finds it). ``magic`` is the magic number of the program's own
    positions (None: all positions are its own). ``deviation`` is the largest accepted change of an order's price, in
    points. Orders are sent only when ``live`` is true. ``filling`` is the only ORDER_FILLING_* to use (None: those that
    the symbol's flags name, then the others).
    """

    path: Path | None = None
    magic: int | None = None
    deviation: int = 10
    live: bool = False
    filling: int | None = None


class Connection(NamedTuple):
    """A connected terminal: its market, its account, and one line that describes them."""

    market: Mt5Market
    account: Mt5Account
    description: str


@contextmanager
def connected(settings: Settings, clock: Clock, log: Log) -> Iterator[Connection]:
    """Connect to the terminal, and disconnect at the end; the terminal itself keeps running.

    Errors: Mt5Error when the package is missing, no terminal answers, or the terminal does not allow ``live``.
    """
    mt5 = load()
    connect(mt5, settings.path)
    try:
        description = _describe(mt5, settings, clock)
        market = Mt5Market(mt5, lambda text: log.write("terminal", "alert", "mt5", text), clock.wait)
        account = Mt5Account(
            mt5,
            market.symbols(),
            clock,
            lambda text: log.write("terminal", "info", "order", text),
            magic=settings.magic,
            deviation=settings.deviation,
            live=settings.live,
            filling=settings.filling,
        )
        yield Connection(market, account, description)
    finally:
        mt5.shutdown()


def _describe(mt5: Mt5, settings: Settings, clock: Clock) -> str:
    """One line that describes the terminal and its account.

    Errors: Mt5Error when ``live`` is set and the terminal or the account does not allow orders.
    """
    terminal = first_answer(mt5, "the terminal", mt5.terminal_info, clock.wait)
    account = first_answer(mt5, "the account", mt5.account_info, clock.wait)
    obstacles = {
        "the terminal is not connected to its trade server": not terminal.connected,
        "the terminal does not allow programs to trade: turn AutoTrading on": not terminal.trade_allowed,
        "the terminal does not allow Python to trade: see its options, Expert Advisors": terminal.tradeapi_disabled,
        f"account {account.login} does not allow trading": not account.trade_allowed,
        f"account {account.login} does not allow programs to trade": not account.trade_expert,
    }
    for text, applies in obstacles.items():
        if applies and settings.live:
            raise Mt5Error(text)
    kind = _KINDS.get(account.trade_mode, f"kind {account.trade_mode}")
    margin = _MARGINS.get(account.margin_mode, f"margin mode {account.margin_mode}")
    orders = "ORDERS ARE SENT" if settings.live else "no order is sent"
    own = "all positions are its own" if settings.magic is None else f"its own positions have magic {settings.magic}"
    return (
        f"MetaTrader 5 build {terminal.build}, {kind} account {account.login} at {account.server}, {margin}; "
        f"{orders}; {own}"
    )
