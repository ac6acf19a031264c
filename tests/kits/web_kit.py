"""A server of our HTTP, WebSocket and TLS modules on loopback, in a thread, and our clients, driven until done.

Every wait has a time limit.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import pytest
from cleanup_kit import close_all, closed_after_test
from winsock_kit import LIMIT_SECONDS, connect_to, listener, port_of, readable, set_nonblocking

from demos.wire.channel import LIMITS, Channel, ChannelLimits, Stream
from demos.wire.tls import server_tls
from demos.wire.web_server import PAGE_HEADERS, Answer, Request, WebConnection, WebLimits, served_hosts, text_answer
from demos.wire.websocket import SERVER_LIMITS, WebSocket, WebSocketLimits, text_frame
from demos.wire.websocket_opening import accept_websocket, is_upgrade
from winsock import (
    FD_ISSET,
    FD_SET,
    INVALID_SOCKET,
    SOCK_STREAM,
    accept,
    closesocket,
    fd_set,
    recv,
    select,
    send,
    timeval,
)

T = TypeVar("T")

HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))


def milliseconds() -> int:
    """The clock of the server and the clients of this kit."""
    return time.monotonic_ns() // 1_000_000


@pytest.fixture
def network(started: None) -> Iterator[None]:
    """Winsock is started; peers are closed before the clean-up, which on Windows also closes Python's sockets."""
    yield
    close_all()


def check_origin(origin: str | None) -> str | None:
    return f"the origin {origin!a} may not connect" if origin == "https://evil.example" else None


def certificate(
    folder: Path, hosts: tuple[str, ...] = ("localhost", "127.0.0.1"), days: int = 30, age: int = 0
) -> Path:
    """The path of a new self-signed certificate, ``age`` days old; the key is in the same folder: key.pem."""
    from demos.provider.certificates import create_certificate

    path = folder / "cert.pem"
    created = datetime.now(timezone.utc) - timedelta(days=age)
    create_certificate(path, folder / "key.pem", hosts, days, created, force=True)
    return path


@dataclass(eq=False)
class Peer:
    """A connection of the server."""

    stream: Stream
    web: WebConnection
    websocket: WebSocket | None = None
    messages: list[str] = field(default_factory=list)


class Server:
    """Echoes messages on /ws and bodies on /echo; `all:` in front of a message sends it to every subscriber."""

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        web_limits: WebLimits | None = None,
        limits: WebSocketLimits = SERVER_LIMITS,
        channel_limits: ChannelLimits = LIMITS,
    ) -> None:
        self.context, self.limits, self.channel_limits = context, limits, channel_limits
        self.web_limits = web_limits or WebLimits()
        self.reasons: list[str] = []
        self.problems: list[str] = []
        self.peers: list[Peer] = []
        self._listener = listener(64)
        set_nonblocking(self._listener)
        self.port = port_of(self._listener)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        closed_after_test(self)

    def close(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(LIMIT_SECONDS)
            assert not self._thread.is_alive()
            for peer in self.peers:
                peer.stream.close("")
            closesocket(self._listener)

    def _run(self) -> None:
        while not self._stop.is_set():
            readfds, writefds = fd_set(), fd_set()
            FD_SET(self._listener, readfds)
            for peer in self.peers:
                FD_SET(peer.stream.socket, readfds)
                if peer.stream.wants_write:
                    FD_SET(peer.stream.socket, writefds)
            select(0, readfds, writefds, None, timeval(0, 20_000))
            now = milliseconds()
            for peer in self.peers.copy():
                self._serve(peer, bool(FD_ISSET(peer.stream.socket, readfds)), now)
            if FD_ISSET(self._listener, readfds):
                self._accept(now)

    def _accept(self, now: int) -> None:
        s = accept(self._listener, None, None)
        if s == INVALID_SOCKET:
            return
        set_nonblocking(s)
        channel = Channel(s, self.channel_limits)
        stream: Stream = channel if self.context is None else server_tls(channel, self.context, now)
        self.peers.append(Peer(stream, WebConnection(stream, served_hosts(HOSTS), now, self.web_limits)))

    def _serve(self, peer: Peer, ready: bool, now: int) -> None:
        if ready:
            self._receive(peer, now)
        if not peer.stream.is_closed:
            (peer.websocket or peer.web).check(now)
        if peer.stream.is_closed:
            self.reasons.append(peer.stream.reason)
            if peer.web.problem:
                self.problems.append(peer.web.problem)
            self.peers.remove(peer)

    def _receive(self, peer: Peer, now: int) -> None:
        if peer.websocket is None:
            request = peer.web.receive(now)
            if request is None:
                return
            if request.path != "/ws" or not is_upgrade(request):
                peer.web.answer(self._answer(request), now)
                return
            peer.websocket = accept_websocket(peer.web, request, check_origin, now, self.limits)
            if peer.websocket is None:
                return
        for text in peer.websocket.receive(now):
            peer.messages.append(text)
            if text.startswith("all:"):
                frame = text_frame(text)
                for each in self.peers:
                    if each.websocket is not None:
                        each.websocket.send_frame(frame, now)
            elif text.startswith("close:"):
                peer.websocket.close(int(text.removeprefix("close:")), "as requested", now)
            else:
                peer.websocket.send_text(text, now)

    def _answer(self, request: Request) -> Answer:
        if request.path == "/":
            return Answer(200, b"<!doctype html><title>provider</title>\n", "text/html; charset=utf-8", PAGE_HEADERS)
        if request.path == "/echo":
            return Answer(200, request.body, "application/octet-stream")
        if request.path == "/large":
            return Answer(200, b"x" * 500_000, "application/octet-stream")
        return text_answer(404, "no such page")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until another thread or process has made the condition true."""
    until = time.monotonic() + LIMIT_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until, "the condition did not become true in time"
        pause.wait(0.005)


def raw(port_owner: Server) -> int:
    """A blocking socket with a time limit, connected to the server."""
    return connect_to(port_owner._listener)


def exchange(s: int, data: bytes) -> bytes:
    """Send bytes, and return everything up to the end of the connection."""
    assert send(s, data, len(data), 0) == len(data)
    return receive_to_end(s)


def receive_to_end(s: int) -> bytes:
    """Everything up to the end of the connection; then the socket is closed."""
    received = b""
    buf = bytearray(65536)
    while (count := recv(s, buf, len(buf), 0)) > 0:
        received += buf[:count]
    closesocket(s)
    return received


def connected_channel(port: int, limits: ChannelLimits = LIMITS) -> Channel:
    """A client's channel to a port on loopback."""
    from demos.wire.addresses import find_address
    from demos.wire.connecting import begin_connect, connect_result

    s, error = begin_connect(find_address("127.0.0.1", port, SOCK_STREAM))
    assert error == 0
    until = time.monotonic() + LIMIT_SECONDS
    while (result := connect_result(s)) is None:
        assert time.monotonic() < until
    assert result == 0
    return closed_after_test_channel(Channel(s, limits))


def closed_after_test_channel(channel: Channel) -> Channel:
    class Closer:
        def close(self) -> None:
            channel.close("")

    closed_after_test(Closer())
    return channel


def drive(stream: Stream, step: Callable[[int], T | None], done: Callable[[T], bool] = bool) -> T | None:
    """Call ``step`` with the time when the socket is ready, until its result is ``done`` or the stream is closed."""
    until = time.monotonic() + LIMIT_SECONDS
    while True:
        result = step(milliseconds())
        if (result is not None and done(result)) or not stream.is_open:
            return result
        assert time.monotonic() < until, "not done in time"
        stream.flush(milliseconds())
        if stream.is_open:
            readable(stream.socket, 1)
