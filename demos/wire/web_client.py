"""The client's side of HTTP/1.1 on a stream, by the sans-I/O library h11: one request, one bounded answer.

A WebSocket's opening handshake is such a request: its answer has the status 101, and ``trailing`` are the first bytes
of the new protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from demos.wire.channel import Stream
from demos.wire.web_server import header_text

try:
    import h11
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem

MAX_HEAD = 16 * 1024
MAX_BODY = 1024 * 1024
ANSWER_MS = 30_000

# A server that sends informational answers without end does not keep the client waiting.
MAX_INFORMATIONAL = 8

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Received(NamedTuple):
    """An answer; header names are in lower case. ``trailing``: what followed the answer with the status 101."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    trailing: bytes = b""

    def header(self, name: str) -> str:
        """The values of a header, joined with ", "; empty when there is none."""
        return header_text(self.headers, name)


@dataclass(eq=False, slots=True)
class WebExchange:
    """A request that has been sent, and what has arrived of its answer; see send_request()."""

    stream: Stream
    http: h11.Connection
    until: int
    max_body: int = MAX_BODY
    _head: h11.Response | None = None
    _body: bytearray = field(default_factory=bytearray)
    _informational: int = 0

    def receive(self, now: int) -> Received | None:
        """Read what has arrived; the answer when it is whole. A fault ends the stream, with its reason."""
        data = self.stream.receive(now)
        if not self.stream.is_open or not (data or self.stream.ended):
            return None
        try:
            self.http.receive_data(data)
            received = self._next(now)
            if received is None and data and self.stream.ended:
                self.http.receive_data(b"")
                received = self._next(now)
        except h11.RemoteProtocolError as error:
            text = "the server disconnected before its answer was whole" if self.stream.ended else f"{error}"
            self.stream.finish(f"no valid HTTP answer: {text}", now)
            return None
        if received is None and self.stream.ended:
            self.stream.finish("the server disconnected without an answer", now)
        return received

    def check(self, now: int) -> None:
        """Apply the time limits; call it at each timer event."""
        self.stream.check(now)
        if self.stream.is_open and now >= self.until:
            self.stream.close("the server's answer was not whole in time")

    def _next(self, now: int) -> Received | None:
        while True:
            event = self.http.next_event()
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return Received(101, _pairs(event), b"", bytes(self.http.trailing_data[0]))
                self._informational += 1
                if self._informational > MAX_INFORMATIONAL:
                    self.stream.close("the server sends informational answers only")
                    return None
            elif isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self.max_body:
                    self.stream.close(f"the server's answer has more than {self.max_body} bytes")
                    return None
            elif isinstance(event, h11.EndOfMessage):
                assert self._head is not None
                return Received(self._head.status_code, _pairs(self._head), bytes(self._body))
            else:
                return None


def send_request(
    stream: Stream,
    method: str,
    host: str,
    target: str,
    now: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> WebExchange:
    """Send a request; ``host`` is the value of the header Host, see host_header(). Then call receive().

    Errors: ValueError when a part cannot be part of a request, such as a line end in a header.
    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    fields = {"Host": host, **(headers or {})}
    if body or method in ("POST", "PUT"):
        fields["Content-Length"] = str(len(body))
    try:
        output = http.send(h11.Request(method=method, target=target, headers=list(fields.items()))) or b""
        if body:
            output += http.send(h11.Data(data=body)) or b""
        output += http.send(h11.EndOfMessage()) or b""
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise ValueError(f"invalid request: {method} {target!r} to {host!r} ({error})") from None
    stream.send(output, now)
    return WebExchange(stream, http, now + ANSWER_MS)


def host_header(host: str, port: int, scheme: str) -> str:
    """The header Host: IPv6 addresses in brackets without scope, and the port unless it is the scheme's own."""
    name = f"[{host.partition('%')[0]}]" if ":" in host else host
    return name if port == _DEFAULT_PORTS.get(scheme) else f"{name}:{port}"


def _pairs(event: h11.Response | h11.InformationalResponse) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((bytes(name), bytes(value)) for name, value in event.headers)
