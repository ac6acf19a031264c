"""Draws a chart from its template and its bars into a PNG: candles, moving averages, lines, levels and texts.

It needs matplotlib (the extra ``charts``), which is imported only here. The same template and the same bars give the
same pixels on one machine. Parts of a template that are not drawn are named in the log: other indicators and objects.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from demos.terminal.charts import layout
from demos.terminal.charts.averages import PRICES, moving_average
from demos.terminal.charts.canvas import DPI, HEIGHT, WIDTH, Picture, number, stroke
from demos.terminal.charts.drawing_lines import add_axes, draw_lines
from demos.terminal.charts.drawing_objects import MAX_TEXT, draw_objects
from demos.terminal.charts.history import Bar
from demos.terminal.charts.lines import IndicatorLine
from demos.terminal.charts.operations import ChartTerminal, chart_title
from demos.terminal.interfaces import TerminalError
from demos.terminal.mql.conversion import TimeToString, time_of
from demos.terminal.template_tree import Section

# An average needs bars before the first one that is shown.
_WARM_UP = 1000

# Values from the network are limited before they are drawn.
_MAX_AVERAGE_LENGTH = 1000

_BARS, _CANDLES = 0, 1


class PictureError(TerminalError):
    """A picture that cannot be drawn or written."""

    code = 4


def problem() -> str | None:
    """Why no picture can be drawn on this machine, or None."""
    try:
        import matplotlib.figure  # noqa: F401  # only whether it is there
    except ImportError:
        return 'pictures need matplotlib: python -m pip install -e ".[charts]"'
    return None


def draw_chart(terminal: ChartTerminal, chart: int, path: Path) -> None:
    """Draw the current state of a chart.

    Errors: PictureError when there are no bars, no matplotlib, or the file cannot be written.
    """
    view = terminal.charts.view(chart)
    template = terminal.charts.template(chart)
    bars = terminal.history.bars(view.symbol, view.period, WIDTH + _WARM_UP)
    digits = terminal.market.symbols()[view.symbol].digits
    title = chart_title(terminal, chart)
    missing = draw(template, bars, digits, view.period, title, path, terminal.lines.of(chart))
    terminal.log.write("terminal", "info", "picture", f"{path}: {title}, {len(bars)} bars")
    if missing:
        terminal.log.write("terminal", "info", "picture", f"not drawn: {', '.join(sorted(missing))}")


def draw(
    template: Section,
    bars: Sequence[Bar],
    digits: int,
    period: int,
    title: str,
    path: Path,
    lines: Sequence[IndicatorLine] = (),
) -> set[str]:
    """Draw a template and indicator lines over bars and write the PNG; returns the parts that are not drawn.

    Errors: PictureError when there are no bars, no matplotlib, or the file cannot be written.
    """
    trouble = problem() if bars else f"there are no bars of {title}"
    if trouble:
        raise PictureError(trouble)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chart = layout.root(template)
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = add_axes(figure, lines)
    width = min(max(number(chart.get("scale"), 8), 1), 64)
    margin = min(max(number(chart.get("shift_size"), 0), 0), 50) / 100 if chart.get("shift") == "1" else 0.0
    shown = max(int(WIDTH * 0.91 * (1 - margin) / width), 1)
    picture = Picture(axes[0], chart, bars, max(len(bars) - shown, 0), 10**-digits, period)
    _draw_frame(picture, digits, title, shown / (1 - margin))
    _draw_bars(picture)
    missing = _draw_indicators(picture, layout.main_window(template))
    draw_lines(picture, axes, lines)
    missing |= draw_objects(picture, list(layout.objects(template)))
    missing |= {"windows below the main one" for _ in list(chart.sections("window"))[1:]}
    with warnings.catch_warnings():
        # A letter that the font lacks is shown as a box, which is good enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        try:
            # Without the version of the software, equal pixels give equal files.
            figure.savefig(
                path, format="png", facecolor=picture.color("background_color", 0), metadata={"Software": None}
            )
        except OSError as error:
            raise PictureError(f"{path}: {error.strerror}") from error
    return missing


def _draw_frame(picture: Picture, digits: int, title: str, places: float) -> None:
    """Draw axes, grid and title, and set the range of prices."""
    axes, foreground = picture.axes, picture.color("foreground_color", 0xFFFFFF)
    visible = picture.bars[picture.first :]
    axes.set_facecolor(picture.color("background_color", 0))
    low, high = min(bar.low for bar in visible) * picture.point, max(bar.high for bar in visible) * picture.point
    margin = (high - low) * 0.05 or picture.point * 10
    low, high = low - margin, high + margin
    fixed = number(picture.chart.get("scale_fixed_min"), 0), number(picture.chart.get("scale_fixed_max"), 0)
    if picture.chart.get("scale_fix") == "1" and fixed[0] < fixed[1]:
        low, high = fixed
    axes.set_xlim(-1, max(places, len(visible)))
    axes.set_ylim(low, high)
    axes.yaxis.tick_right()
    axes.yaxis.set_major_formatter(lambda price, _: f"{price:.{digits}f}")
    # By the width of the axis: with few bars the texts would overlap.
    step = max(round(max(places, len(visible))) // 8, 1)
    places_of_ticks = list(range(min(step // 2, len(visible) - 1), len(visible), step))
    axes.set_xticks(places_of_ticks)
    axes.set_xticklabels([TimeToString(time_of(visible[place].time)) for place in places_of_ticks])
    axes.tick_params(colors=foreground, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(foreground)
    if picture.chart.get("grid") == "1":
        axes.grid(True, color=picture.color("grid_color", 0x997060), linestyle="dotted", linewidth=0.6)
        axes.set_axisbelow(True)
    axes.text(0.008, 0.985, title[:MAX_TEXT], color=foreground, transform=axes.transAxes, va="top", parse_math=False)
    if picture.chart.get("bidline") == "1":
        axes.axhline(
            picture.bars[-1].close * picture.point, color=picture.color("bidline_color", 0x997060), linewidth=0.8
        )


def _draw_bars(picture: Picture) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    visible = [
        (place, *(price * picture.point for price in bar[1:5]))
        for place, bar in enumerate(picture.bars[picture.first :])
    ]
    mode = number(picture.chart.get("mode"), _CANDLES)
    if mode not in (_BARS, _CANDLES):
        line = picture.color("chartline_color", 0x00FF00)
        picture.axes.plot([bar[0] for bar in visible], [bar[4] for bar in visible], color=line, linewidth=1)
        return
    up, down = picture.color("barup_color", 0x00FF00), picture.color("bardown_color", 0x00FF00)
    bull, bear = picture.color("bullcandle_color", 0), picture.color("bearcandle_color", 0xFFFFFF)
    edges = [up if close >= first else down for _, first, _, _, close in visible]
    strokes = [[(place, low), (place, high)] for place, _, high, low, _ in visible]
    picture.axes.add_collection(LineCollection(strokes, colors=edges, linewidths=0.9, zorder=2), autolim=False)
    if mode == _BARS:
        ticks = [[(place - 0.35, first), (place, first)] for place, first, _, _, _ in visible]
        ticks += [[(place, close), (place + 0.35, close)] for place, _, _, _, close in visible]
        picture.axes.add_collection(LineCollection(ticks, colors=edges * 2, linewidths=0.9, zorder=2), autolim=False)
        return
    bodies = [
        [(place - 0.35, first), (place + 0.35, first), (place + 0.35, close), (place - 0.35, close)]
        for place, first, _, _, close in visible
    ]
    faces = [bull if close >= first else bear for _, first, _, _, close in visible]
    candles = PolyCollection(bodies, facecolors=faces, edgecolors=edges, linewidths=0.9, zorder=3)
    picture.axes.add_collection(candles, autolim=False)


def _draw_indicators(picture: Picture, window: Section) -> set[str]:
    missing = set()
    for indicator in window.sections("indicator"):
        name = indicator.get("name")
        if name == layout.MOVING_AVERAGE:
            _draw_average(picture, indicator)
        elif name.lower() != "main":
            missing.add(f"indicator {name[:MAX_TEXT]}")
    return missing


def _draw_average(picture: Picture, indicator: Section) -> None:
    graph = next(indicator.sections("graph"), indicator)
    count = int(number(indicator.get("period"), 14))
    price = PRICES.get(int(number(indicator.get("apply"), 1)), PRICES[1])
    method, shift = int(number(indicator.get("method"), 0)), int(number(graph.get("shift"), 0))
    if not 1 <= count <= _MAX_AVERAGE_LENGTH:
        return
    averages = moving_average([price(bar) for bar in picture.bars], count, method)
    points = [(index - picture.first + shift, each) for index, each in enumerate(averages) if each is not None]
    picture.axes.plot(
        [place for place, _ in points],
        [each * picture.point for _, each in points],
        **stroke(graph, 0x0000FF),
        zorder=4,
    )
