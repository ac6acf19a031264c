"""diff: where two runs of the same programs differ, without what differs in each run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from simulated_talk import simulated_talk
from trace_kit import drawn, talk
from trace_story import A, B, C, Story

from winsock.trace import comparison
from winsock.trace.comparison import Sequence, sequences
from winsock.trace.diff import main
from winsock.trace.timeline import timeline

__all__ = ["drawn", "talk"]

Told = tuple[int, str]


@pytest.fixture
def compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Compares two stories; returns the exit code and the output without the paths."""

    def compare(one: Story, other: Story, *options: str) -> Told:
        folders = [tmp_path / "one", tmp_path / "other"]
        for folder, story in zip(folders, (one, other), strict=True):
            folder.mkdir()
            story.write(folder)
        code = main([*map(str, folders), *options])
        text = capsys.readouterr().out
        return code, text.removeprefix(f"A: {folders[0]}\nB: {folders[1]}\n\n")

    return compare


def client(s: int = 5, local: str = A, peer: str = B, data: bytes = b"answer", **changes: Any) -> Story:
    """A client that sends a question; `local`, `peer` and the handle `s` may differ in each run."""
    story = Story("client")
    story.call(0, "WSAStartup")
    story.stream(0, s, local, peer)
    story.call(0, "select", 1, nfds=s + 1, readfds={"in": [s], "out": [s]}, timeout={"tv_sec": s, "tv_usec": 0})
    story.move(0, "send", s, b"question")
    story.move(0, "recv", s, data, **changes)
    story.call(0, "closesocket", s=s)
    return story


def pairs(one: Story, other: Story) -> Iterable[tuple[Sequence, Sequence]]:
    """The threads of two stories with the same names."""
    return zip(
        *(sorted(sequences(timeline(story.lanes, fold=False)), key=lambda each: each.thread) for story in (one, other)),
        strict=True,
    )


def test_handles_ports_and_times_are_no_difference(compared: Callable[..., Told]) -> None:
    other = client(260, "127.0.0.1:40000", "127.0.0.1:50000", d=7)
    assert compared(client(), other) == (0, "client: equal, 7 calls\n")


def test_the_last_equal_calls_are_shown_and_then_both_sides(compared: Callable[..., Told]) -> None:
    code, text = compared(client(), client(9, data=b"answers"))
    assert code == 1
    assert text == (
        "client: the runs differ after 5 calls\n"
        "\n"
        "       3 connect() = 0\n"
        "       4 select() = 1\n"
        "       5 send() = 8\n"
        "A      6 recv() = 6\n"
        "A      7 closesocket() = 0\n"
        "B      6 recv() = 7\n"
        "B      7 closesocket() = 0\n"
        '  buf: 6 bytes, from byte 6 "" in A, 7 bytes, from byte 6 "s" in B\n'
        "  result: 6 in A, 7 in B\n"
    )


def test_the_number_of_shown_calls_can_be_chosen(compared: Callable[..., Told]) -> None:
    _, text = compared(client(), client(data=b"x"), "--context", "0")
    assert re.findall(r"^(?:A|B| ) +\d+ \w+", text, re.MULTILINE) == ["A      6 recv", "B      6 recv"]


def test_a_run_that_ends_earlier_differs(compared: Callable[..., Told]) -> None:
    shorter = client()
    del shorter.lanes[0].records[-1]
    code, text = compared(client(), shorter)
    assert (code, text.splitlines()[-2:]) == (1, ["A      7 closesocket() = 0", "B        makes no more calls"])


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"data": b"ansxer"}, ['buf: 6 bytes, from byte 3 "wer" in A, 6 bytes, from byte 3 "xer" in B']),
        ({"flags": "MSG_PEEK"}, ["flags: 0 in A, MSG_PEEK in B"]),
        ({"error": "WSAECONNRESET"}, ["error: nothing in A, WSAECONNRESET in B"]),
    ],
)
def test_what_differs_is_named(compared: Callable[..., Told], changes: dict[str, Any], parts: list[str]) -> None:
    _, text = compared(client(), client(**changes))
    assert [line.strip() for line in text.splitlines() if line.startswith("  ") and ":" in line] == parts


