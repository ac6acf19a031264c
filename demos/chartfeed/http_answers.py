"""The chart server's answers to HTTP clients, by the sans-I/O library h11 (the extra ``http``): no sockets here.

``/`` is the article's message, so that a program can call MetaTrader's WebRequest instead of connect and recv.
``/chart.tpl`` is the template file alone. Each connection serves one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from demos.template.protocol import HEADER

MAX_HEADER = 16 * 1024

_BYTES = "application/octet-stream"


class Resource(NamedTuple):
    """The answer to a GET of one path."""

    content_type: str
    body: bytes
    headers: Mapping[str, str]


def available() -> bool:
    """Whether h11 is installed."""
    return find_spec("h11") is not None


def resources(message: bytes) -> dict[str, Resource]:
    """The resources by path: the message, and the template file in it without the two zero bytes at its end."""
    file = message[HEADER:].removesuffix(b"\0\0")
    attachment = {"Content-Disposition": 'attachment; filename="chart.tpl"'}
    return {"/": Resource(_BYTES, message, {}), "/chart.tpl": Resource(_BYTES, file, attachment)}


class Exchange:
    """The request of one connection and its answer."""

    def __init__(self) -> None:
        import h11

        self._h11 = h11
        self._head = False
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER)

    def feed(self, data: bytes, found: Mapping[str, Resource]) -> tuple[int, bytes] | None:
        """Take received bytes; return the status and the whole answer once the request's header is whole or invalid.

        ``found`` holds the resources of this moment; it is empty while there is no template.
        """
        h11 = self._h11
        try:
            self._connection.receive_data(data)
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            # The answer does not echo bytes of the client.
            return self._refuse(error.error_status_hint, "the request is not valid HTTP")
        if not isinstance(event, h11.Request):
            return None
        self._head = event.method == b"HEAD"
        if event.method not in (b"GET", b"HEAD"):
            return self._refuse(405, "the server answers only GET and HEAD", {"Allow": "GET, HEAD"})
        path = _path_of(event.target)
        if path not in ("/", "/chart.tpl"):
            return self._refuse(404, "the server has only / and /chart.tpl")
        if path not in found:
            return self._refuse(503, "there is no template yet", {"Retry-After": "1"})
        return self._answer(200, found[path])

    def expire(self) -> tuple[int, bytes]:
        """The answer to a request whose header is not whole after the time limit."""
        return self._refuse(408, "the header was not whole in time")

    def _refuse(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        resource = Resource("text/plain; charset=utf-8", f"{status} {text}\n".encode(), headers or {})
        return self._answer(status, resource)

    def _answer(self, status: int, resource: Resource) -> tuple[int, bytes]:
        h11 = self._h11
        headers = {
            "Content-Type": resource.content_type,
            "Content-Length": str(len(resource.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
            **resource.headers,
        }
        head = h11.Response(status_code=status, headers=list(headers.items()), reason=_REASONS.get(status, b""))
        parts = [self._connection.send(head)]
        if not self._head:
            # The answer to HEAD states the length of the body that GET would have.
            parts.append(self._connection.send(h11.Data(data=resource.body)))
        return status, b"".join(part for part in parts if part)


_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    503: b"Service Unavailable",
}


def _path_of(target: bytes) -> str:
    """The path in a request's target, which may be an absolute URL; without query and fragment."""
    text = target.decode("latin-1")
    _, separator, location = text.partition("://")
    if separator and not text.startswith("/"):
        text = "/" + location.partition("/")[2]
    return text.partition("?")[0].partition("#")[0]
