"""The chart server's answers to HTTP clients, by the sans-I/O library h11 (the extra ``http``): no sockets here.

``/`` is the article's message, so that a program can call MetaTrader's WebRequest instead of connect and recv.
``/chart.tpl`` is the template file alone. Each connection serves one request.

Only requests for hosts that the server was told to serve are answered. Otherwise any web page could read the chart with
the user's browser: the page's owner lets the page's host name resolve to 127.0.0.1 ("DNS rebinding"), and the browser
then treats the server as a part of the page. The request still names the page's host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import NamedTuple, TypeAlias

from demos.template.protocol import HEADER
from demos.wire.http_hosts import host_of, hosts_of, path_of

MAX_HEADER = 16 * 1024

# The characters of a host that the log shows.
MAX_HOST = 60

_BYTES = "application/octet-stream"


# A piece of an answer.
Part: TypeAlias = bytes | memoryview


class Resource(NamedTuple):
    """The answer to a GET of one path."""

    content_type: str
    body: bytes | memoryview
    headers: Mapping[str, str]


def available() -> bool:
    """Whether h11 is installed."""
    return find_spec("h11") is not None


def resources(message: bytes) -> dict[str, Resource]:
    """The resources by path: the message, and the template file in it without the two zero bytes at its end."""
    end = len(message) - (2 if message.endswith(b"\0\0") else 0)
    attachment = {"Content-Disposition": 'attachment; filename="chart.tpl"'}
    # Views, so that many clients of a large template need no copies.
    file = memoryview(message)[HEADER:end]
    return {"/": Resource(_BYTES, message, {}), "/chart.tpl": Resource(_BYTES, file, attachment)}


class Exchange:
    """The request of one connection and its answer.

    ``hosts``: the names and addresses, as host_of() returns them, for which it is answered. ``problem``: why a request
    was refused because of its host, for the log.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        import h11

        self._h11 = h11
        self._hosts = hosts
        self.problem = ""
        self._head = False
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER)

    def feed(self, data: bytes, found: Mapping[str, Resource]) -> tuple[int, list[Part]] | None:
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
        refused = next((text for text in hosts_of(event) if host_of(text) not in self._hosts), None)
        if refused is not None:
            return self._refuse_host(refused)
        if event.method not in (b"GET", b"HEAD"):
            return self._refuse(405, "the server answers only GET and HEAD", {"Allow": "GET, HEAD"})
        path = path_of(event)
        if path not in ("/", "/chart.tpl"):
            return self._refuse(404, "the server has only / and /chart.tpl")
        if path not in found:
            return self._refuse(503, "there is no template yet", {"Retry-After": "1"})
        return self._answer(200, found[path])

    def expire(self) -> tuple[int, list[Part]]:
        """The answer to a request whose header is not whole after the time limit."""
        return self._refuse(408, "the header was not whole in time")

    def _refuse_host(self, text: str) -> tuple[int, list[Part]]:
        shown = repr(text[:MAX_HOST])
        if host_of(text) is None:
            self.problem = f"an HTTP request with the invalid host {shown}"
            return self._refuse(400, "the request names an invalid host")
        self.problem = f"an HTTP request for the host {shown}, which is not served; see --hosts"
        return self._refuse(421, "the server does not serve this host; its option --hosts adds one")

    def _refuse(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> tuple[int, list[Part]]:
        resource = Resource("text/plain; charset=utf-8", f"{status} {text}\n".encode(), headers or {})
        return self._answer(status, resource)

    def _answer(self, status: int, resource: Resource) -> tuple[int, list[Part]]:
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
        parts: list[Part] = [self._connection.send(head) or b""]
        if not self._head:
            # The answer to HEAD states the length of the body that GET would have.
            parts += self._connection.send_with_data_passthrough(h11.Data(data=resource.body)) or []
        return status, parts


_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    421: b"Misdirected Request",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    503: b"Service Unavailable",
}
