"""Reads Mermaid sequence diagrams of traces, and finds what is in the wrong order in them."""

from __future__ import annotations

import re
from typing import NamedTuple

from winsock.trace.events import GROUPS

_NOTE = re.compile(r"    Note over P(\d+): (.*)")
_ARROW = re.compile(r"    P(\d+)(?:-->>|->>|--\)|--x)P(\d+): (.+?) \u2192 (.+?): (.*)")
_SOCKET_CALLS = (*GROUPS["sockets"], *GROUPS["connections"], *GROUPS["data"])


class Row(NamedTuple):
    """A call that a diagram shows: in a note, or at an end of an arrow; `again` if it is in parentheses."""

    line: int
    lane: int
    text: str
    again: bool = False

    @property
    def call(self) -> str:
        return re.split(r"[( ]", self.text, maxsplit=1)[0]


class Drawn(NamedTuple):
    """An arrow of a diagram with the calls at its ends."""

    source: Row
    target: Row
    text: str


class Diagram:
    """The calls and arrows of a diagram from top to bottom."""

    def __init__(self, text: str) -> None:
        self.rows: list[Row] = []
        self.arrows: list[Drawn] = []
        self._state = _State()
        for number, line in enumerate(text.splitlines()):
            if note := _NOTE.fullmatch(line):
                self.rows += [Row(number, int(note[1]), label) for label in note[2].split("<br/>")]
            elif arrow := _ARROW.fullmatch(line):
                ends = [_end(number, int(arrow[side]), arrow[side + 2]) for side in (1, 2)]
                self.rows += ends
                self.arrows.append(Drawn(*ends, arrow[5]))

    def lane(self, lane: int) -> list[str]:
        """The names of the calls of a lane, each one once."""
        return [row.call for row in self.rows if row.lane == lane and not row.again]

    def problems(self) -> list[str]:
        """What cannot be true of the calls of programs in this order."""
        return [f"line {row.line}: {problem}" for row in self.rows for problem in self._state.problems(row)]


def _end(line: int, lane: int, name: str) -> Row:
    again = name.startswith("(") and name.endswith(")")
    return Row(line, lane, name[1:-1] if again else name, again)


class _State:
    """What the calls so far have made of the programs."""

    def __init__(self) -> None:
        self._shown: set[tuple[int, str]] = set()
        self._startups: dict[int, int] = {}
        self._closed: set[tuple[int, str]] = set()

    def problems(self, row: Row) -> list[str]:
        """What is wrong with the next call."""
        if row.again:
            return [] if (row.lane, row.call) in self._shown else [f"{row.text} is not shown above"]
        self._shown.add((row.lane, row.call))
        if row.call in ("WSAStartup", "WSACleanup"):
            change = 1 if row.call == "WSAStartup" else -1
            self._startups[row.lane] = self._startups.get(row.lane, 0) + change
            return [] if self._startups[row.lane] >= 0 else [f"{row.text} without WSAStartup"]
        found = [] if self._startups.get(row.lane, 0) > 0 else [f"{row.text} outside WSAStartup and WSACleanup"]
        return found + self._handle_problems(row)

    def _handle_problems(self, row: Row) -> list[str]:
        if row.call == "accept" and "(" not in row.text:  # at an arrow, without its handle
            self._closed = {key for key in self._closed if key[0] != row.lane}
        if row.call in ("socket", "accept"):
            self._closed.discard((row.lane, row.text.rpartition(" = ")[2]))
        handle = re.match(r"(?:[a-z]+)\((\d+)[,)]", row.text)
        if not handle or row.call not in _SOCKET_CALLS:
            return []
        key = (row.lane, handle[1])
        found = [f"{row.text} after closesocket"] if key in self._closed else []
        if row.call == "closesocket" and row.text.endswith(" = 0"):
            self._closed.add(key)
        return found
