"""The host: attaches programs to charts and drives their events in one thread."""

from __future__ import annotations

import math
import queue
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from demos.terminal.charts.embedded import EmbeddedCharts
from demos.terminal.charts.history import History
from demos.terminal.interfaces import Account, Charts, Clock, Market, ProgramError, Tick, TradeResult
from demos.terminal.mql import constants as c
from demos.terminal.points import price_text, volume_text
from demos.terminal.runtime.attachment import Chart, running
from demos.terminal.runtime.commands import execute
from demos.terminal.runtime.files import DataFolder
from demos.terminal.runtime.log import EventFile, Log
from demos.terminal.runtime.programs import Program, forget_program, load_program, set_inputs

_MOST_COMMANDS = 1000

# OnDeinit and OnInit, in the queue of events.
_AGAIN = "begin again"

_EXIT_OF_INIT = {c.INIT_PARAMETERS_INCORRECT: 2}


class Host:
    """A terminal: one market, one account, and the programs on its charts.

    Everything happens in the thread that calls run(); only post() and stop() may be called from others, and stop()
    from a signal handler.
    """

    def __init__(
        self,
        clock: Clock,
        market: Market,
        account: Account,
        log: Log,
        *,
        charts: Charts | None = None,
        events: EventFile | None = None,
        data: DataFolder | None = None,
        timer_ms: int | None = None,
        answer: Callable[[str], None] = print,
    ) -> None:
        """Put the terminal together.

        ``timer_ms`` replaces the period of every timer; ``answer`` takes the answers to commands, line by line.
        Without a ``data`` folder the programs' file functions fail.
        """
        self.clock = clock
        self.market = market
        self.account = account
        self.log = log
        self.charts = charts or EmbeddedCharts()
        self.data = data
        self.history = History()
        self.timer_ms = timer_ms
        self.quotes: dict[str, Tick] = {}
        self.last_tick: Tick | None = None
        self.stopping = False
        self._events = events
        self._answer = answer
        self._commands: queue.Queue[str] = queue.Queue(_MOST_COMMANDS)
        self._attached: list[Chart] = []
        self._live: list[Chart] = []
        self._queue: deque[tuple[Chart, str, tuple[object, ...]]] = deque()
        self._exit_code = 0
        self._market_open = True

    def attach(
        self,
        program: Program,
        symbol: str,
        period: int = c.PERIOD_H1,
        inputs: Mapping[str, object] | None = None,
    ) -> Chart:
        """Open a chart and attach a fresh copy of the program; its OnInit runs when run() begins.

        Errors: ProgramError when an input is wrong or the market lacks the symbol.
        """
        if symbol not in self.market.symbols():
            raise ProgramError(f"the market has no symbol {symbol}")
        module = load_program(program)
        set_inputs(module, inputs or {})
        chart = Chart(self, self.charts.open(symbol, period), program.name, module)
        self._attached.append(chart)
        return chart

    def post(self, line: str) -> None:
        """Have a command carried out in the host's thread; see commands.py. Waits while a thousand others wait."""
        self._commands.put(line)
        self.clock.wake()

    def post_chart_event(self, chart: Chart, id: int, lparam: int = 0, dparam: float = 0.0, sparam: str = "") -> None:
        """Queue an OnChartEvent for a chart; to be called in the host's thread."""
        self._queue.append((chart, "OnChartEvent", (id, lparam, dparam, sparam)))

    @property
    def first_chart(self) -> Chart:
        """The chart that commands are about."""
        return self._attached[0]

    def chart_changed(self, chart: int, id: int, name: str = "") -> None:
        """Tell the chart's program of a change by a CHARTEVENT_*; ``name`` is that of a graphical object."""
        for each in self._live:
            if each.id == chart:
                self.post_chart_event(each, id, sparam=name)

    def experts(self, chart: int) -> list[Chart]:
        """The Expert Advisors that run on a chart."""
        return [each for each in self._live if each.id == chart and hasattr(each.module, "OnInit")]

    def restart_experts(self, chart: int) -> None:
        """Have a chart's Expert Advisors begin again, with all their globals: its symbol or period has changed."""
        self._queue.extend((each, _AGAIN, ()) for each in self.experts(chart))

    def stop(self) -> None:
        """End run() after the event function that is running; every program's OnDeinit is called."""
        self.stopping = True
        self.clock.wake()

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """Write an event for other programs, where a file for them was given."""
        if self._events:
            self._events.record(kind, fields)

    def run(self, duration: float | None = None) -> int:
        """Drive the attached programs until stop(), so many seconds have passed, or none is left.

        Returns the exit code: 0, or that of the first program that failed.
        """
        now = self.clock.monotonic()
        end = math.inf if duration is None else now + duration
        first = self.market.poll(now)
        for tick in first:
            self.take_quote(tick)
        # Whatever ends this, an error in another program or in another OnDeinit included: each OnDeinit runs.
        with ExitStack() as stack:
            for chart in self._attached:
                if not self.stopping:
                    stack.callback(self._remove, chart, c.REASON_CLOSE)
                    self._init(chart)
            for tick in first:
                self._tick(tick)
            while self._live and not self.stopping and self.clock.monotonic() < end:
                self._step(end)
        return self._exit_code

    def trade(self, symbol: str, volume: int, ticket: int = 0) -> TradeResult:
        """Buy (volume > 0) or sell that many steps at the last quote, and tell every chart of it."""
        spec = self.market.symbols().get(symbol)
        if spec is None:
            return TradeResult(c.TRADE_RETCODE_INVALID, text=f"the market has no symbol {symbol}")
        quote = self.quotes.get(symbol)
        if quote is None:
            return TradeResult(c.TRADE_RETCODE_PRICE_OFF, text=symbol)
        result = self.account.trade(spec, volume, quote, ticket)
        self._announce_deals()
        return result

    def _init(self, chart: Chart) -> None:
        self._live.append(chart)
        code = self._call(chart, "OnInit")
        if code and not chart.removed:
            chart.exit_code = _EXIT_OF_INIT.get(code, 4)
            self.log.write(chart.label, "error", "OnInit", f"initialisation failed with code {code}")
            self._remove(chart, c.REASON_INITFAILED)
            return
        if not chart.removed and hasattr(chart.module, "OnStart"):
            self._call(chart, "OnStart")
            chart.removed = True
        self._reap(chart)

    def _begin_again(self, chart: Chart) -> None:
        if chart in self._live and not self.stopping:
            self._call(chart, "OnDeinit", c.REASON_CHARTCHANGE)
            self._live.remove(chart)
            self._init(chart)

    def _remove(self, chart: Chart, reason: int) -> None:
        if chart not in self._live:
            return
        self._live.remove(chart)
        self._call(chart, "OnDeinit", reason)
        self._exit_code = self._exit_code or chart.exit_code
        chart.timer = None
        chart.removed = True
        for file in chart.files.values():
            file.close()
        forget_program(chart.module)

    def _reap(self, chart: Chart) -> None:
        if chart.removed:
            self._remove(chart, c.REASON_PROGRAM)

    def _call(self, chart: Chart, event: str, *args: object) -> int | None:
        function = getattr(chart.module, event, None)
        if function is None:
            return None
        with running(chart, event):
            result: int | None = function(*args)
            return result

    def _deliver(self, chart: Chart, event: str, *args: object) -> None:
        if chart in self._live and not self.stopping:
            self._call(chart, event, *args)
            self._reap(chart)

    def _step(self, end: float) -> None:
        """Do what is due, each kind in its turn, so that none can starve another; then wait for what comes next."""
        self.run_commands()
        self._announce_deals()
        for _ in range(len(self._queue)):
            chart, event, args = self._queue.popleft()
            if event == _AGAIN:
                self._begin_again(chart)
            else:
                self._deliver(chart, event, *args)
        self._run_timers()
        for tick in self.market.poll(self.clock.monotonic()):
            self.take_quote(tick)
            self._tick(tick)
        if self._queue or self.stopping or not self._live:
            return
        due = min(end, self._next_due())
        left = due - self.clock.monotonic()
        if left > 0:
            self.clock.wait(None if left == math.inf else left)

    def _next_due(self) -> float:
        due = self.market.next_due()
        if due is None and self._market_open:
            self._market_open = False
            self.log.write("terminal", "info", "market", "the last tick has been replayed")
        timers = [chart.timer.due for chart in self._live if chart.timer]
        return min([math.inf if due is None else due, *timers])

    def run_commands(self) -> None:
        """Carry out the commands that wait; also while a program sleeps."""
        for _ in range(self._commands.qsize()):
            if self.stopping:
                return
            symbol = self.charts.view(self.first_chart.id).symbol
            for line in execute(self, symbol, self._commands.get()):
                self._answer(line)

    def _run_timers(self) -> None:
        for chart in self._live.copy():
            timer = chart.timer
            if timer is None or timer.due > self.clock.monotonic():
                continue
            self._deliver(chart, "OnTimer")
            # The events that were missed meanwhile are merged into the next one, on the same grid.
            late = max(self.clock.monotonic() - timer.due, 0.0)
            timer.due += timer.period * (late // timer.period + 1)

    def take_quote(self, tick: Tick) -> None:
        """Remember a quote; no program hears of it by this."""
        self.quotes[tick.symbol] = tick
        self.last_tick = tick
        self.history.take(tick)

    def _tick(self, tick: Tick) -> None:
        for chart in self._live.copy():
            if self.charts.view(chart.id).symbol == tick.symbol:
                self._deliver(chart, "OnTick")

    def _announce_deals(self) -> None:
        for deal in self.account.new_deals():
            volume = volume_text(deal.volume, deal.spec)
            position = volume_text(deal.position_volume, deal.spec)
            price = price_text(deal.price, deal.spec.digits)
            symbol = deal.spec.name
            self.record("deal", {"symbol": symbol, "volume": volume, "position": position, "price": price})
            self.log.write("terminal", "info", "deal", f"#{deal.ticket} {symbol} {volume} at {price} -> {position}")
            self._queue.extend((chart, "OnTrade", ()) for chart in self._live)
