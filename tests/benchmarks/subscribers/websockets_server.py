"""The comparison: a server for the same subscribers, written with the library `websockets` on asyncio.

    python -m tests.benchmarks.subscribers.websockets_server CERTIFICATE USERS COUNT

It speaks the provider's protocol over TLS on one port: hello, login with a token, welcome, a snapshot, updates,
heartbeats and acknowledgements. It follows the library's advice for a server with many connections: broadcast() for the
updates and heartbeats, no compression, and handlers that only read. It prints its port and reads one command a line:
`buy LOTS` or `sell LOTS` changes the account's position.

It checks less than the provider does: no bans, no rights, no limits of rates, no checks of each field of a message.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.connections import HOST, descriptors

HEARTBEAT = 5.0
NO_DIGEST = bytes(32)


def message(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


class Server:
    """The account, and who is subscribed to it."""

    def __init__(self, users: list[tuple[str, str]]) -> None:
        self._digests = {login: hashlib.sha256(token.encode()).digest() for login, token in users}
        self._subscribers: dict[ServerConnection, dict[str, Any]] = {}
        self._stream = f"{secrets.token_hex(16)}-{secrets.token_hex(8)}"
        self._seq = 1
        self._lots = 0.0
        self._changed = 0
        self._sent = 0.0

    async def handle(self, connection: ServerConnection) -> None:
        """The conversation with one subscriber."""
        run = self._stream.partition("-")[0]
        try:
            hello = {"version": 1, "server": "websockets", "stream": run, "heartbeat_ms": int(1000 * HEARTBEAT)}
            await connection.send(message("hello", **hello, time=now()))
            login = json.loads(await connection.recv())
            if not self._is_right(login):
                await connection.send(message("error", code="login", text="wrong login or token", fatal=True))
                return
            account = {"currency": "USD", "hedging": False}
            fields = {"user": login["login"], "account": account, "stream": self._stream, "seq": self._seq}
            await connection.send(message("welcome", **fields, time=now()))
            await connection.send(self._state("snapshot"))
            self._subscribers[connection] = {}
            async for text in connection:
                self._receive(connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self._subscribers.pop(connection, None)

    def trade(self, lots: float) -> None:
        """Change the position, and send it to all."""
        self._lots = round(self._lots + lots, 2)
        self._changed = now()
        self._seq += 1
        self._broadcast(self._state("update", previous=self._seq - 1))

    async def send_heartbeats(self) -> None:
        """Send a heartbeat after HEARTBEAT seconds without another message."""
        while True:
            wait = self._sent + HEARTBEAT - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self._broadcast(message("heartbeat", stream=self._stream, seq=self._seq, time=now()))

    def _broadcast(self, text: str) -> None:
        self._sent = time.monotonic()
        broadcast(self._subscribers, text)

    def _is_right(self, login: dict[str, Any]) -> bool:
        digest = hashlib.sha256(login["token"].encode()).digest()
        return hmac.compare_digest(digest, self._digests.get(login["login"], NO_DIGEST))

    def _receive(self, connection: ServerConnection, received: dict[str, Any]) -> None:
        if received["type"] == "ack" and received["stream"] == self._stream and received["seq"] <= self._seq:
            self._subscribers[connection] = received

    def _state(self, kind: str, **fields: Any) -> str:
        position = {
            "symbol": "EURUSD",
            "lots": f"{self._lots:.2f}",
            "price": "1.10000",
            "contract": "100000",
            "time": self._changed,
        }
        account = {"currency": "USD", "balance": "10000.00", "equity": "10000.00"}
        positions = [position] if self._lots or kind == "update" else []
        return message(
            kind, stream=self._stream, seq=self._seq, **fields, time=now(), account=account, positions=positions
        )


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def run(certificate: Path, users: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # As the provider's context: no session tickets, which cost memory and time for each connection.
    context.num_tickets = 0
    context.load_cert_chain(certificate)
    server = Server([tuple(each) for each in json.loads(users.read_text())])
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with serve(server.handle, HOST, 0, ssl=context, compression=None, backlog=4096) as listening:
        port = listening.sockets[0].getsockname()[1]
        print(port, flush=True)
        heartbeats = asyncio.create_task(server.send_heartbeats())
        while line := (await reader.readline()).decode():
            action, lots = line.split()
            server.trade(float(lots) if action == "buy" else -float(lots))
        heartbeats.cancel()
        # The process ends without waiting for the handlers of thousands of connections.
        os._exit(0)


if __name__ == "__main__":
    with descriptors(int(sys.argv[3])):
        asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2])))
