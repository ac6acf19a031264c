"""The server's side of HTTP/1.1 on a stream, by the sans-I/O library h11: one request at a time, each answered at once.

receive() returns a request when all of it has arrived; the owner answers it with answer(), or lets websocket.py take
the connection over. A request that is invalid, too large, too slow, or for a host that is not served never reaches the
owner: it is answered here, and the connection ends. Pipelining is refused in the same manner: what follows a request
before its answer is not read as a request, and the connection ends after the answer.

A client must send the head of a request in ``head_ms`` and the whole request in ``request_ms``, counted from its first
byte. So a client that sends one byte now and then does not keep its connection. Between two requests it may be silent
for ``idle_ms``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from demos.wire.channel import Stream
from demos.wire.http_hosts import host_of, hosts_of, path_of

try:
    import h11
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem


class WebLimits(NamedTuple):
    """Sizes in bytes, times in milliseconds."""

    head: int = 16 * 1024
    target: int = 2048
    body: int = 64 * 1024
    head_ms: int = 10_000
    request_ms: int = 30_000
    idle_ms: int = 60_000


LIMITS = WebLimits()

METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"))

# The characters of a host that the log shows.
_SHOWN = 60

REASONS = {
    200: b"OK",
    204: b"No Content",
    303: b"See Other",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    421: b"Misdirected Request",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}

# For every answer: nothing is stored by a cache, and the type is not guessed from the content.
COMMON_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

# For pages: scripts, styles and connections only from and to this server, no frames around it, no referrer.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Request(NamedTuple):
    """A whole request. ``path`` and ``query`` are the parts of its target; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The values of a header, joined with ", "; empty when there is none."""
        return header_text(self.headers, name)


class Answer(NamedTuple):
    """A status, a body and its type, and further headers."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


