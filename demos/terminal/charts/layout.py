"""The contents of a chart's template: a new chart, moving averages, graphical objects, the Expert Advisor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from demos.terminal.charts.history import length_of, unit_and_count
from demos.terminal.charts.template import ROOT, parse
from demos.terminal.mql.constants import OBJ_HLINE, OBJ_VLINE
from demos.terminal.template_tree import Document, Line, Section, new_section

# A colour is red + 256 * green + 65536 * blue, as in MQL5.
COLORS = {
    "red": 0x0000FF,
    "orange": 0x00A5FF,
    "yellow": 0x00FFFF,
    "lime": 0x00FF00,
    "aqua": 0xFFFF00,
    "blue": 0xFF0000,
    "magenta": 0xFF00FF,
    "white": 0xFFFFFF,
    "silver": 0xC0C0C0,
}

# https://www.mql5.com/en/docs/constants/indicatorconstants/enum_ma_method
AVERAGING = {"simple": 0, "exponential": 1, "smoothed": 2, "weighted": 3}
MOVING_AVERAGE = "Moving Average"

# The levels of a Fibonacci object that has no levels of its own.
FIBO_LEVELS = (0.0, 0.236, 0.382, 0.5, 0.618, 1.0, 1.618, 2.618, 4.236)

# The values are those of a chart that MetaTrader 5 opens with its own settings, drawn as candles.
_NEW_CHART = """\
<chart>
id=0
symbol=
period_type=1
period_size=1
digits=5
tick_size=0.000000
position_time=0
scale_fix=0
scale_fixed_min=0.000000
scale_fixed_max=0.000000
scale_fix11=0
scale_bar=0
scale_bar_val=1.000000
scale=8
mode=1
fore=0
grid=1
volume=0
scroll=1
shift=1
shift_size=10.000000
fixed_pos=0.000000
ohlc=0
bidline=1
askline=0
lastline=0
days=0
descriptions=0
tradelines=1
window_left=0
window_top=0
window_right=0
window_bottom=0
window_type=1
background_color=0
foreground_color=16777215
barup_color=65280
bardown_color=65280
bullcandle_color=0
bearcandle_color=16777215
chartline_color=65280
volumes_color=3329330
grid_color=10061943
bidline_color=10061943
askline_color=255
lastline_color=49152
stops_color=255
windows_total=1

<window>
height=100.000000
objects=0

<indicator>
name=Main
path=
apply=1
show_data=1
scale_inherit=0
scale_line=0
scale_line_percent=50
scale_line_value=0.000000
scale_fix_min=0
scale_fix_min_val=0.000000
scale_fix_max=0
scale_fix_max_val=0.000000
expertmode=0
fixed_height=-1
</indicator>

</window>
</chart>
"""


def new_chart() -> Document:
    """The template of a new chart."""
    return parse(b"\xff\xfe" + _NEW_CHART.replace("\n", "\r\n").encode("utf-16-le"))


def root(document: Section) -> Section:
    """The document's <chart>."""
    return next(document.sections(ROOT))


def main_window(document: Section) -> Section:
    """The window with the prices; an empty one is added to a template that has none."""
    chart = root(document)
    window = next(chart.sections("window"), None)
    if window is None:
        window = new_section("window", ("height", "100.000000"), ("objects", 0))
        chart.items.append(window)
    return window


def set_view(document: Section, chart: int, symbol: str, period: int, digits: int) -> None:
    """Set the keys that say what the chart shows. A template of MetaTrader 4 has its period in minutes in one key."""
    section = root(document)
    unit, count = unit_and_count(period)
    values: dict[str, object] = {"id": chart, "symbol": symbol, "period_type": unit, "period_size": count}
    if section.get("period") and not section.get("period_type"):
        values = {"symbol": symbol, "period": length_of(period) // 60_000}
    values["digits"] = digits
    for key, value in values.items():
        section.set(key, value)


def set_expert(document: Section, name: str, inputs: Mapping[str, object]) -> None:
    """Replace the Expert Advisor of the chart; an empty name removes it."""
    chart = root(document)
    chart.remove_all(list(chart.sections("expert")))
    if not name:
        return
    path = f"Experts\\{name}.ex5"
    expert = new_section("expert", ("name", name), ("path", path), ("expertmode", 5))
    # A line end inside a value would begin a new line of the template.
    values = [(key, str(value).replace("\r", " ").replace("\n", " ")) for key, value in inputs.items()]
    expert.items.append(new_section("inputs", *values))
    place = next((i for i, item in enumerate(chart.items) if isinstance(item, Section)), len(chart.items))
    chart.items[place:place] = [expert, Line("")]


def add_moving_average(document: Section, period: int, method: int, color: int) -> None:
    """Add a moving average of the closing prices to the main window."""
    indicator = new_section(
        "indicator",
        ("name", MOVING_AVERAGE),
        ("path", ""),
        ("apply", 1),
        ("show_data", 1),
        ("scale_inherit", 0),
        ("scale_line", 0),
        ("scale_line_percent", 50),
        ("scale_line_value", "0.000000"),
        ("scale_fix_min", 0),
        ("scale_fix_min_val", "0.000000"),
        ("scale_fix_max", 0),
        ("scale_fix_max_val", "0.000000"),
        ("expertmode", 0),
        ("fixed_height", -1),
    )
    graph = new_section(
        "graph", ("name", ""), ("draw", 129), ("style", 0), ("width", 1), ("arrow", 251), ("color", color)
    )
    indicator.items += [Line(""), graph, Line(f"period={period}"), Line(f"method={method}")]
    window = main_window(document)
    others = [i for i, item in enumerate(window.items) if isinstance(item, Section) and item.name == "indicator"]
    last = max(others, default=-1)
    window.items[last + 1 : last + 1] = [Line(""), indicator] if last >= 0 else [indicator]


def remove_moving_averages(document: Section) -> int:
    """Remove all moving averages from the main window; returns their number."""
    window = main_window(document)
    found = [each for each in window.sections("indicator") if each.get("name") == MOVING_AVERAGE]
    window.remove_all(found)
    return len(found)


def objects(document: Section) -> Iterator[Section]:
    """The main window's graphical objects."""
    return main_window(document).sections("object")


def find_object(document: Section, name: str) -> Section | None:
    """The object with this name, or None."""
    return next((each for each in objects(document) if each.get("name") == name), None)


def add_object(document: Section, kind: int, name: str, points: Sequence[tuple[int, float]], **keys: object) -> bool:
    """Add an object to the main window; a point is seconds since 1970 and a price. False when the name is taken."""
    if not one_line(name) or find_object(document, name):
        return False
    pairs: list[tuple[str, object]] = [("type", kind), ("name", name), *keys.items()]
    if kind != OBJ_HLINE:
        pairs += [(f"date{number}", time) for number, (time, _) in enumerate(points, 1)]
    if kind != OBJ_VLINE:
        pairs += [(f"value{number}", f"{price:.6f}") for number, (_, price) in enumerate(points, 1)]
    main_window(document).items += [new_section("object", *pairs), Line("")]
    _count(document)
    return True


def remove_object(document: Section, name: str) -> bool:
    """Remove the object with this name; False when there is none."""
    found = find_object(document, name)
    if found is None:
        return False
    main_window(document).remove(found)
    _count(document)
    return True


def one_line(text: str) -> bool:
    """Whether a text can be the value of a key: not empty, without line ends and NUL."""
    return bool(text) and not any(char in text for char in "\r\n\0")


def _count(document: Section) -> None:
    main_window(document).set("objects", sum(1 for _ in objects(document)))
