"""Operations on a chart: another symbol or period, templates saved and applied, events for the programs on it."""

from __future__ import annotations

from typing import Protocol

from demos.terminal.charts.history import History
from demos.terminal.charts.layout import set_expert, set_view
from demos.terminal.charts.lines import IndicatorLines
from demos.terminal.interfaces import Charts, Market
from demos.terminal.mql.constants import CHARTEVENT_CHART_CHANGE, REASON_CHARTCHANGE, TIMEFRAMES
from demos.terminal.runtime.attachment import Attachment
from demos.terminal.runtime.event_loop import EventLoop
from demos.terminal.runtime.log import Log
from demos.terminal.runtime.programs import input_variables
from demos.terminal.symbols import symbol_problem
from demos.terminal.template_tree import Document, Section


class ChartTerminal(Protocol):
    """The terminal as the operations on its charts use it."""

    @property
    def event_loop(self) -> EventLoop:
        """See Terminal."""
        ...

    @property
    def market(self) -> Market:
        """See Terminal."""
        ...

    @property
    def charts(self) -> Charts:
        """See Terminal."""
        ...

    @property
    def history(self) -> History:
        """See Terminal."""
        ...

    @property
    def lines(self) -> IndicatorLines:
        """See Terminal."""
        ...

    @property
    def log(self) -> Log:
        """See Terminal."""
        ...

    @property
    def first_chart(self) -> Attachment:
        """See Terminal."""
        ...


def chart_changed(terminal: ChartTerminal, chart: int, id: int, name: str = "") -> None:
    """Queue an OnChartEvent with a CHARTEVENT_* for each program on the chart; ``name`` is that of an object."""
    for attachment in _programs(terminal, chart):
        terminal.event_loop.post_event(attachment, "OnChartEvent", id, 0, 0.0, name)


def set_symbol_period(terminal: ChartTerminal, chart: int, symbol: str, period: int) -> str | None:
    """Have a chart show another symbol or period; returns why that is not possible, or None when it was done.

    As in MetaTrader, the Expert Advisor gets OnDeinit with REASON_CHARTCHANGE and then OnInit. The chart loses its
    indicator lines, because their values belong to the bars that it showed before.
    """
    if symbol not in terminal.market.symbols():
        return symbol_problem(symbol) or f"the market has no symbol {symbol}"
    if period not in TIMEFRAMES.values():
        return f"unknown period: {period}"
    view = terminal.charts.view(chart)
    if (view.symbol, view.period) != (symbol, period):
        terminal.charts.show(chart, symbol, period)
        terminal.lines.clear(chart)
        for expert in _experts(terminal, chart):
            terminal.event_loop.post_restart(expert, REASON_CHARTCHANGE)
        chart_changed(terminal, chart, CHARTEVENT_CHART_CHANGE)
    return None


def template_of(terminal: ChartTerminal, chart: int) -> Document:
    """A chart's template as it would be saved now, with the Expert Advisor that runs there."""
    view = terminal.charts.view(chart)
    template = terminal.charts.template(chart).copy()
    set_view(template, chart, view.symbol, view.period, terminal.market.symbols()[view.symbol].digits)
    name, inputs = "", {}
    for expert in _experts(terminal, chart):
        name, inputs = expert.program, {key: getattr(expert.module, key) for key in input_variables(expert.module)}
    set_expert(template, name, inputs)
    return template


def apply_template(terminal: ChartTerminal, chart: int, template: Document) -> None:
    """Put a template onto a chart. Symbol, period and program stay: a template never starts a program."""
    set_expert(template, "", {})
    # The file that a template server sends ends with a NUL, which does not belong to the chart.
    template.items = [item for item in template.items if isinstance(item, Section) or "\0" not in item.text]
    terminal.charts.apply(chart, template)
    chart_changed(terminal, chart, CHARTEVENT_CHART_CHANGE)


def _programs(terminal: ChartTerminal, chart: int) -> list[Attachment]:
    return [attachment for attachment in terminal.event_loop.live if attachment.id == chart]


def _experts(terminal: ChartTerminal, chart: int) -> list[Attachment]:
    return [attachment for attachment in _programs(terminal, chart) if attachment.is_expert]


def period_name(period: int) -> str:
    """``H1`` for PERIOD_H1; the number for an unknown period."""
    return next((name for name, value in TIMEFRAMES.items() if value == period), str(period))


def chart_title(terminal: ChartTerminal, chart: int) -> str:
    """Symbol and period, as log lines and pictures show them: ``EURUSD,H1``."""
    view = terminal.charts.view(chart)
    return f"{view.symbol},{period_name(view.period)}"
