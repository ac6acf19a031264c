"""What the events of a provider and its copiers add up to: messages, merged trades, positions and lags.

The lag of a copied trade is the time from the provider's deal to the copier's. A message carries the position after all
trades so far: it announces those that no earlier message to this copier has announced. Several trades in one message
are merged, and the lag counts from the earliest of them. A copier may also read several messages at once. The parts of
a lag are the times from the trade until the newest of these messages was sent, until it was read, and until the copy.
A provider reports a message after it was sent, so its copier may already have read it then.

The events of one process come in their order, those of different processes in any order: a copier's deal may be known
before the provider's report that it has sent the message. The result is the same for every order. Each side of a
connection is recorded separately in a Link: what the provider has done on it, and what the copier has done. When both
sides have reported the connection, the link is joined: from then on the messages count for the copier. The sides are
matched by the copier's port; when a copier gets a port again, its first connection on one side is the first on the
other. Systems do not give a port to another process so soon. If one did, lags and merged trades would be counted for
the wrong copier; the positions, which decide about the job's result, come from the accounts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SERVER = "server"


@dataclass
class Copy:
    """What a client did about messages that it had read: a deal at ``time``, or None when there was nothing to trade.

    ``unsent`` are the numbers of those messages that the server has not reported as sent yet; ``since`` is the time of
    the earliest trade that the others announced. ``newest`` is the number of the newest message, ``read_at`` its time.
    """

    time: int | None
    unsent: set[int]
    newest: int
    read_at: int
    since: int | None = None


@dataclass(eq=False)
class Link:
    """A connection. ``client`` is None until the client has reported it, ``accepted`` until the server has."""

    client: Client | None = None
    accepted: bool = False
    # The server's messages, how many trades the last of them includes, and those from before the link was joined.
    sent: int = 0
    trades: int = 0
    unjoined: list[tuple[int, int]] = field(default_factory=list)
    sent_at: dict[int, int] = field(default_factory=dict)
    # The messages that the client has read.
    received: int = 0
    # For each message sent and not copied, the time of the earliest trade that it announced.
    since: dict[int, int | None] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)


@dataclass(eq=False)
class Client:
    """What is known of one client."""

    name: str
    connected: bool = False
    sent: int = 0
    received: int = 0
    merged: int = 0
    lags: list[float] = field(default_factory=list)
    # For each lag its parts: until the message was sent, until it was read, until the copy.
    parts: list[tuple[float, float, float]] = field(default_factory=list)
    # Trades that no message has announced yet: the trade's number and time.
    unannounced: deque[tuple[int, int]] = field(default_factory=deque)
    # The newest link that the client has reported, and the newest one that is joined.
    link: Link = field(default_factory=Link)
    joined: Link = field(default_factory=Link)
    # The earliest trade that was announced on an earlier link and not copied.
    lost_since: int | None = None
    # The numbers of the messages that were read on the newest link since the last copy, and the time of the last one.
    reading: set[int] = field(default_factory=set)
    read_at: int = 0


class Tally:
    """Takes events. Times are nanoseconds, lags milliseconds, positions text by symbol."""

    def __init__(self, clients: Sequence[str]) -> None:
        self.trades = 0
        self.sent = 0
        self.port = 0
        # Whether the server's strategy has reported that it trades no more.
        self.paused = False
        self.clients = {name: Client(name) for name in clients}
        self.positions: dict[str, dict[str, str]] = {name: {} for name in (SERVER, *clients)}
        self._trades_before = 0
        # By port: the links that only the server, or only a client, has reported; and the server's present link.
        self._accepted: dict[int, deque[Link]] = {}
        self._connected: dict[int, deque[Link]] = {}
        self._server_links: dict[int, Link] = {}

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

    def parts(self) -> list[tuple[float, float, float]]:
        """The parts of the lags of all clients."""
        return [parts for client in self.clients.values() for parts in client.parts]

    def agreed(self) -> bool:
        """Whether each client has read the message that announces the last trade, and has the server's position."""
        server = self.positions[SERVER]
        return all(self._is_current(client) for client in self.clients.values()) and all(
            self.positions[name] == server for name in self.clients
        )

    def finish(self) -> None:
        """There are no more events."""

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take the next event of the server or of a client."""
        if event["kind"] in ("started", "deal"):
            self.positions[name][event["symbol"]] = event["position"]
        if name == SERVER:
            self._take_server_event(event)
        else:
            self._take_client_event(self.clients[name], event)

    def _is_current(self, client: Client) -> bool:
        link = client.link
        return link is client.joined and link.received == link.sent > 0 and link.trades == self.trades

    def _take_server_event(self, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            self._trades_before = self.trades
            self.paused = False
        elif kind == "paused":
            self.paused = event["paused"]
        elif kind == "listening":
            self.port = event["port"]
        elif kind == "deal":
            self.trades += 1
            for client in self.clients.values():
                client.unannounced.append((self.trades, event["t"]))
        elif kind == "accepted":
            link = self._server_links[event["client"]] = _other_side(event["client"], self._connected, self._accepted)
            link.accepted = True
            _join(link)
        elif kind == "sent":
            self.sent += 1
            link = self._server_links[event["client"]]
            link.sent_at[event["number"]] = event["t"]
            _send(link, event["number"], self._trades_before + event["trades"])

    def _take_client_event(self, client: Client, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        if kind == "started":
            client.reading = set()
        elif kind == "connected":
            client.reading = set()
            client.link = _other_side(event["port"], self._accepted, self._connected)
            client.link.client = client
            _join(client.link)
        elif kind == "received":
            client.connected = True
            client.received += 1
            client.link.received += 1
            client.reading.add(event["number"])
            client.read_at = event["t"]
        elif kind in ("deal", "synced") and client.reading:
            link = client.link
            time = event["t"] if kind == "deal" else None
            link.copies.append(Copy(time, client.reading, max(client.reading), client.read_at))
            client.reading = set()
            for number in link.copies[-1].unsent & link.since.keys():
                _match_copy(client, link, number)


def _other_side(port: int, theirs: dict[int, deque[Link]], ours: dict[int, deque[Link]]) -> Link:
    """The earliest link of this port that only the other side has reported; else a new one, which waits for it."""
    waiting = theirs.get(port)
    if waiting:
        return waiting.popleft()
    link = Link()
    ours.setdefault(port, deque()).append(link)
    return link


def _join(link: Link) -> None:
    """Join a link that both sides have reported. What the link before announced is still to be copied."""
    client = link.client
    if client is None or not link.accepted:
        return
    client.connected = True
    lost = [since for since in (client.lost_since, *client.joined.since.values()) if since is not None]
    client.lost_since = min(lost, default=None)
    client.joined = link
    for number, trades in link.unjoined:
        _announce(client, link, number, trades)
    link.unjoined.clear()


def _send(link: Link, number: int, trades: int) -> None:
    """Take a message that was sent; its position is the one after this many trades."""
    link.sent += 1
    link.trades = trades
    if link.client is None:
        link.unjoined.append((number, trades))
    else:
        _announce(link.client, link, number, trades)


def _announce(client: Client, link: Link, number: int, trades: int) -> None:
    client.sent += 1
    since, client.lost_since = client.lost_since, None
    announced = 0
    while client.unannounced and client.unannounced[0][0] <= trades:
        _, time = client.unannounced.popleft()
        since = time if since is None else min(since, time)
        announced += 1
    client.merged += max(announced - 1, 0)
    link.since[number] = since
    _match_copy(client, link, number)


def _match_copy(client: Client, link: Link, number: int) -> None:
    """Match a message that was sent with the copy that was made of it; with its last message a copy has its lag."""
    for copy in link.copies:
        if number in copy.unsent:
            copy.unsent.remove(number)
            times = [time for time in (copy.since, link.since.pop(number)) if time is not None]
            copy.since = min(times, default=None)
            if not copy.unsent and copy.time is not None and copy.since is not None:
                client.lags.append((copy.time - copy.since) / 1e6)
                times = [copy.since, link.sent_at[copy.newest], copy.read_at, copy.time]
                sending, network, trading = ((end - begin) / 1e6 for begin, end in pairwise(times))
                client.parts.append((sending, network, trading))
    link.copies = [copy for copy in link.copies if copy.unsent]
    # Each message is copied once.
    if not link.copies:
        link.sent_at = {sent: time for sent, time in link.sent_at.items() if sent in link.since or sent > number}
