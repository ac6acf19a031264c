"""What the events of a signal server and its clients add up to: messages, merged trades, positions and lags."""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any

SERVER = "server"

# Another process's line may be some moments on its way into its file: events are put into order for so long (seconds).
ORDERING = 0.1

# A message: the connection's port and the message's number on it.
Key = tuple[int, int]


class Timeline:
    """Reads files of events while they grow, and gives the events of all in order of time."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._files: dict[str, IO[bytes]] = {}
        self._rests = dict.fromkeys(paths, b"")
        self._events: list[tuple[int, int, str, dict[str, Any]]] = []
        self._count = 0

    def until(self, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events, with their file's name, up to this moment of the clock that all processes share."""
        for name, path in self._paths.items():
            if name not in self._files and path.exists():
                self._files[name] = path.open("rb")
        for name, file in self._files.items():
            *lines, self._rests[name] = (self._rests[name] + file.read()).split(b"\n")
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


@dataclass
class Copy:
    """What a client did about messages that it had read: a deal at ``time``, or None when nothing was to be done."""

    time: int | None
    missing: set[Key]
    since: int | None = None


@dataclass
class Client:
    """What is known of one client."""

    name: str
    connected: bool = False
    sent: int = 0
    received: int = 0
    merged: int = 0
    lags: list[float] = field(default_factory=list)
    # Trades not yet announced to it, and for each message under way the earliest trade that it announced.
    unannounced: deque[tuple[int, int]] = field(default_factory=deque)
    under_way: dict[Key, int | None] = field(default_factory=dict)
    carried: int | None = None
    reading: set[Key] = field(default_factory=set)
    copies: list[Copy] = field(default_factory=list)


class Tally:
    """Takes events in order of time. Times are nanoseconds, lags milliseconds, positions text by symbol."""

    def __init__(self, clients: Sequence[str]) -> None:
        self.trades = 0
        self.sent = 0
        self.port = 0
        self.clients = {name: Client(name) for name in clients}
        self.positions: dict[str, dict[str, str]] = {name: {} for name in (SERVER, *clients)}
        self._trades_before = 0
        self._owners: dict[int, Client] = {}

    @property
    def received(self) -> int:
        """Messages parsed by all clients."""
        return sum(client.received for client in self.clients.values())

    @property
    def merged(self) -> int:
        """Trades that a client was not told of one by one, over all clients."""
        return sum(client.merged for client in self.clients.values())

    def lags(self) -> list[float]:
        """The lags of all clients."""
        return [lag for client in self.clients.values() for lag in client.lags]

    def agreed(self) -> bool:
        """Whether each client has the server's position, and has read all that was sent."""
        server = self.positions[SERVER]
        return self.received == self.sent and all(self.positions[name] == server for name in self.clients)

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take the next event of the server or of a client."""
        if event["kind"] in ("started", "deal"):
            self.positions[name][event["symbol"]] = event["position"]
        if name == SERVER:
            self._take_servers(event)
        else:
            self._take_clients(self.clients[name], event)

    def _take_servers(self, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            self._trades_before = self.trades
        elif kind == "listening":
            self.port = event["port"]
        elif kind == "deal":
            self.trades += 1
            for client in self.clients.values():
                client.unannounced.append((self.trades, event["t"]))
        elif kind == "accepted":
            owner = self._owners.get(event["client"])
            if owner:
                owner.connected = True
                self._reconnected(owner)
        elif kind == "sent":
            self.sent += 1
            owner = self._owners.get(event["client"])
            if owner:
                self._announce(owner, (event["client"], event["number"]), self._trades_before + event["trades"])

    def _take_clients(self, client: Client, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            client.reading = set()
        elif kind == "connecting":
            self._owners[event["port"]] = client
        elif kind == "received":
            client.received += 1
            client.reading.add((event["port"], event["number"]))
        elif kind in ("deal", "synced") and client.reading:
            client.copies.append(Copy(event["t"] if kind == "deal" else None, client.reading))
            client.reading = set()
            for key in client.copies[-1].missing & client.under_way.keys():
                _settle(client, key)

    def _reconnected(self, client: Client) -> None:
        """What was announced on the connection before and not copied is still to be copied."""
        lost = [since for since in (client.carried, *client.under_way.values()) if since is not None]
        client.carried = min(lost, default=None)
        client.under_way.clear()
        client.copies.clear()

    def _announce(self, client: Client, key: Key, trades: int) -> None:
        """A message that tells of this many trades was sent."""
        client.sent += 1
        since, client.carried = client.carried, None
        told = 0
        while client.unannounced and client.unannounced[0][0] <= trades:
            _, time = client.unannounced.popleft()
            since = time if since is None else min(since, time)
            told += 1
        client.merged += max(told - 1, 0)
        client.under_way[key] = since
        _settle(client, key)


def _settle(client: Client, key: Key) -> None:
    """A message is known to be sent: it may be the one that a copy still waits for."""
    for copy in client.copies:
        if key in copy.missing:
            copy.missing.remove(key)
            times = [time for time in (copy.since, client.under_way.pop(key)) if time is not None]
            copy.since = min(times, default=None)
            if not copy.missing and copy.time is not None and copy.since is not None:
                client.lags.append((copy.time - copy.since) / 1e6)
    client.copies = [copy for copy in client.copies if copy.missing]


def lag_summary(lags: Sequence[float]) -> dict[str, float | None]:
    """Median and maximum in milliseconds; None without a single lag."""
    return {
        "median": round(median(lags), 3) if lags else None,
        "max": round(max(lags), 3) if lags else None,
    }
