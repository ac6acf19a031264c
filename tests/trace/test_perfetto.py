"""export --perfetto: the file follows the Trace Event Format, so that Perfetto shows all calls and arrows."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from simulated_talk import simulated_talk
from trace_kit import drawn, talk
from trace_story import A, B, Story

from winsock.trace.events import Lane
from winsock.trace.export import main
from winsock.trace.perfetto import perfetto
from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import read_lanes

__all__ = ["drawn", "talk"]


def checked(drawn: Timeline) -> list[dict[str, Any]]:
    """The events of the file, after a check of what the format demands."""
    document = json.loads(perfetto(drawn))
    assert document["displayTimeUnit"] == "ns"
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        assert event["ph"] in ("M", "X", "B", "s", "f")
        assert all(type(event[key]) is int for key in ("pid", "tid"))
        assert type(event["name"]) is str
        assert type(event["args"]) is dict
        if event["ph"] != "M":
            assert event["ts"] >= 0
            assert type(event["cat"]) is str
    bars: dict[int, list[dict[str, Any]]] = {}
    for event in [*of(events, "X"), *of(events, "B")]:
        assert event.setdefault("dur", 0.001) > 0
        bars.setdefault(event["tid"], []).append(event)
    for track in bars.values():
        track.sort(key=lambda event: event["ts"])
        assert len({event["pid"] for event in track}) == 1
        for before, after in pairwise(track):
            assert end(before) <= start(after), "the calls of a track follow each other"
    named = {event["tid"] for event in of(events, "M") if event["name"] == "thread_name"}
    assert named == set(bars)
    starts, ends = ({event["id"]: event for event in of(events, phase)} for phase in ("s", "f"))
    assert len(starts) == len(of(events, "s"))
    assert starts.keys() == ends.keys()
    for number, first in starts.items():
        last = ends[number]
        assert (first["name"], first["cat"]) == (last["name"], last["cat"])
        assert first["ts"] <= last["ts"]
        assert last["bp"] == "e"
        for event in (first, last):
            assert any(start(bar) <= start(event) < end(bar) for bar in bars[event["tid"]]), (
                "a flow is inside of a call"
            )
    return events


def of(events: list[dict[str, Any]], phase: str) -> list[dict[str, Any]]:
    return [event for event in events if event["ph"] == phase]


def start(event: dict[str, Any]) -> int:
    """In nanoseconds."""
    return round(event["ts"] * 1000)


def end(event: dict[str, Any]) -> int:
    return start(event) + round(event["dur"] * 1000)


def test_the_calls_and_arrows_of_a_real_run(drawn: Timeline) -> None:
    events = checked(drawn)
    assert [event["args"]["call"] for event in of(events, "X")] == [event.text for event in drawn.events]
    assert len(of(events, "s")) == len(drawn.arrows) == 8
    processes = [event["args"]["name"] for event in of(events, "M") if event["name"] == "process_name"]
    assert processes == ["server", "client"]
    (connect,) = (event for event in of(events, "X") if event["name"] == "connect")
    assert connect["cat"] == "connections"
    assert connect["args"]["peer"].startswith("127.0.0.1:")
    assert connect["args"]["source"].startswith("client.py:")


def test_the_calls_and_arrows_of_a_simulated_run(tmp_path: Path) -> None:
    whole = timeline([lane for trace in simulated_talk(tmp_path) for lane in read_lanes(Path(trace))], fold=False)
    events = checked(whole)
    assert len(of(events, "X")) == len(whole.events)
    assert len(of(events, "s")) == len(whole.arrows) > 4


def test_an_error_is_in_the_name_of_its_call() -> None:
    story = Story("a")
    story.stream(0, 5, A, B, error="WSAECONNREFUSED")
    assert [event["name"] for event in of(checked(story.draw()), "X")] == ["socket", "connect WSAECONNREFUSED"]


def test_calls_without_a_duration_at_one_time_follow_each_other() -> None:
    story = Story("a", "b")
    for _ in range(3):
        story.call(0, "htons", t=5, d=0)
    story.call(0, "connect", s=5, local=A, peer=B, t=5, d=0)
    story.call(1, "accept", 7, s=1, local=B, peer=A, t=1, d=8)
    events = of(checked(story.draw()), "X")
    assert len({event["tid"] for event in events}) == 2


@pytest.mark.parametrize("begin", [100, 1])
def test_a_call_without_a_duration_is_shown_until_its_cause_has_begun(begin: int) -> None:
    story = Story("a", "b")
    story.call(0, "connect", s=5, local=A, peer=B)
    story.accept(1, 7, B, A)
    for _ in range(3):
        story.call(0, "htons", t=100, d=0)
    story.move(0, "send", 5, b"x", t=100, d=0)
    story.move(1, "recv", 7, b"x", t=begin, d=100 - begin)
    story.call(1, "closesocket", s=7, t=100, d=0)
    events = checked(story.draw())
    assert [event["name"] for event in of(events, "f")] == ["connection", "data"]


def test_a_call_that_has_not_returned_begins_and_does_not_end() -> None:
    story = Story("a")
    story.call(0, "accept", 7, s=1)
    story.wait(0, "recv", s=7)
    (event,) = of(checked(timeline(story.lanes, unfinished=True)), "B")
    assert (event["name"], event["args"]["call"]) == ("recv", "recv() has not returned")


def test_threads_with_the_same_name_have_tracks_of_their_own() -> None:
    story = Story("a")
    for start in (0, 5, 10, 14):
        story.call(0, "recv", 1, t=start, d=8)
    events = checked(story.draw())
    names = [event["args"]["name"] for event in of(events, "M") if event["name"] == "thread_name"]
    assert names == ["", " (2)"]


@pytest.mark.parametrize("offset", [0, 1 << 62, -(1 << 62)])
def test_times_of_any_size_and_names_of_any_kind_are_written(offset: int) -> None:
    story = Story("\ud800</script>", "b")
    story.lanes[0].offset = offset
    story.call(0, "bind", t=-(1 << 63), d=(1 << 63) - 1)
    story.call(1, "bind", t=0, d=0)
    assert len(of(checked(timeline([*story.lanes, Lane("empty", 1, [], "", 0)])), "X")) == 2


def test_the_command_writes_both_formats(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture, trace = tmp_path / "a.pcapng", tmp_path / "a.json"
    traces = [str(talk / "server.jsonl"), str(talk / "client.jsonl")]
    assert main([*traces, "--pcapng", str(capture), "--perfetto", str(trace)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"14 packets written to {capture}",
        f"34 calls and 8 arrows written to {trace}",
    ]
    assert capture.read_bytes()[:4] == b"\n\r\r\n"
    assert json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]


def test_one_call_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story("a")
    story.call(0, "WSACleanup")
    assert main([*story.write(tmp_path), "--perfetto", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().err == f"1 call and 0 arrows written to {tmp_path / 'a.json'}\n"


@pytest.mark.parametrize(("option", "begin"), [("--pcapng", b"\n\r\r\n"), ("--perfetto", b'{"displayTimeUnit"')])
def test_an_export_can_be_written_to_standard_output(
    talk: Path, capfdbinary: pytest.CaptureFixture[bytes], option: str, begin: bytes
) -> None:
    assert main([str(talk / "client.jsonl"), option, "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(begin)


@pytest.mark.posix_only(reason="only Linux has /dev/full")
@pytest.mark.parametrize("option", ["--pcapng", "--perfetto"])
def test_a_full_disk_is_one_line(talk: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main([str(talk / "client.jsonl"), option, "/dev/full"]) == 2
    message = "/dev/full: cannot be written: No space left on device"
    assert capsys.readouterr().err == f"python -m winsock.trace export: error: {message}\n"


@pytest.mark.parametrize("option", ["--pcapng", "--perfetto"])
def test_an_export_does_not_replace_a_trace(talk: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    trace = talk / "client.jsonl"
    content = trace.read_bytes()
    assert main([f"the client={trace}", option, str(trace)]) == 2
    message = f"{trace}: the export would replace the trace; write it to another file"
    assert capsys.readouterr().err == f"python -m winsock.trace export: error: {message}\n"
    assert trace.read_bytes() == content


@pytest.mark.parametrize("option", ["--pcapng", "--perfetto"])
def test_an_export_does_not_replace_a_source_file_of_a_traced_program(
    talk: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    source = talk / "client.py"
    content = source.read_bytes()
    assert main([str(talk), option, str(source)]) == 2
    message = f"{source}: the export would replace the program; write it to another file"
    assert capsys.readouterr().err == f"python -m winsock.trace export: error: {message}\n"
    assert source.read_bytes() == content


def test_what_cannot_be_exported_is_one_line(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, same = str(talk / "client.jsonl"), str(tmp_path / "a")
    no_folder = str(tmp_path / "none" / "a")
    for arguments, problem in (
        ([trace], "no format; use --pcapng FILE or --perfetto FILE"),
        (["missing.jsonl", "--pcapng", same], "missing.jsonl: cannot be read: No such file or directory"),
        ([trace, "--pcapng", same, "--perfetto", same], f"{same}: one export would replace the other"),
        ([trace, "--pcapng", no_folder], f"{no_folder}: cannot be written: No such file or directory"),
    ):
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"python -m winsock.trace export: error: {problem}")
