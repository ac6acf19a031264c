"""The URL of a topic prefix at an MQTT broker: ``mqtts://host:port/PREFIX``, or ``mqtt://`` without TLS.

A password crosses the connection, and orders follow from what arrives. So a connection without TLS may not leave the
computer: ``mqtt://`` is for this computer's addresses only.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from demos.wire.http_hosts import option_host

LONGEST_PREFIX = 128

_EXAMPLE = "use mqtts://HOST:PORT/PREFIX, as in mqtts://broker.example:8883/signals/anna"
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
# Neither the wildcards of subscriptions nor the $ of a broker's own topics.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,7}", re.ASCII)


class MqttEndpoint(NamedTuple):
    """Where the broker listens, whether with TLS, and the first part of all topics."""

    host: str
    port: int
    tls: bool
    prefix: str

    @property
    def text(self) -> str:
        """The place, for the log and the memory: it names one publisher."""
        return f"{self.host}:{self.port}/{self.prefix}"


def mqtt_endpoint_from_text(url: str) -> MqttEndpoint:
    """The endpoint in a URL.

    Errors: ValueError with what was expected.
    """
    if "@" in url:
        # No valid URL has an @. The text is not shown: it may contain a password, also in a place where none belongs.
        raise ValueError("invalid URL: it has a user name or a password; give the login and a password file instead")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"invalid URL: {url!r} ({error}); {_EXAMPLE}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or option_host(host) is None or port == 0:
        raise ValueError(f"invalid URL: {url!r}; {_EXAMPLE}")
    prefix = parts.path.removeprefix("/")
    if not _PREFIX.fullmatch(prefix) or len(prefix) > LONGEST_PREFIX or parts.query or parts.fragment:
        raise ValueError(
            f"invalid URL: {url!r}; the topic prefix has 1 to 8 levels of letters, digits, _ . and -, and at most "
            f"{LONGEST_PREFIX} characters; {_EXAMPLE}"
        )
    tls = parts.scheme == "mqtts"
    if not tls and not _may_be_loopback(host):
        raise ValueError(
            f"invalid URL: {url!r}; a connection without TLS (mqtt://) may only be to this computer, as in "
            "mqtt://127.0.0.1:1883/signals; use mqtts://"
        )
    return MqttEndpoint(host, port or _DEFAULT_PORTS[parts.scheme], tls, prefix)


def mqtt_url_problem(url: str) -> str | None:
    """Why this is not the URL of a topic prefix, or None when it is one; empty: no broker."""
    try:
        if url:
            mqtt_endpoint_from_text(url)
    except ValueError as error:
        return str(error)
    return None


def _may_be_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
