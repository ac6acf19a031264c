"""What the events of an indicator server and its clients add up to: rows, streams and lags.

The lag of a row is the time from its bar's close at the server until a client has drawn it. Rows of the history have
none. Events of different processes come in any order; the result is the same for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SERVER = "server"


@dataclass
class Client:
    """What is known of one client: its newest row, and when it has drawn each row that it was the newest with."""

    name: str
    stream: str = ""
    seq: int = 0
    drawn: dict[tuple[str, int], int] = field(default_factory=dict)


class Tally:
    """Takes events; times are nanoseconds."""

    def __init__(self, clients: Sequence[str]) -> None:
        self.port = 0
        self.stream = ""
        self.seq = 0
        self.clients = {name: Client(name) for name in clients}
        self._closed: dict[tuple[str, int], int] = {}

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take the next event of a process."""
        kind = event["kind"]
        if kind == "serving":
            self.port = event["port"]
        elif kind in ("stream", "bar"):
            self.stream, self.seq = event["stream"], event["seq"]
            if kind == "bar":
                self._closed[self.stream, self.seq] = event["t"]
        elif kind == "applied":
            client = self.clients[name]
            client.stream, client.seq = event["stream"], event["seq"]
            client.drawn.setdefault((client.stream, client.seq), event["t"])

    def is_current(self, name: str) -> bool:
        """Whether the client has the server's newest row."""
        client = self.clients[name]
        return bool(self.stream) and (client.stream, client.seq) == (self.stream, self.seq)

    def lags(self, name: str) -> list[float]:
        """The lags of a client in milliseconds."""
        drawn = self.clients[name].drawn
        return [(drawn[row] - closed) / 1e6 for row, closed in self._closed.items() if row in drawn]
