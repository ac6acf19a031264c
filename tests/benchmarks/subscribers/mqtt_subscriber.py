"""One subscriber of a provider through an MQTT broker, for the load generator: the few packets of MQTT 5 that it needs.

It does what a copier does: it connects, subscribes to the provider's topics, and asks the provider, whose answer proves
that it is running. Then it acknowledges each message of QoS 1. A library with a client object for each connection would
take more time from the broker that is measured.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from typing import NamedTuple

from tests.benchmarks.subscribers.tls_subscriber import SubscriberError, TlsSubscriber

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
USER_NAME, PASSWORD, CLEAN_START = 0x80, 0x40, 0x02
FAILURE = 0x80
TOPICS = ("status", "state/#", "summary", "heartbeat")
SYMBOL = "EURUSD"


class Login(NamedTuple):
    """The broker's login and password, and the provider's prefix."""

    login: str
    password: str
    prefix: str


def text(value: str | bytes) -> bytes:
    """A string or binary value with its length."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(kind: int, content: bytes, flags: int = 0) -> bytes:
    """A packet with its head."""
    size, length = len(content), bytearray()
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([kind << 4 | flags]) + bytes(length) + content


def variable_length(data: bytes, start: int) -> tuple[int, int] | None:
    """A length of one to four bytes, and where it ends; None when it is not whole yet."""
    value = 0
    for place in range(4):
        if start + place >= len(data):
            return None
        digit = data[start + place]
        value |= (digit & 0x7F) << (7 * place)
        if not digit & 0x80:
            return value, start + place + 1
    raise SubscriberError(f"the broker has sent an invalid length: {data[start : start + 4]!r}")


def next_packet(data: bytearray) -> tuple[int, int, bytes] | None:
    """Removes the first packet from ``data``: its kind, its flags and its content; None when it is not whole yet."""
    length = variable_length(data, 1)
    if length is None or len(data) < length[1] + length[0]:
        return None
    end = length[1] + length[0]
    found = data[0] >> 4, data[0] & 15, bytes(data[length[1] : end])
    del data[:end]
    return found


class MqttSubscriber(TlsSubscriber):
    """A subscriber; it is live when the provider has answered it, and has a state when the summary has arrived."""

    __slots__ = ("_id", "_login", "_state", "_summary")

    def __init__(self, opened: socket.socket, context: ssl.SSLContext, login: Login) -> None:
        super().__init__(opened, context)
        self._login = login
        # The number and the lots of the newest state of the symbol, and the number of the newest summary.
        self._state = (0, 0.0)
        self._summary = -1
        self._id = f"copier-{secrets.token_hex(8)}"

    def _begin(self) -> None:
        flags, keepalive, properties = USER_NAME | PASSWORD | CLEAN_START, 600, b"\0"
        head = text("MQTT") + bytes([5, flags]) + keepalive.to_bytes(2, "big") + properties
        self._send(packet(CONNECT, head + text(self._id) + text(self._login.login) + text(self._login.password)))

    def _read(self, now: int) -> None:
        while found := next_packet(self._plain):
            kind, flags, content = found
            if kind == CONNACK:
                self._check(content[1:2], "the broker refuses the login")
                filters = [f"{self._login.prefix}/{name}" for name in (*TOPICS, f"answer/{self._id}")]
                wanted = b"".join(text(each) + b"\1" for each in filters)
                self._send(packet(SUBSCRIBE, b"\0\1\0" + wanted, 2))
            elif kind == SUBACK:
                self._check(content[3:], "the broker refuses a subscription")
                ask = {"type": "ask", "version": 1, "nonce": secrets.token_hex(16)}
                topic = f"{self._login.prefix}/ask/{self._id}"
                self._send(packet(PUBLISH, text(topic) + b"\0\2\0" + json.dumps(ask).encode(), 2))
            elif kind == PUBACK:
                self._check(content[2:3], "the broker refuses a message")
            elif kind == PUBLISH:
                self._publication(content, bool(flags & 6), now)
            else:
                raise SubscriberError(f"the broker has sent a packet of the kind {kind}: {content!r}")

    def _check(self, reasons: bytes, what: str) -> None:
        if any(reason >= FAILURE for reason in reasons):
            raise SubscriberError(f"{what}: reason {max(reasons):#x}")

    def _publication(self, content: bytes, acknowledged: bool, now: int) -> None:
        end = 2 + int.from_bytes(content[:2], "big")
        topic = content[2:end].decode().removeprefix(f"{self._login.prefix}/")
        if acknowledged:
            self._send(packet(PUBACK, content[end : end + 2]))
            end += 2
        properties = variable_length(content, end)
        assert properties
        size, end = properties
        self._message(topic, content[end + size :], now)

    def _message(self, topic: str, payload: bytes, now: int) -> None:
        if topic == "heartbeat":
            self.heartbeats += 1
            return
        if topic.startswith("answer/"):
            self.is_live = True
            return
        message = json.loads(payload or "{}")
        if not message:
            # The symbol is flat, in the state of the next summary.
            if topic == f"state/{SYMBOL}":
                self._state = self._summary + 1, 0.0
        elif topic == f"state/{SYMBOL}":
            self._state = message["seq"], round(sum(float(each["lots"]) for each in message["positions"]), 2)
        elif topic == "summary":
            self._summary = message["seq"]
        seq, lots = self._state
        if seq <= self._summary and lots != self.lots:
            self.lots, self.lots_at = lots, now
