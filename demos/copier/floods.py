"""A limit for what a peer can make a program write to its events file."""

from __future__ import annotations

# The events of one kind in one second: twice what a peer of ours causes at the shortest timer.
MOST_EVENTS = 2000

_SECOND_MS = 1000


class EventLimit:
    """Allows MOST_EVENTS in each second, so that no peer can fill the disk."""

    def __init__(self) -> None:
        self._begin = -_SECOND_MS
        self._count = 0

    def allows(self, now: int) -> bool:
        """Whether one more event may be recorded at this time in milliseconds; counts it."""
        if now - self._begin >= _SECOND_MS:
            self._begin, self._count = now, 0
        self._count += 1
        return self._count <= MOST_EVENTS
