"""The terminal display of running programs: rows, columns, waits and errors, in any size and as plain lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from winsock.trace import live_files
from winsock.trace.live import notes_of
from winsock.trace.live_rows import Row
from winsock.trace.live_terminal import LineView, Note, screen
from winsock.trace.live_watch import Watch
from winsock.trace.sinks import CLOCK

# A clock that no process of this machine has.
WALL = 1_000_000_000 * 10**9


class Watched:
    """A Watch of traces that the test writes, and its display."""

    def __init__(self, folder: Path) -> None:
        self.rows: list[Row] = []
        self.watch = Watch(self.rows.append)
        self._folder = folder
        self._numbers = 0

    def program(self, name: str) -> Path:
        pid = len(self.watch.files) + 1
        path = self._folder / f"{pid}.jsonl"
        self.watch.follow(path, None, 100)
        head = {"trace": 1, "backend": "compat", "pid": pid, "argv": [f"{name}.py"], "t": 0, "wall": WALL}
        self.write(path, head)
        return path

    def call(self, path: Path, at: float, text: str, error: str = "", **values: Any) -> None:
        """Write a call that begins at this time in seconds; the text says its name."""
        self._numbers += 1
        name = text.partition("(")[0]
        record = {"n": self._numbers, "t": int(at * 1e9), "d": 0, "thread": "", "call": name, "args": {}, "result": 0}
        if error:
            record["error"] = {"code": 1, "name": error}
        self.write(path, record | {"pid": self.pid(path), "text": text} | values)

    def begun(self, path: Path, at: float, text: str) -> None:
        record = {"begun": 999, "t": int(at * 1e9), "thread": "", "call": text.partition("(")[0], "text": text}
        self.write(path, record | {"pid": self.pid(path)})

    def pid(self, path: Path) -> int:
        return int(json.loads(path.read_bytes().split(b"\n")[0])["pid"])

    def write(self, path: Path, record: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self.watch.poll()

    def screen(self, width: int = 80, height: int = 24, notes: list[Note] | None = None) -> list[str]:
        lines = screen(self.watch, notes or [], width, height).plain.split("\n")
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        return [line.rstrip() for line in lines]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def pair(watched: Watched) -> tuple[Path, Path]:
    return watched.program("server"), watched.program("client")


DATA = {"args": {"s": 4, "buf": {"bytes": 2, "hex": "6869"}}, "result": 2}


def test_each_program_has_a_column_and_each_call_a_row(watched: Watched, pair: tuple[Path, Path]) -> None:
    server, client = pair
    watched.call(client, 1, "send()", **DATA)
    watched.call(server, 1.5, "recv()", **DATA)
    watched.call(client, 1.25, "shutdown()", args={"s": 4})
    lines = watched.screen()
    assert lines[0] == "2 programs  3 calls  0 errors"
    assert lines[1].split() == ["server", "(pid", "1)", "client", "(pid", "2)"]
    column = lines[1].index("client")
    assert lines[2] == "   0.000 ".ljust(column) + 'send(4) = 2 "hi"'
    assert lines[3] == "   0.250 ".ljust(column) + "shutdown(4)"
    assert lines[4] == '   0.500 recv(4) = 2 "hi"'


def test_programs_with_the_same_name_are_told_apart_by_a_number(watched: Watched) -> None:
    files = [watched.program("client") for _ in range(3)]
    for number, file in enumerate(files):
        watched.call(file, 1 + number, "listen()")
    assert [line.split(": ")[0].split()[-1] for line in watched.screen(60)[2:5]] == ["client", "2", "3"]
    stream = io.StringIO()
    view = LineView(stream)
    for row in watched.rows:
        view.row(row)
    view.close(watched.watch)
    assert [line.split("  ")[0].split(maxsplit=1)[1] for line in stream.getvalue().splitlines()] == [
        "client", "client 2", "client 3",
    ]  # fmt: skip


def test_an_error_has_a_mark(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.call(pair[0], 1, "recv()", error="WSAECONNRESET", args={"s": 4}, result=-1)
    lines = watched.screen()
    assert lines[0] == "2 programs  1 call  1 error"
    assert lines[2] == "   0.000 ! recv WSAECONNRESET (4)"


def test_ctrl_c_and_sys_exit_are_no_errors(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.call(pair[0], 1, "accept()", args={"s": 4}, raised="KeyboardInterrupt: ")
    watched.call(pair[1], 2, "recv()", args={"s": 4}, raised="SystemExit: 1")
    watched.call(pair[1], 3, "recv()", args={"s": 4}, raised="TypeError: x")
    assert [(row.kind, row.brief) for row in watched.rows] == [
        ("call", "accept KeyboardInterrupt (4)"),
        ("call", "recv SystemExit (4)"),
        ("error", "recv TypeError (4)"),
    ]
    assert watched.screen()[0] == "2 programs  3 calls  1 error"


def test_a_line_of_a_program_without_a_trace_has_its_name(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.watch.rows.output(WALL, None, "hello", "quiet")
    assert watched.screen()[2] == "   0.000 quiet: > hello"


def test_a_call_that_waits_is_shown_with_its_time(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.begun(pair[0], (time.time_ns() - WALL) / 1e9 - 5, "accept(4, ")
    (line,) = [line for line in watched.screen() if "now" in line]
    assert line.startswith("     now accept(4) waits ")
    watched.call(pair[0], 1, "accept()", n=999)
    assert not any("waits" in line for line in watched.screen())


@pytest.mark.posix_only(reason="on Windows it is not known whether a process has ended")
def test_a_program_that_has_ended_does_not_wait(watched: Watched, pair: tuple[Path, Path]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = watched.program("killed")
    clock = {"t": CLOCK(), "wall": time.time_ns(), "pid": ended.pid}
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | clock) + "\n", encoding="utf-8")
    watched.begun(path, 0, "accept(4, ")
    (line,) = [line for line in watched.screen(120) if "now" in line]
    assert line.rstrip().endswith(" accept(4) never returned")
    assert watched.screen(120)[-1].rstrip().endswith(" 0 calls, 0 errors, has ended")
    stream = io.StringIO()
    LineView(stream).update(watched.watch, [])
    assert stream.getvalue() == ""


def test_calls_that_found_nothing_to_do_are_one_row(watched: Watched, pair: tuple[Path, Path]) -> None:
    for number in range(3):
        watched.call(pair[0], number, "recv()", error="WSAEWOULDBLOCK", args={"s": 4}, result=-1)
        watched.call(pair[0], number, "WSAGetLastError()", result=10035)
    assert [line for line in watched.screen() if "WSAEWOULDBLOCK" in line] == ["     now recv WSAEWOULDBLOCK (4) x3"]
    assert watched.screen()[0] == "2 programs  6 calls  0 errors"
    watched.call(pair[0], 5, "closesocket()", args={"s": 4})
    assert watched.screen()[2:4] == ["   0.000 recv WSAEWOULDBLOCK (4) x3", "   5.000 closesocket(4)"]


def test_conversions_have_no_row(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.call(pair[0], 1, "htons(1)", result=256)
    watched.call(
        pair[0], 1, "getaddrinfo()", error="WSAHOST_NOT_FOUND", args={"pNodeName": {"text": "x"}}, result=11001
    )
    assert [row.brief for row in watched.rows] == ["getaddrinfo WSAHOST_NOT_FOUND (x)"]


def test_only_the_last_rows_are_shown(watched: Watched, pair: tuple[Path, Path]) -> None:
    for number in range(50):
        watched.call(pair[0], number, f"listen({number})", args={"s": number})
    lines = watched.screen()
    assert len(lines) == 24
    assert not any("listen(0)" in line for line in lines)
    assert "  49.000 listen(49)" in lines


@pytest.mark.parametrize("width", [1, 39, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 24])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_every_size_of_the_terminal_is_kept(watched: Watched, width: int, height: int, count: int) -> None:
    for number in range(count):
        path = watched.program(f"program-with-a-long-name-{number}")
        watched.call(path, number, "send()", **(DATA | {"args": {"s": 4, "buf": {"bytes": 99, "hex": "e4" * 99}}}))
    watched.watch.follow(Path("absent.jsonl"), None, 10)
    watched.screen(width, height, [Note("a note", " and more")])


def test_many_programs_share_one_column(watched: Watched) -> None:
    for name in ("one", "two", "three", "four"):
        watched.call(watched.program(name), 1, "WSACleanup()")
    lines = watched.screen()
    assert "   0.000 three: WSACleanup()" in lines
    assert any(line.startswith("four (pid 4): 1 call, 0 errors, ") for line in lines)


def test_text_of_a_trace_does_not_control_the_terminal(watched: Watched, tmp_path: Path) -> None:
    path = watched.program("a\x1b[2Jb")
    watched.call(path, 1, "send(\x1b[31m\r\n)", args={"s": "\x1b]0;title\x07"}, result="\x9b")
    watched.begun(path, 2, "recv(\x1b[1m")
    lines = watched.screen(notes=[Note("\x1b")])
    assert all(line.isprintable() for line in lines)
    stream = io.StringIO()
    view = LineView(stream)
    for row in watched.rows:
        view.row(row)
    view.update(watched.watch, [Note("\x1b")])
    view.close(watched.watch)
    assert all(line.isprintable() for line in stream.getvalue().splitlines())
    assert "\\x1b[2Jb" in stream.getvalue()


def test_wide_characters_take_two_cells(watched: Watched, pair: tuple[Path, Path]) -> None:
    from rich.cells import cell_len

    watched.watch.rows.output(WALL, None, "日本語" * 40)
    lines = screen(watched.watch, [], 80, 24).plain.split("\n")
    assert max(map(cell_len, lines)) <= 80


def test_a_replaced_trace_removes_its_rows(watched: Watched, pair: tuple[Path, Path]) -> None:
    watched.call(pair[0], 1, "listen()")
    watched.call(pair[1], 2, "connect()")
    pair[0].write_bytes(b"another\n")
    watched.watch.poll()
    assert [row.brief for row in watched.watch.rows.rows] == ["connect()"]
    assert "1 program  1 call  0 errors" in watched.screen()


def test_a_row_of_the_plain_lines_waits_for_earlier_rows_of_other_programs() -> None:
    stream = io.StringIO()
    view, watch = LineView(stream), Watch(lambda row: None)
    rows = {at: Row(at, None, "call", "", f"call {at}") for at in (1, 2, 3, 4)}
    texts = []
    for group in ((2, 4), (1, 3), ()):
        for at in group:
            view.row(rows[at])
        view.update(watch, [])
        texts.append([line[-6:] for line in stream.getvalue().splitlines()])
    assert texts == [[], ["call 1", "call 2", "call 3", "call 4"], ["call 1", "call 2", "call 3", "call 4"]]


def test_the_plain_lines_show_a_call_that_waits_for_a_second_once(watched: Watched, pair: tuple[Path, Path]) -> None:
    stream = io.StringIO()
    view = LineView(stream)
    watched.begun(pair[0], (time.time_ns() - WALL) / 1e9 - 5, "accept(4, ")
    view.update(watched.watch, [])
    view.update(watched.watch, [])
    assert stream.getvalue().count("server         accept(4) waits ...\n") == 1


def test_a_call_in_a_trace_that_is_read_late_does_not_wait(
    watched: Watched, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    view = LineView(stream)
    watched.begun(pair[0], 1, "accept(4, ")
    monkeypatch.setattr(live_files, "PIECE", 10)
    watched.call(pair[0], 2, "listen()")
    view.update(watched.watch, [])
    assert "waits" not in stream.getvalue() + "".join(watched.screen())


def test_a_trace_of_too_many_programs_has_a_note(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    path = watched.program("first")
    monkeypatch.setattr(live_files, "MAX_PROGRAMS", 2)
    assert notes_of(watched.watch, "") == []
    for pid in (7, 8):
        head = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        watched.write(path, head | {"pid": pid})
    (note,) = notes_of(watched.watch, "")
    assert note.text.endswith("1.jsonl: only the last 50 programs of this trace are shown")
    assert note.more == "; 1 are left out"


def test_a_note_is_one_plain_line() -> None:
    stream = io.StringIO()
    view, watch = LineView(stream), Watch(lambda row: None)
    for number in range(3):
        view.update(watch, [Note("x.jsonl: line 1 is not part of a trace", f", and {number} more")])
    assert stream.getvalue() == "x.jsonl: line 1 is not part of a trace\n"
