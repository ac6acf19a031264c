"""What a peer sent and received, and when; the text of a failure shows all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Conversation"]

_BYTES_PER_LINE = 16
# Of a long piece of data the report shows the first and the last lines.
_FIRST_LINES, _LAST_LINES = 12, 4


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
        return "\n".join(line for entry in list(self.entries) for line in _lines(entry))


def _lines(entry: Entry) -> Iterator[str]:
    time = f"{entry.time:9.3f} s  "
    if entry.event:
        yield time + entry.event
        return
    yield f"{time}the peer {entry.direction} {len(entry.data)} byte{'' if len(entry.data) == 1 else 's'}"
    lines = hex_dump(entry.data)
    hidden = len(lines) - _FIRST_LINES - _LAST_LINES
    if hidden > 1:
        lines[_FIRST_LINES:-_LAST_LINES] = [f"… {hidden} lines of {_BYTES_PER_LINE} bytes are not shown"]
    yield from (" " * 13 + line for line in lines)


def hex_dump(data: bytes) -> list[str]:
    """Lines of an offset, 16 bytes in hexadecimal, and their text; other characters are dots."""
    lines = []
    for start in range(0, len(data), _BYTES_PER_LINE):
        part = data[start : start + _BYTES_PER_LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{3 * _BYTES_PER_LINE - 1}}  {shown}")
    return lines
