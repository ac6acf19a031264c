"""Object functions: the graphical objects of a chart. https://www.mql5.com/en/docs/objects

A chart_id of 0 is the program's own chart, the only one that these functions act on.
"""

from __future__ import annotations

from datetime import datetime

from demos.terminal.charts import layout
from demos.terminal.mql import constants as c
from demos.terminal.mql.chart_functions import own_chart
from demos.terminal.mql.conversion import EPOCH

__all__ = [
    "ObjectCreate",
    "ObjectDelete",
    "ObjectFind",
    "ObjectSetDouble",
    "ObjectSetInteger",
    "ObjectSetString",
]

# The keys of a template by OBJPROP_*.
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


def ObjectCreate(
    chart_id: int, name: str, type: int, sub_window: int, time1: datetime, price1: float, *more: datetime | float
) -> bool:
    """Add a graphical object to the chart's main window, at one or more points; False when the name is taken."""
    chart = own_chart(chart_id)
    times = [time1, *more[::2]]
    prices = [price1, *more[1::2]]
    points = [(_seconds(time), float(_number(price))) for time, price in zip(times, prices, strict=True)]
    done = sub_window == 0 and layout.add_object(chart.terminal.charts.template(chart.id), type, name, points)
    if done:
        chart.terminal.chart_changed(chart.id, c.CHARTEVENT_OBJECT_CREATE, name)
    return done


def ObjectFind(chart_id: int, name: str) -> int:
    """The number of the object's window, which is always 0; negative when there is no such object."""
    chart = own_chart(chart_id)
    return 0 if layout.find_object(chart.terminal.charts.template(chart.id), name) else -1


def ObjectDelete(chart_id: int, name: str) -> bool:
    """Remove the object from the chart; False when there is none."""
    chart = own_chart(chart_id)
    done = layout.remove_object(chart.terminal.charts.template(chart.id), name)
    if done:
        chart.terminal.chart_changed(chart.id, c.CHARTEVENT_OBJECT_DELETE, name)
    return done


def ObjectSetInteger(chart_id: int, name: str, prop_id: int, value: int | datetime, prop_modifier: int = 0) -> bool:
    """Set an OBJPROP_* of an object: an integer, or the time of the point with the index ``prop_modifier``."""
    if isinstance(value, datetime):
        key = f"{_key_of(_DATES, prop_id)}{prop_modifier + 1}"
        return _set(chart_id, name, key, str(_seconds(value)))
    return _set(chart_id, name, _key_of(_INTEGERS, prop_id), str(value))


def ObjectSetDouble(chart_id: int, name: str, prop_id: int, value: float, prop_modifier: int = 0) -> bool:
    """Set OBJPROP_PRICE of the object's point with the index ``prop_modifier``."""
    return _set(chart_id, name, f"{_key_of({c.OBJPROP_PRICE: 'value'}, prop_id)}{prop_modifier + 1}", f"{value:.6f}")


def ObjectSetString(chart_id: int, name: str, prop_id: int, value: str) -> bool:
    """Set OBJPROP_TEXT or OBJPROP_FONT of an object; False for a text of several lines."""
    key = _key_of(_STRINGS, prop_id)
    return (not value or layout.one_line(value)) and _set(chart_id, name, key, value)


def _set(chart_id: int, name: str, key: str, value: str) -> bool:
    chart = own_chart(chart_id)
    found = layout.find_object(chart.terminal.charts.template(chart.id), name)
    if found is None:
        return False
    if found.get(key) != value:
        found.set(key, value)
        chart.terminal.chart_changed(chart.id, c.CHARTEVENT_OBJECT_CHANGE, name)
    return True


def _key_of(keys: dict[int, str], prop_id: int) -> str:
    if prop_id not in keys:
        raise ValueError(f"no property {prop_id} of this type of a graphical object")
    return keys[prop_id]


def _seconds(time: datetime | float) -> int:
    return int((time - EPOCH).total_seconds()) if isinstance(time, datetime) else int(time)


def _number(value: datetime | float) -> float:
    return _seconds(value) if isinstance(value, datetime) else value
