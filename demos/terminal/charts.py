"""The embedded terminal's charts."""

from __future__ import annotations

from demos.terminal.ports import ChartView


class EmbeddedCharts:
    """Charts that exist in memory alone."""

    def __init__(self) -> None:
        self._views: dict[int, ChartView] = {}

    def open(self, symbol: str, period: int) -> int:
        """See ports.Charts."""
        chart = len(self._views) + 1
        self._views[chart] = ChartView(symbol, period)
        return chart

    def view(self, chart: int) -> ChartView:
        """See ports.Charts."""
        return self._views[chart]

    def comment(self, chart: int, text: str) -> None:
        """See ports.Charts."""
        self._views[chart].comment = text
