"""Log lines for people and event lines for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from demos.terminal.interfaces import Clock, OutputError
from demos.terminal.runtime.log_limit import LineLimit, shortened
from demos.terminal.runtime.repeats import Repeats


def escaped(text: str) -> str:
    """The text with every control or non-printable character as \\xNN, \\uNNNN or \\UNNNNNNNN.

    So text from the network cannot move the cursor of a console, change its colors or start a new line.
    """
    return "".join(char if char.isprintable() else _code(ord(char)) for char in text)


def _code(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


class Log:
    """Writes ``2026-01-31T12:00:00.123+01:00 PROGRAM[SYMBOL,H1] level event text``, one flushed line at a time."""

    def __init__(self, clock: Clock, stream: TextIO | None, *, limited: bool = False) -> None:
        """``limited``: the lines of each program are limited, see the modules log_limit and repeats."""
        self._clock = clock
        self._stream = stream
        self._limited = limited
        self._limits: dict[str, LineLimit] = {}
        self._repeats: dict[str, Repeats] = {}

    def write(self, program: str, level: str, event: str, text: str) -> None:
        """Write one line.

        Errors: OutputError when the stream was closed. It is raised once, and later lines are dropped, so that the
        programs' OnDeinit can still run.
        """
        if self._stream is None:
            return
        time = self._clock.now().isoformat(timespec="milliseconds")
        try:
            self._stream.write(f"{time} {program} {level} {event} {escaped(text)}\n")
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


class EventFile:
    """Appends JSON lines to a file, each with one write(), so that a reader sees only whole lines."""

    def __init__(self, clock: Clock, path: Path) -> None:
        """Open or create the file.

        Errors: OutputError when that is not possible.
        """
        self._clock = clock
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        self._path = path

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """Append {"t": nanoseconds of the clock, "kind": kind, ...fields}.

        Errors: OutputError when the file cannot be written; TypeError for a value that JSON cannot represent.
        """
        line = {"t": round(self._clock.monotonic() * 1e9), "kind": kind, **fields}
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
