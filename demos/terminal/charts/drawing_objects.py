"""Draws the graphical objects of a chart: lines, levels, rectangles and texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from demos.terminal.charts import layout
from demos.terminal.charts.canvas import HEIGHT, WIDTH, Picture, color_text, number, stroke
from demos.terminal.mql import constants as c
from demos.terminal.runtime.log import escaped
from demos.terminal.template_tree import Section

# Values from the network are limited before they are drawn.
_MAX_OBJECTS = 2000
MAX_TEXT = 200


def draw_objects(picture: Picture, objects: Sequence[Section]) -> set[str]:
    """Draw the objects; returns the names of those that are not drawn."""
    missing = {f"{len(objects) - _MAX_OBJECTS} more objects"} if len(objects) > _MAX_OBJECTS else set()
    for each in objects[:_MAX_OBJECTS]:
        kind = int(number(each.get("type"), c.OBJ_VLINE))
        points = [(picture.place(number(each.get(f"date{n}"), 0)), number(each.get(f"value{n}"), 0)) for n in (1, 2)]
        drawer = _DRAWERS.get(kind)
        if drawer:
            drawer(picture, each, points)
        else:
            missing.add(f"objects of type {kind}")
    return missing


_Points = Sequence[tuple[float, float]]


def _draw_vertical(picture: Picture, each: Section, points: _Points) -> None:
    picture.axes.axvline(points[0][0], **stroke(each, 0x0000FF))


def _draw_horizontal(picture: Picture, each: Section, points: _Points) -> None:
    picture.axes.axhline(points[0][1], **stroke(each, 0x0000FF))
    _write(picture, each, picture.axes.get_xlim()[0] + 1, points[0][1])


def _draw_trend(picture: Picture, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = sorted(points)
    slope = (y2 - y1) / (x2 - x1) if x2 > x1 else 0.0
    left, right = picture.axes.get_xlim()
    if each.get("ray1") == "1" and left < x1 < x2:
        x1, y1 = left, y1 + slope * (left - x1)
    if each.get("ray2") == "1" and x1 < x2 < right:
        x2, y2 = right, y2 + slope * (right - x2)
    picture.axes.plot([x1, x2], [y1, y2], **stroke(each, 0x0000FF), zorder=5)


def _draw_fibo(picture: Picture, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = points
    own = [number(level.get("level"), math.nan) for level in each.sections("level")]
    _draw_trend(picture, each, points)
    for level in own or layout.FIBO_LEVELS:
        if not math.isfinite(level):
            continue
        price = y2 + (y1 - y2) * level
        dotted = {**stroke(each, 0x0000FF), "linestyle": "dotted"}
        picture.axes.plot([min(x1, x2), picture.axes.get_xlim()[1]], [price, price], **dotted, zorder=5)
        _write(picture, each, min(x1, x2), price, f"{100 * level:.1f}")


def _draw_rectangle(picture: Picture, each: Section, points: _Points) -> None:
    (x1, y1), (x2, y2) = points
    picture.axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], **stroke(each, 0x0000FF), zorder=5)


def _draw_text(picture: Picture, each: Section, points: _Points) -> None:
    _write(picture, each, *points[0], va="top")


def _draw_label(picture: Picture, each: Section, points: _Points) -> None:
    """Draw a text at a distance in pixels from a corner: left upper, left lower, right lower or right upper."""
    corner = int(number(each.get("refpoint"), 0))
    x, y = number(each.get("pos_x"), 0) / WIDTH, number(each.get("pos_y"), 0) / HEIGHT
    x, y = (x if corner in (0, 1) else 1 - x), (y if corner in (1, 2) else 1 - y)
    _write(picture, each, x, y, transform=picture.axes.transAxes, va="top")


_DRAWERS = {
    c.OBJ_VLINE: _draw_vertical,
    c.OBJ_HLINE: _draw_horizontal,
    c.OBJ_TREND: _draw_trend,
    c.OBJ_FIBO: _draw_fibo,
    c.OBJ_RECTANGLE: _draw_rectangle,
    c.OBJ_TEXT: _draw_text,
    c.OBJ_LABEL: _draw_label,
}


def _write(picture: Picture, each: Section, x: float, y: float, text: str = "", **options: Any) -> None:
    """Draw ``text``, or the object's own text; matplotlib's formula syntax is off."""
    size = min(max(number(each.get("fontsz"), 8), 4), 48)
    color = color_text(number(each.get("color"), 0xFFFFFF))
    # Fonts have no lone surrogates and no control characters.
    words = escaped((text or each.get("descr"))[:MAX_TEXT])
    if _is_near(options.get("transform", picture.axes.transData).transform((x, y))):
        picture.axes.text(x, y, words, color=color, fontsize=size, clip_on=True, parse_math=False, zorder=6, **options)


def _is_near(place: Sequence[float]) -> bool:
    """Whether a place in pixels is in the picture or not far from it: further away, rendering a text fails."""
    return -WIDTH <= place[0] <= 2 * WIDTH and -HEIGHT <= place[1] <= 2 * HEIGHT
