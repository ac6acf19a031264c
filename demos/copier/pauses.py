"""The pauses between attempts, in seconds whatever the period of the timer."""

from __future__ import annotations

from typing import NamedTuple

# The longest pause between two attempts, in seconds.
LONGEST_PAUSE = 32


class Moment(NamedTuple):
    """The time of a timer event, and the time since the previous one, in milliseconds."""

    ms: int
    period: int = 1000

    def after(self, seconds: int) -> int:
        """The time in milliseconds after this number of seconds."""
        return self.ms + 1000 * seconds

    def is_due(self, time: float) -> bool:
        """Whether this timer event is the nearest one to the time; timer events are never exactly a period apart."""
        return self.ms + min(self.period, 1000) // 2 >= time


def Backoff(failures: int) -> int:
    """The pause in seconds after this number of failures: 1, 2, 4 … at most LONGEST_PAUSE."""
    return min(1 << min(failures, LONGEST_PAUSE), LONGEST_PAUSE)
