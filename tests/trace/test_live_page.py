"""The page of running programs is served on loopback, to its own host only, and made only when a page asks for it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from winsock_kit import LIMIT_SECONDS

from winsock.trace import live_page, live_watch
from winsock.trace.live_page import PageServer
from winsock.trace.live_watch import Watch
from winsock.trace.sinks import CLOCK

HEAD = {"trace": 1, "backend": "compat", "pid": 1, "argv": ["server.py"], "t": 5, "wall": 7}
CALL = {"n": 1, "t": 9, "d": 5, "pid": 1, "thread": "", "call": "listen", "args": {}, "result": 0, "text": "listen()"}


class Served:
    """A served Watch of one trace, which the test writes."""

    def __init__(self, folder: Path) -> None:
        self.watch = Watch(lambda row: None)
        self._path = folder / "server.jsonl"
        self.watch.follow(self._path, None, 100)
        self.server = PageServer(self.watch, 0, "")
        self.port = int(self.server.url.rpartition(":")[2].strip("/"))

    def write(self, *records: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        self.watch.poll()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def data(self, version: int) -> dict[str, Any] | None:
        status, body = self.ask(f"/data.json?version={version}")
        assert status == (200 if body else 204)
        return dict(json.loads(body)) if body else None


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(live_page, "_PAUSE_FACTOR", 0)
    found = Served(tmp_path)
    yield found
    found.server.close()


def test_a_page_gets_only_news(served: Served) -> None:
    empty = served.data(0)
    assert empty
    assert empty["lanes"] == []
    assert served.data(empty["version"]) is None
    served.write(HEAD, CALL)
    data = served.data(empty["version"])
    assert data
    assert [lane["name"] for lane in data["lanes"]] == ["server"]
    assert data["version"] > empty["version"]
    assert served.data(data["version"]) is None


def test_a_page_of_another_run_gets_the_data(served: Served) -> None:
    served.write(HEAD, CALL)
    for query in ("?version=99999", "?version=x", "?version=-1", "?version=" + "9" * 99, "", "?a"):
        assert served.ask(f"/data.json{query}")[0] == 200


def test_data_are_made_once_for_all_pages(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(timeline: object) -> dict[str, Any]:
        made.append(1)
        return {}

    monkeypatch.setattr(live_page, "page_data", counted)
    served.write(HEAD, CALL)
    assert made == []
    for _ in range(3):
        assert served.data(0)
    assert made == [1]


def test_data_are_not_made_more_often_than_the_machine_can(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "_PAUSE_FACTOR", 10**9)
    first = served.data(0)
    assert first
    served.write(HEAD, CALL)
    assert served.data(first["version"]) is None
    assert served.data(0) == first


def test_the_page_is_one_document_with_the_calls_so_far(served: Served) -> None:
    served.write(HEAD, CALL)
    status, body = served.ask("/")
    assert status == 200
    assert b"<title>server</title>" in body
    assert b"connect-src &#x27;self&#x27;" in body or b"connect-src 'self'" in body
    assert b"listen()" in body


def test_the_data_have_the_title_of_the_page(served: Served) -> None:
    empty = served.data(0)
    assert empty
    assert empty["title"] == "live"
    served.write(HEAD, CALL, HEAD | {"pid": 2, "argv": ["client.py"]})
    data = served.data(0)
    assert data
    assert data["title"] == "server and client"


def test_a_call_that_has_not_returned_lasts_until_now(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_watch, "_WAIT_PERIOD", 0)
    start = CLOCK() - 6 * 10**9
    head = HEAD | {"pid": os.getpid(), "t": start, "wall": time.time_ns() - 6 * 10**9}
    begun = {"begun": 1, "t": start, "pid": os.getpid(), "thread": "", "call": "accept", "text": "accept(4, "}
    served.write(head, begun)
    before = _wait(served)
    assert before >= 6 * 10**9
    assert before <= CLOCK() - start
    served.watch.poll()
    assert _wait(served) > before
    served.write(CALL | {"pid": os.getpid(), "t": start, "d": 3, "call": "accept"})
    assert _wait(served) == 3
    version = served.watch.version
    served.watch.poll()
    assert served.watch.version == version


def _wait(served: Served) -> int:
    """How long the only call lasts, in nanoseconds."""
    data = served.data(0)
    assert data
    (start,), (end,) = data["columns"]["start"], data["columns"]["end"]
    return int(end - start)


@pytest.mark.posix_only(reason="on Windows it is not known whether a process has ended")
def test_a_call_of_a_program_that_was_killed_lasts_until_its_last_call(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_watch, "_WAIT_PERIOD", 0)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    start = CLOCK()
    head = HEAD | {"pid": ended.pid, "t": start, "wall": time.time_ns()}
    begun = {"begun": 1, "t": start, "pid": ended.pid, "thread": "", "call": "accept", "text": "accept(4, "}
    served.write(head, begun, CALL | {"n": 2, "pid": ended.pid, "t": start + 5, "d": 2})
    data = served.data(0)
    assert data
    place = data["columns"]["n"].index(1)
    assert data["columns"]["end"][place] - data["columns"]["start"][place] == 7
    version = served.watch.version
    served.watch.poll()
    assert served.watch.version == version


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:x", "127.0.0.1:80:80", "", "localhost@evil", "[::1]"]
)
def test_another_host_is_refused(served: Served, host: str) -> None:
    for path in ("/", "/data.json"):
        status, body = served.ask(path, Host=host)
        assert (status, b"invalid Host" in body) == (403, True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8080"])
def test_loopback_is_a_host(served: Served, host: str) -> None:
    assert served.ask("/", Host=host)[0] == 200


def test_two_hosts_are_refused(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LIMIT_SECONDS)
    connection.putrequest("GET", "/", skip_host=True)
    connection.putheader("Host", "localhost")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/server.jsonl", "*", "/data.json/"])
def test_there_are_no_other_pages(served: Served, path: str) -> None:
    assert served.ask(path)[0] == 404


def test_the_server_only_reads(served: Served) -> None:
    assert served.ask("/", "HEAD") == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert served.ask("/", method)[0] == 501


def test_the_headers_keep_the_page_to_itself(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LIMIT_SECONDS)
    connection.request("GET", "/data.json")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_too_many_connections_are_refused_until_one_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [http.client.HTTPConnection("127.0.0.1", served.port, timeout=LIMIT_SECONDS) for _ in range(32)]
    for connection in silent:
        connection.request("GET", "/")
        assert connection.getresponse().read()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        served.ask("/")
    for connection in silent:
        connection.close()
    pause = threading.Event()
    while True:
        try:
            assert served.ask("/")[0] == 200
            break
        except (http.client.RemoteDisconnected, ConnectionError):
            pause.wait(0.01)


def test_a_fault_in_the_data_is_shown(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(lanes: object, until: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(live_page, "live_timeline", fail)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        served.ask("/data.json")
    assert "ValueError: a fault" in capsys.readouterr().err


def test_a_port_in_use_is_an_error(served: Served) -> None:
    with pytest.raises(OSError, match=r"Errno|WinError"):
        PageServer(served.watch, served.port, "")


def test_nothing_listens_after_the_end(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.server.close()
    with pytest.raises(ConnectionError):
        served.ask("/")
