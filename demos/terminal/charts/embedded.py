"""The embedded terminal's charts."""

from __future__ import annotations

from demos.terminal.charts.layout import new_chart
from demos.terminal.charts.template_file import Section
from demos.terminal.interfaces import ChartView


class EmbeddedCharts:
    """Charts that exist in memory alone: what each shows, and its template."""

    def __init__(self) -> None:
        self._views: dict[int, ChartView] = {}
        self._templates: dict[int, Section] = {}

    def open(self, symbol: str, period: int) -> int:
        """See ports.Charts."""
        chart = len(self._views) + 1
        self._views[chart] = ChartView(symbol, period)
        self._templates[chart] = new_chart()
        return chart

    def view(self, chart: int) -> ChartView:
        """See ports.Charts."""
        return self._views[chart]

    def comment(self, chart: int, text: str) -> None:
        """See ports.Charts."""
        self._views[chart].comment = text

    def show(self, chart: int, symbol: str, period: int) -> None:
        """See ports.Charts."""
        self._views[chart].symbol = symbol
        self._views[chart].period = period

    def template(self, chart: int) -> Section:
        """See ports.Charts."""
        return self._templates[chart]

    def apply(self, chart: int, template: Section) -> None:
        """See ports.Charts."""
        self._templates[chart] = template
