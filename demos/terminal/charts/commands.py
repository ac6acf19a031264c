"""Commands on standard input that change the first chart, as a trader does with the mouse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from demos.terminal.charts import layout, operations
from demos.terminal.charts.drawing import PictureError, draw_chart
from demos.terminal.charts.history import length_of
from demos.terminal.charts.operations import ChartTerminal
from demos.terminal.charts.template import TemplateError, parse, to_bytes
from demos.terminal.mql import constants as c
from demos.terminal.runtime.commands import Command, CommandError
from demos.terminal.runtime.files import write_whole
from demos.terminal.runtime.log import escaped

_MAX_AVERAGE_LENGTH = 1000
_MAX_BARS = 100_000
_COLORS = ", ".join(layout.COLORS)

# How PNG files begin, and the most bytes of a file that are read before it is replaced. No template is larger.
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_READ = 16 * 1024 * 1024


def _chart(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    # A symbol may contain blanks; the last word is the period.
    symbol, _, period = arguments.rpartition(" ")
    if not symbol.strip():
        raise CommandError("chart needs a symbol and a period, as in: chart EURUSD M15")
    symbol = symbol.strip()
    if period not in c.TIMEFRAMES:
        raise CommandError(f"unknown period '{escaped(period[:60])}'; periods: {', '.join(c.TIMEFRAMES)}")
    problem = operations.set_symbol_period(terminal, terminal.first_chart.id, symbol, c.TIMEFRAMES[period])
    if problem:
        raise CommandError(escaped(problem))
    return [f"done: {symbol} {period}"]


def _average(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    usage = f"average needs a count, as in: average 20 exponential red; colors: {_COLORS}"
    words = arguments.split()
    if not words or not re.fullmatch(r"\d{1,4}", words[0], re.ASCII) or len(words) > 3:
        raise CommandError(usage)
    count = int(words[0])
    method, color = layout.AVERAGING["simple"], layout.COLORS["red"]
    for word in words[1:]:
        if word in layout.AVERAGING:
            method = layout.AVERAGING[word]
        elif word in layout.COLORS:
            color = layout.COLORS[word]
        else:
            raise CommandError(usage)
    if not 1 <= count <= _MAX_AVERAGE_LENGTH:
        raise CommandError(f"average needs a count from 1 to {_MAX_AVERAGE_LENGTH}, not {count}")
    chart = terminal.first_chart.id
    layout.add_moving_average(terminal.charts.template(chart), count, method, color)
    operations.chart_changed(terminal, chart, c.CHARTEVENT_CHART_CHANGE)
    return [f"done: moving average of {count}"]


def _line(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    words = arguments.split()
    if len(words) not in (1, 2) or (words[1:] and words[1] not in layout.COLORS):
        raise CommandError(f"line needs a price, as in: line 1.1 yellow; colors: {_COLORS}")
    color = layout.COLORS[words[1] if words[1:] else "yellow"]
    return _add(terminal, c.OBJ_HLINE, "Horizontal Line", [(0, _price(words[0]))], color=color)


def _trend(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    points = _two_points(terminal, arguments, "trend needs two points, as in: trend 80 1.1 0 1.2")
    return _add(terminal, c.OBJ_TREND, "Trendline", points, color=layout.COLORS["aqua"], ray1=0, ray2=0)


def _fibo(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    points = _two_points(terminal, arguments, "fibo needs two points, as in: fibo 80 1.1 0 1.2")
    return _add(terminal, c.OBJ_FIBO, "Fibo", points, color=layout.COLORS["orange"], ray1=0, ray2=0)


def _text(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    words = arguments.split(None, 2)
    if len(words) < 3:
        raise CommandError("text needs a point and words, as in: text 10 1.1 the target")
    if not layout.one_line(words[2]):
        raise CommandError("text needs words without line ends and NUL characters")
    keys = {"descr": words[2], "color": layout.COLORS["white"], "fontsz": 10, "fontnm": "Arial"}
    return _add(terminal, c.OBJ_TEXT, "Text", _points(terminal, words[:2]), **keys)


def _erase(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    name = arguments
    chart = terminal.first_chart.id
    template = terminal.charts.template(chart)
    if name == "averages" and layout.remove_moving_averages(template):
        operations.chart_changed(terminal, chart, c.CHARTEVENT_CHART_CHANGE)
    elif layout.remove_object(template, name):
        operations.chart_changed(terminal, chart, c.CHARTEVENT_OBJECT_DELETE, name)
    else:
        what = "moving average" if name == "averages" else f"object '{escaped(name[:60])}'"
        raise CommandError(f"the chart has no {what}")
    return [f"done: erased {escaped(name)}"]


def _template(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    path = _path(arguments)
    try:
        operations.apply_template(terminal, terminal.first_chart.id, parse(path.read_bytes()))
    except OSError as error:
        raise CommandError(f"{escaped(str(path))}: {error.strerror}") from error
    except TemplateError as error:
        raise CommandError(f"{escaped(str(path))}: {escaped(str(error))}") from error
    return [f"done: applied {escaped(str(path))}"]


def _save(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    path = _path(arguments)
    if not _has_kind(path, _is_template):
        raise CommandError(f"{escaped(str(path))} is not a template and would be overwritten; use another file")
    try:
        write_whole(path, to_bytes(operations.template_of(terminal, terminal.first_chart.id)))
    except OSError as error:
        raise CommandError(f"{escaped(str(path))}: {error.strerror}") from error
    return [f"done: saved {escaped(str(path))}"]


def _picture(terminal: ChartTerminal, arguments: str) -> Sequence[str]:
    path = _path(arguments)
    if not _has_kind(path, lambda data: data.startswith(_PNG)):
        raise CommandError(f"{escaped(str(path))} is not a PNG file and would be overwritten; use another file")
    try:
        draw_chart(terminal, terminal.first_chart.id, path)
    except PictureError as error:
        raise CommandError(escaped(str(error))) from error
    return [f"done: drew {escaped(str(path))}"]


CHART_COMMANDS: Sequence[Command[ChartTerminal]] = (
    Command("chart", "SYMBOL PERIOD", "symbol and period, as in: chart EURUSD M15", _chart),
    Command(
        "average",
        "COUNT [METHOD] [COLOR]",
        "moving average; METHOD is simple, exponential, smoothed or weighted",
        _average,
    ),
    Command("line", "PRICE [COLOR]", "horizontal line", _line),
    Command("trend", "BARS PRICE BARS PRICE", "line between two points; BARS counts back from the last bar", _trend),
    Command("fibo", "BARS PRICE BARS PRICE", "Fibonacci levels between two points", _fibo),
    Command("text", "BARS PRICE WORDS", "text at a point", _text),
    Command("erase", "NAME | averages", "remove an object or all moving averages", _erase),
    Command("template", "FILE", "apply a template", _template),
    Command("save", "FILE", "save the chart's template", _save),
    Command("picture", "FILE", "draw the chart into a PNG file", _picture),
)


def _add(
    terminal: ChartTerminal, kind: int, title: str, points: Sequence[tuple[int, float]], **keys: object
) -> Sequence[str]:
    chart = terminal.first_chart.id
    template = terminal.charts.template(chart)
    name = next(name for n in range(1, _MAX_BARS) if not layout.find_object(template, name := f"{title} {n}"))
    layout.add_object(template, kind, name, points, **keys)
    operations.chart_changed(terminal, chart, c.CHARTEVENT_OBJECT_CREATE, name)
    return [f"done: {name}"]


def _two_points(terminal: ChartTerminal, arguments: str, usage: str) -> list[tuple[int, float]]:
    words = arguments.split()
    if len(words) != 4:
        raise CommandError(usage)
    return _points(terminal, words)


def _points(terminal: ChartTerminal, words: Sequence[str]) -> list[tuple[int, float]]:
    """A time and a price for each pair of words: a number of bars back from the last bar, and a price."""
    view = terminal.charts.view(terminal.first_chart.id)
    bars = terminal.history.bars(view.symbol, view.period, _MAX_BARS)
    if not bars:
        raise CommandError(f"there are no bars of {view.symbol} yet")
    points = []
    for back, price in zip(words[::2], words[1::2], strict=True):
        if not re.fullmatch(r"\d{1,5}", back, re.ASCII):
            raise CommandError(f"invalid number of bars: '{escaped(back[:60])}'")
        beyond = max(int(back) + 1 - len(bars), 0)
        time = bars[max(len(bars) - 1 - int(back), 0)].time - beyond * length_of(view.period)
        points.append((time // 1000, _price(price)))
    return points


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e9:
        raise CommandError(f"invalid price: '{escaped(text[:60])}'")
    return value


def _has_kind(path: Path, is_kind: Callable[[bytes], bool]) -> bool:
    """Whether a file has the kind that a command writes, so that the command may replace it, or is new or empty."""
    try:
        if not path.is_file():
            return True
        with path.open("rb") as file:
            data = file.read(_MAX_READ)
    except OSError:
        # Writing fails too, with the reason.
        return True
    return not data or is_kind(data)


def _is_template(data: bytes) -> bool:
    try:
        parse(data)
    except TemplateError:
        return False
    return True


def _path(arguments: str) -> Path:
    if not arguments or "\0" in arguments:
        raise CommandError("the name of a file is missing")
    return Path(arguments)
