"""A client of a hub: its stream, and what it speaks at present: HTTP, or a WebSocket."""

from __future__ import annotations

from dataclasses import dataclass

from demos.wire.channel import PEER_GONE, RECEIVE_FAILED, Stream
from demos.wire.web_server import WebConnection
from demos.wire.websocket import WebSocket


@dataclass(eq=False, slots=True)
class Client:
    """A connection. ``has_more``: an event has sent MOST_PUMPED messages, and there may be more."""

    number: int
    socket: int
    host: str
    name: str
    since: int
    stream: Stream
    web: WebConnection
    websocket: WebSocket | None = None
    heard: bool = False
    left: bool = False
    has_more: bool = False
    reason: str = ""
    interest: tuple[bool, bool] = (False, False)

    @property
    def wants_read(self) -> bool:
        """Whether what arrives can be handled now."""
        return self.stream.wants_read and (self.websocket is not None or self.web.wants_read)

    @property
    def lost_reason(self) -> str:
        """Why the connection has failed, for the log; "" when it has not, or when the client has disconnected.

        A client that ends with messages unread resets the connection; so many programs end.
        """
        reason = self.stream.reason
        return "" if reason == PEER_GONE or reason.startswith(RECEIVE_FAILED) else reason or self.web.problem
