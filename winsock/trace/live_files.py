"""Follows a trace in JSON lines that a program writes at the moment.

A file is read in pieces: each `poll` opens it, reads what is new, and closes it, so that on Windows the program can
still replace it. The file may not exist yet. If it begins with other bytes than before, it has been replaced: the
programs in it are new ones. The first line of a trace has its time in nanoseconds, so two traces do not begin with the
same bytes. If the file is only shorter than what was read, the same trace is being copied to it once more. A line
without an end is not complete yet; it is read again at the next poll.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .events import Lane
from .live_history import History
from .trace_files import MAX_LINE, InvalidLine, TraceLines

__all__ = ["MAX_PROGRAMS", "PIECE", "FollowedFile", "Program"]

# The bytes that one poll reads at most: the display stays usable while a long file is read.
PIECE = 1 << 19
# The programs of one file that are kept; a trace may be appended to by thousands, one after the other.
MAX_PROGRAMS = 50
_HEAD = 512


class Program:
    """A program in a trace: its lane, whose records are in `history`, and counts of all its calls."""

    def __init__(self, lane: Lane, keep: int) -> None:
        self.lane = lane
        self.history = History(keep, lane.is_child)
        self.calls = 0
        self.errors = 0
        # The time of the last record, in nanoseconds of the program's clock; 0 without a record.
        self.last = 0


class FollowedFile:
    """One trace. `report` gets each call that has returned, with its program; `label` names the file in messages."""

    def __init__(self, path: Path, name: str | None, keep: int, label: str) -> None:
        self.path = path
        self.name = name
        self.label = label
        self.report: Callable[[Program, dict[str, Any]], None] = lambda program, record: None
        self.programs: list[Program] = []
        # How many programs are no longer kept.
        self.forgotten = 0
        # Why the file cannot be read now; "" if it can.
        self.problem = "does not exist yet"
        # How many lines are not part of a trace, and the first of them.
        self.damaged = 0
        self.damage = ""
        # The bytes that are in the file and not read yet.
        self.behind = 0
        self._keep = keep
        self._start_again()

    def _start_again(self) -> None:
        self.programs.clear()
        self.forgotten = 0
        self.damaged, self.damage = 0, ""
        self._lines = TraceLines(self.name)
        self._number = 0
        self._position = 0
        self._head = b""
        self._incomplete = b""
        self._skip = False
        self._seen: tuple[int, ...] = ()

    def poll(self) -> bool:
        """Read what is new; returns whether anything has changed."""
        before = self.problem
        try:
            state = os.stat(self.path)
            if not stat.S_ISREG(state.st_mode):
                self.problem = "is not a file"
                return self.problem != before
            self.problem = ""
            seen = (state.st_size, state.st_mtime_ns, state.st_ino)
            if seen == self._seen and not self.behind:
                return before != ""
            changed = self._read(state.st_size)
            # Only now: a file that could not be read is read at the next poll.
            self._seen = seen
            return changed or before != ""
        except FileNotFoundError:
            self.problem = "does not exist" if self._position else "does not exist yet"
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL
            self.problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        return self.problem != before

    def _read(self, size: int) -> bool:
        with self.path.open("rb") as file:
            head = file.read(_HEAD)
            known = min(len(head), len(self._head))
            replaced = head[:known] != self._head[:known]
            if not replaced and size < self._position:
                self.behind = 0
                return False
            if replaced:
                self._start_again()
            self._head = head
            file.seek(self._position)
            piece = file.read(PIECE)
            self._position += len(piece)
            self.behind = max(size - self._position, 0)
        if piece:
            self._split(piece)
        return replaced or bool(piece)

    def _split(self, piece: bytes) -> None:
        lines = (self._incomplete + piece).split(b"\n")
        self._incomplete = lines.pop()
        for line in lines:
            if self._skip:
                self._skip = False
            else:
                self._add(line)
        if len(self._incomplete) > MAX_LINE:
            if not self._skip:
                self._add(self._incomplete)  # is reported as too long
            self._incomplete, self._skip = b"", True

    def _add(self, line: bytes) -> None:
        self._number += 1
        try:
            lane, record = self._lines.add(line)
        except InvalidLine as problem:
            self.damaged += 1
            self.damage = self.damage or f"line {self._number} is not part of a trace: {problem}"
            return
        program = self._program(lane)
        if record is None:
            begun = next(reversed(lane.waiting.values()), None)
            program.last = max(program.last, begun["t"]) if begun else program.last
            return
        lane.records.clear()
        program.calls += 1
        program.last = max(program.last, record["t"] + record["d"])
        program.history.add(record, len(line))
        self.report(program, record)

    def _program(self, lane: Lane) -> Program:
        for program in reversed(self.programs):
            if program.lane is lane:
                return program
        self.programs.append(Program(lane, self._keep))
        if len(self.programs) > MAX_PROGRAMS:
            self._lines.forget(self.programs.pop(0).lane)
            self.forgotten += 1
        return self.programs[-1]
