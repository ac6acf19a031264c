"""A chart's graphical objects in a picture: lines, levels, rectangles and texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from demos.terminal.charts import layout
from demos.terminal.charts.canvas import HEIGHT, WIDTH, View, color_text, number, stroke
from demos.terminal.charts.template_file import Section

# What comes from the network is bounded before it is drawn.
_MOST_OBJECTS = 2000
LONGEST_TEXT = 200


def draw_objects(view: View, objects: Sequence[Section]) -> set[str]:
    missing = {f"{len(objects) - _MOST_OBJECTS} objects more"} if len(objects) > _MOST_OBJECTS else set()
    for each in objects[:_MOST_OBJECTS]:
        kind = int(number(each.get("type"), layout.OBJ_VLINE))
        points = [(view.place(number(each.get(f"date{n}"), 0)), number(each.get(f"value{n}"), 0)) for n in (1, 2)]
        drawer = _DRAWERS.get(kind)
        if drawer:
            drawer(view, each, points)
        else:
            missing.add(f"objects of type {kind}")
    return missing


_Points = Sequence[tuple[float, float]]


def _draw_vertical(view: View, each: Section, points: _Points) -> None:
    view.axes.axvline(points[0][0], **stroke(each, 0x0000FF))


def _draw_horizontal(view: View, each: Section, points: _Points) -> None:
    view.axes.axhline(points[0][1], **stroke(each, 0x0000FF))
    _write(view, each, view.axes.get_xlim()[0] + 1, points[0][1])


def _draw_trend(view: View, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = sorted(points)
    slope = (y2 - y1) / (x2 - x1) if x2 > x1 else 0.0
    left, right = view.axes.get_xlim()
    if each.get("ray1") == "1" and left < x1 < x2:
        x1, y1 = left, y1 + slope * (left - x1)
    if each.get("ray2") == "1" and x1 < x2 < right:
        x2, y2 = right, y2 + slope * (right - x2)
    view.axes.plot([x1, x2], [y1, y2], **stroke(each, 0x0000FF), zorder=5)


def _draw_fibo(view: View, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = points
    own = [number(level.get("level"), math.nan) for level in each.sections("level")]
    _draw_trend(view, each, points)
    for level in own or layout.FIBO_LEVELS:
        if not math.isfinite(level):
            continue
        price = y2 + (y1 - y2) * level
        dotted = {**stroke(each, 0x0000FF), "linestyle": "dotted"}
        view.axes.plot([min(x1, x2), view.axes.get_xlim()[1]], [price, price], **dotted, zorder=5)
        _write(view, each, min(x1, x2), price, f"{100 * level:.1f}")


def _draw_rectangle(view: View, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = points
    view.axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], **stroke(each, 0x0000FF), zorder=5)


def _draw_text(view: View, each: Section, points: _Points) -> None:
    _write(view, each, *points[0], va="top")


def _draw_label(view: View, each: Section, points: _Points) -> None:
    """A text at a distance in pixels from a corner: left upper, left lower, right lower or right upper."""
    corner = int(number(each.get("refpoint"), 0))
    x, y = number(each.get("pos_x"), 0) / WIDTH, number(each.get("pos_y"), 0) / HEIGHT
    x, y = (x if corner in (0, 1) else 1 - x), (y if corner in (1, 2) else 1 - y)
    _write(view, each, x, y, transform=view.axes.transAxes, va="top")


_DRAWERS = {
    layout.OBJ_VLINE: _draw_vertical,
    layout.OBJ_HLINE: _draw_horizontal,
    layout.OBJ_TREND: _draw_trend,
    layout.OBJ_FIBO: _draw_fibo,
    layout.OBJ_RECTANGLE: _draw_rectangle,
    layout.OBJ_TEXT: _draw_text,
    layout.OBJ_LABEL: _draw_label,
}


def _write(view: View, each: Section, x: float, y: float, text: str = "", **options: Any) -> None:
    """An object's text, or another one; what looks like a formula is text as well."""
    size = min(max(number(each.get("fontsz"), 8), 4), 48)
    color = color_text(number(each.get("color"), 0xFFFFFF))
    words = (text or each.get("descr"))[:LONGEST_TEXT]
    view.axes.text(x, y, words, color=color, fontsize=size, clip_on=True, parse_math=False, zorder=6, **options)
