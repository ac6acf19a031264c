"""The trace of a simulated network as text, and the traces of its processes' calls."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from trace_kit import python
from winsock_kit import connected_pair, readable

import winsock
from winsock import MSG_PEEK
from winsock.simulation import Network
from winsock.simulation.call_traces import CallTraces
from winsock.simulation.trace import Trace

SECOND = 1_000_000_000
HELLO = b"\x16\x03\x01\x00\x10 secret bytes of a client"


def test_a_line_has_the_simulated_time_the_host_and_the_event() -> None:
    trace = Trace()
    trace.record(0, "server", "process OnTimer starts")
    trace.record(61 * SECOND + 5, "", "partition server client")
    assert trace.text() == (
        "0.000000000 server: process OnTimer starts\n61.000000005 network: partition server client\n"
    )


def test_the_earliest_lines_of_a_long_trace_are_not_kept() -> None:
    trace = Trace(most_lines=2)
    for number in range(5):
        trace.record(0, "a", f"event {number}")
    assert trace.lines() == ["# 3 earlier events are not kept", "0.000000000 a: event 3", "0.000000000 a: event 4"]
    assert trace.count == 5


class Scheduler:
    now = 0


class Host:
    name = "10.0.0.7"


class FakeProcess:
    """What call traces use of a process; its Winsock is the real one."""

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        self.name, self.host, self.scheduler = name, Host(), scheduler
        self.winsock: Any = winsock.calls


class Traces:
    """Two traced processes, and a connection between them."""

    def __init__(self, folder: Path) -> None:
        self.scheduler = Scheduler()
        self.traces = CallTraces(folder, utc_start=10**18)
        self.client, self.server = FakeProcess("client", self.scheduler), FakeProcess("server", self.scheduler)
        self.files = [self.traces.add(process) for process in (self.client, self.server)]  # type: ignore[arg-type]
        self.one, self.other = connected_pair()

    def send(self, data: bytes, from_server: bool = False, pieces: tuple[int, ...] = (100,), flags: int = 0) -> None:
        """Send data; the other process receives it in pieces of these sizes."""
        sender, receiver = (self.server, self.client) if from_server else (self.client, self.server)
        s, r = (self.other, self.one) if from_server else (self.one, self.other)
        sender.winsock.send(s, data, len(data), 0)
        for size in pieces:
            assert readable(r)
            self.scheduler.now += SECOND
            receiver.winsock.recv(r, bytearray(size), size, flags)

    def records(self, number: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[number].read_text().splitlines()]

    def shown(self, number: int) -> list[dict[str, Any]]:
        return [record["args"]["buf"] for record in self.records(number)[1:]]


@pytest.fixture
def traces(started: None, tmp_path: Path) -> Traces:
    return Traces(tmp_path / "traces")


def test_a_record_has_the_simulated_times_and_the_number_of_the_process(traces: Traces) -> None:
    traces.scheduler.now = 7 * SECOND
    traces.send(b"text")
    program, call = traces.records(1)
    assert program["argv"] == ["-m", "server on 10.0.0.7"]
    assert (program["pid"], program["t"], program["wall"], program["backend"]) == (2, 0, 10**18, "simulation")
    assert (call["pid"], call["thread"], call["t"], call["d"]) == (2, "MainThread", 8 * SECOND, 0)
    assert call["text"] == f'recv({traces.other}, "text", 100, 0) = 4'
    assert traces.files[1].name == "002-server-on-10.0.0.7.jsonl"


def test_a_connection_that_carries_tls_shows_only_sizes_in_both_directions(traces: Traces) -> None:
    traces.send(HELLO)
    traces.send(b"\x17\x03\x03 secret bytes of a server", from_server=True)
    traces.send(b"more secret bytes")
    for number in (0, 1):
        assert [[each["bytes"], each["hex"]] for each in traces.shown(number)] == [[30, ""], [28, ""], [17, ""]]
    assert traces.records(0)[1]["text"] == f'send({traces.one}, ""..., 30, 0) = 30'


@pytest.mark.parametrize("pieces", [(1, 1, 1, 100), (2, 100), (1, 100)])
def test_tls_is_recognised_in_a_stream_that_is_received_in_small_pieces(
    traces: Traces, pieces: tuple[int, ...]
) -> None:
    traces.send(HELLO, pieces=pieces)
    shown = "".join(each["hex"] for each in traces.shown(1))
    assert HELLO.hex().startswith(shown)
    assert len(shown) <= 4


def test_tls_is_recognised_when_a_program_only_peeks(traces: Traces) -> None:
    traces.send(HELLO, pieces=(1, 1, 10), flags=MSG_PEEK)
    traces.send(b"", pieces=(1, 100))
    assert b"secret".hex() not in traces.files[1].read_text()


def test_a_connection_that_begins_tls_after_a_proxys_answer_shows_only_sizes_from_then_on(traces: Traces) -> None:
    traces.send(b"CONNECT server:443 HTTP/1.1\r\n\r\n")
    traces.send(b"HTTP/1.1 200 OK\r\n\r\n", from_server=True)
    traces.send(HELLO)
    traces.send(b"\x16\x03\x03 secret", from_server=True)
    for number in (0, 1):
        assert [bool(each["hex"]) for each in traces.shown(number)] == [True, True, False, False]


def test_tls_leaves_no_ciphertext_in_a_trace(traces: Traces) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    traces.send(hello, pieces=(5, 6, 2000))
    text = traces.files[0].read_text() + traces.files[1].read_text()
    assert hello[11:43].hex()[:16] not in text


def test_after_close_nothing_is_traced(traces: Traces) -> None:
    traces.send(b"1")
    traces.traces.close()
    before = traces.files[0].read_text()
    assert traces.client.winsock is winsock.calls
    traces.send(b"2", pieces=(100,))
    assert traces.files[0].read_text() == before


def start_up() -> None:
    winsock.WSAStartup(winsock.MAKEWORD(2, 2), winsock.WSADATA())


def lowest_free_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_the_trace_of_a_process_that_has_ended_is_complete_and_closed(tmp_path: Path) -> None:
    with Network() as net:
        host = net.host("host")
        net.trace_calls(tmp_path)
        before = lowest_free_descriptor()
        for number in range(3):
            host.start(start_up, name=f"program{number}")
            net.run(1)
        assert lowest_free_descriptor() == before
        texts = [path.read_text(encoding="ascii") for path in sorted(tmp_path.iterdir())]
    assert ["WSAStartup" in text for text in texts] == [True] * 3


@pytest.mark.parametrize("output", ["--html", "--mermaid"])
def test_the_command_picture_draws_the_traces(traces: Traces, tmp_path: Path, output: str) -> None:
    traces.send(b"price 1.25")
    traces.send(b"thanks", from_server=True)
    traces.traces.close()
    target = tmp_path / "picture"
    done = python("-m", "winsock.trace", "picture", *map(str, traces.files), output, str(target), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 programs, 4 calls, 0 arrows" in done.stderr
    text = target.read_text(encoding="utf-8")
    assert "client on 10.0.0.7" in text
    assert "price 1.25" in text