def test_another_call_is_a_difference_of_the_call_alone(compared: Callable[..., Told]) -> None:
    one, other = Story("a"), Story("a")
    one.call(0, "shutdown", s=5, how="SD_SEND")
    other.call(0, "closesocket", s=5)
    assert compared(one, other)[1].splitlines()[-1] == "  call: shutdown in A, closesocket in B"


def test_another_socket_is_a_difference(compared: Callable[..., Told]) -> None:
    stories = []
    for used in (5, 6):
        story = Story("a")
        for s in (5, 6):
            story.call(0, "socket", s, af="AF_INET", type="SOCK_STREAM", protocol=0)
        story.call(0, "closesocket", s=used)
        stories.append(story)
    code, text = compared(*stories)
    assert (code, text.splitlines()[-1]) == (1, "  s: socket 1 in A, socket 2 in B")


def with_sender(used: int, handles: tuple[int, int] = (5, 6)) -> Story:
    """The main thread opens two sockets, and another thread sends on one of them."""
    story = Story("a")
    for s in handles:
        story.call(0, "socket", s)
    story.move(0, "send", handles[used], b"x")
    for record in story.lanes[0].records:
        record["thread"] = "sender" if record["call"] == "send" else "MainThread"
    return story


def test_another_socket_of_another_thread_is_a_difference(compared: Callable[..., Told]) -> None:
    code, text = compared(with_sender(0), with_sender(1))
    assert code == 1
    assert "\n  s: socket 1 of thread MainThread in A, socket 2 of thread MainThread in B\n" in text


def test_another_handle_of_a_socket_of_another_thread_is_no_difference(compared: Callable[..., Told]) -> None:
    assert compared(with_sender(1), with_sender(1, (6, 5)))[0] == 0


def test_a_handle_that_another_thread_gets_while_closesocket_runs_is_another_socket(
    compared: Callable[..., Told],
) -> None:
    stories = []
    for begun, second in ((45, 5), (75, 5), (45, 9)):
        story = Story("a")
        story.call(0, "socket", 5, t=10)
        story.call(0, "closesocket", t=50, d=20, s=5)
        story.call(0, "socket", second, t=begun, d=40)
        story.move(0, "send", second, b"x", t=150)
        for record, thread in zip(story.lanes[0].records, ("one", "one", "two", "two"), strict=True):
            record["thread"] = thread
        stories.append(story)
    for other in stories[1:]:
        assert [comparison.compared(*pair).parts for pair in pairs(stories[0], other)] == [None, None]


def test_a_handle_that_is_used_again_is_another_socket(compared: Callable[..., Told]) -> None:
    stories = []
    for second in (5, 6):
        story = Story("a")
        story.call(0, "socket", 5)
        story.call(0, "closesocket", s=5)
        story.call(0, "socket", second)
        story.call(0, "WSAPoll", 1, fdArray={"in": [{"fd": second, "events": 0}], "out": [{"fd": second}]}, timeout=5)
        story.call(0, "closesocket", s=second)
        stories.append(story)
    assert compared(*stories)[0] == 0


def test_another_host_is_a_difference_and_another_port_is_none(compared: Callable[..., Told]) -> None:
    code, text = compared(client(), client(peer="10.0.0.1:2000"))
    assert (code, text.splitlines()[-1]) == (1, "  name: 127.0.0.1 in A, 10.0.0.1 in B")


def test_ports_as_numbers_and_as_text_are_no_difference(compared: Callable[..., Told]) -> None:
    stories = []
    for port in (2000, 3000):
        story = Story("a")
        story.call(0, "htons", port % 256, hostshort=port)
        story.call(0, "getaddrinfo", 0, pServiceName={"text": str(port)}, ppResult=[f"[::1]:{port}", f"1.1.1.1:{port}"])
        stories.append(story)
    assert compared(*stories)[0] == 0


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--all"], 1)])
def test_how_often_a_program_finds_nothing_is_compared_only_on_request(
    compared: Callable[..., Told], options: list[str], code: int
) -> None:
    stories = []
    for count in (1, 3):
        story = Story("a")
        for _ in range(count):
            story.call(0, "select", 0)
            story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK")
            story.call(0, "WSAGetLastError", 10035)
        story.call(0, "closesocket", s=5)
        stories.append(story)
    assert compared(*stories, *options)[0] == code


def polling(*found: str) -> Story:
    """A program that finds nothing to do, and then makes these calls."""
    story = Story("a")
    story.call(0, "select", 0)
    for call in found:
        story.call(0, call)
    return story


