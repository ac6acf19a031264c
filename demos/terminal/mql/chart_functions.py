"""What MetaTrader offers a program for charts and their objects, under MQL5's names.

A chart_id of 0 is the program's own chart, and the only one that these functions act on.
"""

# Argument names of MQL5's reference are kept where it has them; function names are its own throughout.

from __future__ import annotations

from datetime import datetime

from demos.terminal.charts import layout, views
from demos.terminal.charts.template_file import Section, TemplateError, parse, to_bytes
from demos.terminal.mql import constants as c
from demos.terminal.mql.conversion import EPOCH
from demos.terminal.runtime.attachment import Chart, current
from demos.terminal.runtime.files import write_whole

_DATES = {c.OBJPROP_TIME: "date"}
_INTEGERS = {
    c.OBJPROP_COLOR: "color",
    c.OBJPROP_STYLE: "style",
    c.OBJPROP_WIDTH: "width",
    c.OBJPROP_BACK: "background",
    c.OBJPROP_FONTSIZE: "fontsz",
    c.OBJPROP_CORNER: "refpoint",
    c.OBJPROP_XDISTANCE: "pos_x",
    c.OBJPROP_YDISTANCE: "pos_y",
    c.OBJPROP_RAY_LEFT: "ray1",
    c.OBJPROP_RAY_RIGHT: "ray2",
}
_STRINGS = {c.OBJPROP_TEXT: "descr", c.OBJPROP_FONT: "fontnm"}


def ChartID() -> int:
    """The identifier of the program's chart."""
    return current().id


def ChartSymbol(chart_id: int = 0) -> str:
    """The chart's symbol."""
    chart = _own(chart_id)
    return chart.host.charts.view(chart.id).symbol


def ChartPeriod(chart_id: int = 0) -> int:
    """The chart's period, a PERIOD_*."""
    chart = _own(chart_id)
    return chart.host.charts.view(chart.id).period


def ChartSetSymbolPeriod(chart_id: int, symbol: str, period: int) -> bool:
    """Have the chart show another symbol or period; False when the terminal does not know them.

    An Expert Advisor on the chart gets OnDeinit and OnInit after the running event function.
    """
    chart = _own(chart_id)
    return views.show(chart.host, chart.id, symbol or ChartSymbol(chart_id), period or ChartPeriod(chart_id))


def ChartSaveTemplate(chart_id: int, filename: str) -> bool:
    """Save the chart's template in Profiles\\Templates, a whole file in place of the last one."""
    chart = _own(chart_id)
    path = chart.host.data.template_to_save(filename) if chart.host.data else None
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_bytes(views.template_of(chart.host, chart.id)))
    except OSError:
        return False
    return True


def ChartApplyTemplate(chart_id: int, filename: str) -> bool:
    """Put a template onto the chart: one of Profiles\\Templates, or with a leading backslash one below MQL5.

    False, and the chart as it was, when there is no such file or it is no template. Programs that the template names
    are not started, and the one that runs stays; MetaTrader would do both.
    """
    chart = _own(chart_id)
    path = chart.host.data.template_to_apply(filename) if chart.host.data else None
    if path is None:
        return False
    try:
        template = parse(path.read_bytes())
    except (OSError, TemplateError):
        return False
    views.apply_template(chart.host, chart.id, template)
    return True


def ChartRedraw(chart_id: int = 0) -> None:
    """Nothing: a chart is drawn when a picture of it is wanted."""
    _own(chart_id)


def EventChartCustom(chart_id: int, custom_event_id: int, lparam: int, dparam: float, sparam: str) -> bool:
    """Queue an OnChartEvent with CHARTEVENT_CUSTOM plus this number."""
    chart = _own(chart_id)
    chart.host.post_chart_event(chart, c.CHARTEVENT_CUSTOM + custom_event_id, lparam, dparam, sparam)
    return True


def ObjectCreate(
    chart_id: int, name: str, type: int, sub_window: int, time1: datetime, price1: float, *more: datetime | float
) -> bool:
    """Put a graphical object onto the chart's main window, at one or more points; False when the name is taken."""
    chart = _own(chart_id)
    times = [time1, *more[::2]]
    prices = [price1, *more[1::2]]
    points = [(_seconds(time), float(_number(price))) for time, price in zip(times, prices, strict=True)]
    done = sub_window == 0 and layout.add_object(chart.host.charts.template(chart.id), type, name, points)
    if done:
        chart.host.chart_changed(chart.id, c.CHARTEVENT_OBJECT_CREATE, name)
    return done


def ObjectFind(chart_id: int, name: str) -> int:
    """The number of the window that the object is in, which is 0; negative when there is none."""
    chart = _own(chart_id)
    return 0 if layout.find_object(chart.host.charts.template(chart.id), name) else -1


def ObjectDelete(chart_id: int, name: str) -> bool:
    """Take the object off the chart; False when there is none."""
    chart = _own(chart_id)
    done = layout.remove_object(chart.host.charts.template(chart.id), name)
    if done:
        chart.host.chart_changed(chart.id, c.CHARTEVENT_OBJECT_DELETE, name)
    return done


def ObjectSetInteger(chart_id: int, name: str, prop_id: int, value: int | datetime, prop_modifier: int = 0) -> bool:
    """Set an OBJPROP_* of an object: a whole number, or the time of the point with the number ``prop_modifier``."""
    if isinstance(value, datetime):
        key = f"{_known(_DATES, prop_id)}{prop_modifier + 1}"
        return _set(chart_id, name, key, str(_seconds(value)))
    return _set(chart_id, name, _known(_INTEGERS, prop_id), str(value))


def ObjectSetDouble(chart_id: int, name: str, prop_id: int, value: float, prop_modifier: int = 0) -> bool:
    """Set OBJPROP_PRICE of the object's point with the number ``prop_modifier``."""
    return _set(chart_id, name, f"{_known({c.OBJPROP_PRICE: 'value'}, prop_id)}{prop_modifier + 1}", f"{value:.6f}")


def ObjectSetString(chart_id: int, name: str, prop_id: int, value: str) -> bool:
    """Set OBJPROP_TEXT or OBJPROP_FONT of an object; False for a text of several lines."""
    key = _known(_STRINGS, prop_id)
    return (not value or layout.one_line(value)) and _set(chart_id, name, key, value)


def _set(chart_id: int, name: str, key: str, value: str) -> bool:
    chart = _own(chart_id)
    found: Section | None = layout.find_object(chart.host.charts.template(chart.id), name)
    if found is None:
        return False
    if found.get(key) != value:
        found.set(key, value)
        chart.host.chart_changed(chart.id, c.CHARTEVENT_OBJECT_CHANGE, name)
    return True


def _known(keys: dict[int, str], prop_id: int) -> str:
    if prop_id not in keys:
        raise ValueError(f"no property {prop_id} of this type of a graphical object")
    return keys[prop_id]


def _own(chart_id: int) -> Chart:
    chart = current()
    if chart_id not in (0, chart.id):
        raise ValueError(f"a program acts on its own chart, {chart.id} or 0, not on {chart_id}")
    return chart


def _seconds(time: datetime | float) -> int:
    return int((time - EPOCH).total_seconds()) if isinstance(time, datetime) else int(time)


def _number(value: datetime | float) -> float:
    return _seconds(value) if isinstance(value, datetime) else value
