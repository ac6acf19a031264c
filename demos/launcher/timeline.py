"""The events that several child processes write to files; and lags between events.

The events of one file come in the order in which its process has recorded them. Between files there is no such order:
a process may be stopped by the scheduler between an action and the record of it. So a job's result must be the same for
every interleaving of the files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

from demos.terminal.runtime.log import FULL

# How each event begins; see demos.terminal.runtime.log.EventFile.
_BEGIN = b'{"t":'


class Timeline:
    """Reads the event files while they grow."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._files: dict[str, IO[bytes]] = {}
        # The beginning of a line whose end has not been written yet.
        self._partial_lines = dict.fromkeys(paths, b"")

    def new_events(self) -> list[tuple[str, dict[str, Any]]]:
        """The events since the last call, by time, each with the name of its file.

        Errors: ValueError when a line is not an event, with the file's name and the line; or when the file was full,
        so that events are missing.
        """
        events = []
        for name, path in self._paths.items():
            if name not in self._files and path.exists():
                self._files[name] = path.open("rb")
        for name, file in self._files.items():
            *lines, self._partial_lines[name] = (self._partial_lines[name] + file.read()).split(b"\n")
            events += [(name, _event(name, line)) for line in lines]
        # The sort is stable: a file's own order stays.
        return sorted(events, key=lambda event: event[1]["t"])

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def _event(name: str, line: bytes) -> dict[str, Any]:
    # A process that was killed may leave a part of a line; the process that replaces it continues that line.
    try:
        event: dict[str, Any] = json.loads(line[max(line.rfind(_BEGIN), 0) :])
    except ValueError:
        raise ValueError(f"{name} has written an invalid event: {line[:80]!r}") from None
    if event.get("kind") == FULL:
        raise ValueError(f"{name} has written more events than a file may have; use a shorter job")
    return event


def lag_summary(lags: Sequence[float]) -> dict[str, float | None]:
    """Median, 99th percentile and maximum in milliseconds; None when there is no lag."""
    return {
        "median": round(median(lags), 3) if lags else None,
        "p99": round(sorted(lags)[math.ceil(0.99 * len(lags)) - 1], 3) if lags else None,
        "max": round(max(lags), 3) if lags else None,
    }


def lag_text(summary: Mapping[str, float | None]) -> str:
    """``median 203 ms, max 410 ms``; ``-`` when there is no lag."""
    return _text(summary, {"median": "median", "max": "max"})


def full_lag_text(summary: Mapping[str, float | None]) -> str:
    """``median 1.4 ms, 99% below 3.0 ms, max 12 ms``; ``-`` when there is no lag."""
    return _text(summary, {"median": "median", "p99": "99% below", "max": "max"})


def _text(summary: Mapping[str, float | None], names: Mapping[str, str]) -> str:
    times = {name: summary[key] for key, name in names.items()}
    return ", ".join(f"{name} {_milliseconds(time)}" for name, time in times.items() if time is not None) or "-"


def _milliseconds(time: float) -> str:
    """Below 10 ms with a tenth."""
    return f"{time:.{1 if abs(time) < 9.95 else 0}f} ms"
