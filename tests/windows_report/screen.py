"""Shows the progress: one line that changes in a terminal, a line from time to time in a file or pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

_TERMINAL_SECONDS = 0.5
_FILE_SECONDS = 15.0
_WIDTH = 100


class Screen:
    """Writes to standard error; several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terminal = sys.stderr.isatty()
        self._next = 0.0
        self._width = 0

    def show(self, text: Callable[[], str]) -> None:
        """Shows how far the run is, at most every half second; only then it calls `text`."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + (_TERMINAL_SECONDS if self._terminal else _FILE_SECONDS)
            self._write(text()[:_WIDTH], "" if self._terminal else "\n")

    def end(self, text: str) -> None:
        """Writes a line that stays."""
        with self._lock:
            self._write(text, "\n")
            self._width = 0

    def _write(self, text: str, end: str) -> None:
        line = f"\r{text.ljust(self._width)}" if self._terminal else text
        self._width = len(text)
        print(line, end=end, file=sys.stderr, flush=True)
