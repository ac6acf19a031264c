"""The times of the copier's timer events, in milliseconds."""

from __future__ import annotations

from typing import NamedTuple


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
