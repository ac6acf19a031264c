"""How a WebSocket is opened: the HTTP request for it, on the server's side and on the client's.

accept_websocket() answers the request that a WebConnection has returned, and takes over its stream. A client sends the
request with open_websocket() and gets its WebSocket from the answer. No extension and no subprotocol is offered or
accepted.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from demos.terminal.runtime.randomness import token_bytes
from demos.wire.channel import Stream
from demos.wire.web_client import Received, WebExchange, send_request
from demos.wire.web_server import Answer, Request, WebConnection, text_answer
from demos.wire.websocket import CLIENT_LIMITS, SERVER_LIMITS, WebSocket, WebSocketLimits

try:
    import h11
    from wsproto.connection import CLIENT, SERVER, Connection
    from wsproto.utilities import generate_accept_token
except ImportError as problem:
    raise ImportError('the provider needs more packages: python -m pip install -e ".[provider]"') from problem

_KEY_BYTES = 16

# The characters of a server's refusal that the log shows.
_SHOWN = 100

# Returns why a page with this origin may not connect, or None; the origin is None for programs that are not browsers.
OriginCheck: TypeAlias = Callable[[str | None], str | None]


def is_upgrade(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return "websocket" in _tokens(request.header("upgrade"))


def accept_websocket(
    connection: WebConnection,
    request: Request,
    check_origin: OriginCheck,
    now: int,
    limits: WebSocketLimits = SERVER_LIMITS,
) -> WebSocket | None:
    """Answer a request for a WebSocket, and take over the connection's stream; the owner forgets the WebConnection.

    Call its receive() at once: the client's first messages may have arrived with the request. Returns None when the
    request is refused; then it has been answered, and the WebConnection continues.
    """
    refusal = _upgrade_refusal(request, check_origin)
    if refusal is not None:
        connection.problem = refusal.body.decode().strip()
        connection.answer(refusal, now)
        return None
    token = generate_accept_token(request.header("sec-websocket-key").encode("ascii")).decode("ascii")
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", token)]
    head = h11.InformationalResponse(status_code=101, headers=headers, reason=b"Switching Protocols")
    connection.stream.send(connection.http.send(head) or b"", now)
    trailing = bytes(connection.http.trailing_data[0])
    return WebSocket(connection.stream, limits, now, Connection(SERVER), trailing=trailing)


def any_origin(origin: str | None) -> str | None:
    """An OriginCheck that accepts every page: for connections that log in with what a page does not have."""
    return None


def _upgrade_refusal(request: Request, check_origin: OriginCheck) -> Answer | None:
    if request.method != "GET" or "upgrade" not in _tokens(request.header("connection")) or not is_upgrade(request):
        return text_answer(400, "a WebSocket is requested with GET, Connection: Upgrade and Upgrade: websocket")
    if request.header("sec-websocket-version") != "13":
        headers = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"}
        return text_answer(426, "the server speaks version 13 of WebSocket", headers)
    if not _is_key(request.header("sec-websocket-key")):
        return text_answer(400, "the header Sec-WebSocket-Key is missing or invalid")
    origins = [value.decode("latin-1") for name, value in request.headers if name == b"origin"]
    if len(origins) > 1:
        return text_answer(400, "the request has several headers Origin")
    problem = check_origin(origins[0] if origins else None)
    return None if problem is None else text_answer(403, problem)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _tokens(text: str) -> list[str]:
    return [token.strip().lower() for token in text.split(",")]


@dataclass(eq=False, slots=True)
class WebSocketOpening:
    """A client's request for a WebSocket, which the server has not answered yet; see open_websocket()."""

    exchange: WebExchange
    key: str
    limits: WebSocketLimits

    def receive(self, now: int) -> WebSocket | None:
        """The WebSocket when the server has accepted; otherwise the stream ends, with the reason."""
        received = self.exchange.receive(now)
        if received is None:
            return None
        problem = _answer_problem(received, self.key)
        if problem:
            self.exchange.stream.finish(problem, now)
            return None
        return WebSocket(self.exchange.stream, self.limits, now, Connection(CLIENT), trailing=received.trailing)

    def check(self, now: int) -> None:
        """Apply the time limits; call it at each timer event."""
        self.exchange.check(now)


def open_websocket(
    stream: Stream,
    host: str,
    target: str,
    now: int,
    headers: Mapping[str, str] | None = None,
    limits: WebSocketLimits = CLIENT_LIMITS,
) -> WebSocketOpening:
    """Send a client's request for a WebSocket; ``host`` is the value of the header Host, see host_header().

    Call receive() until it returns the WebSocket, and then its receive() at once: the answer may contain messages.
    Errors: ValueError when a part cannot be part of a request.
    """
    key = base64.b64encode(token_bytes(_KEY_BYTES)).decode("ascii")
    fields = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        **(headers or {}),
    }
    return WebSocketOpening(send_request(stream, "GET", host, target, now, fields), key, limits)


def _answer_problem(received: Received, key: str) -> str | None:
    """Why a server's answer does not open a WebSocket, or None."""
    if received.status != 101:
        text = received.body[:_SHOWN].decode("utf-8", "replace").strip()
        return f"the server refuses the WebSocket: HTTP {received.status} {text!a}"
    if "websocket" not in _tokens(received.header("upgrade")):
        return "the server's answer does not switch to WebSocket"
    if received.header("sec-websocket-accept").encode() != generate_accept_token(key.encode("ascii")):
        return "the server's answer has a wrong Sec-WebSocket-Accept; it may be a proxy's"
    if received.header("sec-websocket-extensions") or received.header("sec-websocket-protocol"):
        return "the server's answer has an extension or a protocol that was not requested"
    return None
