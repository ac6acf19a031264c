"""The terminal: one event loop with a market, an account and charts, and the functions that MQL's names act on.

This module puts the parts together. It registers the market and the account as sources of the event loop, and the
groups of commands that the programs need: those for trades, those for charts, or both. The functions of mql/ find their
terminal through the attachment whose event function is running: current_program() and current_terminal().
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demos.terminal.charts import operations
from demos.terminal.charts.commands import CHART_COMMANDS
from demos.terminal.charts.embedded import EmbeddedCharts
from demos.terminal.charts.history import History
from demos.terminal.charts.lines import IndicatorLines
from demos.terminal.interfaces import (
    NO_STOPS,
    Account,
    Charts,
    Clock,
    Market,
    Position,
    ProgramError,
    Stops,
    Tick,
    TradeResult,
)
from demos.terminal.money import MarketPrices, digits_problem
from demos.terminal.mql import constants as c
from demos.terminal.paper.virtual_account import VirtualAccount
from demos.terminal.points import open_profit
from demos.terminal.runtime.attachment import Attachment, current
from demos.terminal.runtime.commands import Command
from demos.terminal.runtime.event_loop import EventLoop
from demos.terminal.runtime.files import DataFolder
from demos.terminal.runtime.log import EventRecorder, Log
from demos.terminal.runtime.programs import Program, load_program, set_inputs
from demos.terminal.symbols import symbol_problem
from demos.terminal.trade_commands import TRADE_COMMANDS
from demos.terminal.trade_reports import deal_report, stops_report

_DAY_MS = 24 * 60 * 60 * 1000

# The groups of commands that a terminal can have; help and quit are always there.
COMMAND_GROUPS: Mapping[str, Sequence[Command[Any]]] = {"trade": TRADE_COMMANDS, "chart": CHART_COMMANDS}


class Terminal:
    """One market, one account, and the programs on the charts.

    Everything runs in the thread that calls run(); only post() and stop() may be called from other threads, and stop()
    also from a signal handler.
    """

    def __init__(  # noqa: PLR0913 - the one place where all parts of a terminal are put together, by name
        self,
        clock: Clock,
        market: Market,
        account: Account,
        log: Log,
        *,
        charts: Charts | None = None,
        events: EventRecorder | None = None,
        data: DataFolder | None = None,
        timer_ms: int | None = None,
        answer: Callable[[str], None] = print,
        command_groups: Sequence[str] = tuple(COMMAND_GROUPS),
    ) -> None:
        """Put the terminal together.

        ``timer_ms`` replaces the period of every timer; ``answer`` gets the answers to commands, line by line.
        ``command_groups`` names the COMMAND_GROUPS whose commands it accepts.
        ``events`` takes the events for other programs, such as a file. Without a ``data`` folder the programs' file
        functions fail.
        """
        self.clock = clock
        self.market = market
        self.account: Account = account
        self.log = log
        self.charts = charts or EmbeddedCharts()
        self.data = data
        self.history = History()
        self.lines = IndicatorLines()
        self.quotes: dict[str, Tick] = {}
        self.last_tick: Tick | None = None
        self.prices = MarketPrices(
            market.symbols, self.quotes, lambda text: log.write("terminal", "alert", "account", text)
        )
        account.use_prices(self.prices)
        self.event_loop = EventLoop(clock, log, timer_ms=timer_ms, answer=answer)
        self._events = events
        # What precedes "deal" and "stops" in the names of events and log lines.
        self._deal_prefix = ""
        self.event_loop.add_source(_DealSource(self), early=True)
        self.event_loop.add_source(_TickSource(self))
        for group in command_groups:
            self.event_loop.commands.register(COMMAND_GROUPS[group], self)

    def attach(
        self,
        program: Program,
        symbol: str,
        period: int = c.PERIOD_H1,
        inputs: Mapping[str, object] | None = None,
    ) -> ProgramOnChart:
        """Open a chart and attach a new copy of the program; its OnInit runs when run() begins.

        Errors: ProgramError when an input is wrong or the market lacks the symbol.
        """
        if symbol not in self.market.symbols():
            raise ProgramError(symbol_problem(symbol) or f"the market has no symbol {symbol}")
        module = load_program(program)
        set_inputs(module, inputs or {})
        attachment = ProgramOnChart(self.charts.open(symbol, period), program.name, module, terminal=self)
        self.event_loop.attach(attachment)
        return attachment

    @property
    def first_chart(self) -> Attachment:
        """The first attachment; commands act on its chart."""
        return self.event_loop.attached[0]

    @property
    def stopping(self) -> bool:
        """Whether stop() was called."""
        return self.event_loop.stopping

    def run(self, duration: float | None = None) -> int:
        """Run the attached programs until stop(), until ``duration`` seconds have passed, or until none is left.

        Returns the exit code: 0, or that of the first program that failed.
        """
        return self.event_loop.run(duration)

    def post(self, line: str) -> None:
        """Have a command executed in the terminal's thread. Blocks while 1,000 commands are queued."""
        self.event_loop.post_command(line)

    def stop(self) -> None:
        """End run() after the running event function; OnDeinit of every program is called."""
        self.event_loop.stop()

    def post_chart_event(
        self, chart: Attachment, id: int, lparam: int = 0, dparam: float = 0.0, sparam: str = ""
    ) -> None:
        """Queue an OnChartEvent for a program; for the terminal's own thread."""
        self.event_loop.post_event(chart, "OnChartEvent", id, lparam, dparam, sparam)

    def chart_changed(self, chart: int, id: int, name: str = "") -> None:
        """Queue an OnChartEvent with a CHARTEVENT_* for each program on the chart; ``name`` is that of an object."""
        operations.chart_changed(self, chart, id, name)

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """Write an event for other programs, if something takes them."""
        if self._events:
            self._events.record(kind, fields)

    def take_quote(self, tick: Tick) -> None:
        """Store a quote in the quotes and the history, without an event for any program and without a trade."""
        self.quotes[tick.symbol] = tick
        self.last_tick = tick
        self.history.take(tick)

    def use_virtual_account(self) -> None:
        """From now on trade on a virtual account, which begins with the positions of the account."""
        self.account = VirtualAccount(self.account, self.prices)
        self._deal_prefix = "virtual_"

    def day_result(self) -> Decimal:
        """What the account has gained since the balance at the beginning of the market's day, in points times lots.

        It is the profit of the deals of this day, and of the open positions if they were closed at the last quotes. A
        position without a quote does not count. The day is that of the last tick.
        """
        begin = self.last_tick.time // _DAY_MS * _DAY_MS if self.last_tick else 0
        result = self.account.realized(begin, begin + _DAY_MS)
        for position in self.account.positions():
            if quote := self.quotes.get(position.spec.name):
                result += open_profit(position, quote) * position.spec.volume_step
        return result

    def trade(self, symbol: str, volume: int, ticket: int = 0, stops: Stops = NO_STOPS) -> TradeResult:
        """Buy (volume > 0) or sell that many steps at the last quote, and queue OnTrade for every program."""
        spec = self.market.symbols().get(symbol)
        if spec is None:
            return TradeResult(c.TRADE_RETCODE_INVALID, text=f"the market has no symbol {symbol}")
        quote = self.quotes.get(symbol)
        if quote is None:
            return TradeResult(c.TRADE_RETCODE_PRICE_OFF, text=symbol)
        result = self.account.trade(spec, volume, quote, ticket, stops)
        self.report_trades()
        return result

    def modify(self, position: Position, stops: Stops) -> TradeResult:
        """Replace the position's stop loss and take profit, and queue OnTrade for every program."""
        symbol = position.spec.name
        spec, quote = self.market.symbols().get(symbol), self.quotes.get(symbol)
        if spec is None:
            return TradeResult(c.TRADE_RETCODE_INVALID, text=f"the market has no symbol {symbol}")
        if spec.digits != position.spec.digits:
            return TradeResult(c.TRADE_RETCODE_INVALID, text=f"{symbol}: {digits_problem(position, spec)}")
        if quote is None:
            return TradeResult(c.TRADE_RETCODE_PRICE_OFF, text=symbol)
        result = self.account.modify(position.ticket, stops, quote)
        self.report_trades()
        return result

    def report_trades(self) -> None:
        """Log and record the account's new deals and new stops, and queue one OnTrade for each and every program."""
        for deal in self.account.new_deals():
            self._report_trade("deal", *deal_report(deal))
        for position in self.account.new_stops():
            self._report_trade("stops", *stops_report(position))

    def _report_trade(self, kind: str, fields: Mapping[str, object], text: str) -> None:
        kind = f"{self._deal_prefix}{kind}"
        self.record(kind, fields)
        self.log.write("terminal", "info", kind, text)
        for attachment in self.event_loop.live:
            self.event_loop.post_event(attachment, "OnTrade")


