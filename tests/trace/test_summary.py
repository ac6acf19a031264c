"""summary: calls, errors, bytes and time per call, of each program and of all programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from trace_kit import drawn, talk
from trace_story import Story

from winsock.trace.summary import main

__all__ = ["drawn", "talk"]


def summarized(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def story() -> Story:
    """A program that waits for 1.5 s and receives 5 bytes in two pieces, and one that fails."""
    story = Story("a", "b")
    story.call(0, "select", 1, d=1_500_000_000)
    story.move(0, "recv", 5, b"ab", "MSG_PEEK", d=1_000)
    story.move(0, "recv", 5, b"ab", d=2_000)
    story.move(0, "recv", 5, b"cde", d=3_000)
    story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK", d=0)
    story.call(1, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK", d=0)
    story.call(1, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAECONNRESET", d=0)
    story.call(1, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK", d=0)
    story.call(1, "htons", 0, raised="TypeError: \x1b[31m", d=0)
    return story


def test_a_table_of_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summarized(capsys, story().write(tmp_path)[0])
    assert text == (
        "a (pid 0), 1.500000 s from its first call to its last one\n"
        "\n"
        "% time     seconds  usecs/call     calls    errors        bytes call\n"
        "------ ----------- ----------- --------- --------- ------------ ----------------\n"
        "100.00    1.500000     1500000         1                        select\n"
        "  0.00    0.000006           2         4         1            5 recv\n"
        "------ ----------- ----------- --------- --------- ------------ ----------------\n"
        "100.00    1.500006      300001         5         1            5 total\n"
        "\n"
        "recv  WSAEWOULDBLOCK \u00d71\n"
    )


def test_several_programs_have_a_table_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summarized(capsys, *story().write(tmp_path))
    first, second, together = re.split(r"\n\n(?=b \(pid|all programs)", text)
    assert first.startswith("a (pid 0)")
    assert second.endswith("\n\nrecv   WSAEWOULDBLOCK \u00d72, WSAECONNRESET \u00d71\nhtons  TypeError \u00d71")
    assert re.search(r" 7 +4 +5 recv\n", together)
    assert max(map(len, text.splitlines())) == 80


@pytest.mark.parametrize(
    ("order", "calls"),
    [
        ("time", ["recv", "htons"]),
        ("calls", ["recv", "htons"]),
        ("errors", ["recv", "htons"]),
        ("bytes", ["htons", "recv"]),
        ("name", ["htons", "recv"]),
    ],
)
def test_the_order_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str, calls: list[str]) -> None:
    trace = story().write(tmp_path)[1]
    if order == "time":
        Path(trace).write_text(Path(trace).read_text().replace('"d": 0', '"d": 5', 1))
    text = summarized(capsys, trace, "--sort", order)
    assert re.findall(r"(recv|htons)$", text, re.MULTILINE) == calls


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = json.loads(summarized(capsys, f"the name={story().write(tmp_path)[1]}", "--json"))["programs"]
    calls = program.pop("calls")
    assert program == {"name": "the name", "pid": 1, "argv": ["b"], "waiting": []}
    errors = {"WSAEWOULDBLOCK": 2, "WSAECONNRESET": 1}
    assert {"call": "recv", "calls": 3, "errors": errors, "ends": {}, "bytes": 0, "time_ns": 0} in calls


def test_the_counts_of_a_real_run_are_those_of_its_trace(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces = [talk / "server.jsonl", talk / "client.jsonl"]
    found = json.loads(summarized(capsys, *map(str, traces), "--json"))["programs"]
    assert [program["name"] for program in found] == ["server", "client"]
    for program, trace in zip(found, traces, strict=True):
        records = [json.loads(line) for line in trace.read_text(encoding="ascii").splitlines()]
        finished = [record for record in records if "result" in record]
        assert sum(count["calls"] for count in program["calls"]) == len(finished)
        assert sum(count["time_ns"] for count in program["calls"]) == sum(record["d"] for record in finished)
    counts = {(p["name"], c["call"]): c["bytes"] for p in found for c in p["calls"]}
    assert counts["client", "send"] == counts["server", "recv"] == 6
    assert counts["server", "send"] == counts["client", "recv"] == 12


def test_the_calls_that_have_not_returned_are_below_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = story()
    waiting.wait(0, "accept", s=5)
    (trace, _) = waiting.write(tmp_path)
    text = summarized(capsys, trace)
    assert text.endswith("\n\nrecv  WSAEWOULDBLOCK \u00d71\naccept  has not returned \u00d71\n")
    assert json.loads(summarized(capsys, trace, "--json"))["programs"][0]["waiting"] == ["accept"]


def test_a_damaged_trace_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n", encoding="ascii")
    assert main([str(tmp_path / "a.jsonl")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"python -m winsock.trace summary: error: {tmp_path / 'a.jsonl'}, line 1 is not part of a trace"
    )


def test_ctrl_c_is_the_end_of_a_program_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story("a")
    story.call(0, "accept", s=1, raised="KeyboardInterrupt: ", d=0)
    story.call(0, "recv", s=1, raised="SystemExit: 3", d=0)
    story.call(0, "htons", raised="TypeError: no", d=0)
    paths = story.write(tmp_path)
    text = summarized(capsys, *paths)
    assert text.endswith(
        "\n\nhtons  TypeError \u00d71\naccept  ended by KeyboardInterrupt \u00d71\nrecv  ended by SystemExit \u00d71\n"
    )
    assert re.search(r" 3 +1 +total\n", text)
    (program,) = json.loads(summarized(capsys, *paths, "--json"))["programs"]
    assert [(count["errors"], count["ends"]) for count in program["calls"]] == [
        ({}, {"KeyboardInterrupt": 1}),
        ({"TypeError": 1}, {}),
        ({}, {"SystemExit": 1}),
    ]
