"""The lines of the terminal display: one for each call, with what is most important about it first.

Consecutive calls of a program that found nothing to do (WSAEWOULDBLOCK, or a select that returned 0) are one row with
their number. The row appears when the program makes another call; until then it is the program's `state`. Conversions
such as htons that succeed are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from winsock.command_line import printable

from .events import Event
from .live_files import Program
from .rendering import quoted
from .timeline import SAME_CLOCK

__all__ = ["MAX_ROWS", "Row", "Rows", "brief"]

# The rows that are kept for the display.
MAX_ROWS = 1000
MAX_CLOCKS = 100
_MAX_TEXT = 300
_ARGUMENTS = {"socket": "type", "bind": "name", "connect": "name", "getaddrinfo": "pNodeName", "gethostbyname": "name"}


class Row(NamedTuple):
    """A row: its time of day in nanoseconds, its program, and its text, brief and complete.

    `kind` is call, error, output or note. `name` is the name of a program that has no trace; then `program` is None.
    """

    at: int
    program: Program | None
    kind: str
    brief: str
    text: str
    name: str = ""


class Rows:
    """The last rows of all programs."""

    def __init__(self, added: Callable[[Row], None]) -> None:
        self.rows: deque[Row] = deque(maxlen=MAX_ROWS)
        # The time of the first row.
        self.start = 0
        self._added = added
        self._idle: dict[Program, tuple[int, str, int]] = {}
        self._clocks: list[int] = []

    def call(self, program: Program, event: Event) -> None:
        """Add a call that has returned; its times are times of day."""
        if program in self._idle and event.call == "WSAGetLastError":
            return  # it belongs to the call that found nothing to do
        if event.idle:
            first, _, number = self._idle.get(program, (event.at, "", 0))
            self._idle[program] = first, brief(event), number + 1
            return
        self.flush(program)
        if event.group == "names" and not event.error and "NULL" not in event.text:
            return
        self._add(Row(event.at, program, "error" if event.failed else "call", brief(event), event.text))

    def clock(self, program: Program) -> int:
        """What is to be added to the times of a program to get the time of day.

        Programs of one machine share a clock: all get the same number, because each has read the time of day at another
        moment.
        """
        offset = program.lane.offset
        for clock in self._clocks:
            if abs(clock - offset) < SAME_CLOCK:
                return clock
        self._clocks = [*self._clocks[-MAX_CLOCKS:], offset]
        return offset

    def flush(self, program: Program) -> None:
        """Add the row of the calls that found nothing to do."""
        if program in self._idle:
            at, text, number = self._idle.pop(program)
            text = _times(text, number)
            self._add(Row(at, program, "call", text, text))

    def output(self, at: int, program: Program | None, text: str, name: str = "") -> None:
        """Add a line that a program has written; `program` is None if it has no trace yet."""
        self._add(Row(at, program, "output", f"> {text}", f"> {text}", name))

    def note(self, at: int, program: Program | None, text: str, name: str = "", kind: str = "note") -> None:
        """Add a line about a program."""
        self._add(Row(at, program, kind, text, text, name))

    def state(self, program: Program, now: int | None) -> str:
        """What a program does at this time: the call that it waits in, or the calls that find nothing to do.

        `now` is None for a program that has ended.
        """
        if waiting := list(program.lane.waiting.values()):
            call = f"{_clean(waiting[0]['text']).rstrip(', ')})"
            if now is None:
                return f"{call} never returned"
            seconds = max(now - program.lane.offset - waiting[0]["t"], 0) / 1e9
            if seconds >= 0.1:
                more = f", {len(waiting) - 1} more" if len(waiting) > 1 else ""
                return f"{call} waits {seconds:.1f} s{more}"
        if program in self._idle:
            return _times(*self._idle[program][1:])
        return ""

    def remove(self, programs: list[Program]) -> None:
        """Remove the rows of programs whose file has been replaced."""
        if not programs:
            return
        for program in programs:
            self._idle.pop(program, None)
        kept = [row for row in self.rows if row.program not in programs]
        self.rows.clear()
        self.rows.extend(kept)

    def _add(self, row: Row) -> None:
        row = row._replace(brief=_clean(row.brief), text=_clean(row.text))
        self.start = min(self.start or row.at, row.at)
        self.rows.append(row)
        self._added(row)


def brief(event: Event) -> str:
    """A call in a few words: its socket or address, and its error, its data or its result."""
    record, args = event.record, event.record["args"]
    given = args.get(_ARGUMENTS.get(event.call, "s"))
    shown = given["text"] if isinstance(given, dict) and isinstance(given.get("text"), str) else given
    call = f"{event.call}({'' if shown is None else shown})"
    if event.error:
        # The error first: a column may be too narrow for an address.
        return f"{event.call} {event.error}" + ("" if shown is None else f" ({shown})")
    result, buffer = record.get("result"), args.get("buf")
    if event.group == "data" and isinstance(buffer, dict) and "hex" in buffer:
        data = bytes.fromhex(buffer["hex"][:128])
        return f"{call} = {result} {quoted(data, len(data) < buffer['bytes'])}"
    return call if result in (0, None) and event.group != "data" else f"{call} = {result}"


def _times(text: str, number: int) -> str:
    return text if number == 1 else f"{text} x{number}"


def _clean(text: str) -> str:
    """Text from a trace or a program, safe for a terminal and not too long."""
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]} ..."
    return text if text.isprintable() else printable(text)
