"""WebSocket (RFC 6455) on a stream, for servers and clients: text messages, by the sans-I/O library wsproto.

websocket_opening.py opens a WebSocket; its connection begins as HTTP.

No extension is offered or accepted, in particular no compression: a few bytes of a peer never become a large message.
Messages are bounded in characters and fragments. The number of frames in a time is bounded too: a peer may send
``burst`` frames at once and ``frames_per_second`` on average, control frames and empty fragments included. A peer that
breaks a limit or the protocol gets a close frame with the code for it, and the connection ends:

    1002 protocol error, 1003 binary message, 1007 invalid UTF-8, 1008 too many or too large frames, 1009 too large

Frames of a server are not masked, so text_frame() encodes a message once for all subscribers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from demos.wire.channel import Bytes, Stream

try:
    from wsproto.connection import Connection, ConnectionState
    from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
    from wsproto.frame_protocol import CloseReason, FrameProtocol
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem

NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, INVALID_TEXT = 1000, 1001, 1002, 1003, 1007
POLICY, TOO_LARGE, INTERNAL_ERROR, TRY_AGAIN = 1008, 1009, 1011, 1013

# So many characters of a frame count like a frame: the time that a program needs for a message depends on its size.
_COUNTED = 1024

# The characters of a peer's reason that the log shows.
_SHOWN = 100


class WebSocketLimits(NamedTuple):
    """``message``: characters of a message; ``fragments``: frames of a message; times are milliseconds.

    A frame counts once for itself and once more for each full 1024 characters: their sum is limited by ``burst`` and
    ``frames_per_second``.
    ``ping_ms``: after this silence of the peer a ping is sent; ``silence_ms``: after this silence the connection ends;
    ``close_ms``: how long the peer's close frame is awaited.
    """

    message: int = 64 * 1024
    fragments: int = 64
    burst: int = 200
    frames_per_second: int = 100
    ping_ms: int = 20_000
    silence_ms: int = 60_000
    close_ms: int = 5_000


SERVER_LIMITS = WebSocketLimits()

# A client trusts the server, which it has verified, with larger and more messages.
CLIENT_LIMITS = WebSocketLimits(message=4 * 1024 * 1024, burst=10_000, frames_per_second=10_000)


@dataclass(eq=False, slots=True)
class WebSocket:
    """An open WebSocket. Its end is that of its stream: ``stream.is_open`` and ``stream.reason``.

    ``code``: the code of the peer's close frame; None before one has arrived, 1005 when it had none.
    """

    stream: Stream
    limits: WebSocketLimits
    heard_at: int
    connection: Connection
    code: int | None = None
    closing_until: int | None = None
    _pinged: bool = False
    _parts: list[str] | None = None
    _size: int = 0
    _fragments: int = 0
    # Frames that the peer may send now, in thousandths, and the time of that number.
    _allowed: int = 0
    _allowed_at: int = 0
    # Bytes that arrived with the opening handshake.
    trailing: bytes = b""

    def __post_init__(self) -> None:
        self._allowed = self.limits.burst * 1000
        self._allowed_at = self.heard_at

    def set_limits(self, limits: WebSocketLimits) -> None:
        """Apply other limits from now on; the peer may send the additional frames of a larger burst at once."""
        self._allowed += (limits.burst - self.limits.burst) * 1000
        self.limits = limits

    @property
    def is_open(self) -> bool:
        """Whether messages are still sent and received."""
        return self.stream.is_open and self.closing_until is None

    def receive(self, now: int) -> list[str]:
        """Read what has arrived, answer pings, and return the whole messages."""
        data = self.trailing + self.stream.receive(now)
        self.trailing = b""
        if not self.stream.is_open:
            return []
        messages: list[str] = []
        if data:
            self.heard_at, self._pinged = now, False
            self.connection.receive_data(data)
            for event in self.connection.events():
                message = self._handle(event, now)
                if message is not None and self.closing_until is None:
                    messages.append(message)
                if not self.stream.is_open:
                    return messages
        if self.stream.ended:
            self.stream.finish("the peer disconnected without a close frame", now)
        return messages

    def send_text(self, text: str, now: int) -> None:
        """Send a message; nothing is sent while the connection is ending."""
        if self.is_open:
            self._send(TextMessage(text), now)

    def send_frame(self, frame: Bytes, now: int) -> None:
        """Send a message that text_frame() has encoded; only for servers."""
        if self.connection.client:
            raise ValueError("a client's frames are masked one by one: use send_text()")
        if self.is_open:
            self.stream.send(frame, now)

    def close(self, code: int, reason: str, now: int) -> None:
        """Send a close frame; the stream ends when the peer's has arrived, or after ``close_ms``.

        The peer sees code and reason, of which at most 123 bytes are sent.
        """
        if self.is_open:
            self._send(CloseConnection(code, reason), now)
            self.closing_until = now + self.limits.close_ms

    def check(self, now: int) -> None:
        """Apply the time limits, and send a ping when the peer has been silent; call it at each timer event."""
        self.stream.check(now)
        if not self.stream.is_open:
            return
        silent = now - self.heard_at
        if self.closing_until is not None:
            if now >= self.closing_until:
                self.stream.finish("", now)
        elif silent >= self.limits.silence_ms:
            self.stream.finish(f"the peer has been silent for {self.limits.silence_ms / 1000:g} s", now)
        elif silent >= self.limits.ping_ms and not self._pinged:
            self._pinged = True
            self._send(Ping(), now)

    def _handle(self, event: Event, now: int) -> str | None:
        """Handle one frame, or a piece of one; the message that it completes."""
        if isinstance(event, CloseConnection):
            self._peer_closes(event, now)
            return None
        if not self._may_send(event, now):
            self._fail(POLICY, "too many or too large frames", now)
            return None
        if isinstance(event, TextMessage):
            return self._text(event, now)
        if isinstance(event, BytesMessage):
            self._fail(UNSUPPORTED, "only text messages are accepted", now)
        elif isinstance(event, Ping) and self.connection.state is ConnectionState.OPEN:
            self._send(event.response(), now)
        return None

    def _text(self, event: TextMessage, now: int) -> str | None:
        self._size += len(event.data)
        if self._size > self.limits.message:
            self._fail(TOO_LARGE, f"a message has more than {self.limits.message} characters", now)
            return None
        if event.message_finished and self._parts is None:
            self._size = 0
            return event.data
        self._parts = self._parts or []
        self._parts.append(event.data)
        self._fragments += event.frame_finished
        if self._fragments > self.limits.fragments:
            self._fail(TOO_LARGE, f"a message has more than {self.limits.fragments} fragments", now)
            return None
        if event.message_finished:
            text = "".join(self._parts)
            self._parts, self._size, self._fragments = None, 0, 0
            return text
        return None

    def _may_send(self, event: Event, now: int) -> bool:
        """Count a frame, or a piece of one; False when the peer has sent too many or too large ones."""
        count = 1
        if isinstance(event, (TextMessage, BytesMessage)):
            count = event.frame_finished + len(event.data) // _COUNTED
            if not count:
                return True
        gained = (now - self._allowed_at) * self.limits.frames_per_second
        self._allowed = min(self._allowed + gained, self.limits.burst * 1000) - 1000 * count
        self._allowed_at = now
        return self._allowed >= 0

    def _peer_closes(self, event: CloseConnection, now: int) -> None:
        """The peer's close frame, or an error of the peer, for which wsproto returns a close event with the code."""
        if self.connection.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            self._fail(int(event.code), str(event.reason or "invalid frame"), now)
            return
        self.code = int(event.code)
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            self._send(event.response(), now)
        text = f"{self.code} {event.reason or ''}"[:_SHOWN].strip()
        ours = self.closing_until is not None
        orderly = ours or self.code in (CloseReason.NORMAL_CLOSURE, CloseReason.NO_STATUS_RCVD)
        self.stream.finish("" if orderly else f"the peer closed the WebSocket: {text!a}", now)

    def _fail(self, code: int, reason: str, now: int) -> None:
        """End because of the peer's error."""
        if self.connection.state is ConnectionState.OPEN:
            self._send(CloseConnection(code, reason), now)
        self.stream.finish(f"WebSocket error {code}: {reason}", now)

    def _send(self, event: Event, now: int) -> None:
        self.stream.send(bytes(self.connection.send(event)), now)


def text_frame(text: str) -> bytes:
    """A message as a server's frame, for send_frame() of many connections."""
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(text))