def test_runs_that_find_nothing_to_do_are_equal(compared: Callable[..., Told]) -> None:
    assert compared(polling(), polling()) == (0, "a: equal, 0 calls that found something to do\n")


@pytest.mark.parametrize("swapped", [False, True])
def test_a_thread_that_finds_nothing_to_do_in_one_run_only_is_in_both_runs(
    compared: Callable[..., Told], swapped: bool
) -> None:
    stories = [polling(), polling("bind")]
    code, text = compared(*(reversed(stories) if swapped else stories))
    name, other = "AB" if swapped else "BA"
    lines = ["a: the runs differ after 0 calls", "", f"{name}      1 bind() = 0", f"{other}        makes no more calls"]
    assert (code, sorted(text.splitlines())) == (1, sorted(lines))


def test_a_thread_that_finds_nothing_to_do_may_be_in_one_run_only(compared: Callable[..., Told]) -> None:
    one, other = polling("bind"), polling("bind")
    other.call(0, "select", 0)
    other.lanes[0].records[-1]["thread"] = "watcher"
    watcher = "a, thread watcher: only in B, no call that found something to do"
    assert compared(one, other) == (0, f"a: equal, 1 call\n{watcher}\n")


@pytest.mark.parametrize("again", [0, 1, 4])
def test_how_often_a_program_asks_for_its_connection_is_not_compared(compared: Callable[..., Told], again: int) -> None:
    stories = []
    for count in (2, again):
        story = Story("a")
        story.stream(0, 5, A, B, error="WSAEWOULDBLOCK")
        for error in [*["WSAEALREADY"] * count, "WSAEISCONN"]:
            story.call(0, "connect", -1, s=5, name=B, error=error)
            story.call(0, "WSAGetLastError", 10037 if error == "WSAEALREADY" else 10056)
        stories.append(story)
    assert compared(*stories) == (0, "a: equal, 4 calls\n")


def test_of_data_that_was_recorded_in_part_the_common_bytes_are_compared(compared: Callable[..., Told]) -> None:
    code, text = compared(client(), client(recorded=3))
    note = "note: 1 call with bytes that were not recorded; these bytes were not compared"
    assert (code, text) == (0, f"client: equal, 7 calls\n\n{note}\n")


def test_a_difference_does_not_hide_that_bytes_before_it_were_not_recorded(compared: Callable[..., Told]) -> None:
    stories = []
    for how in ("SD_SEND", "SD_BOTH"):
        story = Story("a")
        for _ in range(2):
            story.move(0, "send", 5, b"x" * 5000, recorded=0)
        story.call(0, "shutdown", s=5, how=how)
        stories.append(story)
    code, text = compared(*stories)
    assert code == 1
    assert text.endswith("\n\nnote: 2 calls with bytes that were not recorded; these bytes were not compared\n")


def test_a_call_that_has_not_returned_differs_from_one_that_has(compared: Callable[..., Told]) -> None:
    stories = client(), client()
    del stories[1].lanes[0].records[-2:]
    stories[1].wait(0, "recv", s=5)
    code, text = compared(*stories)
    assert (code, text.splitlines()[-1]) == (1, "  call: recv in A, recv that has not returned in B")


def test_threads_are_compared_on_their_own(compared: Callable[..., Told]) -> None:
    stories = []
    for order in ("xy", "yx"):
        story = Story("a")
        for thread in order:
            story.call(0, "bind" if thread == "x" else "listen")
            story.lanes[0].records[-1]["thread"] = thread
        stories.append(story)
    assert compared(*stories) == (0, "a, thread x: equal, 1 call\na, thread y: equal, 1 call\n")


def test_the_difference_that_happened_first_is_shown_first(compared: Callable[..., Told]) -> None:
    one, other = Story("late", "early"), Story("late", "early")
    for story, result in ((one, 1), (other, 2)):
        story.call(0, "bind")
        story.call(1, "recv", result)
        story.call(0, "recv", result)
    _, text = compared(one, other)
    assert re.findall(r"^(\w+): the runs differ", text, re.MULTILINE) == ["early", "late"]


