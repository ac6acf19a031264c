"""A chart drawn from its template and its bars into a PNG: candles, moving averages, lines, levels and texts.

matplotlib is wanted (the extra ``charts``), and imported only here. The same template and the same bars give the same
pixels on one machine. What a template holds and is not drawn is named in the log: other indicators, other objects.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demos.terminal.charts import layout
from demos.terminal.charts.averages import PRICES, moving_average
from demos.terminal.charts.canvas import DPI, HEIGHT, WIDTH, View, number, stroke
from demos.terminal.charts.drawing_objects import LONGEST_TEXT, draw_objects
from demos.terminal.charts.history import Bar
from demos.terminal.charts.template_file import Section
from demos.terminal.interfaces import TerminalError
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.mql.conversion import TimeToString, time_of

if TYPE_CHECKING:
    from demos.terminal.runtime.host import Host

# An average needs bars before the first that is shown.
_WARM_UP = 1000

# What comes from the network is bounded before it is drawn.
_LONGEST_AVERAGE = 1000

_BARS, _CANDLES = 0, 1


class PictureError(TerminalError):
    """A picture that cannot be drawn or written."""

    code = 4


def problem() -> str | None:
    """Why no picture can be drawn here, or None."""
    try:
        import matplotlib.figure  # noqa: F401  # only whether it is there
    except ImportError:
        return 'pictures need matplotlib: python -m pip install -e ".[charts]"'
    return None


def draw_chart(host: Host, chart: int, path: Path) -> None:
    """Draw what a chart shows now.

    Errors: PictureError when there are no bars, no matplotlib, or the file cannot be written.
    """
    view = host.charts.view(chart)
    template = host.charts.template(chart)
    bars = host.history.bars(view.symbol, view.period, WIDTH + _WARM_UP)
    digits = host.market.symbols()[view.symbol].digits
    period = next(name for name, value in TIMEFRAMES.items() if value == view.period)
    missing = draw(template, bars, digits, view.period, f"{view.symbol},{period}", path)
    host.log.write("terminal", "info", "picture", f"{path}: {view.symbol},{period}, {len(bars)} bars")
    if missing:
        host.log.write("terminal", "info", "picture", f"not drawn: {', '.join(sorted(missing))}")


def draw(template: Section, bars: Sequence[Bar], digits: int, period: int, title: str, path: Path) -> set[str]:
    """Draw a template over bars and write the PNG; returns what it holds that is not drawn.

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
    axes = figure.add_axes((0.01, 0.06, 0.91, 0.92))
    width = min(max(number(chart.get("scale"), 8), 1), 64)
    margin = min(max(number(chart.get("shift_size"), 0), 0), 50) / 100 if chart.get("shift") == "1" else 0.0
    shown = max(int(WIDTH * 0.91 * (1 - margin) / width), 1)
    view = View(axes, chart, bars, max(len(bars) - shown, 0), 10**-digits, period)
    _draw_frame(view, digits, title, shown / (1 - margin))
    _draw_bars(view)
    missing = _draw_indicators(view, layout.main_window(template))
    missing |= draw_objects(view, list(layout.objects(template)))
    missing |= {"windows below the main one" for _ in list(chart.sections("window"))[1:]}
    with warnings.catch_warnings():
        # A letter that the font lacks is shown as a box: no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        try:
            # Without the version of the software, files of equal pixels are equal.
            figure.savefig(path, format="png", facecolor=view.color("background_color", 0), metadata={"Software": None})
        except OSError as error:
            raise PictureError(f"{path}: {error.strerror}") from error
    return missing


