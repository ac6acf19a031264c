"""One HTTP POST from beginning to end, for a process that does nothing else: it waits in select.

Only https is accepted, and http to this machine: what is posted may be confidential. The server is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from demos.wire.addresses import AddressError, find_address
from demos.wire.channel import Channel, Stream
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.host_names import ascii_name
from demos.wire.opening import CallFailed
from demos.wire.tls import client_tls
from demos.wire.tls_contexts import TlsError, verifying_context
from demos.wire.web_client import Received, host_header, send_request
from winsock import FD_SET, NO_ERROR, SOCK_STREAM, WSAErrorDescript, closesocket, fd_set, select, timeval

CONNECT_MS = 10_000

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_STEP_US = 100_000

T = TypeVar("T")


class PostError(Exception):
    """The request was not answered; the text is the reason."""


class Url(NamedTuple):
    """The parts of an address that a request needs."""

    scheme: str
    host: str
    port: int
    target: str


def parse_url(text: str) -> Url:
    """The parts of an https address.

    Errors: ValueError with what is wrong. It does not show the address, which may contain a secret.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = ascii_name(parts.hostname or "")
    except ValueError:
        raise ValueError("not an address such as https://example.com/path") from None
    if parts.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise ValueError("not an address such as https://example.com/path")
    if parts.username is not None or parts.fragment:
        raise ValueError("an address with a user name, a password or a fragment")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError("an http address of another machine: use https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target)


def post(
    url: Url, body: bytes, headers: Mapping[str, str], now: Callable[[], int], ca_file: str | None = None
) -> Received:
    """Post a body and return the answer, of whatever status; ``now`` is a clock in milliseconds.

    ``ca_file``: a PEM file of the only CAs, or certificates, that are accepted. Winsock must have been started.
    Errors: PostError.
    """
    try:
        stream = _connected(url, ca_file, now)
    except (AddressError, TlsError, CallFailed) as error:
        raise PostError(str(error)) from None
    try:
        host = host_header(url.host, url.port, url.scheme)
        exchange = send_request(stream, "POST", host, url.target, now(), headers, body)
        received = _wait(stream, lambda: exchange.receive(now()), lambda: exchange.check(now()), now)
    except ValueError as error:
        raise PostError(str(error)) from None
    finally:
        stream.close("")
    return received


def _connected(url: Url, ca_file: str | None, now: Callable[[], int]) -> Stream:
    context = verifying_context(ca_file) if url.scheme == "https" else None
    address = find_address(url.host, url.port, SOCK_STREAM)
    s, error = begin_connect(address)
    until = now() + CONNECT_MS
    result = None if error == NO_ERROR else error
    while result is None and now() < until:
        writefds, exceptfds = fd_set(), fd_set()
        FD_SET(s, writefds)
        FD_SET(s, exceptfds)
        select(0, None, writefds, exceptfds, timeval(0, _STEP_US))
        result = connect_result(s)
    if result != NO_ERROR:
        closesocket(s)
        raise PostError("the server does not answer" if result is None else WSAErrorDescript(result))
    channel = Channel(s)
    return channel if context is None else client_tls(channel, context, url.host, None, now())


def _wait(stream: Stream, receive: Callable[[], T | None], check: Callable[[], None], now: Callable[[], int]) -> T:
    """Call ``receive`` when the socket is ready, until it has a result."""
    while True:
        readfds, writefds = fd_set(), fd_set()
        FD_SET(stream.socket, readfds)
        if stream.wants_write:
            FD_SET(stream.socket, writefds)
        select(0, readfds, writefds, None, timeval(0, _STEP_US))
        stream.flush(now())
        if stream.is_open and (result := receive()) is not None:
            return result
        if stream.is_open:
            check()
        if not stream.is_open:
            raise PostError(stream.reason or "the server disconnected")
