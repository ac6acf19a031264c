"""The interfaces behind the functions that a program calls: Clock, Market, Account and Charts, and their structures.

Programs call one common set of functions (the modules in mql/). Those functions reach prices, positions and charts
only through the four protocols of this module. Two terminals implement them: the embedded one (paper/ and charts/,
with files and SQLite) and a real MetaTrader 5 (mt5/). So a program runs on either one without a change.

Prices are integer points and volumes integer steps of the symbol here; floats exist only in MQL's functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from demos.terminal.symbols import named_currencies
from demos.terminal.template_tree import Document


class TerminalError(Exception):
    """An error that ends the process; its text is one line, ``code`` is the exit code."""

    code = 2


class ProgramError(TerminalError):
    """A program or an input that cannot be used."""

    code = 2


class OutputError(TerminalError):
    """A file or stream that cannot be written."""

    code = 4


class MarketError(TerminalError):
    """A market file that cannot be read or is malformed."""

    code = 4


class AccountError(TerminalError):
    """An account file that is not an account, is in use, has a newer version, or cannot be written."""

    code = 4


@dataclass(frozen=True)
class SymbolSpec:
    """A symbol's properties. A point is 10**-digits; volume_min and volume_max count steps of volume_step lots.

    The currencies are those of the symbol's name, as in EURUSD.m, unless they are given. "" is an unknown currency.
    """

    name: str
    digits: int = 5
    volume_step: Decimal = Decimal("0.01")
    volume_min: int = 1
    volume_max: int = 10_000
    contract_size: int = 100_000
    currency_base: str = ""
    currency_profit: str = ""

    def __post_init__(self) -> None:
        """Take the currencies from the name."""
        if not self.currency_profit:
            base, profit = named_currencies(self.name)
            object.__setattr__(self, "currency_base", self.currency_base or base)
            object.__setattr__(self, "currency_profit", profit)


class Tick(NamedTuple):
    """A quote. ``time`` is milliseconds since 1970 in the market's own time zone; prices are points."""

    symbol: str
    time: int
    bid: int
    ask: int


class Stops(NamedTuple):
    """The prices in points at which a position is closed: stop loss and take profit; 0 is none."""

    sl: int = 0
    tp: int = 0


NO_STOPS = Stops()


@dataclass(frozen=True)
class Position:
    """An open position. ``volume`` is signed steps; ``cost`` is price times volume in point-steps, of the same sign.

    ``profit`` is in the account's currency, None where the account does not state it: then it follows from the quotes.
    """

    ticket: int
    spec: SymbolSpec
    volume: int
    cost: int
    time: int
    magic: int = 0
    stops: Stops = NO_STOPS
    profit: Decimal | None = None


@dataclass(frozen=True)
class Deal:
    """An executed trade. ``position_volume`` is the signed volume in the symbol after it; profit is in point-steps.

    ``comment`` says what caused it, as in ``sl 1.07160``, "" for an order.
    """

    ticket: int
    position: int
    spec: SymbolSpec
    volume: int
    price: int
    position_volume: int
    profit: int
    time: int
    comment: str = ""


class Figures(NamedTuple):
    """An account's money, in its currency: the balance, the equity and the profit of the open positions."""

    balance: Decimal
    equity: Decimal
    profit: Decimal


class Currency(NamedTuple):
    """An account's currency and the number of decimal places of its amounts."""

    name: str
    digits: int


@dataclass(frozen=True)
class TradeResult:
    """The answer to a trade request: a TRADE_RETCODE_*, the deal if there was one, and a text about the outcome."""

    retcode: int
    deal: Deal | None = None
    text: str = ""


@dataclass
class ChartView:
    """What a chart shows: symbol, period (PERIOD_*) and the text in its corner."""

    symbol: str
    period: int
    comment: str = ""


class Waiter(Protocol):
    """Something that a clock can wait for, besides the time."""

    def wait(self, seconds: float | None) -> bool:
        """Wait until it happens, until wake() is called, or for this time; whether the wait ended before its time."""
        ...

    def wake(self) -> None:
        """End the present wait(), or the next one; for other threads and for signal handlers."""
        ...


