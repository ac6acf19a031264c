"""The embedded terminal's charts."""

from __future__ import annotations

from demos.terminal.charts.layout import new_chart
from demos.terminal.interfaces import ChartView
from demos.terminal.template_tree import Document


class EmbeddedCharts:
    """Charts that exist only in memory: what each shows, and its template."""

    def __init__(self) -> None:
        self._views: dict[int, ChartView] = {}
        self._templates: dict[int, Document] = {}

    def open(self, symbol: str, period: int) -> int:
        """See interfaces.Charts."""
        chart = len(self._views) + 1
        self._views[chart] = ChartView(symbol, period)
        self._templates[chart] = new_chart()
        return chart

    def view(self, chart: int) -> ChartView:
        """See interfaces.Charts."""
        return self._views[chart]

    def comment(self, chart: int, text: str) -> None:
        """See interfaces.Charts."""
        self._views[chart].comment = text

    def show(self, chart: int, symbol: str, period: int) -> None:
        """See interfaces.Charts."""
        self._views[chart].symbol = symbol
        self._views[chart].period = period

    def template(self, chart: int) -> Document:
        """See interfaces.Charts."""
        return self._templates[chart]

    def apply(self, chart: int, template: Document) -> None:
        """See interfaces.Charts."""
        self._templates[chart] = template
