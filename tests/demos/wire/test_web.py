"""HTTP: requests that are answered, refused or too slow, in raw bytes and from http.client; the client against both."""

from __future__ import annotations

import http.client
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cleanup_kit import closed_after_test
from web_kit import (
    HOSTS,
    Server,
    connected_channel,
    drive,
    exchange,
    milliseconds,
    network,
    raw,
    receive_to_end,
    wait_until,
)
from winsock_kit import (
    Running,
    accept_from,
    connected_pair,
    listener,
    port_of,
    readable,
    receive_all,
    reset,
    set_nonblocking,
)

from demos.wire.channel import Channel
from demos.wire.web_client import Received, host_header, send_request
from demos.wire.web_server import PAGE_HEADERS, Answer, WebConnection, served_hosts, text_answer
from winsock import SD_SEND, send, shutdown

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

HOST = b"Host: localhost\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])


def put(s: int, data: bytes) -> None:
    assert send(s, data, len(data), 0) == len(data)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\r\n\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 421),
        (GET + b"Bad Header: x\r\n\r\n", 400),
        (GET + b" folded: x\r\n\r\n", 400),
        (GET + b"X: \0\r\n\r\n", 400),
        (GET + b"Content-Length: -1\r\n\r\n", 400),
        (GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (GET + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (GET + b"Content-Length: 65537\r\n\r\n", 413),
        (GET + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 20_000, 431),
        (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"GET /" + b"x" * 2048 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"x" * 20_000, 431),
        (GET + b"X: " + b"x" * 20_000, 431),
        (GET + b"X: y\r\n" * 4000, 431),
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_status_for_it_and_ends_the_connection(request_bytes, status):
    server = Server()
    s = raw(server)
    put(s, request_bytes)
    answer = receive_to_end(s)
    assert status_of(answer) == status
    wait_until(lambda: len(server.reasons) == 1)
    assert server.problems[0].startswith(f"{status} ")


def test_a_chunked_body_above_the_limit_is_refused():
    server = Server()
    s = raw(server)
    put(s, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    put(s, (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 66)
    assert status_of(receive_to_end(s)) == 413


def test_a_request_is_read_at_whatever_byte_it_is_split():
    request = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    for position in range(1, len(request)):
        peer, s = connected_pair()
        set_nonblocking(s)
        connection = WebConnection(Channel(s), served_hosts(HOSTS), 0)
        put(peer, request[:position])
        assert readable(s)
        assert connection.receive(0) is None
        put(peer, request[position:])
        assert readable(s)
        found = connection.receive(0)
        assert found is not None
        assert (found.method, found.path, found.body) == ("POST", "/echo", b"abcde")
        connection.stream.close("")


def test_requests_follow_each_other_on_one_connection():
    server = Server()
    connection = closed_after_test(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30))
    sockets = set()
    for method, path, body in (("GET", "/", None), ("HEAD", "/", None), ("POST", "/echo", b"x" * 65536)) * 2:
        connection.request(method, path, body)
        sockets.add(connection.sock)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200
        assert content == (body or (b"" if method == "HEAD" else content))
        assert int(answer.getheader("Content-Length", "")) > 0
    assert len(sockets) == 1


def test_a_page_forbids_frames_foreign_scripts_and_caches():
    server = Server()
    connection = closed_after_test(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30))
    connection.request("GET", "/")
    headers = connection.getresponse().headers
    assert {name: headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_a_pipelined_request_is_not_answered():
    s = raw(Server())
    answer = exchange(s, (GET + b"\r\n") * 50)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer


def test_a_client_that_expects_100_is_told_to_continue():
    s = raw(Server())
    put(
        s, b"POST /echo HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    )
    assert receive_all(s, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert exchange(s, b"body").endswith(b"\r\n\r\nbody")


def test_an_http_1_0_client_gets_an_answer_that_ends_the_connection():
    answer = exchange(raw(Server()), b"GET / HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200
    assert answer.endswith(b"provider</title>\n")


# ---- time limits, with a clock of the test


@pytest.fixture
def silent(started: None) -> tuple[WebConnection, int]:
    """A connection of a server, and the blocking socket of its client."""
    peer, s = connected_pair()
    set_nonblocking(s)
    return WebConnection(Channel(s), served_hosts(HOSTS), 0), peer


def feed(connection: WebConnection, peer: int, data: bytes, now: int) -> object:
    put(peer, data)
    assert readable(connection.stream.socket)
    return connection.receive(now)


def test_a_client_that_sends_nothing_is_disconnected(silent):
    connection, peer = silent
    connection.check(9_999)
    assert connection.stream.is_open
    connection.check(10_000)
    assert not connection.stream.is_open
    assert receive_all(peer, 100) == b""


def test_a_head_that_arrives_byte_by_byte_ends_after_its_time(silent):
    connection, peer = silent
    now = 5_000
    for byte in (GET + b"X: y\r\n")[:20]:
        feed(connection, peer, bytes([byte]), now)
        connection.check(now)
        now += 500
    assert connection.stream.is_open
    connection.check(15_000)
    assert not connection.stream.is_open
    assert status_of(receive_all(peer, 12)) == 408
    assert connection.problem == "408 the request was not whole in time"


def test_a_body_that_arrives_byte_by_byte_ends_after_its_time(silent):
    connection, peer = silent
    feed(connection, peer, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 60\r\n\r\n", 0)
    for now in range(0, 30_000, 1000):
        assert feed(connection, peer, b"x", now) is None
        connection.check(now)
    assert connection.stream.is_open
    connection.check(30_000)
    assert status_of(receive_all(peer, 12)) == 408


def test_a_client_may_be_silent_between_requests_for_the_idle_time(silent):
    connection, peer = silent
    assert feed(connection, peer, GET + b"\r\n", 1000) is not None
    connection.check(100_000)
    assert connection.stream.is_open
    connection.answer(text_answer(200, "ok"), 100_000)
    connection.check(159_999)
    assert connection.stream.is_open
    connection.check(160_000)
    assert not connection.stream.is_open
    assert connection.stream.reason == ""


def test_nothing_is_read_while_a_request_is_unanswered(silent):
    connection, peer = silent
    assert feed(connection, peer, GET + b"\r\n", 0) is not None
    assert not connection.wants_read
    assert feed(connection, peer, b"POST / HTTP/1.1\r\n" + HOST + b"\r\n", 0) is None
    connection.answer(text_answer(200, "ok"), 0)
    assert connection.wants_read
    found = connection.receive(0)
    assert found is not None
    assert found.method == "POST"


def test_a_refused_client_that_disconnects_is_closed_at_once(silent):
    connection, peer = silent
    feed(connection, peer, b"nonsense\r\n\r\n", 0)
    assert connection.wants_read
    assert status_of(receive_all(peer, 12)) == 400
    reset(peer)
    assert readable(connection.stream.socket)
    connection.receive(0)
    assert connection.stream.is_closed
    assert connection.stream.reason == "refused: 400 the request is not valid HTTP"


def test_a_client_that_disconnects_in_the_middle_is_reported(silent):
    connection, peer = silent
    feed(connection, peer, GET, 0)
    shutdown(peer, SD_SEND)
    assert readable(connection.stream.socket)
    assert connection.receive(0) is None
    assert connection.stream.reason == "the client disconnected in the middle of a request"


def test_an_answer_without_content_has_no_length(silent):
    connection, peer = silent
    feed(connection, peer, b"DELETE / HTTP/1.1\r\n" + HOST + b"\r\n", 0)
    connection.answer(Answer(204), 0)
    shutdown(peer, SD_SEND)
    assert b"Content-" not in exchange_rest(connection, peer).replace(b"X-Content-Type-Options", b"")


def exchange_rest(connection: WebConnection, peer: int) -> bytes:
    connection.stream.finish("", 0)
    return receive_all(peer, 65536)


# ---- the client


def ask(port: int, target: str, method: str = "GET", body: bytes = b"") -> Received | str:
    """The answer, or the reason of the end."""
    stream = connected_channel(port)
    request = send_request(stream, method, host_header("127.0.0.1", port, "http"), target, milliseconds(), {}, body)
    received = drive(stream, request.receive, lambda found: True)
    return received or stream.reason


def test_the_client_gets_the_answers_of_our_server():
    server = Server()
    received = ask(server.port, "/large")
    assert isinstance(received, Received)
    assert (received.status, received.body) == (200, b"x" * 500_000)
    received = ask(server.port, "/echo", "POST", b"body")
    assert isinstance(received, Received)
    assert received.body == b"body"
    assert received.header("Content-Type") == "application/octet-stream"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(body * 2)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_the_client_gets_an_answer_that_ends_with_the_connection():
    server = closed_after_test(ExitStack()).enter_context(HTTPServer(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    received = ask(server.server_address[1], "/", "POST", b"body")
    thread.join(30)
    assert isinstance(received, Received)
    assert (received.status, received.body) == (202, b"bodybody")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no valid HTTP answer: the server disconnected before"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "no valid HTTP answer: the server disconnected before"),
        (b"nonsense\r\n\r\n", "no valid HTTP answer: "),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 20, "the server sends informational answers only"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1_100_000, "the server's answer has more than"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "no valid HTTP answer: "),
    ],
)
def test_an_answer_that_is_not_valid_ends_the_stream_with_the_reason(answer, reason):
    def handle() -> None:
        peer = accept_from(server)
        receive_all(peer, 4)
        put(peer, answer)
        shutdown(peer, SD_SEND)
        receive_to_end(peer)

    server = listener()
    running = Running(handle)
    result = ask(port_of(server), "/")
    assert isinstance(result, str)
    assert result.startswith(reason)
    running.result()


def test_the_client_does_not_wait_longer_than_its_limit():
    peer, s = connected_pair()
    set_nonblocking(s)
    request = send_request(Channel(s), "GET", "localhost", "/", 0)
    request.check(29_999)
    assert request.stream.is_open
    request.check(30_000)
    assert request.stream.reason == "the server's answer was not whole in time"
    assert receive_all(peer, 100).startswith(b"GET / HTTP/1.1\r\nHost: localhost\r\n")


@pytest.mark.parametrize(("host", "target"), [("a\r\nX: y", "/"), ("a", "/ä"), ("a", "/ x"), ("a", "/\r\n")])
def test_a_request_with_invalid_parts_is_refused_before_it_is_sent(host, target):
    _, s = connected_pair()
    with pytest.raises(ValueError, match="invalid request"):
        send_request(Channel(s), "GET", host, target, 0)


@pytest.mark.parametrize(
    ("host", "port", "scheme", "header"),
    [
        ("a.example", 443, "https", "a.example"),
        ("a.example", 443, "http", "a.example:443"),
        ("::1", 8080, "http", "[::1]:8080"),
        ("fe80::1%2", 80, "http", "[fe80::1]"),
    ],
)
def test_the_header_host_has_brackets_and_a_port_where_needed(host, port, scheme, header):
    assert host_header(host, port, scheme) == header
