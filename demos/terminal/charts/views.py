"""What a terminal does with its charts: another symbol or period, templates saved and applied, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demos.terminal.charts.layout import set_expert, set_view
from demos.terminal.charts.template_file import Section
from demos.terminal.mql.constants import CHARTEVENT_CHART_CHANGE, TIMEFRAMES
from demos.terminal.runtime.programs import input_variables

if TYPE_CHECKING:
    from demos.terminal.runtime.host import Host


def show(host: Host, chart: int, symbol: str, period: int) -> bool:
    """Have a chart show another symbol or period; False when the terminal does not know them.

    As in MetaTrader, its Expert Advisor gets OnDeinit with REASON_CHARTCHANGE and then OnInit.
    """
    if symbol not in host.market.symbols() or period not in TIMEFRAMES.values():
        return False
    view = host.charts.view(chart)
    if (view.symbol, view.period) != (symbol, period):
        host.charts.show(chart, symbol, period)
        host.restart_experts(chart)
        host.chart_changed(chart, CHARTEVENT_CHART_CHANGE)
    return True


def template_of(host: Host, chart: int) -> Section:
    """A chart's template as it would be saved now, with the Expert Advisor that runs there."""
    view = host.charts.view(chart)
    template = host.charts.template(chart).copy()
    set_view(template, chart, view.symbol, view.period, host.market.symbols()[view.symbol].digits)
    name, inputs = "", {}
    for expert in host.experts(chart):
        name, inputs = expert.program, {key: getattr(expert.module, key) for key in input_variables(expert.module)}
    set_expert(template, name, inputs)
    return template


def apply_template(host: Host, chart: int, template: Section) -> None:
    """Put a template onto a chart. Symbol, period and program stay: no program is ever started from a template."""
    set_expert(template, "", {})
    # The file that a template server sends ends with a NUL, which is not the chart's.
    template.items = [item for item in template.items if isinstance(item, Section) or "\0" not in item.text]
    host.charts.apply(chart, template)
    host.chart_changed(chart, CHARTEVENT_CHART_CHANGE)
