"""Commands on standard input that change what is on the chart, as its owner would do with the mouse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demos.terminal.charts import layout, views
from demos.terminal.charts.drawing import PictureError, draw_chart
from demos.terminal.charts.history import length_of
from demos.terminal.charts.template_file import TemplateError, parse, to_bytes
from demos.terminal.mql import constants as c
from demos.terminal.runtime.files import write_whole
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.terminal.runtime.host import Host

HELP = """\
chart SYMBOL PERIOD              show another symbol or period, as in: chart EURUSD M15
average COUNT [METHOD] [COLOR]   a moving average: simple, exponential, smoothed, weighted
line PRICE [COLOR]               a horizontal line
trend BARS PRICE BARS PRICE      a line between two points, so many bars back from the last one
fibo BARS PRICE BARS PRICE       Fibonacci levels between two points
text BARS PRICE WORDS            a text at a point
erase NAME | averages            take an object, or all moving averages, off the chart
template FILE                    apply a template
save FILE                        save the chart's template
picture FILE                     draw the chart as a PNG"""

_MOST_COUNT = 1000
_MOST_BARS = 100_000
_COLORS = ", ".join(layout.COLORS)


class _Refused(Exception):
    """What is wrong with a command."""


def execute(host: Host, name: str, arguments: Sequence[str]) -> str:
    """Carry out one of the commands in COMMANDS on the first chart; a bad one's answer begins ``error:``."""
    try:
        return COMMANDS[name](host, arguments)
    except _Refused as error:
        return f"error: {error}"


def _chart(host: Host, arguments: Sequence[str]) -> str:
    symbol, period = _count(arguments, 2, "chart needs a symbol and a period, as in: chart EURUSD M15")
    if not views.show(host, host.first_chart.id, symbol, c.TIMEFRAMES.get(period, -1)):
        raise _Refused(f"the terminal does not know {escaped(symbol)} {escaped(period)}")
    return f"done: {symbol} {period}"


def _average(host: Host, arguments: Sequence[str]) -> str:
    usage = f"average needs a count, as in: average 20 exponential red; colors: {_COLORS}"
    if not arguments or not re.fullmatch(r"\d{1,4}", arguments[0], re.ASCII) or len(arguments) > 3:
        raise _Refused(usage)
    count = int(arguments[0])
    method, color = layout.AVERAGING["simple"], layout.COLORS["red"]
    for word in arguments[1:]:
        if word in layout.AVERAGING:
            method = layout.AVERAGING[word]
        elif word in layout.COLORS:
            color = layout.COLORS[word]
        else:
            raise _Refused(usage)
    if not 1 <= count <= _MOST_COUNT:
        raise _Refused(f"a moving average is over 1 to {_MOST_COUNT} bars")
    chart = host.first_chart.id
    layout.add_moving_average(host.charts.template(chart), count, method, color)
    host.chart_changed(chart, c.CHARTEVENT_CHART_CHANGE)
    return f"done: moving average of {count}"


def _line(host: Host, arguments: Sequence[str]) -> str:
    if len(arguments) not in (1, 2) or (arguments[1:] and arguments[1] not in layout.COLORS):
        raise _Refused(f"line needs a price, as in: line 1.1 yellow; colors: {_COLORS}")
    color = layout.COLORS[arguments[1] if arguments[1:] else "yellow"]
    return _add(host, layout.OBJ_HLINE, "Horizontal Line", [(0, _price(arguments[0]))], color=color)


def _trend(host: Host, arguments: Sequence[str]) -> str:
    points = _points(host, _count(arguments, 4, "trend needs two points, as in: trend 80 1.1 0 1.2"))
    return _add(host, layout.OBJ_TREND, "Trendline", points, color=layout.COLORS["aqua"], ray1=0, ray2=0)


def _fibo(host: Host, arguments: Sequence[str]) -> str:
    points = _points(host, _count(arguments, 4, "fibo needs two points, as in: fibo 80 1.1 0 1.2"))
    return _add(host, layout.OBJ_FIBO, "Fibo", points, color=layout.COLORS["orange"], ray1=0, ray2=0)


