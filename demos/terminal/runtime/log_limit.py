"""Limits the log of a program: a peer must not be able to fill the disk with lines, or one line with its bytes.

Time is divided into windows. A window begins with a line and lasts WINDOW seconds. The first lines of a window are
written; further ones are counted, and one line states their number when the window is over. Long lines are cut. Alerts
and the repetitions that the module repeats leaves out do not count; alerts are always written.
"""

from __future__ import annotations

from demos.terminal.interfaces import Clock

# Seconds, and the lines of one window: a hundred a second, or five hundred at once.
WINDOW = 5.0
MAX_LINES = 500

# Characters of one line's text.
MAX_TEXT = 2000


class LineLimit:
    """Counts the lines of one program; see the head of this module."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin = 0.0
        self._lines = 0
        self._omitted = 0

    def admit(self) -> bool:
        """Count a line; whether it should be written. Call take_summary() first."""
        if self._lines == 0:
            self._begin = self._clock.monotonic()
        self._lines += 1
        if self._lines > MAX_LINES:
            self._omitted += 1
        return self._lines <= MAX_LINES

    def take_summary(self, *, end: bool = False) -> str:
        """When the window is over, or at the ``end``, begin the next one; the line about omitted lines, or ""."""
        now = self._clock.monotonic()
        if self._lines == 0 or not (end or now >= self._begin + WINDOW):
            return ""
        omitted, self._omitted, self._lines = self._omitted, 0, 0
        if not omitted:
            return ""
        return f"{omitted} more lines are omitted: there were more than {MAX_LINES} in {WINDOW:.0f} s"


def shortened(text: str) -> str:
    """The text, or its first MAX_TEXT characters and the number of the others."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} … and {len(text) - MAX_TEXT} more characters"
