"""A real MetaTrader 5 behind the terminal's functions, through the package MetaTrader5, which exists for Windows."""

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
    answered,
    connect,
    load,
)
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

    ``path`` is its terminal64.exe (None: the one that the package finds), ``magic`` the number of the positions that
    are the program's own (None: all are), ``deviation`` the points by which a price may differ; without ``live`` no
    order is sent.
    """

    path: Path | None = None
    magic: int | None = None
    deviation: int = 10
    live: bool = False


class Connection(NamedTuple):
    """A terminal that answers."""

    market: Mt5Market
    account: Mt5Account
    description: str


@contextmanager
def connected(settings: Settings, clock: Clock, log: Log) -> Iterator[Connection]:
    """Reach the terminal, and let it go at the end; it goes on running by itself.

    Errors: Mt5Error, in one line, when the package is missing, no terminal answers, or ``live`` is not allowed there.
    """
    mt5 = load()
    connect(mt5, settings.path)
    try:
        description = _described(mt5, settings)
        market = Mt5Market(mt5)
        account = Mt5Account(
            mt5,
            market.symbols(),
            clock,
            lambda text: log.write("terminal", "info", "order", text),
            magic=settings.magic,
            deviation=settings.deviation,
            live=settings.live,
        )
        yield Connection(market, account, description)
    finally:
        mt5.shutdown()


def _described(mt5: Mt5, settings: Settings) -> str:
    """A line about the terminal and its account.

    Errors: Mt5Error when orders are to be sent and the terminal or the account does not allow it.
    """
    terminal = answered(mt5, "the terminal", mt5.terminal_info())
    account = answered(mt5, "the account", mt5.account_info())
    obstacles = {
        "the terminal has no connection to its trade server": not terminal.connected,
        "the terminal does not let programs trade: AutoTrading is off": not terminal.trade_allowed,
        "the terminal does not let Python trade: see its options, Expert Advisors": terminal.tradeapi_disabled,
        f"account {account.login} may not trade": not account.trade_allowed,
        f"account {account.login} may not be traded by programs": not account.trade_expert,
    }
    for text, stands in obstacles.items():
        if stands and settings.live:
            raise Mt5Error(text)
    kind = _KINDS.get(account.trade_mode, f"kind {account.trade_mode}")
    margin = _MARGINS.get(account.margin_mode, f"margin mode {account.margin_mode}")
    orders = "ORDERS ARE SENT" if settings.live else "dry run, no order is sent"
    own = "all positions are its own" if settings.magic is None else f"its own positions have magic {settings.magic}"
    return (
        f"MetaTrader 5 build {terminal.build}, {kind} account {account.login} at {account.server}, {margin}; "
        f"{orders}; {own}"
    )
