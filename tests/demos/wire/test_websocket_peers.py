"""Our WebSocket against an independent implementation, the package websockets, in both roles, with and without TLS."""

from __future__ import annotations

import ssl
import threading
from contextlib import ExitStack
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from web_kit import Server, certificate, connected_channel, drive, milliseconds, network, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from demos.wire.channel import Stream
from demos.wire.tls import client_tls
from demos.wire.tls_contexts import CertificateFiles, verifying_context
from demos.wire.websocket import WebSocket, WebSocketLimits
from demos.wire.websocket_opening import open_websocket

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture(params=["plain", "tls"])
def security(request: pytest.FixtureRequest, tmp_path) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """The contexts of the server and the client, or None without TLS."""
    if request.param == "plain":
        return None, None
    path = certificate(tmp_path)
    client = ssl.create_default_context(cafile=str(path))
    return CertificateFiles(path, tmp_path / "key.pem").context, client


def subscriber(server: Server, context: ssl.SSLContext | None = None, **options: Any) -> ClientConnection:
    scheme = "ws" if context is None else "wss"
    stack = closed_after_test(ExitStack())
    return stack.enter_context(
        connect(f"{scheme}://localhost:{server.port}/ws", ssl=context, proxy=None, close_timeout=2, **options)
    )


def test_a_websockets_client_gets_its_messages_back(security):
    server = Server(security[0])
    client = subscriber(server, security[1])
    for text in ("", "a", "ä€😀", "x" * 125, "x" * 126, "x" * 60_000):
        client.send(text)
        assert client.recv(30) == text
    client.close()
    wait_until(lambda: server.reasons == [""])


def test_permessage_deflate_is_declined(security):
    server = Server(security[0])
    client = subscriber(server, security[1], compression="deflate")
    assert "Sec-WebSocket-Extensions" in client.request.headers
    assert client.response is not None
    assert "Sec-WebSocket-Extensions" not in client.response.headers
    client.send("text")
    assert client.recv(30) == "text"


def test_fragments_are_joined(security):
    server = Server(security[0])
    client = subscriber(server, security[1])
    client.send(["one ", "", "two ", "three"])
    assert client.recv(30) == "one two three"


def test_a_ping_is_answered(security):
    client = subscriber(Server(security[0]), security[1])
    assert client.ping("now").wait(30)


def test_a_message_to_all_subscribers_is_encoded_once(security):
    server = Server(security[0])
    clients = [subscriber(server, security[1]) for _ in range(5)]
    for client in clients:
        client.send("here")
        assert client.recv(30) == "here"
    clients[0].send("all: update")
    assert [client.recv(30) for client in clients] == ["all: update"] * 5


@pytest.mark.parametrize(
    ("message", "code"),
    [(b"binary", 1003), ("x" * 2001, 1009), (["x"] * 20, 1009), ([b"x", b"y"], 1003)],
    ids=["binary", "too large", "too many fragments", "binary fragments"],
)
def test_a_refused_message_closes_the_connection_with_the_code_for_it(message, code):
    server = Server(limits=WebSocketLimits(message=2000, fragments=10))
    client = subscriber(server)
    with pytest.raises(ConnectionClosed):
        _ = (client.send(message), client.recv(30))
    assert client.protocol.close_code == code
    wait_until(lambda: len(server.reasons) == 1)
    assert server.reasons[0].startswith(f"WebSocket error {code}: ")


def test_the_server_closes_with_a_code_and_the_client_receives_it(security):
    server = Server(security[0])
    client = subscriber(server, security[1])
    client.send("close:4001")
    with pytest.raises(ConnectionClosed):
        client.recv(30)
    assert (client.protocol.close_code, client.protocol.close_reason) == (4001, "as requested")
    wait_until(lambda: server.reasons == [""])


@pytest.mark.parametrize(
    ("options", "status"),
    [({"origin": "https://evil.example"}, 403), ({"additional_headers": {"Origin": "https://evil.example"}}, 403)],
)
def test_a_page_with_a_refused_origin_cannot_connect(options, status):
    server = Server()
    with pytest.raises(InvalidStatus) as caught:
        subscriber(server, **options)
    assert caught.value.response.status_code == status


# ---- our client


class WebSocketsServer:
    """A server of the package websockets; the messages that it received."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.messages: list[str | bytes] = []
        self._server = serve(self._echo, "127.0.0.1", 0, ssl=context)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        closed_after_test(self)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(30)

    def _echo(self, connection: ServerConnection) -> None:
        for message in connection:
            self.messages.append(message)
            if message == "binary":
                connection.send(b"binary")
            elif message == "fragments":
                connection.send(["one ", "two"])
            elif message == "end":
                connection.close(4002, "the end")
            else:
                connection.send(message)


@pytest.fixture
def opened(security, tmp_path) -> tuple[WebSocketsServer, WebSocket]:
    """A server of the package websockets, and our client connected to it."""
    server_context = None
    if security[0] is not None:
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = WebSocketsServer(server_context)
    channel = connected_channel(server.port)
    stream: Stream = channel
    if server_context is not None:
        context = verifying_context(str(tmp_path / "cert.pem"))
        stream = client_tls(channel, context, "localhost", None, milliseconds())
    opening = open_websocket(stream, f"localhost:{server.port}", "/ws", milliseconds())
    websocket = drive(stream, opening.receive, lambda found: True)
    assert websocket is not None, stream.reason
    return server, websocket


def test_our_client_gets_its_messages_back(opened):
    _, websocket = opened
    for text in ("", "a", "ä€😀", "x" * 126, "x" * 900_000):
        websocket.send_text(text, milliseconds())
        assert drive(websocket.stream, websocket.receive) == [text]


def test_our_client_joins_fragments(opened):
    _, websocket = opened
    websocket.send_text("fragments", milliseconds())
    assert drive(websocket.stream, websocket.receive) == ["one two"]


def test_our_client_refuses_binary_messages(opened):
    _, websocket = opened
    websocket.send_text("binary", milliseconds())
    drive(websocket.stream, websocket.receive)
    assert websocket.stream.reason == "WebSocket error 1003: only text messages are accepted"


def test_our_client_reports_code_and_reason_of_the_server(opened):
    _, websocket = opened
    websocket.send_text("end", milliseconds())
    drive(websocket.stream, websocket.receive)
    assert websocket.code == 4002
    assert websocket.stream.reason == "the peer closed the WebSocket: '4002 the end'"


def test_our_client_ends_in_order(opened):
    _, websocket = opened
    websocket.close(1000, "done", milliseconds())
    drive(websocket.stream, websocket.receive)
    assert (websocket.code, websocket.stream.reason) == (1000, "")
