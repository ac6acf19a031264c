"""Makes identical error lines of a program rarer: a failure that is retried must not fill the log.

The first line is written at once. The same line is written again when PAUSES[0] seconds have passed since it was last
written, then after PAUSES[1] and so on, each time with the number of lines that were left out. A line that
was not logged for FORGET seconds is new again: a program retries more often than that.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from demos.terminal.interfaces import Clock

# Seconds between two identical lines; the last pause is repeated.
PAUSES = (10.0, 60.0, 600.0)

# Seconds after which a line is forgotten, and the most lines that are remembered.
FORGET = 60.0
MAX_REMEMBERED = 100


@dataclass
class _Line:
    """A line: when it was last written and last attempted, its number of writings, and the lines omitted since then."""

    written: float
    attempted: float
    writings: int = 1
    omitted: int = 0


class Repeats:
    """Remembers the error lines of one program."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    def admit(self, text: str) -> str | None:
        """The line to write: the text, and what was left out before it; None when it is left out now."""
        now = self._clock.monotonic()
        line = self._lines.get(text)
        if line is None or now - line.attempted >= FORGET:
            self._lines[text] = _Line(now, now)
            if len(self._lines) > MAX_REMEMBERED:
                self._lines.popitem(last=False)
            return text
        line.attempted = now
        pause = PAUSES[min(line.writings, len(PAUSES)) - 1]
        if now - line.written < pause:
            line.omitted += 1
            return None
        omitted, seconds = line.omitted, now - line.written
        line.written, line.omitted = now, 0
        line.writings += 1
        return f"{text} (the same {omitted} more times in {seconds:.0f} s)" if omitted else text
