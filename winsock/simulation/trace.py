"""The trace of a simulated network: one line of text per event, the same in each run with the same seed.

A line has the simulated time in seconds, the host, and what happened. It contains nothing that differs between two
runs: no time of day, no id of an object, no number of a real process or descriptor, and no payload.
"""

from __future__ import annotations

from collections import deque

from .units import SECOND

__all__ = ["MOST_LINES", "Trace"]

# The last lines that are kept: about 20 MB. A day of a busy network has more events than fit into memory.
MOST_LINES = 200_000


class Trace:
    """The last events of a network."""

    def __init__(self, most_lines: int | None = MOST_LINES) -> None:
        """`most_lines` None keeps all."""
        self._events: deque[tuple[int, str, str]] = deque(maxlen=most_lines)
        self.count = 0  # of all events, also of those that are not kept any more

    def record(self, time: int, host: str, text: str) -> None:
        """Add an event at a time in nanoseconds; host "" is the network itself."""
        self.count += 1
        self._events.append((time, host, text))

    def lines(self) -> list[str]:
        """The events that are kept, the earliest first."""
        lost = self.count - len(self._events)
        head = [f"# {lost} earlier events are not kept"] if lost else []
        return head + [
            f"{time // SECOND}.{time % SECOND:09} {host or 'network'}: {text}" for time, host, text in self._events
        ]

    def text(self) -> str:
        """All lines, each with a line end."""
        return "".join(f"{line}\n" for line in self.lines())
