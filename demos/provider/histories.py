"""The rates and lags of the last minutes, which the dashboard draws, from successive overviews."""

from __future__ import annotations

from typing import Any

from demos.provider.overview import Overview

KEPT_MS = 300_000
# Overviews come once a second; a program that makes more of them does not use more memory.
MOST_POINTS = 600

_RATES = ("states", "messages", "bytes")


class History:
    """The points of the last KEPT_MS. ``points`` is a tuple that is replaced, so another thread may read it."""

    def __init__(self) -> None:
        self.points: tuple[dict[str, Any], ...] = ()
        self._last: Overview | None = None

    def add(self, overview: Overview) -> None:
        """Add the point of an overview. Rates are per second since the overview before it.

        There is no point for the first overview, nor after the counters or the clock have fallen.
        """
        last, self._last = self._last, overview
        if last is None:
            return
        elapsed = overview["time"] - last["time"]
        before, after = last["counters"], overview["counters"]
        if elapsed <= 0 or any(after[name] < before[name] for name in _RATES):
            self.points = tuple(point for point in self.points if point["time"] < overview["time"])
            return
        totals = overview["totals"]
        point = {
            "time": overview["time"],
            **{name: round((after[name] - before[name]) * 1000 / elapsed, 2) for name in _RATES},
            "lag_ms": totals["lag_ms"],
            "lag_max_ms": totals["lag_max_ms"],
            "subscribers": totals["subscribers"],
        }
        kept = [each for each in self.points if each["time"] > point["time"] - KEPT_MS]
        self.points = (*kept[-MOST_POINTS + 1 :], point)
