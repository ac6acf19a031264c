"""What a hub gets from its program: its settings, and the handler with the program's logic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from demos.wire.tls_contexts import CertificateFiles, TlsError
from demos.wire.websocket import SERVER_LIMITS, WebSocketLimits


class HubError(Exception):
    """The hub cannot be used with its settings; the text is one line, ``code`` the program's exit code."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class HubSettings:
    """Where the hub listens and what it allows.

    ``certificate``: a PEM file, "" for no TLS; ``key``: "" when the key is in the same file. ``hosts``: further names
    that requests may name, in the form of option_hosts(). ``first_message_ms``: a client that has sent no message for
    this time is ended.
    """

    host: str
    port: int
    certificate: str = ""
    key: str = ""
    hosts: frozenset[str] = frozenset()
    most_clients: int = 256
    most_per_address: int = 32
    first_message_ms: int = 10_000
    limits: WebSocketLimits = SERVER_LIMITS

    def certificate_files(self) -> CertificateFiles | None:
        """The certificate, or None.

        Errors: HubError.
        """
        if self.key and not self.certificate:
            raise HubError("--key is given without --cert: give the file of the certificate too")
        if not self.certificate:
            return None
        try:
            return CertificateFiles(Path(self.certificate), Path(self.key) if self.key else None)
        except TlsError as error:
            raise HubError(str(error)) from None


class Handler(Protocol):
    """The program's logic. A client is a number that is never used twice; times are milliseconds of GetTickCount64."""

    def opened(self, client: int, address: str, now: int) -> None:
        """A client has connected from this IP address."""

    def received(self, client: int, text: str, now: int) -> None:
        """A client has sent a message. Errors: MessageError ends the client with this error."""

    def next_message(self, client: int, now: int) -> str | None:
        """The next message for a client, or None; all earlier ones have been sent."""

    def closed(self, client: int, reason: str, now: int) -> None:
        """A client's connection has ended: called once for each opened()."""
