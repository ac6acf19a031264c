"""What the events of a template server and its client add up to: templates made and applied, and their lags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Tally:
    """Takes events in order of time. A template is known by the checksum of its message."""

    def __init__(self) -> None:
        self.port = 0
        self.made = 0
        self.applied = 0
        self.bytes = 0
        # The changes that the newest template contains; None before the first template.
        self.changes: int | None = None
        self.newest_is_applied = False
        self.lags: list[float] = []
        self._newest: int | None = None
        self._times: dict[int, int] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event of the server or the client."""
        if event["kind"] == "listening":
            self.port = event["port"]
        elif event["kind"] == "created":
            self._newest, self.changes, self.bytes = event["crc"], event["changes"], event["bytes"]
            self.newest_is_applied = False
            self._times.setdefault(event["crc"], event["t"])
            self.made = len(self._times)
        elif event["kind"] == "applied":
            self.applied += 1
            self.newest_is_applied = event["crc"] == self._newest
            if event["crc"] in self._times:
                self.lags.append((event["t"] - self._times[event["crc"]]) / 1e6)
