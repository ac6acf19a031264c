"""A trace is followed while a program writes it: absent, growing, incomplete, damaged, replaced, very long."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from winsock.trace import live_files, live_history
from winsock.trace.events import Lane
from winsock.trace.live_files import FollowedFile, Program
from winsock.trace.live_history import History
from winsock.trace.live_page import live_timeline
from winsock.trace.timeline import timeline
from winsock.trace.trace_files import MAX_LINE

HEAD: dict[str, Any] = {"trace": 1, "backend": "compat", "pid": 1, "argv": ["server.py"], "t": 5, "wall": 7}


def call(number: int, name: str = "htons", result: object = 1, pid: int = 1, **args: Any) -> dict[str, Any]:
    record = {"n": number, "t": number * 10, "d": 1, "pid": pid, "thread": "", "call": name, "args": args}
    return record | {"result": result, "text": f"{name}() = {result}"}


class Followed:
    """A followed file and the numbers of the calls that it has reported."""

    def __init__(self, folder: Path, keep: int = 100) -> None:
        self.path = folder / "trace.jsonl"
        self.file = FollowedFile(self.path, None, keep, "label")
        self.calls: list[int] = []
        self.file.report = lambda program, record: self.calls.append(record["n"])

    def write(self, *lines: dict[str, Any] | bytes, end: bytes = b"\n") -> None:
        with self.path.open("ab") as file:
            for line in lines:
                file.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + end)

    def poll(self) -> list[int]:
        """The numbers of the calls that are new."""
        self.calls.clear()
        self.file.poll()
        return list(self.calls)

    @property
    def names(self) -> list[str]:
        return [program.lane.name for program in self.file.programs]


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_a_file_may_not_exist_yet(followed: Followed) -> None:
    assert followed.poll() == []
    assert followed.file.problem == "does not exist yet"
    followed.write(HEAD, call(1))
    assert followed.poll() == [1]
    assert (followed.file.problem, followed.names) == ("", ["server"])


def test_a_poll_reads_what_is_new(followed: Followed) -> None:
    followed.write(HEAD, call(1))
    assert followed.poll() == [1]
    assert followed.file.poll() is False
    followed.write(call(2), call(3))
    assert followed.poll() == [2, 3]
    assert followed.file.programs[0].calls == 3


def test_a_line_counts_when_its_end_is_written(followed: Followed) -> None:
    line = json.dumps(call(1)).encode()
    followed.write(HEAD)
    followed.write(line[:20], end=b"")
    assert followed.poll() == []
    followed.write(line[20:])
    assert followed.poll() == [1]
    assert followed.file.damaged == 0


def test_damaged_lines_are_counted_and_the_first_is_named(followed: Followed) -> None:
    followed.write(call(1), HEAD, b"{", call(2), b"\xff", b"", call(3))
    assert followed.poll() == [2, 3]
    assert followed.file.damaged == 4
    assert followed.file.damage.startswith("line 1 is not part of a trace: the first line of a trace describes the pro")


def test_a_new_trace_that_is_shorter_is_read_from_its_start(followed: Followed) -> None:
    followed.write(HEAD, call(1), call(2))
    followed.poll()
    followed.path.write_bytes(b"")
    assert followed.file.poll() is False
    followed.write(HEAD | {"argv": ["other.py"]}, call(7))
    assert followed.poll() == [7]
    assert followed.names == ["other"]


@pytest.mark.parametrize("size", [0, 1, 60, 200, 1000])
def test_a_trace_that_is_copied_again_is_not_read_again(followed: Followed, size: int) -> None:
    followed.write(HEAD, *(call(number) for number in range(30)))
    assert followed.poll() == list(range(30))
    whole = followed.path.read_bytes()
    followed.path.write_bytes(whole[:size])
    assert (followed.poll(), followed.file.behind, followed.names) == ([], 0, ["server"])
    followed.path.write_bytes(whole)
    followed.write(call(30))
    assert followed.poll() == [30]
    assert followed.file.damaged == 0


def test_a_replaced_file_that_is_longer_is_read_from_its_start(followed: Followed) -> None:
    followed.write(HEAD, call(1))
    followed.poll()
    followed.path.unlink()
    followed.write(HEAD | {"t": 6}, *(call(number) for number in range(10)))
    assert followed.poll() == list(range(10))
    assert followed.file.programs[0].calls == 10


def test_a_deleted_file_keeps_its_programs(followed: Followed) -> None:
    followed.write(HEAD, call(1))
    followed.poll()
    followed.path.unlink()
    assert followed.file.poll() is True
    assert (followed.file.problem, followed.names) == ("does not exist", ["server"])


def test_several_programs_in_one_file_are_several_lanes(followed: Followed) -> None:
    followed.write(HEAD, HEAD | {"pid": 2, "argv": ["client.py"]}, call(1), call(1, pid=2), call(1, pid=3))
    followed.poll()
    assert followed.names == ["server", "client", "server (pid 3)"]


def test_a_file_of_many_programs_keeps_the_last_ones(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_files, "MAX_PROGRAMS", 2)
    for pid in range(1, 6):
        followed.write(HEAD | {"pid": pid}, call(1, pid=pid))
    followed.poll()
    assert [program.lane.pid for program in followed.file.programs] == [4, 5]
    assert followed.file.forgotten == 3


def test_a_long_file_is_read_in_pieces(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_files, "PIECE", 200)
    followed.write(HEAD, *(call(number) for number in range(20)))
    read = followed.poll()
    assert followed.file.behind > 0
    assert len(read) < 3
    while followed.file.behind:
        read += followed.poll()
    assert read == list(range(20))


def test_a_line_that_is_too_long_is_skipped(followed: Followed) -> None:
    followed.write(HEAD)
    followed.write(b"x" * (2 * MAX_LINE + 5), call(1))
    read = followed.poll()
    while followed.file.behind:
        read += followed.poll()
    assert read == [1]
    assert "longer than 16 MB" in followed.file.damage
    assert followed.file.damaged == 1


def test_what_is_not_a_file_is_named(tmp_path: Path) -> None:
    file = FollowedFile(tmp_path, None, 10, "label")
    assert file.poll() is True
    assert file.problem == "is not a file"
    file = FollowedFile(Path("a\0b"), None, 10, "label")
    file.poll()
    assert file.problem.startswith("cannot be read: ")


@pytest.mark.posix_only(reason="named pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    file = FollowedFile(tmp_path / "pipe", None, 10, "label")
    file.poll()
    assert file.problem == "is not a file"


def test_a_program_keeps_its_last_calls(tmp_path: Path) -> None:
    followed = Followed(tmp_path, keep=3)
    followed.write(HEAD, *(call(number) for number in range(10)))
    followed.poll()
    (program,) = followed.file.programs
    assert [record["n"] for record in program.history.records()] == [7, 8, 9]
    assert (program.history.forgotten, program.calls, program.lane.records) == (7, 10, [])


def test_large_calls_are_limited_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_history, "MAX_SIZE", 100)
    history = History(1000)
    for number in range(10):
        history.add(call(number), 40)
    assert [record["n"] for record in history.records()] == [8, 9]


def buffer(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "hex": data.hex()}


def _talk(keep: int) -> list[Lane]:
    """A client that sends 50 messages, and a server that receives them in pieces of other sizes."""
    stream = b"".join(b"message %d;" % number for number in range(50))
    client, server = History(keep), History(keep)
    addresses = {"local": "127.0.0.1:5000", "peer": "127.0.0.1:80"}
    exchanged = {"local": "127.0.0.1:80", "peer": "127.0.0.1:5000"}
    client.add(call(1, "socket", 4, type="SOCK_STREAM"), 1)
    client.add(call(2, "connect", 0, s=4) | addresses, 1)
    server.add(call(3, "accept", 8, s=6) | exchanged, 1)
    for number, data in enumerate(stream.split(b";")[:-1]):
        data += b";"
        client.add(call(10 + number, "send", len(data), s=4, buf=buffer(data), flags=0) | addresses, 1)
    for number in range(0, len(stream), 7):
        data = stream[number : number + 7]
        server.add(call(1000 + number, "recv", len(data), s=8, buf=buffer(data), flags=0) | exchanged, 1)
    return [
        Lane("client", 1, [], "", 0, client.records()),
        Lane("server", 2, [], "", 0, server.records()),
    ]


def test_the_arrows_of_kept_calls_are_the_same_without_the_earlier_ones() -> None:
    whole = {(arrow.source.record["n"], arrow.target.record["n"]): arrow.text for arrow in timeline(_talk(1000)).arrows}
    partial = timeline(_talk(10)).arrows
    kept = [arrow for arrow in partial if "earlier" not in arrow.source.text + arrow.target.text]
    assert len(kept) > 5
    for arrow in kept:
        assert whole[arrow.source.record["n"], arrow.target.record["n"]] == arrow.text
    assert any(
        "41 earlier calls" in event.text or "40 earlier calls" in event.text for event in timeline(_talk(10)).events
    )


def test_a_closed_socket_is_forgotten() -> None:
    history = History(1)
    history.add(call(1, "socket", 4, type="SOCK_STREAM"), 1)
    history.add(call(2, "connect", 0, s=4), 1)
    history.add(call(3, "send", 3, s=4, buf=buffer(b"abc"), flags=0), 1)
    history.add(call(4), 1)
    assert [record["n"] for record in history.records()] == [1, 2, 3, 4]
    history.add(call(5, "closesocket", 0, s=4), 1)
    history.add(call(6), 1)
    assert [record["n"] for record in history.records()] == [6]


def test_only_the_last_cleanup_closes_the_sockets() -> None:
    history = History(1)
    for number in (1, 2):
        history.add(call(number, "WSAStartup", 0), 1)
    history.add(call(3, "socket", 4, type="SOCK_STREAM"), 1)
    history.add(call(4, "WSACleanup", 0), 1)
    history.add(call(5), 1)
    assert [record["n"] for record in history.records()] == [3, 5]
    history.add(call(6, "WSACleanup", 0), 1)
    history.add(call(7), 1)
    assert [record["n"] for record in history.records()] == [7]


def test_data_that_are_no_buffer_are_ignored() -> None:
    history = History(1)
    history.add(call(1, "socket", 4, type="SOCK_STREAM"), 1)
    history.add(call(2, "connect", 0, s=4), 1)
    history.add(call(3, "send", 3, s=4, buf=5, flags=0), 1)
    history.add(call(4), 1)
    assert [record["n"] for record in history.records()] == [1, 2, 4]


def test_earlier_datagrams_are_not_added_up() -> None:
    history = History(1)
    history.add(call(1, "socket", 4, type="SOCK_DGRAM"), 1)
    history.add(call(2, "connect", 0, s=4), 1)
    history.add(call(3, "send", 3, s=4, buf=buffer(b"abc"), flags=0), 1)
    history.add(call(4), 1)
    assert [record["n"] for record in history.records()] == [1, 2, 4]


def test_the_sockets_of_earlier_calls_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_history, "MAX_SOCKETS", 3)
    history = History(1)
    for number in range(10):
        history.add(call(number, "socket", number), 1)
    assert [record["n"] for record in history.records()] == [6, 7, 8, 9]


def test_a_call_that_has_not_returned_lasts_until_the_last_call(followed: Followed) -> None:
    begun = {"begun": 2, "t": 30, "pid": 1, "thread": "", "call": "recv", "text": "recv(4, "}
    followed.write(HEAD, call(1), begun, HEAD | {"pid": 2}, call(1, pid=2), call(9, pid=2))
    followed.poll()
    lanes = [_lane(program) for program in followed.file.programs]
    (waiting,) = [event for event in live_timeline(lanes).events if "has not returned" in event.text]
    assert (waiting.text, waiting.lane, waiting.start, waiting.end) == ("recv(4) has not returned", 0, 30, 91)


def test_a_timeline_without_programs_is_empty() -> None:
    assert live_timeline([]).events == []


def _lane(program: Program) -> Lane:
    lane = program.lane
    return Lane(lane.name, lane.pid, lane.argv, lane.backend, lane.offset, program.history.records(), lane.waiting)
