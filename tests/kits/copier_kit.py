"""For the tests of the copier with a provider: an independent server, and the copier as a process or on a stage.

The server uses the package websockets in a thread of its own. It says what a test tells it to say. Every wait has a
time limit. The stage's clock moves by TIMER_MS at each step; until() lets the server's thread run at each step, so that
the terminal's time does not run out while a slow machine has not yet run that thread.
"""

from __future__ import annotations

import asyncio
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from cleanup_kit import closed_after_test
from signal_kit import Script, Stage, ready
from web_kit import certificate
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from winsock import INVALID_SOCKET

LIMIT = 60.0
TIMER_MS = 10
START = 1_700_000_000_000
RUN = "ab" * 16
FEED = f"{RUN}-{'cd' * 8}"

Behavior = Callable[["Peer"], Coroutine[Any, Any, None]]


def position(
    symbol: str, lots: str, price: str = "1.1", time: int | None = None, **fields: object
) -> dict[str, object]:
    return {"symbol": symbol, "lots": lots, "price": price, "contract": "100000", "time": time or START, **fields}


class Peer:
    """A subscriber's connection, in the server's thread."""

    def __init__(self, provider: WebsocketsProvider, connection: ServerConnection) -> None:
        self.provider = provider
        self.connection = connection

    async def say(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.connection.recv())
        self.provider.heard.put(message)
        return message

    async def welcome(self) -> dict[str, Any]:
        """Say hello, hear the login and accept it."""
        provider = self.provider
        await self.say(
            "hello",
            version=1,
            server="independent",
            stream=provider.stream[:32],
            heartbeat_ms=provider.heartbeat_ms,
            time=provider.time(),
        )
        login = await self.hear()
        await self.say(
            "welcome",
            user=login["login"],
            account={"currency": "USD", "hedging": False},
            stream=provider.stream,
            seq=provider.seq,
            time=provider.time(),
            **({} if provider.shown is None else {"symbols": provider.shown}),
        )
        return login

    async def snapshot(self) -> None:
        await self.connection.send(self.provider.snapshot_text())

    async def listen(self) -> None:
        """Hear messages until the connection ends; answer resync."""
        while True:
            message = await self.hear()
            if message["type"] == "resync":
                await self.snapshot()


async def serve_states(peer: Peer) -> None:
    """What a provider does: a snapshot, then each new state, and heartbeats."""
    await peer.welcome()
    await peer.snapshot()
    await peer.listen()


