"""What stands behind the terminal's functions: four small protocols and the structures that pass through them.

The embedded terminal implements them with files and SQLite; a real MetaTrader 5 can stand in their place without a
change to a program. Prices are integer points and volumes integer steps here; floats exist only at MQL's functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from demos.terminal.charts.template_file import Section


class TerminalError(Exception):
    """A reason to end, told in one line; ``code`` is the process's exit code."""

    code = 2


class ProgramError(TerminalError):
    """A program or an input that cannot be used as asked."""

    code = 2


class OutputError(TerminalError):
    """A file or stream that cannot be written."""

    code = 4


class MarketError(TerminalError):
    """A market file that cannot be read, or says what no market file says."""

    code = 4


class AccountError(TerminalError):
    """An account file that is no account, is in use, of a newer version, or cannot be written."""

    code = 4


@dataclass(frozen=True)
class SymbolSpec:
    """A symbol's properties. A point is 10**-digits; volume_min and volume_max count steps of volume_step lots."""

    name: str
    digits: int = 5
    volume_step: Decimal = Decimal("0.01")
    volume_min: int = 1
    volume_max: int = 10_000
    contract_size: int = 100_000


class Tick(NamedTuple):
    """A quote. ``time`` counts milliseconds since 1970 in the market's own, zoneless time; prices are points."""

    symbol: str
    time: int
    bid: int
    ask: int


@dataclass(frozen=True)
class Position:
    """An open position. ``volume`` is signed steps, ``cost`` their price in point-steps, of the same sign."""

    ticket: int
    spec: SymbolSpec
    volume: int
    cost: int
    time: int
    magic: int = 0


@dataclass(frozen=True)
class Deal:
    """A trade that happened. ``position_volume`` is the position's signed volume after it; profit is in point-steps."""

    ticket: int
    position: int
    spec: SymbolSpec
    volume: int
    price: int
    position_volume: int
    profit: int
    time: int


@dataclass(frozen=True)
class TradeResult:
    """An answer to a trade request: a TRADE_RETCODE_*, the deal when there was one, and what was wrong otherwise."""

    retcode: int
    deal: Deal | None = None
    text: str = ""


@dataclass
class ChartView:
    """What a chart shows."""

    symbol: str
    period: int
    comment: str = ""


class Clock(Protocol):
    """Time as a host sees it. Only ``wake`` may be called from another thread or from a signal handler."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that all processes of this machine share; never goes back."""
        ...

    def wait(self, seconds: float | None) -> None:
        """Return after this many seconds (None: no limit), or at once when somebody calls, or has called, wake()."""
        ...

    def wake(self) -> None:
        """End the present or the next wait()."""
        ...

    def now(self) -> datetime:
        """Local time with its offset, for log lines and TimeGMT; durations are taken from monotonic()."""
        ...


class Market(Protocol):
    """Where ticks come from."""

    def symbols(self) -> Mapping[str, SymbolSpec]:
        """The symbols that can be traded."""
        ...

    def next_due(self) -> float | None:
        """When poll() has more to give, on the clock's monotonic time; None: never again."""
        ...

    def poll(self, now: float) -> Sequence[Tick]:
        """The ticks that are due at ``now``, oldest first."""
        ...


class Account(Protocol):
    """Where positions are kept."""

    @property
    def margin_mode(self) -> int:
        """An ACCOUNT_MARGIN_MODE_*."""
        ...

    def positions(self) -> Sequence[Position]:
        """Open positions in the order of their tickets."""
        ...

    def trade(self, spec: SymbolSpec, volume: int, quote: Tick, ticket: int = 0) -> TradeResult:
        """Buy (volume > 0) or sell (volume < 0) that many steps; ``ticket`` names a position to reduce."""
        ...

    def new_deals(self) -> Sequence[Deal]:
        """The deals since the last call, whoever made them."""
        ...


class Charts(Protocol):
    """Where programs are attached and what is shown there."""

    def open(self, symbol: str, period: int) -> int:
        """Open a chart and return its identifier."""
        ...

    def view(self, chart: int) -> ChartView:
        """What the chart shows now."""
        ...

    def comment(self, chart: int, text: str) -> None:
        """Show a text in the chart's corner in place of the last one."""
        ...

    def show(self, chart: int, symbol: str, period: int) -> None:
        """Have the chart show another symbol or period."""
        ...

    def template(self, chart: int) -> Section:
        """What is on the chart, to look at and to change."""
        ...

    def apply(self, chart: int, template: Section) -> None:
        """Put a template onto the chart in place of what is there; symbol and period stay."""
        ...