@dataclass(eq=False, kw_only=True)
class ProgramOnChart(Attachment):
    """An attachment of this terminal. ``selected`` is the position that PositionGet* functions read."""

    terminal: Terminal
    selected: Position | None = None

    @property
    def label(self) -> str:
        """Program, symbol and period: ``signal_client[EURUSD,H1]``."""
        return f"{self.program}[{operations.chart_title(self.terminal, self.id)}]"


def current_program() -> ProgramOnChart:
    """The attachment whose event function is running.

    Errors: RuntimeError when no event function is running: MQL's functions work only inside one.
    """
    attachment = current()
    assert isinstance(attachment, ProgramOnChart)
    return attachment


def current_terminal() -> Terminal:
    """The terminal of the program whose event function is running. Errors: as current_program()."""
    return current_program().terminal


class _DealSource:
    """The account as a source of the event loop: deals and new stops that did not come from a call of this terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def start(self, now: float) -> None:
        """See EventSource."""

    def next_due(self) -> float | None:
        """See EventSource. An account does not know when its next deal comes; it is polled in each turn."""
        return None

    def poll(self, now: float) -> None:
        """See EventSource."""
        self._terminal.report_trades()


class _TickSource:
    """The market as a source of the event loop. Its first ticks are quotes before OnInit, and events after it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._first: Sequence[Tick] | None = None
        self._end_reported = False

    def start(self, now: float) -> None:
        """See EventSource."""
        self._first = self._terminal.market.poll(now)
        for tick in self._first:
            self._take(tick)

    def next_due(self) -> float | None:
        """See EventSource. The end of the market is logged once."""
        due = self._terminal.market.next_due()
        if due is None and not self._end_reported:
            self._end_reported = True
            self._terminal.log.write("terminal", "info", "market", "the last tick has been replayed")
        return due

    def poll(self, now: float) -> None:
        """See EventSource."""
        if self._first is not None:
            ticks, self._first = self._first, None
            for tick in ticks:
                self._deliver(tick)
            return
        for tick in self._terminal.market.poll(now):
            self._take(tick)
            self._terminal.report_trades()
            self._deliver(tick)

    def _take(self, tick: Tick) -> None:
        """Store a quote, and have the account execute the stops that it reaches."""
        self._terminal.take_quote(tick)
        if spec := self._terminal.market.symbols().get(tick.symbol):
            self._terminal.account.take_quote(spec, tick)

    def _deliver(self, tick: Tick) -> None:
        for attachment in [*self._terminal.event_loop.live]:
            if self._terminal.charts.view(attachment.id).symbol == tick.symbol:
                self._terminal.event_loop.deliver(attachment, "OnTick")
