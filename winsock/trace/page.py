"""Writes a timeline as one HTML page that needs no other files."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from typing import Any

from .timeline import Timeline

__all__ = ["page"]


def page(timeline: Timeline, title: str) -> str:
    """The text of the page: page.html with the title and the timeline filled in."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # Inside a script element, HTML interprets only "</script" and "<!--".
    data = json.dumps(_data(timeline), separators=(",", ":")).replace("<", "\\u003c")
    values = {"title": html.escape(title), "data": data}
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], template)


def _data(timeline: Timeline) -> dict[str, Any]:
    zero = min((event.start for event in timeline.events), default=0)
    index = {id(event): event.index for event in timeline.events}
    return {
        "wall": (timeline.wall + zero) / 1e6,
        "lanes": [
            {"name": lane.name, "pid": lane.pid, "argv": " ".join(lane.argv), "backend": lane.backend}
            for lane in timeline.lanes
        ],
        "events": [
            {
                "lane": event.lane,
                "at": (event.at - zero) / 1e6,
                "start": (event.start - zero) / 1e6,
                "end": (event.end - zero) / 1e6,
                "call": event.call,
                "group": event.group,
                "idle": event.idle,
                "error": event.error,
                "label": event.text if event.count > 1 else event.label,
                "text": event.text,
                "count": event.count,
                "thread": event.record.get("thread", ""),
                "local": event.record.get("local", ""),
                "peer": event.record.get("peer", ""),
            }
            for event in timeline.events
        ],
        "arrows": [
            {"from": index[id(arrow.source)], "to": index[id(arrow.target)], "kind": arrow.kind, "text": arrow.text}
            for arrow in timeline.arrows
        ],
    }
