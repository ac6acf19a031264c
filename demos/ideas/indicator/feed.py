"""The server's side of the feed: the rows of one stream, and what each client is sent. No sockets, no clock.

A client gets the server's hello after its own, then the newest row whenever it is newer than what it was sent. Rows in
between are not sent to a slow client: it sees the gap in the numbers and asks for them. One request of a client is
answered at a time; a later one replaces it. So what waits for a client never grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demos.ideas.indicator.calculations import Bar
from demos.ideas.indicator.indicators import Indicators
from demos.ideas.indicator.protocol import (
    FROM_CLIENT,
    FROM_SERVER,
    PAGE_ROWS,
    VERSION,
    ClientHello,
    History,
    Page,
    ServerHello,
    Values,
)
from demos.ideas.indicator.series import Row, Series
from demos.ideas.messages import Error, MessageError, reported

# A client may ask for the whole history twice in this time, and MOST_EXTRA pages more.
_WINDOW_MS = 60_000
_MOST_EXTRA = 100


@dataclass
class _Client:
    """``greeted``: its hello has arrived; ``told``: the server's was sent. ``sent``: the seq of the last row."""

    address: str
    greeted: bool = False
    told: bool = False
    sent: int = 0
    wanted: int | None = None
    counted_since: int = 0
    requests: int = 0


class Feed:
    """See the head of this module; it is the handler of the server's hub."""

    def __init__(
        self,
        stream: str,
        symbol: str,
        period: str,
        indicators: Indicators,
        *,
        keep: int,
        name: str,
        report: Callable[[str], object],
    ) -> None:
        """``keep``: the number of rows that can be requested; ``name``: the server's, in its hello."""
        self.stream = stream
        self.series = Series(keep)
        self.indicators = indicators
        self._symbol, self._period, self._name = symbol, period, name
        self._report = report
        self._most_requests = 2 * (keep // PAGE_ROWS + 1) + _MOST_EXTRA
        self._clients: dict[int, _Client] = {}
        self._newest = (0, "")

    def take(self, bar: Bar) -> Row:
        """Calculate the row of the next closed bar."""
        row = self.indicators.take(bar)
        self.series.append(row)
        return row

    def opened(self, client: int, address: str, now: int) -> None:
        """See Handler."""
        self._clients[client] = _Client(address, counted_since=now)

    def closed(self, client: int, reason: str, now: int) -> None:
        """See Handler."""
        gone = self._clients.pop(client)
        if gone.greeted:
            self._report(f"client {client} of {gone.address} has left: {reason}")

    def received(self, client: int, text: str, now: int) -> None:
        """See Handler."""
        sender = self._clients[client]
        message = FROM_CLIENT.decode(text)
        if isinstance(message, Error):
            raise reported(message)
        if isinstance(message, ClientHello):
            if sender.greeted:
                raise MessageError("hello", "a second hello")
            sender.greeted = True
            self._report(f"client {client} of {sender.address} is {message.client}")
        elif not sender.told:
            raise MessageError("hello", "history was requested before the server's hello")
        else:
            self._take_request(sender, message, now)

    def next_message(self, client: int, now: int) -> str | None:
        """See Handler."""
        receiver = self._clients[client]
        series = self.series
        if not receiver.greeted:
            return None
        if not receiver.told:
            receiver.told, receiver.sent = True, series.last
            return FROM_SERVER.encode(self._hello())
        if receiver.wanted is not None:
            # Rows that were removed since the request are left out.
            first = max(receiver.wanted, series.first)
            receiver.wanted = None
            return FROM_SERVER.encode(Page(self.stream, first, series.last, series.rows(first, PAGE_ROWS)))
        if receiver.sent == series.last:
            return None
        receiver.sent = series.last
        return self._newest_text()

    def _hello(self) -> ServerHello:
        series = self.series
        lines = self.indicators.lines
        return ServerHello(
            VERSION, self._name, self.stream, self._symbol, self._period, series.first, series.last, lines
        )

    def _newest_text(self) -> str:
        """The message with the newest row, which is the same for all clients."""
        if self._newest[0] != self.series.last:
            message = Values(self.stream, self.series.last, self.series.newest)
            self._newest = (self.series.last, FROM_SERVER.encode(message))
        return self._newest[1]

    def _take_request(self, sender: _Client, request: History, now: int) -> None:
        if request.stream != self.stream:
            raise MessageError("stream", f"this server has the stream {self.stream}, not {request.stream}")
        if request.first > self.series.last:
            raise MessageError("unexpected", f"there is no row {request.first} yet; the newest is {self.series.last}")
        if now - sender.counted_since >= _WINDOW_MS:
            sender.counted_since, sender.requests = now, 0
        sender.requests += 1
        if sender.requests > self._most_requests:
            raise MessageError("flood", f"more than {self._most_requests} requests in {_WINDOW_MS // 1000} s")
        sender.wanted = request.first
