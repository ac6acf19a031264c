"""Writes a timeline as one HTML page that needs no other files.

How it works: `page_data` writes the timeline as columns, one list for each value of an event, in which every text is an
index into one list of texts. So a trace of 100,000 calls stays small, and the browser reads it in one step. `page` puts
this data, the style and the scripts of the folder `page_parts` into one document. Its Content-Security-Policy allows
exactly this style and this script, by their hashes, and no connection to anything. A live page (`live=True`) may also
ask its own server for new data: it polls `data.json?version=V`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from winsock.command_line import printable

from .events import Event
from .rendering import value
from .timeline import Timeline
from .wire_formats import fields_of

__all__ = ["page", "page_data"]

_SCRIPTS = ("data", "state", "layout", "timeline", "overview", "details", "search", "controls", "main")

# A longer text of a call or of an argument is shortened in the middle; its bytes are in the details.
_LONGEST_TEXT = 600
_LONGEST_BUFFER = 120
# The recorded bytes of all calls that a page contains. If there are more, each call keeps fewer.
_ALL_BYTES = 1 << 24
_FIELDS_OF_A_CALL = 400
_BYTES_OF_A_CALL = (1 << 20, 1 << 16, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4)


def page(timeline: Timeline, title: str, live: bool = False) -> str:
    """The text of the page; `live` is for a server that answers `data.json?version=V`.

    The server answers 204 if there is no newer version, and otherwise `page_data` with its number as "version". The
    data in a new page has no version, so the page asks for version 0 first.
    """
    # Inside a script element, HTML interprets only "</script" and "<!--".
    data = json.dumps(page_data(timeline), separators=(",", ":")).replace("<", "\\u003c")
    style = _part("page.css")
    script = "".join(_part(f"{name}.js") for name in (*_SCRIPTS, *(["live"] if live else [])))
    values = {
        "title": html.escape(title),
        "policy": _policy(style, script, live),
        "style": style,
        "script": script,
        "data": data,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], _part("page.html"))


def _part(name: str) -> str:
    return files(__package__).joinpath("page_parts", name).read_text(encoding="utf-8")


def _policy(style: str, script: str, live: bool) -> str:
    connections = "; connect-src 'self'" if live else ""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
        f"{connections}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]} \u2026 {text[-most // 3 :]}"


def _clean(text: str) -> str:
    """Text that a browser shows in its order: bidirectional and other control characters are escape sequences."""
    return text if text.isprintable() else printable(text, keep="\t")


class _Texts:
    """A list in which each text occurs once."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        return self._indices.setdefault(_clean(_shortened(text, _LONGEST_TEXT)), len(self._indices))

    def all(self) -> list[str]:
        return list(self._indices)


def page_data(timeline: Timeline) -> dict[str, Any]:
    """The data of a page as a JSON object. Times are nanoseconds from the start of the first call; `wall` is its time
    of day in milliseconds since 1970, and `fraction` the nanoseconds from then to it. Texts are indices into `texts`.
    """
    events = timeline.events
    zero = min((event.start for event in events), default=0)
    texts = _Texts()
    wall, fraction = divmod(timeline.wall + zero, 10**6)
    columns = _columns(events, zero, texts)
    return {
        "wall": wall,
        "fraction": fraction,
        "lanes": [
            {
                "name": _clean(lane.name),
                "pid": lane.pid,
                "argv": _clean(" ".join(lane.argv)),
                "backend": _clean(lane.backend),
            }
            for lane in timeline.lanes
        ],
        "columns": columns,
        "arrows": {
            "from": [arrow.source.index for arrow in timeline.arrows],
            "to": [arrow.target.index for arrow in timeline.arrows],
            "kind": [texts.index(arrow.kind) for arrow in timeline.arrows],
            "text": [texts.index(arrow.text) for arrow in timeline.arrows],
        },
        "texts": texts.all(),
    }


def _columns(events: list[Event], zero: int, texts: _Texts) -> dict[str, list[Any]]:
    kept = _kept_bytes(events)
    return {
        "lane": [event.lane for event in events],
        "n": [event.record["n"] for event in events],
        "at": [event.at - zero for event in events],
        "start": [event.start - zero for event in events],
        "end": [event.end - zero for event in events],
        "idle": [int(event.idle) for event in events],
        "count": [event.count for event in events],
        "call": [texts.index(event.call) for event in events],
        "group": [texts.index(event.group) for event in events],
        "error": [texts.index(event.error) for event in events],
        "failed": [int(event.failed) for event in events],
        "text": [texts.index(event.text) for event in events],
        "thread": [texts.index(event.record.get("thread", "")) for event in events],
        "local": [texts.index(event.record.get("local", "")) for event in events],
        "peer": [texts.index(event.record.get("peer", "")) for event in events],
        "args": [[part for pair in _arguments(event, texts) for part in pair] for event in events],
        "bytes": [_bytes(event, kept, texts) for event in events],
        "source": [_source(event, texts) for event in events],
    }


def _arguments(event: Event, texts: _Texts) -> Iterable[tuple[int, int]]:
    """The names and the shown values of the arguments."""
    for name, shown in event.record["args"].items():
        try:
            text = value(shown)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            text = "(not readable in this trace)"
        # The bytes are in the details anyway.
        short = _LONGEST_BUFFER if name == "buf" else _LONGEST_TEXT
        yield texts.index(name), texts.index(_shortened(text, short))


def _buffer(event: Event) -> dict[str, Any] | None:
    """The data that a call moved."""
    buffer = event.record["args"].get("buf")
    return buffer if isinstance(buffer, dict) and "hex" in buffer else None


def _kept_bytes(events: list[Event]) -> int:
    """How many recorded bytes of a call the page contains."""
    recorded = [len(buffer["hex"]) // 2 for buffer in map(_buffer, events) if buffer]
    for limit in _BYTES_OF_A_CALL:
        if sum(min(size, limit) for size in recorded) <= _ALL_BYTES:
            return limit
    return 0


def _bytes(event: Event, kept: int, texts: _Texts) -> list[Any] | int:
    """The number of bytes that a call moved, the first of them in hexadecimal digits, the position of the first one in
    its stream (-1: not of a stream), and the fields of the messages; 0 without data.
    """
    buffer = _buffer(event)
    if buffer is None:
        return 0
    fields = [
        [field.begin, min(field.end, kept), texts.index(field.name), texts.index(field.text)]
        for field in fields_of(event)[:_FIELDS_OF_A_CALL]
        if field.begin < kept
    ]
    position = -1 if event.stream is None else event.stream
    return [buffer["bytes"], buffer["hex"][: kept * 2], position, *([fields] if fields else [])]


def _source(event: Event, texts: _Texts) -> list[int] | int:
    """File, line, function and code; 0 if the trace does not say."""
    source = event.source
    if source is None:
        return 0
    return [texts.index(source.file), source.line, texts.index(source.function), texts.index(source.code)]
