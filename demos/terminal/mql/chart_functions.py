"""Chart operations. https://www.mql5.com/en/docs/chart_operations

A chart_id of 0 is the program's own chart, the only one that these functions act on.
"""

from __future__ import annotations

from demos.terminal.charts import operations
from demos.terminal.charts.template import TemplateError, parse, to_bytes
from demos.terminal.runtime.files import write_whole
from demos.terminal.terminal import ProgramOnChart, current_program

__all__ = [
    "ChartApplyTemplate",
    "ChartID",
    "ChartPeriod",
    "ChartRedraw",
    "ChartSaveTemplate",
    "ChartSetSymbolPeriod",
    "ChartSymbol",
]


def ChartID() -> int:
    """The identifier of the program's chart."""
    return current_program().id


def ChartSymbol(chart_id: int = 0) -> str:
    """The chart's symbol."""
    chart = own_chart(chart_id)
    return chart.terminal.charts.view(chart.id).symbol


def ChartPeriod(chart_id: int = 0) -> int:
    """The chart's period, a PERIOD_*."""
    chart = own_chart(chart_id)
    return chart.terminal.charts.view(chart.id).period


def ChartSetSymbolPeriod(chart_id: int, symbol: str, period: int) -> bool:
    """Have the chart show another symbol or period; False when the market lacks the symbol, or for an unknown period.

    An Expert Advisor on the chart gets OnDeinit and OnInit after the running event function.
    """
    chart = own_chart(chart_id)
    symbol, period = symbol or ChartSymbol(chart_id), period or ChartPeriod(chart_id)
    return operations.set_symbol_period(chart.terminal, chart.id, symbol, period) is None


def ChartSaveTemplate(chart_id: int, filename: str) -> bool:
    """Save the chart's template in Profiles\\Templates; the file replaces an older one atomically."""
    chart = own_chart(chart_id)
    path = chart.terminal.data.template_to_save(filename) if chart.terminal.data else None
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_bytes(operations.template_of(chart.terminal, chart.id)))
    except OSError:
        return False
    return True


def ChartApplyTemplate(chart_id: int, filename: str) -> bool:
    """Apply a template to the chart: a file of Profiles\\Templates, or with a leading backslash one below MQL5.

    False, and the chart unchanged, when there is no such file or it is not a template. Unlike MetaTrader it never
    starts a program that the template names, and never removes the running one.
    """
    chart = own_chart(chart_id)
    path = chart.terminal.data.template_to_apply(filename) if chart.terminal.data else None
    if path is None:
        return False
    try:
        template = parse(path.read_bytes())
    except (OSError, TemplateError):
        return False
    operations.apply_template(chart.terminal, chart.id, template)
    return True


def ChartRedraw(chart_id: int = 0) -> None:
    """Has no effect: a chart is drawn only when a picture is requested."""
    own_chart(chart_id)


def own_chart(chart_id: int) -> ProgramOnChart:
    """The running program, when ``chart_id`` is 0 or that of its chart.

    Errors: ValueError for another chart.
    """
    program = current_program()
    if chart_id not in (0, program.id):
        raise ValueError(f"chart_id must be 0 or {program.id}, the program's own chart, not {chart_id}")
    return program