def _text(host: Host, arguments: Sequence[str]) -> str:
    if len(arguments) < 3:
        raise _Refused("text needs a point and words, as in: text 10 1.1 the target")
    words = " ".join(arguments[2:])
    if not layout.one_line(words):
        raise _Refused("a text is on one line")
    keys = {"descr": words, "color": layout.COLORS["white"], "fontsz": 10, "fontnm": "Arial"}
    return _add(host, layout.OBJ_TEXT, "Text", _points(host, arguments[:2]), **keys)


def _erase(host: Host, arguments: Sequence[str]) -> str:
    name = " ".join(arguments)
    chart = host.first_chart.id
    template = host.charts.template(chart)
    if name == "averages" and layout.remove_moving_averages(template):
        host.chart_changed(chart, c.CHARTEVENT_CHART_CHANGE)
    elif layout.remove_object(template, name):
        host.chart_changed(chart, c.CHARTEVENT_OBJECT_DELETE, name)
    else:
        raise _Refused(f"there is no {escaped(name[:60]) or 'object without a name'}")
    return f"done: erased {escaped(name)}"


def _template(host: Host, arguments: Sequence[str]) -> str:
    path = _path(arguments)
    try:
        views.apply_template(host, host.first_chart.id, parse(path.read_bytes()))
    except OSError as error:
        raise _Refused(f"{escaped(str(path))}: {error.strerror}") from error
    except TemplateError as error:
        raise _Refused(f"{escaped(str(path))}: {escaped(str(error))}") from error
    return f"done: applied {escaped(str(path))}"


def _save(host: Host, arguments: Sequence[str]) -> str:
    path = _path(arguments)
    try:
        write_whole(path, to_bytes(views.template_of(host, host.first_chart.id)))
    except OSError as error:
        raise _Refused(f"{escaped(str(path))}: {error.strerror}") from error
    return f"done: saved {escaped(str(path))}"


def _picture(host: Host, arguments: Sequence[str]) -> str:
    path = _path(arguments)
    try:
        draw_chart(host, host.first_chart.id, path)
    except PictureError as error:
        raise _Refused(escaped(str(error))) from error
    return f"done: drew {escaped(str(path))}"


COMMANDS: dict[str, Callable[[Host, Sequence[str]], str]] = {
    "chart": _chart,
    "average": _average,
    "line": _line,
    "trend": _trend,
    "fibo": _fibo,
    "text": _text,
    "erase": _erase,
    "template": _template,
    "save": _save,
    "picture": _picture,
}


def _add(host: Host, kind: int, title: str, points: Sequence[tuple[int, float]], **keys: object) -> str:
    chart = host.first_chart.id
    template = host.charts.template(chart)
    name = next(name for n in range(1, _MOST_BARS) if not layout.find_object(template, name := f"{title} {n}"))
    layout.add_object(template, kind, name, points, **keys)
    host.chart_changed(chart, c.CHARTEVENT_OBJECT_CREATE, name)
    return f"done: {name}"


def _points(host: Host, words: Sequence[str]) -> list[tuple[int, float]]:
    """Bars back from the last bar, and a price, for each point."""
    view = host.charts.view(host.first_chart.id)
    bars = host.history.bars(view.symbol, view.period, _MOST_BARS)
    if not bars:
        raise _Refused(f"there are no bars of {view.symbol} yet")
    points = []
    for back, price in zip(words[::2], words[1::2], strict=True):
        if not re.fullmatch(r"\d{1,5}", back, re.ASCII):
            raise _Refused(f"{escaped(back[:60])} is no number of bars")
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
        raise _Refused(f"{escaped(text[:60])} is no price")
    return value


def _path(arguments: Sequence[str]) -> Path:
    if not arguments or "\0" in (text := " ".join(arguments)):
        raise _Refused("a file's name is missing")
    return Path(text)


def _count(arguments: Sequence[str], count: int, usage: str) -> Sequence[str]:
    if len(arguments) != count:
        raise _Refused(usage)
    return arguments
