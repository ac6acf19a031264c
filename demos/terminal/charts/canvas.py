"""The state that the drawing functions share, and a template's values converted for matplotlib."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demos.terminal.charts.history import Bar, length_of
from demos.terminal.template_tree import Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Width and height in pixels, and pixels per inch.
WIDTH, HEIGHT, DPI = 1200, 700, 100

_STYLES = ("solid", "dashed", "dotted", "dashdot", (0, (3, 1, 1, 1, 1, 1)))


@dataclass
class Picture:
    """A picture that is being drawn. A bar's place is its index among the visible bars; prices are not in points."""

    axes: Axes
    chart: Section
    bars: Sequence[Bar]
    first: int
    point: float
    period: int

    def color(self, key: str, default: int) -> str:
        """The color of a key of the chart."""
        return color_text(number(self.chart.get(key), default))

    def place(self, seconds: float) -> float:
        """The place of a time; between bars and after the last one it is interpolated with the period's length."""
        time = seconds * 1000
        times = [bar.time for bar in self.bars]
        index = bisect_right(times, time) - 1
        length = length_of(self.period)
        if index < 0:
            return (time - times[0]) / length - self.first
        share = (time - times[index]) / length
        return index - self.first + (share if index == len(times) - 1 else min(share, 1.0))


def stroke(section: Section, default: int) -> dict[str, Any]:
    """Color, width and style of a line, as matplotlib's arguments."""
    color, style = number(section.get("color"), default), int(number(section.get("style"), 0))
    return stroke_of(color, style, number(section.get("width"), 1))


def stroke_of(color: float, style: int, width: float) -> dict[str, Any]:
    """A color, an MQL5 STYLE_* and a width, as matplotlib's arguments."""
    return {
        "color": color_text(color),
        "linewidth": min(max(width, 0.5), 5),
        "linestyle": _STYLES[style] if 0 <= style < len(_STYLES) else "solid",
    }


def number(text: str, default: float) -> float:
    """A number of a template; the default for text that is not a number, and for numbers that are far too large."""
    try:
        value = float(text)
    except ValueError:
        return default
    return value if abs(value) < 1e12 else default


def color_text(value: float) -> str:
    """MQL5's color number as matplotlib's ``#rrggbb``."""
    number = int(value)
    return f"#{number & 0xFF:02x}{number >> 8 & 0xFF:02x}{number >> 16 & 0xFF:02x}"
