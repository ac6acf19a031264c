"""A client of the provider's port: its stream, and what it speaks at present: HTTP, or a WebSocket with a session."""

from __future__ import annotations

from dataclasses import dataclass

from demos.provider.operator_session import OperatorSession
from demos.provider.overview import SubscriberRow
from demos.provider.session import Session
from demos.provider.topics import Topic
from demos.wire.channel import PEER_GONE, RECEIVE_FAILED, Stream
from demos.wire.tls import NO_CLOSE_NOTIFY
from demos.wire.web_server import WebConnection
from demos.wire.websocket import WebSocket


@dataclass(eq=False, slots=True)
class Connection:
    """A connection of an expert. Times are milliseconds since 1970.

    ``number`` is unique in the process, ``host`` is the IP address, and ``name`` also has the port. The stream owns
    ``socket`` and closes it. ``interest`` is what the socket is registered for: to read, to write. ``check_at`` is in
    milliseconds of the monotonic clock: a timer event before it has nothing to do. It is 0 after any activity, so that
    the operator sees its result. A session has a ``topic``.
    """

    number: int
    socket: int
    host: str
    name: str
    since: int
    stream: Stream
    web: WebConnection
    websocket: WebSocket | None = None
    topic: Topic | None = None
    session: Session | None = None
    operator: OperatorSession | None = None
    interest: tuple[bool, bool] = (False, False)
    ending: str = ""
    check_at: int = 0

    @property
    def wants_read(self) -> bool:
        """Whether what arrives can be handled now."""
        return self.stream.wants_read and (self.websocket is not None or self.web.wants_read)


@dataclass(slots=True)
class Counters:
    """What an expert has done since its start, as in overview.Counters: totals that only rise."""

    messages: int = 0
    bytes: int = 0
    logins: int = 0
    refusals: int = 0
    disconnects: int = 0


def lost_reason(connection: Connection) -> str:
    """Why the stream has ended, for the log; "" when the client has simply disconnected."""
    reason = connection.stream.reason
    if reason == PEER_GONE:
        return ""
    # Many programs end a connection in a hurry when they have all answers: no data can be missing.
    if connection.websocket is None and connection.web.is_idle:
        return "" if reason == NO_CLOSE_NOTIFY or reason.startswith(RECEIVE_FAILED) else reason
    return reason


def subscriber_row(connection: Connection, expert: int) -> SubscriberRow | None:
    """What the operator sees of a subscriber; None for other connections, and after the session's end."""
    session = connection.session
    if session is None or session.grant is None or session.subscription is None:
        return None
    progress = session.progress
    return SubscriberRow(
        connection.number,
        session.grant.user.login,
        connection.name,
        session.client,
        connection.since,
        session.subscription.sent_seq,
        progress.acked,
        progress.lag_ms,
        progress.held,
        progress.wanted,
        connection.stream.unsent,
        expert,
        session.waiting_since,
    )
