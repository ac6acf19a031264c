"""What a peer sent and received, and when; the text of a failure shows all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

__all__ = ["Conversation"]

_BYTES_PER_LINE = 16
# Of a long piece of data the report shows the first and the last lines.
_FIRST_LINES, _LAST_LINES = 12, 4
# Of the whole conversation.
_MOST_ENTRIES, _MOST_LINES = 60, 150


class Entry(NamedTuple):
    """`direction` is "sent" or "received"; an event, such as the end of the stream, has a text and no data."""

    time: float
    direction: str
    data: bytes
    event: str = ""


class Conversation:
    """The entries of one run, in the order of time. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._start = clock, clock()
        self.entries: list[Entry] = []

    def seconds(self) -> float:
        """The time since the start of the script."""
        return self._clock() - self._start

    def add(self, direction: str, data: bytes) -> None:
        self.entries.append(Entry(self.seconds(), direction, data))

    def note(self, event: str) -> None:
        self.entries.append(Entry(self.seconds(), "", b"", event))

    def all(self, direction: str) -> bytes:
        return b"".join(entry.data for entry in self.entries if entry.direction == direction)

    def __str__(self) -> str:
        """All entries; of a long conversation the first and the last ones, with adjacent data of one side joined."""
        entries = list(self.entries)
        if len(entries) > _MOST_ENTRIES:
            entries = _joined(entries)
        first, hidden = entries, 0
        last: list[Entry] = []
        if len(entries) > _MOST_ENTRIES:
            first, last = entries[: _MOST_ENTRIES // 3], entries[-_MOST_ENTRIES * 2 // 3 :]
            hidden = len(entries) - len(first) - len(last)
        lines = [line for entry in first for line in _lines(entry)]
        if hidden:
            lines.append(f"… {hidden} events are not shown")
        lines += [line for entry in last for line in _lines(entry)]
        too_many = len(lines) - _MOST_LINES
        if too_many > 0:
            third = _MOST_LINES // 3
            lines[third : third + too_many + 1] = [f"… {too_many + 1} lines are not shown"]
        return "\n".join(lines)


def _joined(entries: list[Entry]) -> list[Entry]:
    """Pieces that one side sent one after the other are one entry, with the time of the first piece."""
    joined: list[Entry] = []
    for direction, group in groupby(entries, key=lambda entry: entry.direction):
        pieces = list(group)
        if direction:
            joined.append(Entry(pieces[0].time, direction, b"".join(piece.data for piece in pieces)))
        else:
            joined += pieces
    return joined


def _lines(entry: Entry) -> Iterator[str]:
    time = f"{entry.time:9.3f} s  "
    if entry.event:
        yield time + entry.event
        return
    yield f"{time}the peer {entry.direction} {len(entry.data)} byte{'' if len(entry.data) == 1 else 's'}"
    starts = range(0, len(entry.data), _BYTES_PER_LINE)
    hidden = len(starts) - _FIRST_LINES - _LAST_LINES
    if hidden > 1:
        lines = hex_dump(entry.data, starts[:_FIRST_LINES])
        lines.append(f"… {hidden} lines of {_BYTES_PER_LINE} bytes are not shown")
        lines += hex_dump(entry.data, starts[-_LAST_LINES:])
    else:
        lines = hex_dump(entry.data, starts)
    yield from (" " * 13 + line for line in lines)


def hex_dump(data: bytes, starts: Iterable[int]) -> list[str]:
    """For each start a line of its offset, 16 bytes in hexadecimal, and their text; other characters are dots."""
    lines = []
    for start in starts:
        part = data[start : start + _BYTES_PER_LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{3 * _BYTES_PER_LINE - 1}}  {shown}")
    return lines
