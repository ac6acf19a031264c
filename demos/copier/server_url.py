"""The provider's URL: ``wss://host:port`` with TLS, or ``ws://127.0.0.1:port`` without it, on this computer only.

A proxy has several topics: ``wss://host:port/TOPIC``.

A password crosses the connection, and orders follow from what arrives. So a connection without TLS may not leave the
computer. The host's address is checked too: see is_loopback().
"""

from __future__ import annotations

import ctypes
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from demos.provider.topic_names import SUBSCRIBERS, topic_of_path, topic_path
from demos.wire.addresses import Address
from demos.wire.http_hosts import option_host
from demos.wire.tls_contexts import fingerprint_from_text
from winsock import sockaddr_in

# The path of a server with one topic.
PATH = SUBSCRIBERS

_EXAMPLE = "use wss://HOST:PORT, as in wss://provider.example:8443"
_NO_TLS = "a connection without TLS (ws://) may only be to this computer, as in ws://127.0.0.1:8443; use wss://"
_DEFAULT_PORTS = {"ws": 80, "wss": 443}

SECRET_PROBLEM = "invalid URL: it has a user name or a password; use --login and --password-file"


class Endpoint(NamedTuple):
    """Where the provider listens, whether it speaks TLS, and the topic to follow; "" for its only one."""

    host: str
    port: int
    tls: bool
    topic: str = ""

    def __str__(self) -> str:
        """The server for the log: ``host:port`` or ``host:port/topic``."""
        return f"{self.host}:{self.port}" + (f"/{self.topic}" if self.topic else "")

    @property
    def path(self) -> str:
        """The path of the WebSocket."""
        return topic_path(self.topic)

    @property
    def scheme(self) -> str:
        """The scheme of HTTP for this endpoint."""
        return "https" if self.tls else "http"


def endpoint_from_text(url: str) -> Endpoint:
    """The endpoint in a URL.

    Errors: ValueError with what was expected.
    """
    if "@" in url:
        # No valid URL has an @. The text is not shown: it may contain a password, also in a place where none belongs.
        raise ValueError(SECRET_PROBLEM)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"invalid URL: {url!r} ({error}); {_EXAMPLE}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or option_host(host) is None or port == 0:
        raise ValueError(f"invalid URL: {url!r}; {_EXAMPLE}")
    topic = topic_of_path(parts.path)
    if topic is None or parts.query or parts.fragment:
        raise ValueError(
            f"invalid URL: {url!r}; its path is empty or the name of a topic, as in wss://proxy.example:8444/anna, "
            "without query and fragment"
        )
    tls = parts.scheme == "wss"
    if not tls and not _may_be_loopback(host):
        raise ValueError(f"invalid URL: {url!r}; {_NO_TLS}")
    return Endpoint(host, port or _DEFAULT_PORTS[parts.scheme], tls, topic)


def url_problem(url: str) -> str | None:
    """Why this is not a provider's URL, or None when it is one; empty: no provider."""
    try:
        if url:
            endpoint_from_text(url)
    except ValueError as error:
        return str(error)
    return None


def pin_problem(pin: str) -> str | None:
    """Why this is not a certificate's fingerprint, or None when it is one; empty: none."""
    try:
        if pin:
            fingerprint_from_text(pin)
    except ValueError as error:
        return str(error)
    return None


def is_loopback(address: Address) -> bool:
    """Whether an address belongs to this computer alone."""
    if isinstance(address, sockaddr_in):
        return bytes(address.sin_addr)[0] == 127
    number = IPv6Address(ctypes.string_at(ctypes.addressof(address.sin6_addr), 16))
    mapped = number.ipv4_mapped
    return mapped.is_loopback if mapped is not None else number.is_loopback


def _may_be_loopback(host: str) -> bool:
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        pass
    try:
        return IPv6Address(host).is_loopback
    except AddressValueError:
        return host.rstrip(".").lower() == "localhost"
