"""One subscriber of a provider over a TLS WebSocket, for the load generator. It is cheap: see tls_subscriber.py."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from typing import Any

from tests.benchmarks.subscribers.tls_subscriber import SubscriberError, TlsSubscriber

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SYMBOL = "EURUSD"


def frame(kind: int, payload: bytes) -> bytes:
    """A client's frame. Its mask of four zeros leaves the payload as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
    return bytes([0x80 | kind]) + length + bytes(4) + payload


def next_frame(data: bytearray) -> tuple[int, bytes] | None:
    """Removes the first frame of a server from ``data``; None when it is not whole yet."""
    if len(data) < 2:
        return None
    size, head = data[1], 2
    if size == 126 and len(data) >= 4:
        size, head = int.from_bytes(data[2:4], "big"), 4
    elif size == 127 and len(data) >= 10:
        size, head = int.from_bytes(data[2:10], "big"), 10
    elif size >= 126:
        return None
    if len(data) < head + size:
        return None
    kind, payload = data[0] & 15, bytes(data[head : head + size])
    del data[: head + size]
    return kind, payload


class Subscriber(TlsSubscriber):
    """A subscriber of the provider's own protocol, which logs in with this message."""

    __slots__ = ("_login",)

    def __init__(self, opened: socket.socket, context: ssl.SSLContext, login: dict[str, Any]) -> None:
        super().__init__(opened, context)
        self._login = login

    def _begin(self) -> None:
        self._send(REQUEST)

    def _read(self, now: int) -> None:
        if self._login and self._plain.startswith(b"HTTP"):
            head, end, rest = self._plain.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise SubscriberError(f"the server refuses the WebSocket: {bytes(self._plain)!r}")
            self._plain = rest
        while found := next_frame(self._plain):
            self._handle(*found, now)

    def _handle(self, kind: int, payload: bytes, now: int) -> None:
        if kind == PING:
            self._send(frame(PONG, payload))
        elif kind == CLOSE:
            raise SubscriberError(f"the server closes the WebSocket: {payload!r}")
        elif kind == TEXT:
            self._message(json.loads(payload), now)

    def _message(self, message: dict[str, Any], now: int) -> None:
        kind = message["type"]
        if kind == "hello":
            self._send_message(self._login)
            self._login = {}
        elif kind in ("snapshot", "update"):
            self._state(message, now)
        elif kind == "heartbeat":
            self.heartbeats += 1
        elif kind == "error":
            raise SubscriberError(f"the server refuses: {message['code']}: {message['text']}")

    def _state(self, message: dict[str, Any], now: int) -> None:
        lots = sum(float(each["lots"]) for each in message["positions"] if each["symbol"] == SYMBOL)
        if not self.is_live or (message["positions"] and lots != self.lots):
            self.lots, self.lots_at = round(lots, 2), now
        self.is_live = True
        held = {SYMBOL: f"{self.lots:.2f}"}
        self._send_message({"type": "ack", "stream": message["stream"], "seq": message["seq"], "held": held})

    def _send_message(self, message: dict[str, Any]) -> None:
        self._send(frame(TEXT, json.dumps(message, separators=(",", ":")).encode()))
