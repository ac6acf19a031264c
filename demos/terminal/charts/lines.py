"""The indicator lines that programs draw on charts: on the prices, or in a window below them.

A line's values belong to the program, which changes them at any time; a picture reads them when it is drawn. They are
not part of the chart's template: a template of MetaTrader has the settings of indicators, never values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# Window 0 has the prices; the others are below it.
MAX_WINDOW = 4
MAX_LINES = 32


@dataclass(frozen=True)
class IndicatorLine:
    """A line: its name, the number of its window, its values by the beginning of the bar, and how it is drawn.

    ``levels`` are the values at which the window has a horizontal line, such as 30 and 70 of an RSI.
    """

    name: str
    window: int
    values: Mapping[datetime, float]
    color: int
    style: int = 0
    width: int = 1
    levels: Sequence[float] = ()


class IndicatorLines:
    """The lines of all charts, by name."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[str, IndicatorLine]] = {}

    def put(self, chart: int, line: IndicatorLine) -> bool:
        """Add a line or replace the one with its name; False for an invalid window and for one line too many."""
        lines = self._lines.setdefault(chart, {})
        if not 0 <= line.window <= MAX_WINDOW or (line.name not in lines and len(lines) >= MAX_LINES):
            return False
        lines[line.name] = line
        return True

    def remove(self, chart: int, name: str) -> bool:
        """Remove a line; False when there is none."""
        return self._lines.get(chart, {}).pop(name, None) is not None

    def clear(self, chart: int) -> None:
        """Remove all lines of a chart."""
        self._lines.pop(chart, None)

    def of(self, chart: int) -> list[IndicatorLine]:
        """The lines of a chart, in the order in which they were added."""
        return list(self._lines.get(chart, {}).values())
