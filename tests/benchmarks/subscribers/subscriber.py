"""One subscriber of a provider for the load generator: TLS and WebSocket in memory, with Python's own ssl module.

A subscriber must be cheap, because thousands of them share the processors with the server that is measured. So it does
not verify the certificate, its frames have a mask of zeros, and what arrives after the login is only stored with the
time of its arrival: arrived(). It is decrypted and answered later: work_off().
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
from typing import Any

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
LARGEST = 16 * 1024
SYMBOL = "EURUSD"


class SubscriberError(Exception):
    """A subscriber was refused, or its connection has ended."""


def client_context() -> ssl.SSLContext:
    """One context for all subscribers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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


class Subscriber:
    """A connection to the server. ``lots``: what the provider holds, and ``lots_at`` when that state arrived."""

    __slots__ = (
        "_incoming",
        "_login",
        "_outgoing",
        "_plain",
        "_stored",
        "_tls",
        "heartbeats",
        "is_live",
        "lots",
        "lots_at",
        "opened",
        "socket",
    )

    def __init__(self, opened: socket.socket, context: ssl.SSLContext, login: dict[str, Any]) -> None:
        self.socket = opened
        self.opened = False
        self.is_live = False
        self.lots = -1.0
        self.lots_at = 0
        self.heartbeats = 0
        self._login = login
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._plain = bytearray()
        self._stored: list[tuple[int, bytes]] = []

    def start(self) -> None:
        """The connection is open: begin the handshake."""
        self._shake_hands()

    def arrived(self, data: bytes, now: int) -> None:
        """Take bytes from the socket; before the login is complete they are used at once."""
        self._stored.append((now, data))
        if not self.is_live:
            self.work_off()

    def work_off(self) -> None:
        """Decrypt, read and answer what has arrived.

        Errors: SubscriberError.
        """
        stored, self._stored = self._stored, []
        for now, data in stored:
            if not data:
                raise SubscriberError("the server has closed the connection")
            self._incoming.write(data)
            if self._shake_hands():
                self._read(now)

    def _shake_hands(self) -> bool:
        if self.opened:
            return True
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self.opened = True
        self._send(REQUEST)
        return True

    def _read(self, now: int) -> None:
        while True:
            try:
                data = self._tls.read(LARGEST)
            except ssl.SSLWantReadError:
                break
            if not data:
                raise SubscriberError("the server has ended the TLS stream")
            self._plain += data
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

    def _send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        """Send the encrypted output. It is small, and the server reads it: the socket takes all of it."""
        data = self._outgoing.read()
        if data and self.socket.send(data) != len(data):
            raise SubscriberError("the server does not read")
