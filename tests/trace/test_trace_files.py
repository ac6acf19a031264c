"""A damaged trace is one clear line: the file, the line, what is wrong, and what to do."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from winsock.trace import matching, trace_files
from winsock.trace.picture import main
from winsock.trace.timeline import timeline
from winsock.trace.trace_files import MAX_LINE, TraceError, read_lanes

HEAD: dict[str, Any] = {
    "trace": 1, "winsock": "1", "backend": "compat", "pid": 1, "argv": ["server.py"], "t": 5, "wall": 7
}  # fmt: skip
CALL: dict[str, Any] = {
    "n": 1, "t": 1, "d": 1, "pid": 1, "thread": "", "call": "recv", "args": {"s": 4, "buf": {"bytes": 1, "hex": "00"}},
    "result": 1, "text": "recv() = 1",
}  # fmt: skip
ADVICE = "record it again: python -m winsock.trace -o FILE.jsonl PROGRAM.py"


def written(tmp_path: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    path = tmp_path / "trace.jsonl"
    with path.open("wb") as file:
        for line in lines:
            text = line if isinstance(line, str | bytes) else json.dumps(line)
            file.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
    return path


def damaged(**changes: Any) -> dict[str, Any]:
    """The record of a call with other values; None removes a value."""
    return {key: value for key, value in (CALL | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"n": 1, "t"', "not JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("1", "not a JSON object"),
        (
            "12:00:00.000001 [MainThread] htons(1) = 256 <0.000001>",
            "not JSON (a file name that ends in .jsonl selects it)",
        ),
        ("[" * 100_000, "not JSON"),
        ('{"pid": ' + "9" * 5000 + "}", "not JSON"),
        (b"\xff\xfe{\0", "not UTF-8"),
        (b'{"call": "\xe9"}', "not UTF-8"),
        (b"\0" * 100, "not JSON"),
        (damaged(pid=None), "'pid' is missing"),
        (damaged(pid=[1]), "'pid' is not an integer of 64 bits"),
        (damaged(pid=True), "'pid' is not an integer"),
        (damaged(t="1"), "'t' is not an integer"),
        (damaged(t=1e300), "'t' is not an integer"),
        (damaged(d=10**30), "'d' is not an integer of 64 bits"),
        (damaged(n=None), "'n' is missing"),
        ('{"pid": 1, "n": NaN, "t": 1, "d": 1}', "'n' is not an integer"),
        (damaged(call=5), "'call' is not a string"),
        (damaged(call="\x1b[31m"), "'call' is not a name"),
        (damaged(call="x" * 41), "'call' is not a name"),
        (damaged(text=None), "'text' is missing"),
        (damaged(text=["a"]), "'text' is not a string"),
        (damaged(thread=1), "'thread' is not a string"),
        (damaged(peer={}), "'peer' is not a string"),
        (damaged(result=None), "'result' is missing"),
        (damaged(error="WSAEINTR"), "'error' is not the name of an error"),
        (damaged(error={"name": "\x1b[0m"}), "'error' is not the name of an error"),
        (damaged(error={"code": 1}), "'name' is missing"),
        (damaged(args=[]), "'args' is not an object"),
        (damaged(args=None), "'args' is not an object"),
        (damaged(args={"buf": {"bytes": 1}}), "'hex' is missing"),
        (damaged(args={"buf": {"bytes": -1, "hex": ""}}), "'buf' is not a number of bytes with hexadecimal digits"),
        (damaged(args={"buf": {"bytes": 1, "hex": "0g"}}), "'buf' is not a number of bytes"),
        (damaged(args={"buf": {"bytes": "1", "hex": "00"}}), "'bytes' is not an integer"),
        (damaged(source="a.py:1"), "'source' is not a line of a program"),
        (damaged(source={"line": -1}), "'source' is not a line of a program"),
        (damaged(source={"line": 1, "file": "a.py", "code": ""}), "'function' is missing"),
        (damaged(source={"line": 1, "file": "a.py", "function": "f", "code": 5}), "'code' is not a string"),
        (HEAD | {"argv": "server.py"}, "'argv' is not a list of strings"),
        (HEAD | {"argv": [1]}, "'argv' is not a list of strings"),
        (HEAD | {"wall": "now"}, "'wall' is not an integer"),
        (HEAD | {"backend": None}, "'backend' is missing"),
    ],
)
def test_a_damaged_line_is_reported_with_its_number(
    tmp_path: Path, line: dict[str, Any] | str | bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, HEAD, CALL, line, CALL)
    assert main([str(path), "--html", str(tmp_path / "out.html")]) == 2
    (reported,) = capsys.readouterr().err.splitlines()
    prefix = f"python -m winsock.trace picture: error: {path}, line 3 is not part of a trace: {problem}"
    assert reported.startswith(prefix)
    assert reported.endswith(f"; {ADVICE}")
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; "),
        (b"\n", "line 1 is not part of a trace: not JSON"),
        (bytes(range(256)) * 100, "line 1 is not part of a trace: not JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "line 1 is not part of a trace: not UTF-8"),
        (b"\x1f\x8b\x08\x00\x00", "line 1 is not part of a trace: not UTF-8"),
        ('{"trace"'.encode("utf-16"), "line 1 is not part of a trace: not UTF-8"),
        (b"12:00:00.000001 [MainThread] htons(1) = 256 <0.000001>\n", "line 1 is not part of a trace: not JSON ("),
        (b"<!DOCTYPE html>\n<html>", "line 1 is not part of a trace: not JSON"),
        (b'{"trace": 1}', "line 1 is not part of a trace: 'pid' is missing"),
        (json.dumps(CALL).encode() + b"\n", "line 1 is not part of a trace: the first line of a trace describes the"),
        (json.dumps(HEAD).encode(), "no calls in "),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_trace_is_one_line(
    tmp_path: Path, content: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (reported,) = err.splitlines()
    assert problem in reported


def test_a_folder_without_traces_and_a_missing_file_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, problem in (
        (tmp_path, "the folder has no file that ends in .jsonl"),
        (tmp_path / "missing\x1b[31m.jsonl", "cannot be read: "),
        (tmp_path / "nul\0", "cannot be read: "),
        (tmp_path / ("long" * 100), "cannot be read: "),
    ):
        assert main([str(path)]) == 2
        (reported,) = capsys.readouterr().err.splitlines()
        assert problem in reported
        assert reported.isprintable()


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([json.dumps(HEAD).encode(), json.dumps(CALL).encode(), b""]))
    (lane,) = read_lanes(path)
    assert len(lane.records) == 1


@pytest.mark.parametrize("end", ['{"n":2,"t"', '{"n": 2}', "{", "\x00\x00"])
def test_only_a_last_line_without_a_line_end_may_be_incomplete(tmp_path: Path, end: str) -> None:
    path = written(tmp_path, HEAD, CALL)
    with path.open("a", encoding="ascii") as file:
        file.write(end)
    (lane,) = read_lanes(path)
    assert len(lane.records) == 1
    with path.open("a", encoding="ascii") as file:
        file.write("\n")
    with pytest.raises(TraceError, match="line 3 is not part of a trace"):
        read_lanes(path)


def test_a_line_without_an_end_is_not_read_completely(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[int] = []

    class Endless(io.RawIOBase):
        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            read.append(size)
            return b"\0" * size

    monkeypatch.setattr(Path, "open", lambda path, mode: Endless())
    with pytest.raises(TraceError, match="line 1 is not part of a trace: longer than 16 MB"):
        read_lanes(tmp_path / "zero")
    assert read == [MAX_LINE + 1]


@pytest.mark.parametrize("after", ["", "\n", "x", "\n{}\n"])
def test_a_line_that_is_too_long_is_not_taken_for_the_incomplete_last_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: str
) -> None:
    monkeypatch.setattr("winsock.trace.trace_files.MAX_LINE", 1000)
    (tmp_path / "a.jsonl").write_text(json.dumps(HEAD) + "\n" + "x" * 1001 + after, encoding="ascii")
    with pytest.raises(TraceError, match="line 2 is not part of a trace: longer than"):
        read_lanes(tmp_path / "a.jsonl")


def test_the_number_of_calls_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trace_files, "MAX_CALLS", 5)
    assert len(read_lanes(written(tmp_path, HEAD, *[CALL] * 5))[0].records) == 5
    with pytest.raises(TraceError, match="has more than 5 calls; trace fewer with --calls"):
        read_lanes(written(tmp_path, HEAD, *[CALL] * 6))


def test_the_size_of_a_file_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, *[CALL] * 5)
    monkeypatch.setattr(trace_files, "MAX_BYTES", path.stat().st_size)
    assert len(read_lanes(path)[0].records) == 5
    with pytest.raises(TraceError, match="has more than 0 MB; trace less with --calls or --bytes"):
        read_lanes(written(tmp_path, HEAD, *[CALL] * 6))


def test_a_file_with_many_calls_is_read_line_by_line(tmp_path: Path) -> None:
    padded = damaged(text="x" * 100_000)
    path = written(tmp_path, HEAD, *[padded] * 50, "{")
    tracemalloc.start()
    try:
        with pytest.raises(TraceError):
            read_lanes(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_control_characters_of_a_trace_do_not_reach_the_terminal(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    evil = "\x1b[31m\x07\x9b2J\u202e\nend"
    head = HEAD | {"argv": [f"{evil}.py"], "backend": evil}
    path = written(
        tmp_path,
        head,
        damaged(call="bind", text=f"bind({evil})", raised=f"Error{evil}", local=evil, peer=evil, thread=evil),
        damaged(call="bind", text="\ud800 lone surrogate"),
    )
    html = tmp_path / "out.html"
    assert main([str(path), "--mermaid", "-", "--html", str(html)]) == 0
    out, err = capsysbinary.readouterr()
    for text in (out.decode(), err.decode()):
        assert all(line.isprintable() for line in text.splitlines())
    assert b"\\x1b[31m" in out
    page = html.read_text(encoding="utf-8")
    assert "\x1b" not in page
    assert "<title>\\x1b" in page


# ---- the amount of work


@pytest.mark.parametrize("kind", ["datagrams", "lost datagram", "other target", "connections"])
def test_the_work_of_matching_is_proportional_to_the_number_of_calls(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[object] = []

    class CountedSet(set[Any]):
        def __contains__(self, item: object) -> bool:
            compared.append(item)
            return set.__contains__(self, item)

    def same_address(*ends: str) -> bool:
        compared.append(ends)
        return original(*ends)

    original, datagram = matching.same_address, matching.Datagram
    monkeypatch.setattr(matching, "same_address", same_address)
    monkeypatch.setattr(matching, "Datagram", lambda *given: datagram(*given, receivers=CountedSet()))
    work = []
    for count in (200, 400):
        compared.clear()
        records = _RECORDS[kind](count)
        assert len(timeline(read_lanes(written(tmp_path, HEAD, *records))).arrows) == count
        work.append(len(compared))
    assert work[0] >= 200
    assert work[1] < 3 * work[0]


def _datagrams(count: int) -> list[dict[str, Any]]:
    """Datagrams of one size from one program to itself, all sent before the first one is received."""
    buffer = {"bytes": 1, "hex": "61"}
    ends = {"local": "127.0.0.1:1", "peer": "127.0.0.1:1"}
    sends = [damaged(n=n, t=n, call="send", args={"s": 1, "buf": buffer}, **ends) for n in range(count)]
    receives = [damaged(n=n, t=count + n, call="recv", args={"s": 2, "buf": buffer}, **ends) for n in range(count)]
    return [*sends, *receives]


def _after_a_lost_datagram(count: int) -> list[dict[str, Any]]:
    """Datagrams with different contents; the first one is not received, each of the others after it was sent."""
    ends = {"local": "127.0.0.1:1", "peer": "127.0.0.1:1"}
    records = []
    for n in range(count + 1):
        buffer = {"bytes": 4, "hex": f"{n:08x}"}
        records.append(damaged(n=n, t=2 * n, call="send", args={"s": 1, "buf": buffer}, **ends))
        records.append(damaged(n=n, t=2 * n + 1, call="recv", args={"s": 2, "buf": buffer}, **ends))
    del records[1]
    return records


def _to_another_target(count: int) -> list[dict[str, Any]]:
    """Equal datagrams to two targets with the same port, of which only the second one has a trace."""
    buffer, records = {"bytes": 1, "hex": "61"}, []
    for n in range(count):
        for target in ("127.0.0.1:1", "127.0.0.2:1"):
            ends = {"local": "127.0.0.3:5", "peer": target}
            records.append(damaged(n=n, t=3 * n, call="send", args={"s": 1, "buf": buffer}, **ends))
        ends = {"local": "127.0.0.2:1", "peer": "127.0.0.3:5"}
        records.append(damaged(n=n, t=3 * n + 2, call="recv", args={"s": 2, "buf": buffer}, **ends))
    return records


def _connections(count: int) -> list[dict[str, Any]]:
    server, records = "127.0.0.1:80", []
    for n in range(count):
        client = f"127.0.0.1:{1000 + n}"
        records.append(damaged(n=n, t=n, call="connect", args={"s": n}, result=0, local=client, peer=server))
        arguments = {"s": 99999}
        records.append(
            damaged(n=n, t=10**6 + n, call="accept", args=arguments, result=5000 + n, local=server, peer=client)
        )
    return records


_RECORDS = {
    "datagrams": _datagrams,
    "lost datagram": _after_a_lost_datagram,
    "other target": _to_another_target,
    "connections": _connections,
}
