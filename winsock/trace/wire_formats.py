r"""Names the parts of the messages that the programs of the article "Working with sockets in MQL" exchange.

How it works:

- A position signal is a part of a stream: `<<SYMBOL|LOTS>>` and a zero byte. If a message is shorter than an earlier
  one, the original server sends the rest of the earlier one after the zero byte.
- A template is a whole stream: 10 bytes with the symbol and 10 bytes with the number of the period, each ended by a
  zero byte and padded, then the template file. The original server may send several, one after the other.
- A tick is a datagram: `SYMBOL BID` and a zero byte. `tick_sender` may add a mark, `#RUN NUMBER` and a zero byte.

The ports of the programs can be changed, so a format is recognized by the data: that of a stream by its first bytes
(`stream_format`), that of a datagram by all of them. One call may receive a part of a message. A part that continues
in the bytes after it is marked as cut, and one that begins in the bytes before it as continued.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .events import Event

__all__ = ["HEAD", "SIGNALS", "TEMPLATE", "Field", "annotate", "fields_of", "stream_format"]

# The number of bytes at the beginning of a stream that show its format.
HEAD = 128
# The formats of streams.
SIGNALS = "signals"
TEMPLATE = "template"
TICK = "tick"

_SIGNAL = re.compile(rb"<<[^<>|\0]{1,64}\|[ \d.eE+-]{1,32}>>")
_BEGINNING_OF_SIGNAL = re.compile(rb"<<[^<>|\0]{0,64}(?:\|[ \d.eE+-]{0,32}>?)?")
_TICK = re.compile(rb"([^\0]{1,64}) (\d{1,9}(?:\.\d{1,8})?)(?:(\0)(?:(#[0-9a-f]{16} \d{1,15}\0)|\0*))?")
_BOM = b"\xff\xfe"
_FIELD = 10
_HEADER = 2 * _FIELD
_PERIODS = {
    1: "M1", 2: "M2", 3: "M3", 4: "M4", 5: "M5", 6: "M6", 10: "M10", 12: "M12", 15: "M15", 20: "M20", 30: "M30",
    16385: "H1", 16386: "H2", 16387: "H3", 16388: "H4", 16390: "H6", 16392: "H8", 16396: "H12", 16408: "D1",
    32769: "W1", 49153: "MN1",
}  # fmt: skip
# The longest text of a field, in characters.
_LONGEST = 40


class Field(NamedTuple):
    """A part of a message: the bytes from `begin` up to, not including, `end`, its name, and its value as text."""

    begin: int
    end: int
    name: str
    text: str


def stream_format(head: bytes) -> str:
    """The format of a stream that begins with these bytes: SIGNALS, TEMPLATE, or "" for any other one."""
    begins = len(head) > len("<<") and _BEGINNING_OF_SIGNAL.fullmatch(head)
    # The first message may be malformed.
    if begins or (head.startswith(b"<<") and _SIGNAL.search(head)):
        return SIGNALS
    return TEMPLATE if _is_header(head[:_HEADER]) and _BOM.startswith(head[_HEADER : _HEADER + 2]) else ""


def fields_of(event: Event) -> list[Field]:
    """The parts of the messages in the recorded bytes of a call; an empty list if they have another format."""
    buffer = event.record["args"].get("buf")
    if event.group != "data" or not isinstance(buffer, dict) or not buffer.get("hex"):
        return []
    data = bytes.fromhex(buffer["hex"])
    if event.stream is not None:
        return annotate(data, event.stream, event.format)
    if event.is_datagram:
        whole = len(data) == buffer["bytes"] and not event.error
        return annotate(data, 0, TICK, whole)
    return []


def annotate(data: bytes, position: int, format: str, whole: bool = True) -> list[Field]:
    """The parts of `data`, in order and without gaps: the bytes from number `position` of a stream of this format.

    For the format TICK, `data` is a datagram, or its first bytes if it is not `whole`. Data in another format has no
    parts.
    """
    if format == SIGNALS:
        return _signals(data, position)
    if format == TEMPLATE:
        return _template(data, position)
    return _tick(data, whole) if format == TICK else []


def _signals(data: bytes, position: int) -> list[Field]:
    fields: list[Field] = []
    at = _add_continued(fields, data) if position else 0
    while at < len(data):
        if data.startswith(b"<<", at):
            _add(fields, data, at, at + 2, "begin mark")
            at = _add_body(fields, data, at + 2)
        else:
            at = _add_between(fields, data, at)
    return fields


def _add_continued(fields: list[Field], data: bytes) -> int:
    """Add the rest of a message that began in an earlier call; returns its end."""
    if data.startswith((b"\0", b"<<")) or data == b"<":
        return 0
    if data.startswith(b"<"):
        _add(fields, data, 0, 1, "begin mark (continued)")
        return _add_body(fields, data, 1)
    if data.startswith(b">") and not data.startswith(b">>"):
        _add(fields, data, 0, 1, "end mark (continued)")
        return 1
    return _add_body(fields, data, 0, continued=True)


def _add_body(fields: list[Field], data: bytes, begin: int, *, continued: bool = False) -> int:
    """Add the parts of a message after its begin mark; `continued` if that is in an earlier call. Returns their end."""
    mark, other = data.find(b">>", begin), data.find(b"<<", begin)
    closed = mark >= 0 and not 0 <= other < mark
    end = mark + 2 if closed else other if other >= 0 else len(data)
    half = end == len(data) and not closed and data.endswith(b">", begin)
    last = end - 2 if closed else end - half
    bar = data.find(b"|", begin, last)
    cut = " (cut)" if not closed else ""
    rest = " (continued)" if continued else ""
    if bar >= 0:
        _add(fields, data, begin, bar, f"symbol{rest}")
        _add(fields, data, bar, bar + 1, "separator")
        _add(fields, data, bar + 1, last, f"lots{'' if half else cut}")
    elif continued and last > begin:
        # Digits can also be the end of a symbol, but a message is rarely cut there.
        lots = re.fullmatch(rb"[ \d.eE+-]+", data[begin:last])
        _add(fields, data, begin, last, f"{'lots' if lots else 'rest of a message'} (continued)")
    else:
        _add(fields, data, begin, last, f"symbol{cut}")
    _add(fields, data, last, end, "end mark (cut)" if half else "end mark")
    return end


def _add_between(fields: list[Field], data: bytes, at: int) -> int:
    """Add the bytes between two messages; returns their end."""
    if data[at] == 0:
        _add(fields, data, at, at + 1, "terminating zero")
        return at + 1
    begin = data.find(b"<<", at)
    end = begin if begin >= 0 else len(data)
    if begin < 0 and data.endswith(b"<"):
        end -= 1
    _add(fields, data, at, end, "rest of an earlier message")
    if begin < 0 and end < len(data):
        _add(fields, data, end, len(data), "begin mark (cut)")
        return len(data)
    return end


def _template(data: bytes, position: int) -> list[Field]:
    fields: list[Field] = []
    for name, first in (("symbol", 0), ("period", _FIELD)):
        begin, end = max(first - position, 0), min(first + _FIELD - position, len(data))
        if begin < end:
            _add_padded(fields, data, begin, end, name, continued=position > first, cut=position + end < first + _FIELD)
    at = max(_HEADER - position, 0)
    start = max(position, _HEADER)
    while at < len(data):
        following = _next_header(data, at + 2)
        # Two bytes are a character: the first byte may be the second half of one.
        odd = (start - _HEADER) % 2
        text = data[at + odd : min(following, at + odd + 2 * _LONGEST + 2)].decode("utf-16-le", "replace")
        fields.append(Field(at, following, "template file", _short(text.lstrip("\ufeff").rstrip("\0"))))
        if following < len(data):
            _add_padded(fields, data, following, following + _FIELD, "symbol")
            _add_padded(fields, data, following + _FIELD, following + _HEADER, "period")
        at = following + _HEADER
        start = _HEADER
    return fields


def _next_header(data: bytes, at: int) -> int:
    """The position of the next header from `at` on; the end of the data if there is none."""
    while (mark := data.find(_BOM, at + _HEADER)) >= 0:
        if _is_header(data[mark - _HEADER : mark]):
            return mark - _HEADER
        at = mark + 1 - _HEADER
    return len(data)


def _is_header(header: bytes) -> bool:
    """Whether 20 bytes are a symbol and the number of a period."""
    symbol, period = header[:_FIELD].split(b"\0")[0], header[_FIELD:].split(b"\0")[0]
    printable = bool(symbol) and all(byte >= 32 and byte != 127 for byte in symbol)
    return len(header) == _HEADER and printable and period.isdigit() and int(period) in _PERIODS


def _add_padded(
    fields: list[Field], data: bytes, begin: int, end: int, name: str, continued: bool = False, cut: bool = False
) -> None:
    """Add a field of 10 bytes, or the part of it from `begin` to `end`: text up to a zero byte, then padding."""
    # If the field began in an earlier call, its text may have ended there.
    zero = data.find(b"\0", begin, end)
    last = end if zero < 0 else zero
    raw = data[begin:last]
    text = _text(raw)
    if name == "period" and not continued and raw.isdigit() and int(raw) in _PERIODS:
        text = f"{text} ({_PERIODS[int(raw)]})"
    mark = " (continued)" if continued else " (cut)" if cut and zero < 0 else ""
    if last > begin:
        fields.append(Field(begin, last, f"{name}{mark}", text))
    if last < end:
        fields.append(Field(last, end, "padding", ""))


def _tick(data: bytes, whole: bool) -> list[Field]:
    match = _TICK.fullmatch(data)
    # Without the zero byte, only a datagram of which the end is missing can be a tick.
    if not match or (whole and not match[3]):
        return []
    fields: list[Field] = []
    _add(fields, data, *match.span(1), "symbol")
    _add(fields, data, match.end(1), match.start(2), "separator")
    _add(fields, data, *match.span(2), "bid" if match[3] else "bid (cut)")
    if match[3]:
        _add(fields, data, *match.span(3), "terminating zero")
        _add(fields, data, match.end(3), len(data), "mark of tick_sender" if match[4] else "padding")
    return fields


def _add(fields: list[Field], data: bytes, begin: int, end: int, name: str) -> None:
    if begin < end:
        fields.append(Field(begin, end, name, _text(data[begin:end])))


def _text(data: bytes) -> str:
    """Bytes of the Western European code page as text; a zero byte as \\0."""
    return _short(data[: _LONGEST + 1].decode("cp1252", "replace").replace("\0", "\\0"))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"
