"""A client of the provider's port: its stream, and what it speaks at present: HTTP, or a WebSocket with a session."""

from __future__ import annotations

from dataclasses import dataclass

from demos.provider.operator_session import OperatorSession
from demos.provider.session import Session
from demos.wire.channel import Stream
from demos.wire.web_server import WebConnection
from demos.wire.websocket import WebSocket


@dataclass(eq=False, slots=True)
class Connection:
    """A connection of an expert. Times are milliseconds since 1970.

    ``number`` is unique in the process, ``host`` is the IP address, and ``name`` also has the port. The stream owns
    ``socket`` and closes it. ``interest`` is what the socket is registered for: to read, to write. ``check_at`` is in
    milliseconds of the monotonic clock: a timer event before it has nothing to do. It is 0 after any activity, so that
    the operator sees its result.
    """

    number: int
    socket: int
    host: str
    name: str
    since: int
    stream: Stream
    web: WebConnection
    websocket: WebSocket | None = None
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
