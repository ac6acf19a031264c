"""The events that several child processes write to files, merged in order of time; and lags between events."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

# A line of another process can take a moment to reach its file: younger events wait this long (seconds).
ORDERING = 0.1


class Timeline:
    """Reads the event files while they grow, and returns the events of all files in order of time."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._files: dict[str, IO[bytes]] = {}
        # The beginning of a line whose end has not been written yet.
        self._partial_lines = dict.fromkeys(paths, b"")
        self._events: list[tuple[int, int, str, dict[str, Any]]] = []
        self._count = 0

    def until(self, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events up to this time of the system-wide monotonic clock, each with the name of its file."""
        for name, path in self._paths.items():
            if name not in self._files and path.exists():
                self._files[name] = path.open("rb")
        for name, file in self._files.items():
            *lines, self._partial_lines[name] = (self._partial_lines[name] + file.read()).split(b"\n")
            for line in lines:
                event = json.loads(line)
                self._count += 1
                heapq.heappush(self._events, (event["t"], self._count, name, event))
        while self._events and self._events[0][0] <= seconds * 1e9:
            _, _, name, event = heapq.heappop(self._events)
            yield name, event

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def lag_summary(lags: Sequence[float]) -> dict[str, float | None]:
    """Median and maximum in milliseconds; None when there is no lag."""
    return {
        "median": round(median(lags), 3) if lags else None,
        "max": round(max(lags), 3) if lags else None,
    }


def lag_text(summary: Mapping[str, float | None]) -> str:
    """``median 203 ms, max 410 ms``; ``-`` when there is no lag."""
    middle, most = summary["median"], summary["max"]
    return "-" if middle is None or most is None else f"median {middle:.0f} ms, max {most:.0f} ms"
