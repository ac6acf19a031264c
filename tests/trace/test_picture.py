"""Traces of several programs become one timeline: lanes, marks in order of time, arrows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from trace_kit import drawn, python, talk
from trace_story import A, B, C, Story

import winsock
from winsock.trace.mermaid import sequence_diagram
from winsock.trace.page import page, page_data
from winsock.trace.picture import main
from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import TraceError, program_name, read_lanes

NEEDS_LINKS = pytest.mark.posix_only(reason="symbolic links need a privilege on Windows")

__all__ = ["drawn", "talk"]


def arrows(drawn: Timeline) -> list[tuple[str, str, str, str, str]]:
    names = [lane.name for lane in drawn.lanes]
    return [
        (
            arrow.kind,
            names[arrow.source.lane],
            names[arrow.target.lane],
            f"{arrow.source.call} {arrow.target.call}",
            arrow.text,
        )
        for arrow in drawn.arrows
    ]


# ---- a real run


def test_the_arrows_of_a_real_run(drawn: Timeline) -> None:
    (kind, *ends, text), *others = arrows(drawn)
    assert (kind, ends) == ("connection", ["client", "server", "connect accept"])
    assert text.startswith("127.0.0.1:")
    assert sorted(others) == [
        ("data", "client", "server", "send recv", '6 bytes "hello\\0"'),
        ("data", "server", "client", "send recv", '4 of 12 bytes "/scr"'),
        ("data", "server", "client", "send recv", '4 of 12 bytes "bye<"'),
        ("data", "server", "client", "send recv", '4 of 12 bytes "ipt>"'),
        ("datagram", "client", "server", "sendto recvfrom", '4 bytes "tick"'),
        ("end", "client", "server", "shutdown recv", "end of stream"),
        ("end", "server", "client", "closesocket recv", "end of stream"),
    ]


def test_events_of_one_machine_are_in_order_of_time_and_arrows_point_forward(drawn: Timeline) -> None:
    assert [event.at for event in drawn.events] == sorted(event.at for event in drawn.events)
    for arrow in drawn.arrows:
        assert arrow.source.index < arrow.target.index, arrow


def test_the_diagram_of_a_real_run(drawn: Timeline) -> None:
    lines = sequence_diagram(drawn).splitlines()
    assert lines[:3] == ["sequenceDiagram", "    participant P0 as server", "    participant P1 as client"]
    assert any(line.startswith("    Note over P0: WSAStartup(") and "<br/>bind(" in line for line in lines)
    # The client may make its next call before the server accepts or receives; then the first call is in parentheses.
    lines = [re.sub(r": \((.*?)\)(?= \u2192)", r": \1", line) for line in lines]
    assert any(line.startswith("    P1-->>P0: connect \u2192 accept: 127.0.0.1:") for line in lines)
    assert '    P1->>P0: send = 6 \u2192 recv = 6: 6 bytes "hello\\0"' in lines
    assert '    P0->>P1: send = 12 \u2192 recv = 4: 4 of 12 bytes "bye#60;"' in lines
    assert "    P1--)P0: shutdown \u2192 recv = 0: end of stream" in lines
    assert not any("htons" in line for line in lines)
    assert any("htons" in line for line in sequence_diagram(drawn, everything=True).splitlines())


def test_the_page_needs_no_other_files(drawn: Timeline) -> None:
    text = page(drawn, "a <talk>")
    assert "<title>a &lt;talk&gt;</title>" in text
    assert "default-src 'none'" in text
    assert text.count("</script>") == 2
    for outside in ("src=", "@import", "url(http", "<link", "fetch("):
        assert outside not in text
    data = json.loads(text.split('id="json">')[1].split("</script>")[0])
    assert [lane["name"] for lane in data["lanes"]] == ["server", "client"]
    assert {len(column) for column in data["columns"].values()} == {len(drawn.events)}
    assert {len(column) for column in data["arrows"].values()} == {len(drawn.arrows)}


def test_the_command_writes_a_page_and_a_diagram(talk: Path, tmp_path: Path) -> None:
    traces = [f"the server={talk / 'server.jsonl'}", str(talk / "client.jsonl")]
    html, diagram = tmp_path / "talk.html", tmp_path / "talk.md"
    done = python(
        "-m",
        "winsock.trace",
        "picture",
        *traces,
        "--html",
        str(html),
        "--mermaid",
        str(diagram),
        cwd=tmp_path,
        check=True,
    )
    assert done.stderr.startswith("2 programs, ")
    assert ", 8 arrows; written to " in done.stderr
    assert "<title>the server and client</title>" in html.read_text(encoding="utf-8")
    text = diagram.read_text(encoding="utf-8")
    assert text.startswith("```mermaid\nsequenceDiagram\n    participant P0 as the server\n")
    assert text.endswith("\n```\n")


def test_without_a_file_the_diagram_is_written_to_standard_output(
    talk: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main([str(talk / "client.jsonl")]) == 0
    out = capfdbinary.readouterr().out
    assert out.startswith(b"sequenceDiagram\n")
    assert "\u00d7".encode() not in out


@pytest.mark.parametrize("option", ["--html", "--mermaid"])
@pytest.mark.parametrize("link", ["", "hard", pytest.param("symbolic", marks=NEEDS_LINKS)])
def test_a_picture_does_not_replace_a_trace(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, link: str
) -> None:
    content = (talk / "client.jsonl").read_bytes()
    trace = tmp_path / "client.jsonl"
    trace.write_bytes(content)
    target = tmp_path / "picture" if link else trace
    if link == "hard":
        target.hardlink_to(trace)
    elif link:
        target.symlink_to(trace)
    for named in (str(trace), f"the client={trace}"):
        assert main([str(talk / "server.jsonl"), named, option, str(target)]) == 2
        message = f"{target}: the picture would replace the trace; write it to another file"
        assert capsys.readouterr().err.splitlines() == [f"python -m winsock.trace picture: error: {message}"]
    assert trace.read_bytes() == content


@pytest.mark.parametrize("option", ["--html", "--mermaid"])
@pytest.mark.parametrize("name", ["server", "client"])
def test_a_picture_does_not_replace_a_source_file_of_a_traced_program(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    source, trace = talk / f"{name}.py", str(talk / f"{name}.jsonl")
    content = source.read_bytes()
    assert main([trace, option, str(source)]) == 2
    message = f"{source}: the picture would replace the program; write it to another file"
    assert capsys.readouterr().err.splitlines() == [f"python -m winsock.trace picture: error: {message}"]
    assert source.read_bytes() == content
    other = tmp_path / "picture"
    other.write_bytes(b"an older picture")
    assert main([trace, option, str(other)]) == 0


def test_the_source_of_a_call_that_has_not_returned_and_the_file_that_was_started_are_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story("a")
    story.lanes[0].argv = ["programs/main.py", "8081"]
    (tmp_path / "programs").mkdir()
    story.wait(0, "recv", s=5)
    (begun,) = story.lanes[0].waiting.values()
    begun["source"] = {"file": "programs/a.py", "line": 1, "function": "<module>", "code": "recv()"}
    for name in ("a.py", "main.py"):
        source = tmp_path / "programs" / name
        source.write_bytes(b"recv()")
        assert main([*story.write(tmp_path), "--html", str(source)]) == 2
        assert "the picture would replace the program" in capsys.readouterr().err
        assert source.read_bytes() == b"recv()"


@pytest.mark.posix_only(reason="only Linux has /dev/full")
@pytest.mark.parametrize("option", ["--html", "--mermaid"])
def test_a_full_disk_is_one_line(talk: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main([str(talk / "client.jsonl"), option, "/dev/full"]) == 2
    message = "/dev/full: cannot be written: No space left on device"
    assert capsys.readouterr().err == f"python -m winsock.trace picture: error: {message}\n"


def test_a_folder_stands_for_its_traces(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("server", "client"):
        (tmp_path / f"{name}.jsonl").write_bytes((talk / f"{name}.jsonl").read_bytes())
    (tmp_path / "client.log").write_text("no trace", encoding="ascii")
    assert main([str(tmp_path), "--html", str(tmp_path / "talk.html")]) == 0
    assert capsys.readouterr().err.startswith("2 programs, ")
    assert main([str(tmp_path), "--html", str(tmp_path / "client.jsonl")]) == 2
    assert "the picture would replace the trace" in capsys.readouterr().err


def test_a_diagram_does_not_replace_the_page(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = [str(tmp_path / "a.html"), str(tmp_path / "x" / ".." / "a.html")]
    assert main([str(talk / "client.jsonl"), "--html", same[0], "--mermaid", same[1]]) == 2
    assert "the diagram would replace the page" in capsys.readouterr().err
    assert not Path(same[0]).exists()


def test_a_page_is_not_written_to_a_file_with_the_name_of_standard_output(
    talk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(talk / "client.jsonl"), "--html", "-"]) == 2
    message = "-: the page is not written to standard output; name a file"
    assert capsys.readouterr().err == f"python -m winsock.trace picture: error: {message}\n"
    assert [*tmp_path.iterdir()] == []


def test_the_summary_counts_one_program(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(talk / "client.jsonl"), "--html", str(tmp_path / "a.html")]) == 0
    assert capsys.readouterr().err.startswith("1 program, ")


def test_the_title_of_the_page_can_be_set(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, diagram = tmp_path / "a.html", tmp_path / "a.mmd"
    arguments = [
        str(talk / "client.jsonl"),
        "--html",
        str(target),
        "--mermaid",
        str(diagram),
        "--title",
        "mine",
        "--all",
    ]
    assert main(arguments) == 0
    assert "<h1>mine</h1>" in target.read_text(encoding="utf-8")
    assert diagram.read_text(encoding="utf-8").startswith("sequenceDiagram")
    assert capsys.readouterr().err.startswith("1 program, ")


# ---- cases that a real run rarely shows


def test_a_stream_is_matched_byte_by_byte() -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B, error="WSAEWOULDBLOCK")
    story.accept(1, 7, B, A)
    story.move(0, "send", 5, b"abc")
    story.move(0, "send", 5, b"de")
    story.move(0, "send", 5, b"!", "MSG_OOB")
    story.move(0, "send", 5, b"fgh")
    story.move(0, "send", 5, b"i")
    story.move(1, "recv", 7, b"ab", "MSG_PEEK")
    story.move(1, "recv", 7, b"abcd")
    story.move(1, "recv", 7, b"e")
    story.move(1, "recv", 7, b"fgh")
    story.move(1, "send", 7, b"i")
    story.move(0, "recv", 5, b"i")
    assert [arrow[4] for arrow in arrows(story.draw())] == [
        f"{A} to {B}", '3 bytes "abc"', '1 of 2 bytes "d"', '1 of 2 bytes "e"', '3 bytes "fgh"', '1 byte "i"',
    ]  # fmt: skip


def test_only_the_last_byte_of_an_urgent_send_is_not_in_the_stream() -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.accept(1, 7, B, A)
    story.move(0, "send", 5, b"xyz", "MSG_OOB")
    story.move(0, "send", 5, b"abc")
    story.move(1, "recv", 7, b"z", "MSG_OOB")
    story.move(1, "recv", 7, b"xy")
    story.move(1, "recv", 7, b"abc")
    assert [arrow[4] for arrow in arrows(story.draw())][1:] == ['2 bytes "xy"', '3 bytes "abc"']


def test_a_connection_is_matched_with_the_last_connect_that_had_its_addresses() -> None:
    story = Story("a", "b")
    for _ in range(2):
        story.stream(0, 5, A, B)
        story.accept(1, 7, "127.0.0.1:2000", A)
        story.move(0, "send", 5, b"x")
        story.move(1, "recv", 7, b"x")
    drawn = story.draw()
    connections = [arrow for arrow in drawn.arrows if arrow.kind == "connection"]
    assert [arrow.source.index < arrow.target.index for arrow in connections] == [True, True]
    assert len({arrow.source.index for arrow in connections}) == 2
    assert len([arrow for arrow in drawn.arrows if arrow.kind == "data"]) == 2


def test_a_refused_connection_has_no_arrow() -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B, error="WSAECONNREFUSED")
    story.accept(1, 7, B, A)
    assert arrows(story.draw()) == []


def test_a_call_that_raised_an_exception_is_drawn_without_an_arrow(tmp_path: Path) -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.accept(1, 7, B, A)
    story.call(0, "send", s=5, buf={"type": "str"}, len=4, flags=0, raised="TypeError: not bytes")
    story.call(1, "closesocket", s=99)
    drawn = story.draw()
    assert [arrow.kind for arrow in drawn.arrows] == ["connection"]
    data = page_data(drawn)
    assert [data["texts"][error] for error in data["columns"]["error"]].count("TypeError") == 1


def test_wildcard_addresses_are_matched_by_port() -> None:
    story = Story("a", "b")
    story.stream(0, 5, "0.0.0.0:1000", B)
    story.accept(1, 7, B, A)
    story.stream(0, 6, "", B)
    story.accept(1, 8, B, "127.0.0.1:0")
    assert len(arrows(story.draw())) == 1


def test_a_reset_has_its_own_kind_of_arrow() -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.accept(1, 7, B, A)
    story.call(1, "shutdown", s=7, how="SD_RECEIVE")
    story.call(1, "WSACleanup")
    story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAECONNRESET")
    assert arrows(story.draw())[1] == ("reset", "b", "a", "WSACleanup recv", "WSAECONNRESET")
    assert "P1--xP0: WSACleanup \u2192 recv WSAECONNRESET: WSAECONNRESET" in sequence_diagram(story.draw())


def test_lost_datagrams_have_no_arrow_and_do_not_disturb_others() -> None:
    story = Story("a", "b")
    for lane, s in ((0, 5), (1, 7)):
        story.call(lane, "socket", s, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    for data in (b"one", b"two", b"three"):
        story.move(0, "sendto", 5, data, to=B, local="0.0.0.0:1000")
    story.move(1, "recvfrom", 7, b"two", "MSG_PEEK", from_=A, local=B)
    story.move(1, "recvfrom", 7, b"two", from_=A, local=B)
    story.move(1, "recvfrom", 7, b"three", from_=C, local=B)
    story.move(1, "recvfrom", 7, b"th", from_=A, local=B, error="WSAEMSGSIZE")
    found = arrows(story.draw())
    assert [arrow[4] for arrow in found] == ['3 bytes "two"', '2 bytes "th"']


def test_datagrams_are_matched_by_all_that_the_traces_know() -> None:
    story = Story("a", "b", "c", "other host")
    for lane, s in ((0, 5), (1, 7), (2, 7), (3, 5)):
        story.call(lane, "socket", s, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    # The same content from two sources and to two targets, recorded in different lengths.
    story.move(3, "sendto", 5, b"x" * 50, to="10.0.0.9:2000", local="10.0.0.8:1000")
    story.move(3, "sendto", 5, b"x" * 50, to=B, local="127.0.0.9:1000")
    story.move(0, "sendto", 5, b"x" * 50, to=B, local="0.0.0.0:1000", recorded=20)
    story.move(0, "sendto", 5, b"x" * 50, to=C, local="0.0.0.0:1000", recorded=0)
    story.move(2, "recvfrom", 7, b"x" * 50, from_="[::ffff:127.0.0.1]:1000", local="[::]:3000", recorded=30)
    story.move(1, "recvfrom", 7, b"x" * 50, from_=A, local="0.0.0.0:2000", recorded=10)
    story.move(1, "recvfrom", 7, b"x" * 50, from_=None, local=B)
    found = [(arrow.source.record["args"]["to"], arrow.source.lane, arrow.target.lane) for arrow in story.draw().arrows]
    assert found == [(C, 0, 2), (B, 0, 1), (B, 3, 1)]


@pytest.mark.parametrize("later", [0, 2])
def test_a_datagram_that_was_sent_before_the_socket_was_bound_is_lost_if_an_equal_one_was_sent_later(
    later: int,
) -> None:
    story = Story("a", "b")
    story.call(0, "socket", 5, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    story.call(1, "socket", 7, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    story.move(0, "sendto", 5, b"same", to=B, local=A)
    story.call(1, "bind", s=7, name=B, local=B)
    for _ in range(later):
        story.move(0, "sendto", 5, b"same", to=B, local=A)
    # On a slow line, a datagram may arrive after the bind that was sent before it.
    for _ in range(2 if later else 1):
        story.move(1, "recvfrom", 7, b"same", from_=A, local=B)
    drawn = story.draw()
    sent = [event.start for event in drawn.events if event.call == "sendto"]
    assert [arrow.source.start for arrow in drawn.arrows] == (sent[1:] if later else sent)


def test_a_datagram_that_arrives_twice_is_a_duplicate() -> None:
    story = Story("a", "b")
    for lane, s in ((0, 5), (1, 7)):
        story.call(lane, "socket", s, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    for data in (b"one", b"two", b"two"):
        story.move(0, "sendto", 5, data, to=B, local=A)
    for data in (b"one", b"two", b"one", b"two", b"two"):
        story.move(1, "recvfrom", 7, data, from_=A, local=B)
    # It was not sent by this time.
    story.move(1, "recvfrom", 7, b"six", from_=A, local=B)
    story.move(0, "sendto", 5, b"six", to=B, local=A)
    found = sorted(story.draw().arrows, key=lambda arrow: arrow.target.at)
    assert [(arrow.source.at, arrow.text) for arrow in found] == [
        (30, '3 bytes "one"'),
        (40, '3 bytes "two"'),
        (30, '3 bytes "one", a duplicate'),
        (50, '3 bytes "two"'),
        (50, '3 bytes "two", a duplicate'),
    ]


def test_a_datagram_may_have_several_receivers() -> None:
    story = Story("a", "b", "c")
    story.call(0, "socket", 5, af="AF_INET", type="SOCK_DGRAM", protocol=0)
    story.call(0, "connect", s=5, name="255.255.255.255:9")
    story.move(0, "send", 5, b"x", local=A, peer="255.255.255.255:9")
    for lane in (1, 2):
        story.call(lane, "socket", 7, af="AF_INET", type=0, protocol="IPPROTO_UDP")
        story.move(lane, "recvfrom", 7, b"x", from_=None, local="0.0.0.0:9")
    assert [arrow[:3] for arrow in arrows(story.draw())] == [("datagram", "a", "b"), ("datagram", "a", "c")]


@pytest.mark.parametrize("received", [False, True])
def test_a_program_that_looks_at_the_end_of_a_stream_reports_that_it_was_closed(received: bool) -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.accept(1, 7, B, A)
    story.call(0, "closesocket", s=5)
    story.call(1, "select", 1, readfds={"in": [7], "out": [7]}, t=story.clock)
    story.move(1, "recv", 7, b"", "MSG_PEEK", t=story.clock)
    if received:
        story.move(1, "recv", 7, b"")
    drawn = story.draw()
    assert [event.call for event in drawn.events if event.lane == 1][-2 - received :][:2] == ["select", "recv"]
    closed = next(event.index for event in drawn.events if event.call == "closesocket")
    assert closed < next(event.index for event in drawn.events if event.call == "select")
    (end,) = [arrow for arrow in drawn.arrows if arrow.kind == "end"]
    assert (end.source.index, end.target.record["args"]["flags"]) == (closed, 0 if received else "MSG_PEEK")


def test_a_failed_conversion_is_in_the_diagram() -> None:
    story = Story("a")
    story.call(0, "gethostbyname", None, error="WSAHOST_NOT_FOUND")
    story.call(0, "htons", raised="TypeError: no integer")
    story.call(0, "htonl", 5)
    story.call(0, "getaddrinfo", raised="KeyboardInterrupt")
    drawn = story.draw()
    assert [event.failed for event in drawn.events] == [True, True, False, False]
    assert "gethostbyname() = None<br/>htons() = 0<br/>getaddrinfo() = 0\n" in sequence_diagram(drawn)


@pytest.mark.parametrize(
    ("outcome", "failed", "ended"),
    [
        ({"error": "WSAECONNRESET"}, True, False),
        ({"error": "WSAEWOULDBLOCK"}, False, False),
        ({"raised": "KeyboardInterrupt: "}, False, True),
        ({"raised": "KeyboardInterrupt"}, False, True),
        ({"raised": "SystemExit: 1"}, False, True),
        ({"raised": "TypeError: KeyboardInterrupt"}, True, False),
        ({"error": "KeyboardInterrupt"}, True, False),
        ({}, False, False),
    ],
)
def test_a_call_fails_with_an_error_and_not_with_the_end_of_its_program(
    outcome: dict[str, str], failed: bool, ended: bool
) -> None:
    story = Story("a")
    story.call(0, "recv", -1, s=5, **outcome)
    drawn = story.draw()
    (event,) = drawn.events
    assert (event.failed, event.ended) == (failed, ended)
    assert page_data(drawn)["columns"]["failed"] == [int(failed)]


def test_a_connect_that_still_waits_found_nothing_to_do_and_has_not_failed() -> None:
    story = Story("a")
    for error in ("WSAEWOULDBLOCK", "WSAEALREADY", "WSAEALREADY", "WSAEISCONN"):
        story.call(0, "connect", -1, s=5, error=error)
    story.call(0, "connect", -1, s=6, error="WSAEALREADY")
    drawn = story.draw()
    assert [(event.idle, event.failed) for event in drawn.events] == [
        (False, False), (True, False), (False, True), (True, False),
    ]  # fmt: skip


def test_a_call_that_has_not_returned_lasts_until_the_end_of_the_traces() -> None:
    story = Story("a", "b")
    story.wait(0, "accept", s=4, addrlen=16)
    story.call(1, "select", 0, d=5_000)
    waiting, other = timeline(story.lanes, unfinished=True).events
    assert (waiting.waiting, other.waiting) == (True, False)
    assert (waiting.at, waiting.start, waiting.end) == (10, 10, other.end)
    assert waiting.record["args"] == {"s": 4, "addrlen": 16}


def test_data_without_connections_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story("a", "b")
    story.move(0, "send", 5, b"one", local=A, peer=B)
    story.move(1, "recv", 7, b"one")
    paths = story.write(tmp_path)
    assert main(paths) == 0
    summary, *hint = capsys.readouterr().err.splitlines()
    assert summary == "2 programs, 2 calls, 0 arrows"
    assert hint == [
        "No arrows: the traces have no call of connect or accept, so it is unknown which sockets were connected.",
        "With --calls, trace socket, connect and accept too.",
    ]
    assert main(paths[:1]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_program_can_be_connected_to_itself() -> None:
    story = Story("a")
    story.stream(0, 5, A, B)
    story.accept(0, 7, B, A)
    story.move(0, "send", 7, b"x")
    story.move(0, "recv", 5, b"x")
    assert [arrow[1:3] for arrow in arrows(story.draw())] == [("a", "a")] * 2
    assert "P0->>P0: send" in sequence_diagram(story.draw())


def test_consecutive_calls_that_found_nothing_to_do_are_one_mark() -> None:
    story = Story("a", "b")
    for _ in range(3):
        story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK")
        story.call(0, "WSAGetLastError", 10035)
        story.call(1, "select", 0)
    story.call(0, "WSAPoll", 0)
    story.call(0, "closesocket", s=5)
    story.call(0, "recv", -1, s=5, buf={"room": 9}, len=9, flags=0, error="WSAEWOULDBLOCK")
    story.call(0, "WSAGetLastError", 10035)
    drawn = story.draw()
    assert [(event.lane, event.count, event.text) for event in drawn.events] == [
        (0, 4, "recv = WSAEWOULDBLOCK \u00d73, WSAPoll = 0 \u00d71"),
        (1, 3, "select = 0 \u00d73"),
        (0, 1, "closesocket() = 0"),
        (0, 1, "recv() = -1"),
        (0, 1, "WSAGetLastError() = 10035"),
    ]
    assert "recv" not in sequence_diagram(drawn)
    assert len(timeline(story.lanes, fold=False).events) == 13


def test_a_call_that_reports_something_counts_from_its_end() -> None:
    story = Story("a", "b")
    story.stream(0, 5, A, B)
    story.call(1, "accept", 7, t=1, d=1000, s=1, local=B, peer=A)
    drawn = story.draw()
    assert [event.call for event in drawn.events] == ["socket", "connect", "accept"]
    assert len(drawn.arrows) == 1


def test_clocks_of_two_machines_are_aligned_by_the_time_of_day() -> None:
    story = Story("a", "b")
    story.call(0, "htons")
    story.call(1, "htons")
    story.lanes[1].offset = -(10**10)
    assert [event.lane for event in story.draw().events] == [1, 0]
    story.lanes[1].offset = -(10**8)  # one machine: the programs read the time of day at different moments
    assert [event.lane for event in story.draw().events] == [0, 1]


def test_long_labels_are_shortened_and_long_diagrams_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story("a;#<b>", "a;#<b>$$")
    for _ in range(900):
        story.call(0, "socket")
        story.lanes[0].records[-1]["text"] = (
            "socket(" + "x" * 90 + ") = INVALID_SOCKET (#10024) WSAEMFILE: Too many open files."
        )
    drawn = story.draw()
    assert len(drawn.events[0].label) == 73
    assert drawn.events[0].label.endswith(") = WSAEMFILE")
    text = sequence_diagram(drawn)
    assert "participant P0 as a#59;#35;#60;b#62;\n    participant P1 as a#59;#35;#60;b#62;#36;#36;\n" in text
    trace = tmp_path / "long.jsonl"
    head = {"trace": 1, "winsock": "1", "backend": "compat", "pid": 0, "argv": ["x.py"], "t": 0, "wall": 0}
    trace.write_text("\n".join(map(json.dumps, [head, *story.lanes[0].records])), encoding="ascii")
    assert main([str(trace), "--mermaid", str(tmp_path / "long.md")]) == 0
    assert "most viewers draw at most 50000" in capsys.readouterr().err


# ---- files


HEAD = {
    "trace": 1,
    "winsock": "1",
    "backend": "compat",
    "pid": 1,
    "argv": ["python", "-m", "demos", "run", "x"],
    "t": 5,
    "wall": 7,
}
CALL = {"n": 1, "t": 1, "d": 1, "pid": 1, "thread": "", "call": "htons", "args": {}, "result": 1, "text": "htons() = 1"}


def written(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_file_may_contain_several_programs_and_forked_processes(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEAD, CALL, HEAD | {"pid": 2, "argv": ["y.py"]}, CALL, CALL | {"pid": 2}, CALL | {"pid": 3}
    )
    lanes = read_lanes(path)
    assert [(lane.name, len(lane.records)) for lane in lanes] == [("x", 2), ("y", 1), ("x (pid 3)", 1)]
    assert [lane.name for lane in read_lanes(path, "mine")] == ["mine", "mine", "mine (pid 3)"]
    assert lanes[0].offset == 2


def test_an_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
    (lane,) = read_lanes(written(tmp_path, HEAD, CALL, '{"n":2,"t"'))
    assert len(lane.records) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        (["12:00:00 [MainThread] htons(1) = 256"], "line 1 is not part of a trace"),
        ([CALL, CALL], "line 1 is not part of a trace"),
        ([HEAD, {"pid": 1}, CALL], "line 2 is not part of a trace"),
        ([HEAD, "[]", CALL], "line 2 is not part of a trace"),
    ],
)
def test_a_file_that_is_not_a_trace_is_rejected(tmp_path: Path, lines: list[Any], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        read_lanes(written(tmp_path, *lines))


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TraceError, match="No such file"):
        read_lanes(tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="line 1 is not part of a trace: not UTF-8"):
        read_lanes(tmp_path / "binary")
    for lines, message in (([HEAD], "no calls in"), ([HEAD, CALL], "No such file or directory")):
        assert main([str(written(tmp_path, *lines)), "--html", str(tmp_path / "no" / "x.html")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/python3", "-m", "demos", "run", "signal_server", "--Port", "0"], "signal_server"),
        (["C:\\Python\\python.exe", "C:\\My Programs\\server.py", "-x"], "server"),
        (["python", "-X", "dev", "-u", "a/b/client.py"], "client"),
        (["client.py"], "client"),
        (["-m", "winsock"], "winsock"),
        (["python", "-m"], "python"),
        (["python", "-c", "print(1)"], "python -c"),
        (["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()", "-x"], "multiprocessing"),
        (["/home/robot/__main__.py"], "robot"),
        (["__main__.py"], "__main__"),
        (["python"], "python"),
        ([], "python"),
    ],
)
def test_a_lane_has_the_name_of_its_program(argv: list[str], name: str) -> None:
    assert program_name(argv) == name


def test_a_lane_has_the_backend_of_its_program(talk: Path) -> None:
    assert read_lanes(talk / "server.jsonl")[0].backend == winsock.BACKEND


def test_a_lane_gets_no_number_that_another_lane_has_in_its_name() -> None:
    names = [lane.name for lane in Story("client 2", "client", "client").draw().lanes]
    assert names == ["client 2", "client", "client 3"]
