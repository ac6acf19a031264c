"""Draws the indicator lines of programs, and the windows below the prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from demos.terminal.charts.canvas import Picture, color_text, stroke_of
from demos.terminal.charts.drawing_objects import MAX_TEXT
from demos.terminal.charts.lines import IndicatorLine
from demos.terminal.mql.conversion import time_of
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The area of all windows, as shares of the picture: left, bottom, width, height.
_LEFT, _BOTTOM, _WIDTH, _HEIGHT = 0.01, 0.06, 0.91, 0.92

# The height of a window below the prices, and the most that all of them have together.
_WINDOW, _WINDOWS = 0.18, 0.52

# A program's values may come from the network. Larger ones would make the drawing fail.
_MAX_VALUE = 1e12


def add_axes(figure: Figure, lines: Sequence[IndicatorLine]) -> dict[int, Axes]:
    """The axes of window 0 and of each window that has lines, by the window's number."""
    numbers = sorted({line.window for line in lines} - {0})
    height = min(_WINDOW, _WINDOWS / max(len(numbers), 1))
    bottom = _BOTTOM + height * len(numbers)
    axes = {0: figure.add_axes((_LEFT, bottom, _WIDTH, _HEIGHT - height * len(numbers)))}
    for number in numbers:
        bottom -= height
        axes[number] = figure.add_axes((_LEFT, bottom, _WIDTH, height))
    return axes


def draw_lines(picture: Picture, axes: dict[int, Axes], lines: Sequence[IndicatorLine]) -> None:
    """Draw the lines into their windows; the axes of window 0 have their ranges and ticks."""
    for number, each in axes.items():
        inside = [line for line in lines if line.window == number]
        if number:
            _draw_window(replace(picture, axes=each), picture.axes, inside)
        for line in inside:
            each.plot(_values(picture, line), **stroke_of(line.color, line.style, line.width), zorder=4)
        _write_names(picture, each, inside)
    for each in list(axes.values())[:-1]:
        each.tick_params(labelbottom=False)


def _values(picture: Picture, line: IndicatorLine) -> list[float]:
    """The value at each visible bar; NaN, which interrupts the line, where there is none."""
    values = [line.values.get(time_of(bar.time), math.nan) for bar in picture.bars[picture.first :]]
    return [value if abs(value) <= _MAX_VALUE else math.nan for value in values]


def _draw_window(picture: Picture, main: Axes, lines: Sequence[IndicatorLine]) -> None:
    """Draw the frame of a window below the prices, and its levels."""
    axes, foreground = picture.axes, picture.color("foreground_color", 0xFFFFFF)
    values = [value for line in lines for value in _values(picture, line) if math.isfinite(value)]
    levels = [level for line in lines for level in line.levels if abs(level) <= _MAX_VALUE]
    low, high = min([*values, *levels], default=0.0), max([*values, *levels], default=1.0)
    margin = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    axes.set_facecolor(picture.color("background_color", 0))
    axes.set_xlim(main.get_xlim())
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.tick_right()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.6g}")
    axes.locator_params(axis="y", nbins=4)
    axes.set_xticks(list(main.get_xticks()), labels=[text.get_text() for text in main.get_xticklabels()])
    axes.tick_params(colors=foreground, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(foreground)
    if picture.chart.get("grid") == "1":
        axes.grid(True, color=picture.color("grid_color", 0x997060), linestyle="dotted", linewidth=0.6)
        axes.set_axisbelow(True)
    for level in levels:
        axes.axhline(level, color=picture.color("grid_color", 0x997060), linestyle="dashed", linewidth=0.8)


def _write_names(picture: Picture, axes: Axes, lines: Sequence[IndicatorLine]) -> None:
    """Write the name and the last value of each line in its color: below the title in window 0, else in one row."""
    left, top = 5.0, -20.0 if axes is picture.axes else -4.0
    for line in lines:
        last = next((value for value in reversed(_values(picture, line)) if math.isfinite(value)), None)
        text = escaped(line.name[:MAX_TEXT]) + ("" if last is None else f" {last:.7g}")
        axes.annotate(
            text,
            (0, 1),
            (left, top),
            xycoords="axes fraction",
            textcoords="offset points",
            color=color_text(line.color),
            fontsize=8,
            va="top",
            parse_math=False,
        )
        if axes is picture.axes:
            top -= 11
        else:
            left += 5.2 * (len(text) + 3)