class WebsocketsProvider:
    """A provider of the package websockets on 127.0.0.1; ``behave`` is called for each subscriber."""

    def __init__(self, behave: Behavior = serve_states, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.behave = behave
        self.stream, self.seq = FEED, 1
        self.positions: list[dict[str, object]] = []
        self.balance = "10000"
        # The symbols that the login shows; None: all.
        self.shown: list[str] | None = None
        self.heartbeat_ms = 600_000
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connections = 0
        self.clock: Callable[[], int] = lambda: START
        self._time = START
        # A state keeps its time.
        self._begun: dict[tuple[str, int], int] = {}
        self._peers: list[Peer] = []
        self._closing: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop
        self._server: Server | None = None
        self._ready = threading.Event()
        self._context, self._port = context, port
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(LIMIT)
        closed_after_test(self)
        _servers.append(self)

    @property
    def port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def close(self) -> None:
        if self in _servers:
            _servers.remove(self)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(LIMIT)

    def run_turns(self) -> None:
        """Let the server read and answer what has arrived."""

        async def turns() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(turns(), self._loop).result(LIMIT)

    def time(self) -> int:
        """The server's clock: at least one millisecond later at each reading."""
        self._time = max(self._time + 1, self.clock())
        return self._time

    def snapshot_text(self, **fields: object) -> str:
        state = {
            "type": "snapshot",
            "stream": self.stream,
            "seq": self.seq,
            "time": self._begun.setdefault((self.stream, self.seq), self.time()),
            "account": {"currency": "USD", "balance": self.balance, "equity": self.balance},
            "positions": self.positions,
        }
        return json.dumps({**state, **fields})

    def trade(self, *positions: dict[str, object]) -> None:
        """The provider holds these positions now; every subscriber gets the state."""
        self.seq += 1
        self.positions = [{**each, "time": self.time()} for each in positions]
        self.send(self.snapshot_text())

    def set_clock(self, time: int) -> None:
        """Set the server's clock, also back."""
        self._time, self.clock = time, lambda: time

    def beat(self) -> None:
        self.send(json.dumps({"type": "heartbeat", "stream": self.stream, "seq": self.seq, "time": self.time()}))

    def send(self, text: str | bytes) -> None:
        """Send to every subscriber, from any thread; returns when it is sent."""

        async def send_all() -> None:
            for peer in self._peers.copy():
                with suppress(ConnectionClosed):
                    await peer.connection.send(text)

        asyncio.run_coroutine_threadsafe(send_all(), self._loop).result(LIMIT)

    def refuse(self, code: str, text: str = "a reason") -> None:
        """End every conversation with an error."""
        self.send(json.dumps({"type": "error", "code": code, "text": text, "fatal": True}))

    def refuse_and_close(self, code: str) -> None:
        """Send an error to every subscriber, and close every connection."""
        self.refuse(code)
        self.disconnect(1008, code)

    def disconnect(self, code: int = 1000, reason: str = "") -> None:
        """Close every connection; the close frames are on their way when this returns.

        The client is a program of the calling thread, so its close frames come only after this call.
        """

        async def close_all() -> None:
            peers = self._peers.copy()
            self._peers.clear()
            self._closing += [self._loop.create_task(peer.connection.close(code, reason)) for peer in peers]
            # The tasks write their frames at their first step, and then wait for the clients.
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close_all(), self._loop).result(LIMIT)

    def next(self, kind: str) -> dict[str, Any]:
        """The next message of this type from any subscriber."""
        while True:
            message = self.heard.get(timeout=LIMIT)
            if message["type"] == kind:
                return message

    def _run(self) -> None:
        # On Windows a loop of the main thread would change how the process handles signals.
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

        async def start() -> None:
            self._server = await serve(
                self._accept, "127.0.0.1", self._port, ssl=self._context, max_size=None, ping_interval=None
            )
            self._ready.set()

        self._loop.run_until_complete(start())
        try:
            self._loop.run_forever()
        finally:
            assert self._server is not None
            self._server.close(close_connections=True)
            self._loop.run_until_complete(self._server.wait_closed())
            self._loop.close()

    async def _accept(self, connection: ServerConnection) -> None:
        peer = Peer(self, connection)
        self._peers.append(peer)
        self.connections += 1
        try:
            await self.behave(peer)
        except ConnectionClosed:
            pass
        finally:
            with suppress(ValueError):
                self._peers.remove(peer)


_servers: list[WebsocketsProvider] = []


def tls_context(folder: Path, **options: Any) -> ssl.SSLContext:
    """A server's context with a new self-signed certificate in the folder: cert.pem and key.pem."""
    path = certificate(folder, **options)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, folder / "key.pem")
    return context


def subscribe(url: str, folder: Path, **inputs: object) -> Stage:
    """A copier on a stage that follows the provider at this URL. Its memory is in the folder."""
    secret = folder / "password"
    if not secret.exists():
        secret.write_text("correct horse\n", encoding="utf-8")
        secret.chmod(0o600)
    settings: dict[str, object] = {
        "url": url,
        "login": "customer",
        "password_file": str(secret),
        "memory": str(folder / "copier.sqlite"),
        "join": "now",
        "maxdeviation": 0.0,
        **inputs,
    }
    return Stage("copier", timer_ms=TIMER_MS, **settings)


def plain_url(provider: WebsocketsProvider) -> str:
    return f"ws://127.0.0.1:{provider.port}"


def until(stage: Stage, condition: Callable[[], bool]) -> Script:
    """Let the terminal go on until the condition is true; the servers run before each step."""
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until, f"the condition did not become true: {stage.texts[-10:]}"
        for server in _servers:
            server.run_turns()
        s = stage.program.account.connection.socket if stage.program.account else INVALID_SOCKET
        if s != INVALID_SOCKET:
            # What a server has sent may still be on its way.
            ready(s, 0.001)
        yield


def pass_time(seconds: float) -> Script:
    """Let the terminal's time pass, without waiting for the server's thread."""
    for _ in range(int(seconds * 1000 / TIMER_MS)):
        yield


def pass_long_time(stage: Stage, seconds: float) -> Script:
    """Let the terminal's time pass in tenths of a second: a tenth of the work of pass_time."""
    for _ in range(int(seconds * 10)):
        stage.clock.time += 0.1 - TIMER_MS / 1000
        yield


def holds(stage: Stage, lots: str, symbol: str = "EURUSD") -> Callable[[], bool]:
    return lambda: stage.position(symbol) == Decimal(lots)
