"""Log lines for people and event lines for programs."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Protocol, TextIO

from demos.terminal.interfaces import Clock, OutputError
from demos.terminal.runtime.log_limit import LineLimit, shortened
from demos.terminal.runtime.private_files import open_private
from demos.terminal.runtime.repeats import Repeats

# The size of an event file, and the kind of its last event when it has this size.
MAX_EVENT_BYTES = 1_000_000_000
FULL = "full"


def escaped(text: str) -> str:
    """The text with every control or non-printable character as \\xNN, \\uNNNN or \\UNNNNNNNN.

    So text from the network cannot move the cursor of a console, change its colors or start a new line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code(ord(char)) for char in text)


def _code(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def log_line(clock: Clock, program: str, level: str, event: str, text: str) -> str:
    """``2026-01-31T12:00:00.123+01:00 PROGRAM[SYMBOL,H1] level event text`` and a line end."""
    return f"{clock.now().isoformat(timespec='milliseconds')} {program} {level} {event} {escaped(text)}\n"


class Log:
    """Writes log lines, one flushed line at a time; see log_line()."""

    def __init__(
        self,
        clock: Clock,
        stream: TextIO | None,
        *,
        limited: bool = False,
        file: Callable[[str], str] | None = None,
    ) -> None:
        """``limited``: the lines of each program are limited, see the modules log_limit and repeats.

        ``file`` gets each line too. It returns a problem of its own, which only the stream gets, or "".
        """
        self._clock = clock
        self._stream = stream
        self._file = file
        self._limited = limited
        self._limits: dict[str, LineLimit] = {}
        self._repeats: dict[str, Repeats] = {}

    def write(self, program: str, level: str, event: str, text: str) -> None:
        """Write one line.

        Errors: OutputError when the stream was closed. It is raised once, and later lines go to the file only, so that
        the programs' OnDeinit can still run.
        """
        if self._stream is None and self._file is None:
            return
        line = log_line(self._clock, program, level, event, text)
        problem = self._file(line) if self._file else ""
        if self._stream is None:
            return
        try:
            self._stream.write(line)
            if problem:
                self._stream.write(log_line(self._clock, "terminal", "alert", "log", problem))
            self._stream.flush()
        except OSError as error:
            self._stream = None
            raise OutputError(f"the log cannot be written: {error.strerror}") from error

    def write_limited(self, program: str, level: str, event: str, text: str) -> None:
        """Write one line that counts towards the limit of its program. An alert does not count and is always written.

        Errors: as for write().
        """
        if self._limited:
            self.write_summaries()
            text = shortened(text)
            if level == "error":
                admitted = self._repeats.setdefault(program, Repeats(self._clock)).admit(text)
                if admitted is None:
                    return
                text = admitted
            limit = self._limits.setdefault(program.partition("[")[0], LineLimit(self._clock))
            if level != "alert" and not limit.admit():
                return
        self.write(program, level, event, text)

    def write_summaries(self, *, end: bool = False) -> None:
        """Write how many lines were omitted, for each program whose window is over, or for all at the ``end``.

        Errors: as for write().
        """
        for program, limit in self._limits.items():
            summary = limit.take_summary(end=end)
            if summary:
                self.write(program, "alert", "log", summary)


class EventRecorder(Protocol):
    """Takes the events of a terminal and its programs."""

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """Take an event: deal, connected, sent and so on."""
        ...


class EventFile:
    """Appends JSON lines to a file, each with one write(), so that a reader sees only whole lines.

    A peer can cause events, so the file has at most MAX_EVENT_BYTES. Then an event of the kind FULL is the last one,
    and later events are dropped: a reader can tell that they are missing.
    """

    def __init__(self, clock: Clock, path: Path, report: Callable[[str], None] | None = None) -> None:
        """Open or create the file; ``report`` gets one line when the file is full.

        Errors: OutputError when that is not possible.
        """
        self._clock = clock
        self._report = report
        try:
            self._file = FileIO(path, "ab", opener=open_private)
            status = os.fstat(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        self._path = path
        # A pipe or a device keeps nothing.
        self._left = MAX_EVENT_BYTES - status.st_size if stat.S_ISREG(status.st_mode) else None
        self._full = False

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """Append {"t": nanoseconds of the clock, "kind": kind, ...fields}.

        Errors: OutputError when the file cannot be written; TypeError for a value that JSON cannot represent.
        """
        if self._full:
            return
        line = self._line(kind, fields)
        last = self._line(FULL, {})
        if self._left is not None and self._left < len(line) + len(last):
            self._full = True
            # In a file that was full before, the last event has this kind already.
            line = last if self._left >= len(last) else b""
            if self._report:
                self._report(f"{self._path} has its limit of {MAX_EVENT_BYTES} bytes; no more events are written")
        try:
            self._file.write(line)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error
        if self._left is not None:
            self._left -= len(line)

    def _line(self, kind: str, fields: Mapping[str, object]) -> bytes:
        event = {"t": round(self._clock.monotonic() * 1e9), "kind": kind, **fields}
        return json.dumps(event).encode() + b"\n"

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def event_file(clock: Clock, path: Path, log: Log) -> EventFile:
    """The file of a terminal's events; the log gets an alert when it is full.

    Errors: as for EventFile.
    """
    return EventFile(clock, path, lambda text: log.write("terminal", "alert", "events", text))
