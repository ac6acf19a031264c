"""What the events of a provider and its copiers add up to: messages, merged trades, positions and lags.

The lag of a copied trade is the time from the provider's deal to the copier's. A message carries the position after all
trades so far: it announces those that no earlier message to this copier has announced. Several trades in one message
are merged, and the lag counts from the earliest of them. A copier may also read several messages at once, and its deal
may be known before the provider's report that it has sent the message, since both come from different files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SERVER = "server"

# A message: the connection's port and the message's number on it.
Key = tuple[int, int]


@dataclass
class Copy:
    """What a client did about messages that it had read: a deal at ``time``, or None when there was nothing to trade.

    ``unsent`` are those of the messages that the server has not reported as sent yet; ``since`` is the time of the
    earliest trade that the others announced.
    """

    time: int | None
    unsent: set[Key]
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
    # Trades that no message has announced yet: the trade's number and time.
    unannounced: deque[tuple[int, int]] = field(default_factory=deque)
    # For each message sent and not copied, the time of the earliest trade that it announced.
    sent_times: dict[Key, int | None] = field(default_factory=dict)
    # The same time for messages of an earlier connection, which will not be copied.
    lost_since: int | None = None
    # The messages read since the last copy.
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
        # The client of each port; and what the server reported about ports of unknown clients.
        self._owners: dict[int, Client] = {}
        self._unowned: dict[int, list[Mapping[str, Any]]] = {}

    @property
    def received(self) -> int:
        """Messages parsed by all clients."""
        return sum(client.received for client in self.clients.values())

    @property
    def merged(self) -> int:
        """Trades that were announced together with a later one, over all clients."""
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
            self._take_server_event(event)
        else:
            self._take_client_event(self.clients[name], event)

    def _take_server_event(self, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            self._trades_before = self.trades
        elif kind == "listening":
            self.port = event["port"]
        elif kind == "deal":
            self.trades += 1
            for client in self.clients.values():
                client.unannounced.append((self.trades, event["t"]))
        elif kind in ("accepted", "sent"):
            self.sent += kind == "sent"
            owner = self._owners.get(event["client"])
            if owner:
                self._take_connection_event(owner, event)
            else:
                self._unowned.setdefault(event["client"], []).append(event)

    def _take_connection_event(self, client: Client, event: Mapping[str, Any]) -> None:
        """Take what the server did on a client's connection."""
        if event["kind"] == "accepted":
            client.connected = True
            _begin_connection(client)
        else:
            _announce(client, (event["client"], event["number"]), self._trades_before + event["trades"])

    def _take_client_event(self, client: Client, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            client.reading = set()
        elif kind == "connecting":
            self._owners[event["port"]] = client
            # The server may accept before the client has reported that it connects.
            for earlier in self._unowned.pop(event["port"], ()):
                self._take_connection_event(client, earlier)
        elif kind == "received":
            client.received += 1
            client.reading.add((event["port"], event["number"]))
        elif kind in ("deal", "synced") and client.reading:
            client.copies.append(Copy(event["t"] if kind == "deal" else None, client.reading))
            client.reading = set()
            for key in client.copies[-1].unsent & client.sent_times.keys():
                _match_copy(client, key)


def _begin_connection(client: Client) -> None:
    """What the previous connection announced and the client did not copy is still to be copied."""
    lost = [since for since in (client.lost_since, *client.sent_times.values()) if since is not None]
    client.lost_since = min(lost, default=None)
    client.sent_times.clear()
    client.copies.clear()


def _announce(client: Client, key: Key, trades: int) -> None:
    """Take a message that was sent; its position is the one after this many trades."""
    client.sent += 1
    since, client.lost_since = client.lost_since, None
    announced = 0
    while client.unannounced and client.unannounced[0][0] <= trades:
        _, time = client.unannounced.popleft()
        since = time if since is None else min(since, time)
        announced += 1
    client.merged += max(announced - 1, 0)
    client.sent_times[key] = since
    _match_copy(client, key)


def _match_copy(client: Client, key: Key) -> None:
    """Match a message that was sent with the copy that was made of it; with its last message a copy has its lag."""
    for copy in client.copies:
        if key in copy.unsent:
            copy.unsent.remove(key)
            times = [time for time in (copy.since, client.sent_times.pop(key)) if time is not None]
            copy.since = min(times, default=None)
            if not copy.unsent and copy.time is not None and copy.since is not None:
                client.lags.append((copy.time - copy.since) / 1e6)
    client.copies = [copy for copy in client.copies if copy.unsent]
