"""Lines about long reading, so that a user, or the job that has started the process, can tell that it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from demos.terminal.interfaces import Clock, Tick
from demos.terminal.runtime.log import escaped

# Seconds between two lines; and the number of ticks after which the clock is read.
INTERVAL = 2.0
_STEP = 10_000

# How each line begins, and what precedes the ticks of a history.
READING = "reading "
_HISTORY = f"{READING}the history"


class Progress:
    """Reports the beginning of the reading, and from then on every INTERVAL seconds how much was read."""

    def __init__(self, clock: Clock, text: str, unit: str, report: Callable[[str], None]) -> None:
        self._clock = clock
        self._text = text
        self._unit = unit
        self._report = report
        self._due = clock.monotonic() + INTERVAL

    def __call__(self, count: int) -> None:
        """Take how much was read; 0 is the beginning."""
        now = self._clock.monotonic()
        if count == 0:
            self._report(self._text)
        elif now >= self._due:
            self._report(f"{self._text}: {count} {self._unit}")
        else:
            return
        self._due = now + INTERVAL


def file_progress(clock: Clock, path: Path, report: Callable[[str], None]) -> Progress:
    """The progress of reading a file, in rows."""
    return Progress(clock, escaped(f"{READING}{path}"), "rows", report)


def with_progress(ticks: Iterator[Tick], clock: Clock, report: Callable[[str], None]) -> Iterator[Tick]:
    """The ticks of a history; ``report`` gets a line only when they take longer than INTERVAL."""
    progress = Progress(clock, _HISTORY, "ticks", report)
    for number, tick in enumerate(ticks):
        if number and number % _STEP == 0:
            progress(number)
        yield tick
