"""The child processes of a job: how one is started, written to, restarted and ended."""

from __future__ import annotations

import math
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from demos.launcher.log_lines import error_of

_CHECKOUT = Path(__file__).resolve().parents[2]

# Exit codes for bad options, the network, and data or account: a restart would end the same way.
NETWORK = 3
FATAL = (2, NETWORK, 4)

# The limits of restarts: in all, and in a row without the child having become ready.
MOST_RESTARTS = 50
MOST_FAILURES = 3

# A restarted child may find its port in use, by another process that took it in between: how often in a row, and the
# shortest time between two starts, in seconds.
MOST_PORT_FAILURES = 30
PORT_PAUSE = 1.0

_GRACE = 10.0

# Ctrl-C is for the parent, which ends its children in order.
if sys.platform == "win32":
    _FLAGS, _SESSION = subprocess.CREATE_NEW_PROCESS_GROUP, False
else:
    _FLAGS, _SESSION = 0, True


def exit_text(code: int) -> str:
    """``ended with exit code 1``, or ``ended with exit code -9 (killed by SIGKILL)``."""
    names = {-each: each.name for each in signal.Signals}
    return f"ended with exit code {code}" + (f" (killed by {names[code]})" if code in names else "")


class Line(NamedTuple):
    """A line that a child has written."""

    child: str
    text: str


class Child:
    """One ``python -m demos`` with these arguments. Its output, standard error included, goes to ``lines``.

    With ``restart`` the job starts it again when a signal or a defect has ended it. ``may_end`` says that exit code 0
    is expected. ``ready`` is set by the job when the program works: see MOST_FAILURES. ``heard_at`` is when the child
    has written something; ``asked_at`` is when the job has asked it for an answer, None when no answer is missing.
    It is not started again before ``restart_at``. ``may_fail``: the job continues without it when it has failed for a
    reason that a restart would not change; ``has_failed`` says that it has.
    """

    def __init__(self, name: str, arguments: Sequence[str], lines: queue.Queue[Line], *, restart: bool = False) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.restart = restart
        self.may_end = False
        self.ready = False
        self.restarts = 0
        self.failures = 0
        self.last_error = ""
        self.heard_at = 0.0
        self.asked_at: float | None = None
        self.restart_at = -math.inf
        self.frozen = False
        self.may_fail = False
        self.has_failed = False
        self._lines = lines
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The identifier of the running process; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process, for the first time or again."""
        self._close_pipes()
        self.ready = False
        self.last_error = ""
        self.asked_at = None
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

    def exit_code(self) -> int | None:
        """None while the process runs; a negative code is the signal that killed it."""
        return self._process.poll() if self._process else None

    def send_command(self, command: str) -> None:
        """Write a command to the child's standard input. A child that has ended ignores it."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):
            # Not through the stream's buffer, which close() would try to write once more.
            os.write(self._process.stdin.fileno(), f"{command}\n".encode())

    def request_end(self) -> None:
        """Close the child's standard input: the child ends in order."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def end(self, grace: float = _GRACE) -> None:
        """Request the end and wait for it; after ``grace`` seconds, or at once if it is frozen, kill the process."""
        self.request_end()
        if self._process is None:
            return
        try:
            self._process.wait(0 if self.frozen else grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        if self._process and self._reader:
            self.request_end()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._reader = None

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            text = line.rstrip("\n")
            self.last_error = error_of(text) or self.last_error
            self._lines.put(Line(self.name, text))
