"""What the events of a template server and its client add up to: templates made and applied, and their lags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Tally:
    """Takes events. A template is identified by the checksum of its message.

    The events of one process come in their order, those of both in any order: the client may have applied a template
    before the server's report that it has made it is known.
    """

    def __init__(self) -> None:
        self.port = 0
        self.made = 0
        self.applied = 0
        self.bytes = 0
        # The changes that the newest template contains; None before the first template.
        self.changes: int | None = None
        self.lags: list[float] = []
        self._newest: int | None = None
        self._applied: int | None = None
        self._times: dict[int, int] = {}
        # When the client applied templates that the server has not reported yet.
        self._early: dict[int, list[int]] = {}

    @property
    def newest_is_applied(self) -> bool:
        """Whether the client's template is the server's newest."""
        return self._newest is not None and self._applied == self._newest

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event of the server or the client."""
        if event["kind"] == "listening":
            self.port = event["port"]
        elif event["kind"] == "created":
            self._newest, self.changes, self.bytes = event["crc"], event["changes"], event["bytes"]
            self._times.setdefault(event["crc"], event["t"])
            self.made = len(self._times)
            for time in self._early.pop(event["crc"], ()):
                self._add_lag(event["crc"], time)
        elif event["kind"] == "applied":
            self.applied += 1
            self._applied = event["crc"]
            if event["crc"] in self._times:
                self._add_lag(event["crc"], event["t"])
            else:
                self._early.setdefault(event["crc"], []).append(event["t"])

    def _add_lag(self, crc: int, time: int) -> None:
        self.lags.append((time - self._times[crc]) / 1e6)
