"""The client's side of the ideas: a WebSocket to one server, which connects again after growing pauses.

A program calls step() in OnTimer and in OnSocket; it returns the messages that have arrived. The transport is the
copier's: TCP, TLS and the WebSocket without a call that waits, with time limits for each phase. A server that answers
no ping ends the connection.

A fault is logged once, until it is another one or a connection has lasted. A connection that lasts ends a series of
failures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from demos.copier.server_url import Endpoint, endpoint_from_text
from demos.copier.transport import Transport
from demos.copier.verification import verification
from demos.terminal import Event, GetTickCount64, Print
from demos.wire.backoff import Backoff
from demos.wire.tls_contexts import TlsContext, TlsError
from demos.wire.websocket import CLIENT_LIMITS, NORMAL, WebSocketLimits

FIRST_WAIT_MS = 1000
LONGEST_WAIT_MS = 32_000

# A connection that has lasted so long ends a series of failures.
PROVEN_MS = 5_000

_DIGITS = re.compile("[0-9]+")


class LinkError(Exception):
    """A link cannot be used with its settings; the text is one line."""


class LinkSettings(NamedTuple):
    """Where the server is, and how it is verified: ``context`` is None without TLS."""

    endpoint: Endpoint
    context: TlsContext | None
    pin: bytes | None


def link_settings(url: str, ca: str = "", pin: str = "") -> LinkSettings:
    """The settings in a program's inputs.

    Errors: LinkError.
    """
    try:
        endpoint = endpoint_from_text(url)
        return LinkSettings(endpoint, *verification(endpoint, ca, pin))
    except (ValueError, TlsError) as error:
        raise LinkError(str(error)) from None


class Link:
    """The connection, or its next attempt. ``generation`` is the number of connections so far."""

    def __init__(self, settings: LinkSettings, limits: WebSocketLimits = CLIENT_LIMITS) -> None:
        self.generation = 0
        self._endpoint = settings.endpoint
        self._transport = Transport(*settings, limits)
        self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
        self._opened_at: int | None = None
        self._attempted = self._ending = False
        self._reported = ""

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._transport.is_open and not self._ending

    @property
    def unsent(self) -> int:
        """Bytes of output that the system has not taken yet."""
        return self._transport.unsent

    def step(self) -> Iterator[str]:
        """Do what is possible now; the messages that have arrived, up to a call of end()."""
        now = GetTickCount64()
        self._check_end()
        if self._transport.is_idle and self._backoff.is_due(now):
            self._attempted, self._ending, self._opened_at = True, False, None
            # The pause before the next attempt begins now, and grows until a connection lasts.
            self._backoff.failed(now)
            self._transport.Begin(now)
        messages = self._transport.Continue(now)
        if (self._transport.is_open or messages) and self._opened_at is None:
            self._opened_at = now
            self.generation += 1
            Event("connected", port=self._transport.local_port)
            Print(f"connected to {self._transport.peer}")
        if self.is_open and self._opened_at is not None and now - self._opened_at >= PROVEN_MS:
            self._backoff.succeeded()
            self._reported = ""
        self._transport.Register()
        return self._until_end(messages)

    def send(self, text: str) -> None:
        """Send a message, if the connection is open."""
        if self.is_open:
            self._transport.Send(text, GetTickCount64())

    def end(self, reason: str) -> None:
        """End the connection in order, and log why; the next attempt follows after a pause."""
        now = GetTickCount64()
        if not self._ending:
            self._backoff.failed(now)
            self._report(reason)
        self._ending = True
        self._transport.End(NORMAL, reason, now)
        self._transport.Register()

    def close(self) -> None:
        """End the connection at once, and clean up."""
        self._ending = True
        self._transport.End(NORMAL, "", GetTickCount64())
        self._transport.CloseClean()

    def _until_end(self, messages: list[str]) -> Iterator[str]:
        for text in messages:
            if self._ending:
                return
            yield text

    def _check_end(self) -> None:
        """Report the end of the last connection: not before the program has its last messages, which may say why."""
        if self._transport.is_idle and self._attempted:
            self._attempted = False
            if not self._ending:
                self._report(self._transport.problem)

    def _report(self, reason: str) -> None:
        """Log a fault, unless the log says so already, perhaps with other numbers."""
        if _DIGITS.sub("", reason) == _DIGITS.sub("", self._reported):
            return
        self._reported = reason
        Print(
            f"-server {self._endpoint.host}:{self._endpoint.port}: {reason.rstrip('.')}. {self._backoff.retry_text()}"
        )
