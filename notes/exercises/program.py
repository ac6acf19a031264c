"""A program of an exercise, as the runner sees it: a process that prints lines and waits at its timer events.

The program can be right, wrong, broken or endless, so no wait is without a limit. A thread reads the output. An event
that has not ended after a time is left as it is: the other programs get their turns, and the event can end later.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "timer> "
# How long, in seconds, a program may print nothing after its start, and how long an event may last before the next
# program gets its turn. Both are much longer than the programs need, also on a computer with other work.
START = 20.0
PATIENCE = 3.0
# A program that prints more characters in one event has an endless loop.
MOST_OUTPUT = 20_000
MOST_LINES = 10
# A program with a larger trace, in bytes, has an endless loop too. The programs need less than a tenth of it.
MOST_TRACE = 1_000_000
# How a program looks that has ended with an error of Python: SystemExit prints its message only. A file that Python
# cannot decode has no line that it could show.
_ERROR = re.compile(r'Traceback \(most recent call last\):|  File ".*", line \d+|SyntaxError: ')


class Program:
    """A running program of an exercise. It waits for Enter at each timer event."""

    def __init__(self, name: str, file: Path, arguments: Sequence[str], trace: Path) -> None:
        self.name = name
        self.file = file
        self.trace = trace
        self.ended = False
        # The number of the timer event; 0 until the program waits for the first one.
        self.event = 0
        # Whether the program is in a timer event, or in its start, that has not ended.
        self.busy = False
        # Whether the runner has reported that it does not end.
        self.reported = False
        # Why the run cannot go on with this program; empty if it can.
        self.problem = ""
        path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
        variables = {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(file), *arguments],
            env=os.environ | variables | {"WINSOCK_TRACE": str(trace)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        # A program that prints without end has to wait when the queue is full.
        self._output: queue.Queue[bytes] = queue.Queue(maxsize=10)
        self._text = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self) -> list[str]:
        """The lines that the program prints until it waits for its first timer event, or ends."""
        return self._lines(START)

    def turn(self, patience: float) -> list[str]:
        """Start the program's next timer event, or continue the one that has not ended; the lines that it prints."""
        if self.ended:
            return []
        if not self.busy:
            self.event += 1
            assert self._process.stdin is not None
            # If the program has ended since its last turn, the end of its output shows it.
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"\n")
                self._process.stdin.flush()
        return self._lines(patience)

    def close(self) -> None:
        """End the process if it still runs."""
        self._process.kill()
        self._process.wait()
        while self._reader.is_alive():
            try:
                self._output.get(timeout=0.1)
            except queue.Empty:
                self._reader.join(timeout=0.1)
        assert self._process.stdin is not None
        # It may contain an Enter that the program has not read.
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _lines(self, patience: float) -> list[str]:
        """The lines until the program waits at a timer event, ends, or is silent for too long."""
        deadline = time.monotonic() + patience
        while not self._text.endswith(PROMPT.encode()):
            try:
                piece = self._output.get(timeout=min(0.1, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                if self.trace.exists() and self.trace.stat().st_size > MOST_TRACE:
                    self.problem = f"{self.name} has a loop that calls winsock without end"
                elif time.monotonic() < deadline:
                    continue
                self.busy = True
                return self._take(complete=False)
            if not piece:
                return self._end()
            self._text += piece
            if len(self._text) > MOST_OUTPUT:
                self.problem = f"{self.name} prints without end"
                return [*self._take(complete=False)[:MOST_LINES], "... (it prints without end)"]
            # After its first line a program has started.
            deadline = min(deadline, time.monotonic() + PATIENCE)
        self.busy = False
        return self._take(complete=True)

    def _take(self, complete: bool) -> list[str]:
        """Remove the lines from the text that has been read; also an unfinished one if `complete`."""
        end = len(self._text) if complete else self._text.rfind(b"\n") + 1
        text = self._text[:end].decode("utf-8", "replace")
        self._text = self._text[end:]
        return text.removesuffix(PROMPT).splitlines()

    def _end(self) -> list[str]:
        """The last lines of the program, which has closed its output."""
        self.ended = True
        self.busy = False
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.problem = f"{self.name} has closed its output, and still runs"
            code = 0
        lines = self._take(complete=True)
        # SystemExit with a message has the code 1 too: that is a decision of the program.
        if code == 1 and any(map(_ERROR.match, lines)):
            self.problem = f"{self.file.name} ended with an error"
        elif code not in (0, 1):
            self.problem = f"{self.file.name} ended with the exit code {code}"
        return lines

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            while piece := os.read(stdout.fileno(), 4096):
                self._output.put(piece)
        self._output.put(b"")