def test_a_program_that_ran_once_is_a_difference(compared: Callable[..., Told]) -> None:
    one, other = Story("a", "b"), Story("a", "c", "d")
    for lane in range(2):
        one.call(lane, "bind")
    for lane in range(3):
        other.call(lane, "bind")
    code, text = compared(one, other)
    assert code == 1
    assert set(text.split("\n\n")) == {
        "b: only in A, 1 call",
        "c: only in B, 1 call",
        "d: only in B, 1 call",
        "a: equal, 1 call\n",
    }


def test_one_program_in_each_run_may_have_two_names(compared: Callable[..., Told]) -> None:
    one, other = Story("a"), Story("b")
    one.call(0, "bind")
    other.call(0, "bind")
    assert compared(one, other) == (0, "a: equal, 1 call\n")


def test_child_processes_are_matched_without_their_process_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, child in (("one", 7), ("other", 8)):
        story = Story("a")
        story.call(0, "bind")
        story.call(0, "listen")
        story.lanes[0].records[-1]["pid"] = child
        (tmp_path / name).mkdir()
        story.write(tmp_path / name)
    assert main([str(tmp_path / "one"), str(tmp_path / "other")]) == 0
    assert capsys.readouterr().out == "a: equal, 1 call\na (child): equal, 1 call\n"


def test_two_real_runs(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("server", "client"):
        text = (talk / f"{name}.jsonl").read_text(encoding="ascii")
        (other / f"{name}.jsonl").write_text(re.sub(r"\b256\b", "300", text), encoding="ascii")
    assert main([str(talk), str(other)]) == 0
    assert capsys.readouterr().out == "server: equal, 18 calls\nclient: equal, 16 calls\n"
    trace = other / "server.jsonl"
    trace.write_text(trace.read_text(encoding="ascii").replace('"68656c6c6f00"', '"68656c6c6f01"'), encoding="ascii")
    assert main([str(talk / "server.jsonl"), str(trace)]) == 1
    text = capsys.readouterr().out
    assert '  buf: 6 bytes, from byte 5 "\\0" in A, 6 bytes, from byte 5 "\\x01" in B' in text.splitlines()
    assert re.search(r'^A +11 recv\(\d+, "hello\\0", 512, 0\) = 6  \(.*server\.py:\d+\)$', text, re.MULTILINE)


def test_simulated_runs_differ_by_what_they_do_and_not_by_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, slow, other = tmp_path / "one", tmp_path / "slow", tmp_path / "other"
    simulated_talk(one)
    simulated_talk(slow, latency=0.3)
    simulated_talk(other, answer=b"no")
    assert main([str(one), str(slow)]) == 0
    assert main([str(one), str(other)]) == 1
    assert '  buf: 6 bytes, from byte 0 "answer" in A, 2 bytes, from byte 0 "no" in B' in capsys.readouterr().out


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path)]) == 2
    message = f"{tmp_path}: the folder has no file that ends in .jsonl"
    assert capsys.readouterr().err == f"python -m winsock.trace diff: error: {message}\n"
    assert main(["missing.jsonl", str(tmp_path)]) == 2
    with pytest.raises(SystemExit):
        main(["a", "b", "--context", "-1"])
    assert "invalid number of calls: '-1'; use a number below 1000000" in capsys.readouterr().err


def test_values_of_any_form_are_compared(compared: Callable[..., Told]) -> None:
    nested: Any = 1
    for _ in range(50):
        nested = {"in": [nested]}
    stories = []
    for end in (1, 2):
        story = Story("\x1b[31m")
        story.call(0, "closesocket", s={"type": "str"}, readfds="x", fdArray=[1, {"fd": [1]}, nested])
        story.call(0, "socket", None, s=True, other=nested)
        story.call(0, "accept", "text", s=None, buf={"bytes": 1, "hex": "00"}, name={"text": ["1"]})
        story.call(0, "bind", json.loads("[" * 5 + str(end) + "]" * 5), name=[A, [B, {"x": C}]])
        stories.append(story)
    code, text = compared(*stories)
    assert (code, text.splitlines()[-1]) == (1, "  result: [[[[[1]]]]] in A, [[[[[2]]]]] in B")
    assert "\x1b" not in text


def test_a_folder_and_its_copy_are_equal(talk: Path, tmp_path: Path) -> None:
    shutil.copytree(talk, tmp_path / "copy")
    assert main([str(talk), str(tmp_path / "copy"), "--all"]) == 0
