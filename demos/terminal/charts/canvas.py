"""What the parts of a picture share: the axes, what is shown, and a template's values as matplotlib wants them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demos.terminal.charts.history import Bar, length_of
from demos.terminal.charts.template_file import Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In pixels, and pixels an inch.
WIDTH, HEIGHT, DPI = 1200, 700, 100

_STYLES = ("solid", "dashed", "dotted", "dashdot", (0, (3, 1, 1, 1, 1, 1)))


@dataclass
class View:
    """A picture in the making. A bar's place is its number among the bars shown; prices are not points here."""

    axes: Axes
    chart: Section
    bars: Sequence[Bar]
    first: int
    point: float
    period: int

    def color(self, key: str, default: int) -> str:
        return color_text(number(self.chart.get(key), default))

    def place(self, seconds: float) -> float:
        """Where a moment is: between bars, and beyond the last one, by the period's length."""
        time = seconds * 1000
        times = [bar.time for bar in self.bars]
        index = bisect_right(times, time) - 1
        length = length_of(self.period)
        if index < 0:
            return (time - times[0]) / length - self.first
        share = (time - times[index]) / length
        return index - self.first + (share if index == len(times) - 1 else min(share, 1.0))


def stroke(section: Section, default: int) -> dict[str, Any]:
    style = int(number(section.get("style"), 0))
    return {
        "color": color_text(number(section.get("color"), default)),
        "linewidth": min(max(number(section.get("width"), 1), 0.5), 5),
        "linestyle": _STYLES[style] if 0 <= style < len(_STYLES) else "solid",
    }


def number(text: str, default: float) -> float:
    """A value that stands in a template; far too large ones are none."""
    try:
        value = float(text)
    except ValueError:
        return default
    return value if abs(value) < 1e12 else default


def color_text(value: float) -> str:
    number = int(value)
    return f"#{number & 0xFF:02x}{number >> 8 & 0xFF:02x}{number >> 16 & 0xFF:02x}"
