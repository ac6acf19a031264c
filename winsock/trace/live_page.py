"""Serves the page of a running trace on loopback, for browsers of this machine only.

The server reads nothing from a request but its path and its headers. It refuses requests with another Host than
loopback: a web site whose name leads to 127.0.0.1 could read the traces otherwise. It answers GET and HEAD, at most
`_MAX_CONNECTIONS` at once, and closes connections that are silent.

A page fetches data.json?version=V again and again. The data are only made when a page asks for them, once for all
pages, and not more often than the machine can: after data that took a second to make there are none for three seconds.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from winsock.command_line import printable

from .events import Lane
from .live_watch import Watch
from .page import page, page_data
from .timeline import Timeline, timeline

__all__ = ["PageServer", "live_timeline"]

_LOOPBACK = "127.0.0.1"
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?", re.IGNORECASE)
_MAX_CONNECTIONS = 32
_SILENCE = 20.0
_PAUSE_FACTOR = 3
_VERSION = re.compile(r"version=(\d{1,18})")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PageServer:
    """The server; its requests are answered by threads until close()."""

    def __init__(self, watch: Watch, port: int, title: str) -> None:
        """Listens on this port, or on a free one if it is 0.

        Errors: OSError if the port cannot be used.
        """
        self._data = _PageData(watch, title)
        handler = type("Handler", (_Handler,), {"data": self._data})
        self._server = _Server((_LOOPBACK, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self._server.server_address[1]}/"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Elsewhere the port can be used again at once; on Windows this option would allow two servers on one port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing about a browser that closes its connection, which it may do at any time."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    data: ClassVar[_PageData]
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    server_version, sys_version = "winsock.trace", ""

    def do_GET(self) -> None:
        if not _HOST.fullmatch(self.headers.get("Host", "")) or len(self.headers.get_all("Host", [])) != 1:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", f"invalid Host; use http://{_LOOPBACK}\n".encode())
            return
        path, _, query = self.path.partition("?")
        if path == "/":
            self._answer(HTTPStatus.OK, "text/html", self.data.page())
        elif path == "/data.json":
            version = _VERSION.fullmatch(query)
            data = self.data.newer(int(version[1]) if version else -1)
            self._answer(HTTPStatus.OK if data else HTTPStatus.NO_CONTENT, "application/json", data)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")

    do_HEAD = do_GET

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        if status >= HTTPStatus.BAD_REQUEST:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the terminal shows the calls."""


class _PageData:
    """Makes the data of the page, when a page asks for them."""

    def __init__(self, watch: Watch, title: str) -> None:
        self._watch, self._title = watch, title
        self._lock = threading.Lock()
        self._version = -1
        self._json = b""
        self._next = 0.0

    def page(self) -> bytes:
        """The page with the data of now."""
        lanes, until = self._watch.lanes()
        return page(live_timeline(lanes, until), self._title_of(lanes), live=True).encode()

    def newer(self, version: int) -> bytes:
        """The data as JSON if there are newer ones than those with this version, otherwise b""."""
        with self._lock:
            current = self._watch.version
            if current != self._version and time.perf_counter() >= self._next:
                begin = time.perf_counter()
                lanes, until = self._watch.lanes()
                data = {"version": current, "title": self._title_of(lanes), **page_data(live_timeline(lanes, until))}
                self._json = json.dumps(data, separators=(",", ":")).encode()
                self._version = current
                self._next = time.perf_counter() + _PAUSE_FACTOR * (time.perf_counter() - begin)
            return self._json if version != self._version else b""

    def _title_of(self, lanes: list[Lane]) -> str:
        return printable(self._title or " and ".join(lane.name for lane in lanes) or "live")


def live_timeline(lanes: list[Lane], until: list[int | None] | None = None) -> Timeline:
    """The timeline of these lanes; calls that have not returned last until this time of their lane's clock.

    Where it is None, they last until the end of the last call.
    """
    found = timeline(lanes, unfinished=True)
    for event in found.events:
        now = until[event.lane] if until and event.waiting else None
        if now is not None:
            event.end = event.start + max(now - event.record["t"], 0)
    return found