class Clock(Protocol):
    """The terminal's time.

    ``monotonic``, ``utc_ms`` and ``wake`` may be called in any thread, ``wake`` also in a signal handler.
    """

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that all processes of this machine share; never goes back."""
        ...

    def utc_ms(self) -> int:
        """Milliseconds since 1970 UTC; they jump when the computer's clock is set."""
        ...

    def wait(self, seconds: float | None, waiter: Waiter | None = None) -> None:
        """Return after this many seconds (None: no limit), or at once when wake() is called or was called before.

        ``waiter`` does the waiting instead of the clock; what it waits for ends the wait too.
        """
        ...

    def wake(self) -> None:
        """End the current wait(), or the next one."""
        ...

    def now(self) -> datetime:
        """Local time with its offset, for log lines and TimeGMT; durations are measured with monotonic()."""
        ...


class Market(Protocol):
    """The source of ticks."""

    def symbols(self) -> Mapping[str, SymbolSpec]:
        """The symbols that can be traded, by their exact names."""
        ...

    def select(self, name: str) -> bool:
        """Add a symbol to the quoted ones, where that is possible; whether the market quotes it."""
        ...

    def next_due(self) -> float | None:
        """The clock's monotonic time at which poll() returns more ticks; None after the last tick."""
        ...

    def poll(self, now: float) -> Sequence[Tick]:
        """The ticks that are due at ``now``, oldest first."""
        ...


class Prices(Protocol):
    """The last quotes, and the conversion of profits to an account's currency."""

    def open_profit(self, position: Position, currency: Currency) -> Decimal | None:
        """The profit of closing the position at the last quote, rounded to the currency; None while it is unknown."""
        ...

    def profit(self, point_steps: int, spec: SymbolSpec, currency: Currency) -> Decimal | None:
        """Point-steps of a symbol in the currency, rounded; None when they cannot be converted."""
        ...


class Account(Protocol):
    """The positions, and the way to change them."""

    @property
    def margin_mode(self) -> int:
        """An ACCOUNT_MARGIN_MODE_*."""
        ...

    @property
    def currency(self) -> Currency:
        """The currency of the balance and of all profits."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the positions are the present ones; False while they cannot be read or the broker is not reached."""
        ...

    def use_prices(self, prices: Prices) -> None:
        """Value positions and convert profits at these prices, where the account does not state them."""
        ...

    def figures(self) -> Figures:
        """Balance, equity and profit at the last quotes."""
        ...

    def positions(self) -> Sequence[Position]:
        """The open positions, sorted by ticket."""
        ...

    def trade(
        self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0, stops: Stops = NO_STOPS
    ) -> TradeResult:
        """Buy (volume > 0) or sell (volume < 0) that many steps; ``ticket`` names a position to reduce.

        A position that is opened, reversed or increased gets the ``stops``.
        """
        ...

    def modify(self, ticket: int, stops: Stops, quote: Tick) -> TradeResult:
        """Replace a position's stop loss and take profit."""
        ...

    def take_quote(self, spec: SymbolSpec, quote: Tick) -> None:
        """Execute the stops that this quote reaches, where the account does that itself."""
        ...

    def new_stops(self) -> Sequence[Position]:
        """The positions whose stops were modified since the last call, with the present stops."""
        ...

    def blocked(self, symbol: str) -> str:
        """Why the account rejects every order in this symbol, or ""."""
        ...

    def new_deals(self) -> Sequence[Deal]:
        """The deals since the last call, also those of other programs and of the trader."""
        ...

    def realized(self, begin: int, end: int) -> Decimal:
        """The profit of all deals from ``begin`` to before ``end``, milliseconds of the market, in points times lots.

        A deal that opens a position has none: the spread is a part of the open position's profit.
        """
        ...


class Charts(Protocol):
    """The charts that programs are attached to, and what each shows."""

    def open(self, symbol: str, period: int) -> int:
        """Open a chart and return its identifier."""
        ...

    def view(self, chart: int) -> ChartView:
        """What the chart shows now."""
        ...

    def comment(self, chart: int, text: str) -> None:
        """Replace the text in the chart's corner."""
        ...

    def show(self, chart: int, symbol: str, period: int) -> None:
        """Have the chart show another symbol or period."""
        ...

    def template(self, chart: int) -> Document:
        """The chart's template as a tree; a change to the tree changes the chart."""
        ...

    def apply(self, chart: int, template: Document) -> None:
        """Replace the chart's template; symbol and period stay."""
        ...
