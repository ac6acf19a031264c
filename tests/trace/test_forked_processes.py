"""A picture of a server that creates a process for each connection: the process has the sockets of its parent."""

from __future__ import annotations

from pathlib import Path

import pytest
from trace_kit import SERVER, recorded_talk
from trace_story import A, B, Story

from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import read_lanes

SERVING, CHILD, CLIENT_LANE = range(3)


def arrows(found: Timeline) -> list[tuple[str, str, str, str]]:
    """The kind of each arrow, the calls at its ends with their lanes, and its text."""

    def end(lane: int, call: str) -> str:
        return f"{found.lanes[lane].name} {call}"

    return [
        (arrow.kind, end(arrow.source.lane, arrow.source.call), end(arrow.target.lane, arrow.target.call), arrow.text)
        for arrow in found.arrows
    ]


@pytest.fixture
def story() -> Story:
    """A server accepts a connection, and a child of the server receives from it and sends to it."""
    story = Story("server", "child", "client")
    story.lanes[CHILD].parent = story.lanes[SERVING].pid
    story.lanes[CHILD].argv = story.lanes[SERVING].argv
    story.stream(CLIENT_LANE, 5, A, B)
    story.accept(SERVING, 7, B, A)
    story.move(CLIENT_LANE, "send", 5, b"hello")
    story.call(SERVING, "closesocket", s=7)
    story.move(CHILD, "recv", 7, b"hello")
    story.move(CHILD, "send", 7, b"HELLO")
    story.move(CLIENT_LANE, "recv", 5, b"HELLO")
    return story


def test_a_forked_process_receives_and_sends_on_a_socket_of_its_parent(story: Story) -> None:
    assert arrows(story.draw()) == [
        ("connection", "client connect", "server accept", f"{A} to {B}"),
        ("data", "client send", "child recv", '5 bytes "hello"'),
        ("data", "child send", "client recv", '5 bytes "HELLO"'),
    ]


def test_the_last_process_that_closes_a_socket_ends_the_stream(story: Story) -> None:
    story.call(CHILD, "closesocket", s=7)
    story.move(CLIENT_LANE, "recv", 5, b"")
    assert arrows(story.draw())[3:] == [("end", "child closesocket", "client recv", "end of stream")]


def test_shutdown_in_one_of_the_processes_ends_the_stream(story: Story) -> None:
    story.call(CHILD, "shutdown", s=7, how="SD_SEND")
    story.move(CLIENT_LANE, "recv", 5, b"")
    story.call(CHILD, "closesocket", s=7)
    assert arrows(story.draw())[3:] == [("end", "child shutdown", "client recv", "end of stream")]


def test_a_process_that_closed_nothing_ends_a_stream_without_an_arrow(story: Story) -> None:
    story.move(CLIENT_LANE, "recv", 5, b"")
    assert len(story.draw().arrows) == 3


def test_a_socket_of_the_child_has_nothing_to_do_with_one_of_its_parent(story: Story) -> None:
    story.call(CHILD, "socket", 9, af="AF_INET", type="SOCK_STREAM", protocol=0)
    story.accept(SERVING, 9, B, "127.0.0.1:4000")
    story.call(CHILD, "closesocket", s=9)
    story.move(CHILD, "recv", 9, b"x")
    assert len(story.draw().arrows) == 3


def test_a_process_without_its_parent_has_no_arrows(story: Story) -> None:
    story.lanes[CHILD].parent = 1234
    assert len(story.draw().arrows) == 1


def test_a_connect_to_a_forked_process_that_accepts_is_below_listen() -> None:
    story = Story("server", "child", "client")
    story.lanes[CHILD].parent = story.lanes[SERVING].pid
    story.call(SERVING, "listen", s=1)
    story.stream(CLIENT_LANE, 5, A, B)
    story.accept(CHILD, 7, B, A)
    # The client's machine has a clock that is late.
    story.lanes[CLIENT_LANE].offset = -30 * 10**9
    calls = [event.call for event in story.draw().events]
    assert calls.index("listen") < calls.index("connect") < calls.index("accept")


@pytest.mark.posix_only(reason="Windows has no fork")
def test_a_real_server_that_forks_has_its_arrows_in_order(tmp_path: Path) -> None:
    before, after = SERVER.split("buf = bytearray(512)\n")
    forked = "import os\nchild = os.fork()\nif child: closesocket(client), os._exit(os.waitpid(child, 0)[1])\n"
    recorded_talk(tmp_path, f"{before}{forked}buf = bytearray(512)\n{after}")
    lanes = [*read_lanes(tmp_path / "server.jsonl"), *read_lanes(tmp_path / "client.jsonl")]
    assert [lane.is_child for lane in lanes] == [False, True, False]
    found = timeline(lanes)
    child = lanes[1].name
    assert {(kind, source, target) for kind, source, target, _ in arrows(found)} == {
        ("connection", "client connect", "server accept"),
        ("data", "client send", f"{child} recv"),
        ("end", "client shutdown", f"{child} recv"),
        ("datagram", "client sendto", f"{child} recvfrom"),
        ("data", f"{child} send", "client recv"),
        ("end", f"{child} closesocket", "client recv"),
    }
    assert all(arrow.source.index < arrow.target.index for arrow in found.arrows)
