"""The lines that the provider's threads have for the log: they wait in a queue for the terminal's thread.

Clients can cause lines, and a flood of clients a flood of lines. So only a limited number of lines about problems of
clients is kept between two calls of take(), and one line counts the others.
"""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass, field

MOST_LINES = 10_000
MOST_PROBLEMS = 100


@dataclass(eq=False)
class LineQueue:
    """See the head of this module. "-" in front of a line marks a problem. Any thread may call the methods."""

    _lines: list[str] = field(default_factory=list)
    _problems: int = 0
    _left_out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, line: str) -> None:
        """Add a line of the program itself."""
        with self._lock:
            self._append(line)

    def put_of_client(self, line: str) -> None:
        """Add a line that a client has caused."""
        with self._lock:
            is_problem = line.startswith("-")
            self._problems += is_problem
            if is_problem and self._problems > MOST_PROBLEMS:
                self._left_out += 1
            else:
                self._append(line)

    def take(self) -> list[str]:
        """Remove and return all lines."""
        with self._lock:
            lines, count = self._lines, self._left_out
            self._lines, self._problems, self._left_out = [], 0, 0
        return [*lines, f"-further lines about clients that were left out: {count}"] if count else lines

    def _append(self, line: str) -> None:
        if len(self._lines) < MOST_LINES:
            self._lines.append(line)
        else:
            self._left_out += 1


def error_text(error: BaseException) -> str:
    """An unexpected exception in one line: its type, its text and where it was raised."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} (line {frames[-1].lineno} of {frames[-1].filename})" if frames else text
