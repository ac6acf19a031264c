"""How long an optimisation still takes, from the points that this run has calculated."""

from __future__ import annotations


class Pace:
    """Times are milliseconds of the caller's clock."""

    def __init__(self, points: int) -> None:
        """``points``: of the whole optimisation."""
        self._points = points
        self._first: tuple[int, int] | None = None

    def remaining_ms(self, done: int, now: int) -> int | None:
        """The time until all points are calculated at the mean pace since the first call; None while it is unknown."""
        if self._first is None:
            self._first = (done, now)
        before, since = self._first
        if done >= self._points:
            return 0
        if done <= before:
            return None
        return (self._points - done) * (now - since) // (done - before)


def time_text(milliseconds: int | None) -> str:
    """``2 h 5 min``, ``3 min 10 s``, ``12 s``; ``unknown``."""
    if milliseconds is None:
        return "unknown"
    seconds = -(-milliseconds // 1000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
