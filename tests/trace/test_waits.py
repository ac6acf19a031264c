"""A trace in JSON lines shows a call that may wait before it returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ctypes import c_int
from pathlib import Path
from typing import Any

import pytest
from trace_kit import Tracing
from winsock_kit import connected_pair, fd_set_of, listener, name_of, new

from winsock import FIONBIO, INVALID_SOCKET, MSG_PEEK, WSAPOLLFD, sockaddr_in, timeval, trace, u_long
from winsock.trace import trace_files
from winsock.trace.trace_files import InvalidLine, TraceLines


@pytest.fixture
def records(started: None, tmp_path: Path) -> Iterator[Tracing]:
    yield Tracing(tmp_path / "trace.jsonl", json=True)
    trace.stop()


def names(records: Tracing) -> list[str]:
    return [text.partition("(")[0] for text in records.begun()]


def test_a_call_that_may_wait_has_a_line_at_its_beginning(records: Tracing) -> None:
    one, other = connected_pair()
    records.calls.send(one, b"hello", 5, 0)
    records.calls.recv(other, bytearray(9), 9, 0)
    begun = [json.loads(line) for line in records.lines() if '"begun"' in line]
    assert [record["call"] for record in begun] == ["send", "recv"]
    assert [record["begun"] for record in begun] == [record["n"] for record in records.records()]
    assert begun[1]["text"] == f"recv({other}, "
    assert begun[1]["source"]["function"] == "test_a_call_that_may_wait_has_a_line_at_its_beginning"


def test_a_call_that_cannot_wait_has_no_line_at_its_beginning(records: Tracing) -> None:
    _, s = connected_pair()
    calls = records.calls
    calls.ioctlsocket(s, FIONBIO, u_long(1))
    calls.recv(s, bytearray(9), 9, 0)
    calls.select(0, fd_set_of(s), None, None, timeval(0, 0))
    calls.WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(s)), 1, 0)
    assert names(records) == []
    calls.select(0, fd_set_of(s), None, None, timeval(0, 1))
    calls.WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(s)), 1, 1)
    calls.ioctlsocket(s, FIONBIO, u_long(0))
    calls.send(s, b"1", 1, 0)
    assert names(records) == ["select", "WSAPoll", "send"]


def test_an_accepted_socket_has_the_mode_of_the_listening_one(records: Tracing) -> None:
    server, client = listener(), new()
    calls = records.calls
    calls.connect(client, name_of(server), 16)
    calls.select(0, fd_set_of(server), None, None, None)
    calls.ioctlsocket(server, FIONBIO, u_long(1))
    accepted = calls.accept(server, None, None)
    assert accepted != INVALID_SOCKET
    calls.recv(accepted, bytearray(1), 1, 0)
    assert names(records) == ["connect", "select"]


HEAD = {"trace": 1, "backend": "compat", "pid": 1, "argv": ["server.py"], "t": 5, "wall": 7}
BEGUN = {"begun": 1, "t": 9, "pid": 1, "thread": "", "call": "accept", "text": "accept(4, "}
ENDED = {"n": 1, "t": 9, "d": 5, "pid": 1, "thread": "", "call": "accept", "args": {}, "result": 8, "text": "accept()"}


def lines(*records: dict[str, Any]) -> TraceLines:
    found = TraceLines()
    for record in records:
        found.add(json.dumps(record).encode())
    return found


def test_a_call_waits_from_its_beginning_until_its_record() -> None:
    (lane,) = lines(HEAD, BEGUN).lanes
    assert (lane.records, list(lane.waiting)) == ([], [1])
    (lane,) = lines(HEAD, BEGUN, ENDED).lanes
    assert (len(lane.records), list(lane.waiting)) == (1, [])


def test_the_calls_that_never_return_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_files, "MAX_WAITING", 2)
    (lane,) = lines(HEAD, *(BEGUN | {"begun": number} for number in range(5))).lanes
    assert list(lane.waiting) == [3, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"begun": "1"},
        {"begun": True},
        {"t": None},
        {"call": "a b"},
        {"text": 1},
        {"thread": 1},
        {"source": 1},
        {"args": []},
        {"args": {"buf": {"bytes": -1, "hex": ""}}},
        {"error": 5},
        {"raised": 1},
        {"peer": 1},
    ],
)
def test_the_beginning_of_a_call_is_checked(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidLine):
        lines(HEAD, BEGUN | change)


def test_the_arguments_known_at_the_beginning_are_recorded(records: Tracing) -> None:
    server, client = listener(), new()
    records.calls.connect(client, name_of(server), 16)
    accepted = records.calls.accept(server, sockaddr_in(), c_int(16))
    records.calls.send(client, b"hello", 5, 0)
    records.calls.recv(accepted, bytearray(9), 9, MSG_PEEK)
    begun = [json.loads(line)["args"] for line in records.lines() if '"begun"' in line]
    assert begun[1:] == [
        {"s": server, "addrlen": 16},
        {"s": client, "len": 5, "flags": 0},
        {"s": accepted, "len": 9, "flags": "MSG_PEEK"},
    ]
    assert list(begun[0]) == ["s", "name", "namelen"]


def test_long_arguments_are_not_recorded_at_the_beginning(records: Tracing) -> None:
    records.calls.WSAPoll((WSAPOLLFD * 500)(), 500, 1)
    (line,) = [line for line in records.lines() if '"begun"' in line]
    assert "args" not in json.loads(line)
    assert len(line) < trace_files.MAX_BEGUN