# Returns the refusal of a request because of its host, or None; see served_hosts().
HostCheck: TypeAlias = Callable[[h11.Request], Answer | None]


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of one line: the status and the text."""
    return Answer(status, f"{status} {text}\n".encode(), headers=headers or {})


def served_hosts(hosts: Collection[str]) -> HostCheck:
    """A check that refuses requests for hosts that are not in ``hosts``, which holds results of host_of().

    Without it any web page could use the server with the user's browser: the page's owner lets the page's host name
    resolve to the server's address ("DNS rebinding"). The request still names the page's host.
    """

    def check(request: h11.Request) -> Answer | None:
        for text in hosts_of(request):
            if host_of(text) is None:
                return text_answer(400, "the request names an invalid host")
            if host_of(text) not in hosts:
                return text_answer(421, f"the server does not serve the host {text[:_SHOWN]!a}")
        return None

    return check


def served_names(names: Collection[str]) -> HostCheck:
    """A check like that of served_hosts(), which accepts every IP address besides these names.

    A page can let its own name resolve to any address, but its requests still have the name in them.
    """
    check_names = served_hosts(names)

    def check(request: h11.Request) -> Answer | None:
        if all(_is_ip_address(host_of(text)) for text in hosts_of(request)):
            return None
        return check_names(request)

    return check


def any_host(request: h11.Request) -> Answer | None:
    """A check that accepts every valid host: for servers whose certificate names them."""
    if all(host_of(text) is not None for text in hosts_of(request)):
        return None
    return text_answer(400, "the request names an invalid host")


def _is_ip_address(host: str | None) -> bool:
    try:
        ip_address(host or "")
    except ValueError:
        return False
    return True


@dataclass(eq=False, slots=True)
class WebConnection:
    """An HTTP connection of a server.

    ``problem``: why the last request was refused, for the log. ``until``: when the connection ends if the client sends
    nothing more that completes a request.
    """

    stream: Stream
    check_host: HostCheck
    since: int
    limits: WebLimits = LIMITS
    problem: str = ""
    http: h11.Connection = field(init=False)
    until: int = field(init=False)
    _request: h11.Request | None = None
    _begun: int | None = None
    _body: bytearray = field(default_factory=bytearray)
    _answering: bool = False
    _answered: bool = False

    def __post_init__(self) -> None:
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=self.limits.head)
        # A new connection is for a request: a silent client is not kept for the longer idle time.
        self.until = self.since + self.limits.head_ms

    @property
    def wants_read(self) -> bool:
        """Whether the owner must call receive() when the socket is readable: not while a request is unanswered."""
        return not (self._answering and self.stream.is_open)

    @property
    def is_idle(self) -> bool:
        """Whether a request was answered, and no other one has begun: the client may end the connection."""
        return self._answered and self._begun is None and not self._answering

    def receive(self, now: int) -> Request | None:
        """Read what has arrived; the next whole request, which the owner answers before it calls receive() again."""
        if not self.wants_read:
            return None
        data = self.stream.receive(now)
        if not self.stream.is_open:
            return None
        try:
            if data:
                self._count_time(now)
                self.http.receive_data(data)
            elif self.stream.ended:
                self.http.receive_data(b"")
            else:
                return None
            return self._next(now)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            if self.stream.ended:
                self.stream.finish("the client disconnected in the middle of a request", now)
            else:
                self._refuse(text_answer(status, _PROTOCOL_TEXTS.get(status, "the request is not valid HTTP")), now)
            return None

    def answer(self, answer: Answer, now: int) -> None:
        """Send the answer to the request that receive() returned. Afterwards the next request may come."""
        self._send(answer, now)
        if not self.stream.is_open:
            return
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
            self._request, self._begun, self._answering, self._answered = None, None, False, True
            self._body.clear()
            self.until = now + self.limits.idle_ms
        else:
            self.stream.finish("", now)

    def check(self, now: int) -> None:
        """Apply the time limits; call it at each timer event."""
        self.stream.check(now)
        if self._answering or not self.stream.is_open or now < self.until:
            return
        if self._begun is None:
            self.stream.finish("", now)
        else:
            self._refuse(text_answer(408, "the request was not whole in time"), now)

    def _count_time(self, now: int) -> None:
        if self._begun is None:
            self._begun = now
            self.until = now + self.limits.head_ms

    def _next(self, now: int) -> Request | None:
        """Handle the parts of a request that h11 finds; the request when it is whole."""
        while True:
            event = self.http.next_event()
            if isinstance(event, h11.Request):
                self._request = event
                self.until = (now if self._begun is None else self._begun) + self.limits.request_ms
                refusal = self._head_refusal(event)
                if refusal is not None:
                    self._refuse(refusal, now)
                    return None
                if self.http.they_are_waiting_for_100_continue:
                    proceed = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                    self.stream.send(self.http.send(proceed) or b"", now)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self.limits.body:
                    self._refuse(self._body_refusal(), now)
                    return None
            elif isinstance(event, h11.EndOfMessage):
                return self._whole()
            else:
                if isinstance(event, h11.ConnectionClosed):
                    self.stream.finish("", now)
                return None

    def _head_refusal(self, request: h11.Request) -> Answer | None:
        """Why a request is refused after its head, or None."""
        if len(request.target) > self.limits.target:
            return text_answer(414, f"the target has more than {self.limits.target} bytes")
        if request.http_version not in (b"1.0", b"1.1"):
            return text_answer(505, "the server speaks HTTP/1.1")
        if request.method not in METHODS:
            return text_answer(501, "the method is not known")
        # h11 has checked that it is a number.
        length = header_text(request.headers, "content-length")
        if length and int(length) > self.limits.body:
            return self._body_refusal()
        return self.check_host(request)

    def _body_refusal(self) -> Answer:
        return text_answer(413, f"the body has more than {self.limits.body} bytes")

    def _whole(self) -> Request:
        event = self._request
        assert event is not None
        self._answering = True
        query = event.target.decode("latin-1").partition("#")[0].partition("?")[2]
        headers = tuple((bytes(name), bytes(value)) for name, value in event.headers)
        return Request(event.method.decode("ascii"), path_of(event), query, headers, bytes(self._body))

    def _refuse(self, answer: Answer, now: int) -> None:
        """Answer instead of the owner, and end the connection."""
        self._answering = True
        self.problem = answer.body.decode().strip()
        self._send(answer, now, close=True)
        self.stream.finish(f"refused: {self.problem}", now)

    def _send(self, answer: Answer, now: int, close: bool = False) -> None:
        pipelined = bool(self.http.trailing_data[0])
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **COMMON_HEADERS,
            **({"Connection": "close"} if close or pipelined else {}),
            **answer.headers,
        }
        if answer.status == 204:
            del headers["Content-Type"], headers["Content-Length"]
        head = h11.Response(
            status_code=answer.status, headers=list(headers.items()), reason=REASONS.get(answer.status, b"")
        )
        is_head = self._request is not None and self._request.method == b"HEAD"
        parts = [self.http.send(head) or b""]
        if answer.body and not is_head and answer.status != 204:
            parts += self.http.send_with_data_passthrough(h11.Data(data=answer.body)) or []
        parts.append(self.http.send(h11.EndOfMessage()) or b"")
        # One piece: a small answer is then one packet, and with TLS one record.
        self.stream.send(b"".join(parts), now)


def header_text(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    """The values of a header of h11, joined with ", "; empty when there is none."""
    wanted = name.lower().encode()
    return ", ".join(value.decode("latin-1") for key, value in headers if key == wanted)


_PROTOCOL_TEXTS = {
    431: "the head of the request is too large",
    501: "the transfer encoding is not known",
}
