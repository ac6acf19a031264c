"""A client's connection over TLS, with Python's own ssl module in memory, for the load generator.

A subscriber must be cheap, because thousands of them share the processors with the server that is measured. So it does
not verify the certificate, and what arrives after the login is only stored with the time of its arrival: arrived(). It
is decrypted and answered later: work_off().
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod

LARGEST = 16 * 1024


class SubscriberError(Exception):
    """A subscriber was refused, or its connection has ended."""


def client_context() -> ssl.SSLContext:
    """One context for all subscribers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TlsSubscriber(ABC):
    """A connection to the server. ``lots``: what the provider holds, and ``lots_at`` when that state arrived."""

    __slots__ = (
        "_incoming",
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

    def __init__(self, opened: socket.socket, context: ssl.SSLContext) -> None:
        self.socket = opened
        self.opened = False
        self.is_live = False
        self.lots = -1.0
        self.lots_at = 0
        self.heartbeats = 0
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
                self._decrypt()
                self._read(now)

    @abstractmethod
    def _begin(self) -> None:
        """Send the first bytes, over TLS."""

    @abstractmethod
    def _read(self, now: int) -> None:
        """Take what is whole in ``_plain``; it arrived at this time. Errors: SubscriberError."""

    def _shake_hands(self) -> bool:
        if self.opened:
            return True
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self.opened = True
        self._begin()
        return True

    def _decrypt(self) -> None:
        while True:
            try:
                data = self._tls.read(LARGEST)
            except ssl.SSLWantReadError:
                return
            if not data:
                raise SubscriberError("the server has ended the TLS stream")
            self._plain += data

    def _send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        """Send the encrypted output. It is small, and the server reads it: the socket takes all of it."""
        data = self._outgoing.read()
        if data and self.socket.send(data) != len(data):
            raise SubscriberError("the server does not read")