def _draw_frame(view: View, digits: int, title: str, places: float) -> None:
    """Axes, grid, title and the range that is shown."""
    axes, foreground = view.axes, view.color("foreground_color", 0xFFFFFF)
    visible = view.bars[view.first :]
    axes.set_facecolor(view.color("background_color", 0))
    low, high = min(bar.low for bar in visible) * view.point, max(bar.high for bar in visible) * view.point
    margin = (high - low) * 0.05 or view.point * 10
    low, high = low - margin, high + margin
    fixed = number(view.chart.get("scale_fixed_min"), 0), number(view.chart.get("scale_fixed_max"), 0)
    if view.chart.get("scale_fix") == "1" and fixed[0] < fixed[1]:
        low, high = fixed
    axes.set_xlim(-1, max(places, len(visible)))
    axes.set_ylim(low, high)
    axes.yaxis.tick_right()
    axes.yaxis.set_major_formatter(lambda price, _: f"{price:.{digits}f}")
    step = max(len(visible) // 8, 1)
    places_of_ticks = list(range(step // 2, len(visible), step))
    axes.set_xticks(places_of_ticks)
    axes.set_xticklabels([TimeToString(time_of(visible[place].time)) for place in places_of_ticks])
    axes.tick_params(colors=foreground, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(foreground)
    if view.chart.get("grid") == "1":
        axes.grid(True, color=view.color("grid_color", 0x997060), linestyle="dotted", linewidth=0.6)
        axes.set_axisbelow(True)
    axes.text(
        0.008, 0.985, title[:LONGEST_TEXT], color=foreground, transform=axes.transAxes, va="top", parse_math=False
    )
    if view.chart.get("bidline") == "1":
        axes.axhline(view.bars[-1].close * view.point, color=view.color("bidline_color", 0x997060), linewidth=0.8)


def _draw_bars(view: View) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    visible = [
        (place, *(price * view.point for price in bar[1:5])) for place, bar in enumerate(view.bars[view.first :])
    ]
    mode = number(view.chart.get("mode"), _CANDLES)
    if mode not in (_BARS, _CANDLES):
        line = view.color("chartline_color", 0x00FF00)
        view.axes.plot([bar[0] for bar in visible], [bar[4] for bar in visible], color=line, linewidth=1)
        return
    up, down = view.color("barup_color", 0x00FF00), view.color("bardown_color", 0x00FF00)
    bull, bear = view.color("bullcandle_color", 0), view.color("bearcandle_color", 0xFFFFFF)
    edges = [up if close >= first else down for _, first, _, _, close in visible]
    strokes = [[(place, low), (place, high)] for place, _, high, low, _ in visible]
    view.axes.add_collection(LineCollection(strokes, colors=edges, linewidths=0.9, zorder=2), autolim=False)
    if mode == _BARS:
        ticks = [[(place - 0.35, first), (place, first)] for place, first, _, _, _ in visible]
        ticks += [[(place, close), (place + 0.35, close)] for place, _, _, _, close in visible]
        view.axes.add_collection(LineCollection(ticks, colors=edges * 2, linewidths=0.9, zorder=2), autolim=False)
        return
    bodies = [
        [(place - 0.35, first), (place + 0.35, first), (place + 0.35, close), (place - 0.35, close)]
        for place, first, _, _, close in visible
    ]
    faces = [bull if close >= first else bear for _, first, _, _, close in visible]
    candles = PolyCollection(bodies, facecolors=faces, edgecolors=edges, linewidths=0.9, zorder=3)
    view.axes.add_collection(candles, autolim=False)


def _draw_indicators(view: View, window: Section) -> set[str]:
    missing = set()
    for indicator in window.sections("indicator"):
        name = indicator.get("name")
        if name == layout.MOVING_AVERAGE:
            _draw_average(view, indicator)
        elif name.lower() != "main":
            missing.add(f"indicator {name[:LONGEST_TEXT]}")
    return missing


def _draw_average(view: View, indicator: Section) -> None:
    graph = next(indicator.sections("graph"), indicator)
    count = int(number(indicator.get("period"), 14))
    price = PRICES.get(int(number(indicator.get("apply"), 1)), PRICES[1])
    method, shift = int(number(indicator.get("method"), 0)), int(number(graph.get("shift"), 0))
    if not 1 <= count <= _LONGEST_AVERAGE:
        return
    averages = moving_average([price(bar) for bar in view.bars], count, method)
    points = [(index - view.first + shift, each) for index, each in enumerate(averages) if each is not None]
    view.axes.plot(
        [place for place, _ in points], [each * view.point for _, each in points], **stroke(graph, 0x0000FF), zorder=4
    )
