"""Starts the programs of `python -m winsock.trace live` with traces, and ends them.

A program is started as the user would start it, with the variable WINSOCK_TRACE in its environment. It stays in the
terminal's group of processes, so Ctrl-C reaches it as well. It has no standard input, and what it prints is read by a
thread. The next program is started when the trace of the one before shows that it listens, waits or has ended, so that
a client finds its server; at the latest after a few seconds.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from .trace_files import program_name

__all__ = ["Printed", "StartedProgram", "command_words", "end_all"]

# The lines of a program that wait to be shown. If a program prints faster, the earliest of them are left out.
_MAX_LINES = 10_000
_MAX_LINE = 4096
# The time in seconds that a program has to end after Ctrl-C, and after it was terminated.
_GRACE = 2.0


class Printed(NamedTuple):
    """A line that a program has printed, its time of day in nanoseconds, and how many lines before it are left out."""

    at: int
    text: str
    omitted: int


class StartedProgram:
    """A program with its trace."""

    def __init__(self, command: str, words: list[str], trace: Path) -> None:
        self.command, self.trace = command, trace
        # The name of the program in its trace, if it has not been given another one.
        self.name = program_name(words)
        self.started = 0.0
        self.problem = ""
        self._words = words
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._ended = 0.0
        self._lock = threading.Lock()
        self._lines: deque[tuple[int, str]] = deque()
        self._omitted = 0

    def start(self) -> None:
        """Start the program; if that fails, `problem` says why."""
        self.started = time.monotonic()
        variables = {
            "WINSOCK_TRACE": os.path.abspath(self.trace),
            "WINSOCK_TRACE_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8:backslashreplace",
        }
        try:
            self._process = subprocess.Popen(
                self._words,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except (OSError, ValueError) as error:
            self.problem = f"cannot be started: {getattr(error, 'strerror', None) or error}"
            return
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def exit_code(self) -> int | None:
        """None while the program runs or has not been started; a negative code is the signal that killed it."""
        if self.problem:
            return 2
        return self._process.poll() if self._process else None

    def is_over(self) -> bool:
        """Whether the program has ended and its output is complete; a child that still has the pipe is not awaited."""
        if self.exit_code() is None:
            return False
        self._ended = self._ended or time.monotonic()
        return not self._reader or not self._reader.is_alive() or time.monotonic() - self._ended > _GRACE

    def state(self) -> str:
        """The state in a few words."""
        code = self.exit_code()
        if self.problem:
            return self.problem
        if not self.started:
            return "not started yet"
        if code is None:
            return "running"
        # On Windows 0 is the number of CTRL_C_EVENT.
        names = {-each: each.name for each in signal.Signals if each > 0}
        return f"ended by {names[code]}" if code in names else f"exit code {code}"

    def end(self) -> str:
        """How the program has ended."""
        state = self.state()
        return state if state.startswith("ended") else f"ended with {state}"

    def take_output(self) -> list[Printed]:
        """The lines since the last call of this method."""
        with self._lock:
            lines = [Printed(at, text, 0) for at, text in self._lines]
            if self._omitted:
                lines[0] = lines[0]._replace(omitted=self._omitted)
            self._lines.clear()
            self._omitted = 0
        return lines

    def request_end(self) -> None:
        """Ask the program to end."""
        if self._process:
            self._process.terminate()

    def wait(self, until: float) -> bool:
        """Wait for the end until a time of time.monotonic(); returns whether the program has ended."""
        with suppress(subprocess.TimeoutExpired):
            if self._process:
                self._process.wait(max(until - time.monotonic(), 0))
        return self.exit_code() is not None or not self._process

    def close(self) -> None:
        """Kill the program if it still runs, and free its resources."""
        if not self._process or not self._process.stdout or not self._reader:
            return
        self._process.kill()
        self._process.wait()
        # A child of the program may still have the pipe; the thread is a daemon and ends with this process.
        self._reader.join(_GRACE)
        if not self._reader.is_alive():
            self._process.stdout.close()
        self._reader = None

    def _read(self, stream: IO[str]) -> None:
        while line := stream.readline(_MAX_LINE):
            with self._lock:
                if len(self._lines) == _MAX_LINES:
                    self._lines.popleft()
                    self._omitted += 1
                self._lines.append((time.time_ns(), line.rstrip("\r\n")))


def end_all(programs: list[StartedProgram]) -> None:
    """End all programs: those that do not end after Ctrl-C are terminated, then killed."""
    try:
        for request in (False, True):
            for program in programs:
                if request and program.exit_code() is None:
                    program.request_end()
            until = time.monotonic() + _GRACE
            if all(program.wait(until) for program in programs):
                break
    finally:
        for program in programs:
            program.close()


def command_words(command: str) -> list[str]:
    """The words of a command line; a script or `-m MODULE` is run by this Python.

    Errors: ValueError if the command is empty or a quotation mark is missing.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if sys.platform == "win32":
        lexer.escape = ""  # a backslash separates folders
    words = list(lexer)
    if not words:
        raise ValueError("no program")
    first = PureWindowsPath(words[0]).name.lower()
    if first in ("python", "python3", "py"):
        return [sys.executable, *words[1:]]
    return [sys.executable, *words] if first.endswith((".py", ".pyw")) or first.startswith("-") else words
