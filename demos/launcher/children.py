"""The child processes of a job: started, heard, started again when something killed them, and ended."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

_CHECKOUT = Path(__file__).resolve().parents[2]

# The terminal's own reasons to end, which a new start would only repeat: options, network, data or account.
FATAL = (2, 3, 4)

# So often in all, and so often in a row without having come to life, a child is started again.
MOST_RESTARTS = 50
MOST_FAILURES = 3

_GRACE = 10.0

# An error in a log line, what the command line says of one, or a traceback's last line.
_ERROR = re.compile(r"(?:^\S+ \S+ error \S+ -?|: error: |^(?=[\w.]*Error: ))(.*)")

# Ctrl-C is for the parent, which ends its children in order.
if sys.platform == "win32":
    _FLAGS, _SESSION = subprocess.CREATE_NEW_PROCESS_GROUP, False
else:
    _FLAGS, _SESSION = 0, True


class Line(NamedTuple):
    """A line that a child has written."""

    child: str
    text: str


def error_of(text: str) -> str | None:
    """The error that a child's line tells of, or None."""
    match = _ERROR.search(text)
    return match[1] if match else None


class Child:
    """One ``python -m demos`` with these arguments, whose output goes to ``lines``."""

    def __init__(self, name: str, arguments: Sequence[str], lines: queue.SimpleQueue[Line]) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.restarts = 0
        self.failures = 0
        self.last_error = ""
        self._lines = lines
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The running process's number; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process, the first time or again."""
        self._forget()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demos.launcher.watchdog", *self.arguments],
            cwd=_CHECKOUT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            creationflags=_FLAGS,
            start_new_session=_SESSION,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), name=self.name, daemon=True)
        self._reader.start()

    def ended(self) -> int | None:
        """The process's exit code, None while it runs; negative is the signal that killed it."""
        return self._process.poll() if self._process else None

    def release(self) -> None:
        """Let go of the child: it ends by itself, in order."""
        if self._process and self._process.stdin:
            # Nothing was written, so there is nothing whose loss could be an error.
            self._process.stdin.close()

    def end(self, grace: float = _GRACE) -> None:
        """Wait for the released child's end, but not longer than so many seconds: then it is killed."""
        self.release()
        if self._process is None:
            return
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._process and self._reader:
            self.release()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._reader = None

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            text = line.rstrip("\n")
            self.last_error = error_of(text) or self.last_error
            self._lines.put(Line(self.name, text))
