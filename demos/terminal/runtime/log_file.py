"""A log file with a limited size: when it is full it becomes FILE.1, FILE.1 becomes FILE.2, and the oldest is deleted.

The files are those of the standard library's RotatingFileHandler. A failure never reaches the program, because trading
is more important than its log: it is reported once, lines are dropped, and the file is tried again every few seconds.
The first line after a failure says how many are missing.

On Windows a file cannot be renamed while another process has it open. Then the log goes on in the same file, which
becomes larger than its limit, until the renaming succeeds.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from demos.terminal.interfaces import Clock
from demos.terminal.runtime.log import log_line
from demos.terminal.runtime.private_files import MODE, open_private

# Seconds between two attempts to write after a failure, and between two attempts to rename the file.
RETRY = 10.0
RENAME_RETRY = 60.0

_MEGABYTE = 1_000_000

_RENAMED = "renamed"


def older_files(path: Path, older: int) -> list[Path]:
    """The files that take the lines of a full file, and the name that it has for a moment."""
    return [path.with_name(f"{path.name}.{end}") for end in (*range(1, older + 1), _RENAMED)]


class LogFile:
    """The file and its older parts; see the head of this module."""

    def __init__(self, clock: Clock, path: Path, megabytes: int, older: int) -> None:
        """``megabytes`` is the largest size of one file, ``older`` the number of further files. Nothing is opened."""
        self._clock = clock
        self._path = path
        self._handler = _Handler(clock, path, megabytes * _MEGABYTE, older)
        self._missing = 0
        self._retry_at = 0.0

    def write(self, line: str) -> str:
        """Write a line, which ends with a line end; returns a problem that has to be reported, or ""."""
        now = self._clock.monotonic()
        if self._missing and now < self._retry_at:
            self._missing += 1
            return ""
        try:
            if self._missing:
                text = f"the file could not be written: {self._missing} lines are missing here"
                # The last line may have been written in part.
                self._emit("\n" + log_line(self._clock, "terminal", "alert", "log", text))
                self._missing = 0
            self._emit(line)
        except OSError as error:
            first = not self._missing
            self._missing += 1
            self._retry_at = now + RETRY
            self._handler.drop()
            text = (
                f"{self._path} cannot be written: {error.strerror}; the log goes to standard error only until it can be"
            )
            return text if first else ""
        return self._handler.take_problem()

    def close(self) -> None:
        """Close the file."""
        self._handler.drop()
        self._handler.close()

    def _emit(self, text: str) -> None:
        """Errors: OSError."""
        self._handler.emit(logging.makeLogRecord({"msg": text}))


class _Handler(RotatingFileHandler):
    """Raises the errors that logging would print, and renames no older file when the newest one cannot be renamed."""

    terminator = ""

    def __init__(self, clock: Clock, path: Path, size: int, older: int) -> None:
        super().__init__(path, maxBytes=size, backupCount=older, encoding="utf-8", delay=True)
        self._clock = clock
        self._mode = MODE
        self._rename_at = 0.0
        self._problem = ""
        self._reported = False

    def _open(self) -> TextIOWrapper:
        """A new file has the mode of the one that was full, which its owner may have changed."""
        created = not os.path.exists(self.baseFilename)
        stream = open(self.baseFilename, "a", encoding="utf-8", opener=open_private)  # noqa: SIM115 - drop() closes it
        if created and self._mode != MODE and sys.platform != "win32":
            os.fchmod(stream.fileno(), self._mode)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # the exception that emit() has caught

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        return self._clock.monotonic() >= self._rename_at and bool(super().shouldRollover(record))

    def doRollover(self) -> None:
        self.drop()
        with suppress(OSError):
            self._mode = stat.S_IMODE(os.stat(self.baseFilename).st_mode)
        renamed = f"{self.baseFilename}.{_RENAMED}"
        try:
            os.replace(self.baseFilename, renamed)
            os.replace(renamed, self.baseFilename)
        except OSError as error:
            self._rename_at = self._clock.monotonic() + RENAME_RETRY
            if not self._reported:
                self._problem = f"{self.baseFilename} is full and cannot be renamed: {error.strerror}; it grows further"
                self._reported = True
            return
        self._reported = False
        super().doRollover()

    def take_problem(self) -> str:
        """A problem that was not fatal, once; or ""."""
        problem, self._problem = self._problem, ""
        return problem

    def drop(self) -> None:
        """Close the stream, with what it could not write."""
        stream, self.stream = self.stream, None
        if stream:
            with suppress(OSError):
                stream.close()
