"""What the main job counts, and how it is shown."""

from __future__ import annotations

import builtins
import io
import json
import os
import queue
import sys
from pathlib import Path
from typing import Any

import pytest

from demos.copier.job import Job, JobError, _look_after, _problem
from demos.copier.tally import SERVER, Tally, Timeline, lag_summary
from demos.copier.view import LiveView, PlainView, choose_view, lag_text
from demos.launcher.children import MOST_FAILURES, MOST_RESTARTS, Child
from demos.launcher.watchdog import relay

MS = 1_000_000


class Story:
    """Events told one after another, times in milliseconds."""

    def __init__(self) -> None:
        self.tally = Tally(["client1", "client2"])
        self.one, self.two = self.tally.clients.values()

    def server(self, ms: float, kind: str, **fields: Any) -> None:
        self.tally.take(SERVER, {"t": round(ms * MS), "kind": kind, **fields})

    def client(self, ms: float, kind: str, name: str = "client1", **fields: Any) -> None:
        self.tally.take(name, {"t": round(ms * MS), "kind": kind, **fields})

    def trade(self, ms: float, position: str = "0.10") -> None:
        self.server(ms, "deal", symbol="EURUSD", position=position)

    def connect(self, ms: float, port: int) -> None:
        self.client(ms, "connecting", port=port)
        self.server(ms, "accepted", client=port)

    def send(self, ms: float, port: int, number: int, trades: int) -> None:
        self.server(ms, "sent", client=port, number=number, trades=trades)

    def read(self, ms: float, port: int, number: int) -> None:
        self.client(ms, "received", port=port, number=number)

    def copy(self, ms: float, position: str = "0.10") -> None:
        self.client(ms, "deal", symbol="EURUSD", position=position)
        self.client(ms, "synced")


@pytest.fixture
def story() -> Story:
    """A server without trades, and a client that was greeted."""
    story = Story()
    story.server(0, "started", symbol="EURUSD", position="0.00")
    story.server(1, "listening", port=8081)
    for name in ("client1", "client2"):
        story.client(2, "started", name, symbol="EURUSD", position="0.00")
    story.connect(3, 500)
    story.send(4, 500, 1, 0)
    story.read(5, 500, 1)
    story.client(6, "synced")
    return story


def test_a_greeting_is_a_message_and_no_lag(story):
    assert (story.tally.sent, story.tally.received, story.one.sent, story.one.received) == (1, 1, 1, 1)
    assert (story.one.connected, story.two.connected) == (True, False)
    assert story.tally.port == 8081
    assert story.tally.lags() == []


def test_lag_runs_from_the_trade_to_the_clients_deal(story):
    story.trade(100)
    story.send(150, 500, 2, 1)
    story.read(160, 500, 2)
    story.copy(170)
    assert story.tally.lags() == [70.0]
    assert story.tally.merged == 0


def test_lag_runs_from_the_earliest_trade_that_the_message_is_the_first_to_tell_of(story):
    for number, time in enumerate((100, 110, 120), 1):
        story.trade(time, f"0.{number}0")
    story.send(150, 500, 2, 3)
    story.read(160, 500, 2)
    story.copy(170, "0.30")
    assert story.one.lags == [70.0]
    assert story.one.merged == story.tally.merged == 2


def test_a_trade_just_before_the_message_that_does_not_tell_of_it_waits_for_the_next(story):
    story.trade(100)
    story.trade(149)
    story.send(150, 500, 2, 1)
    story.read(160, 500, 2)
    story.copy(170)
    story.send(200, 500, 3, 2)
    story.read(210, 500, 3)
    story.copy(229)
    assert story.one.lags == [70.0, 80.0]
    assert story.one.merged == 0


def test_of_messages_read_together_the_earliest_trade_counts(story):
    story.trade(100)
    story.send(110, 500, 2, 1)
    story.trade(120)
    story.send(130, 500, 3, 2)
    story.read(140, 500, 2)
    story.read(140, 500, 3)
    story.copy(150)
    assert story.one.lags == [50.0]


def test_a_deal_may_be_told_of_before_the_message_that_it_follows(story):
    story.trade(100)
    story.read(140, 500, 2)
    story.copy(150)
    story.send(151, 500, 2, 1)
    assert story.one.lags == [50.0]


def test_trades_that_cancel_each_other_leave_no_lag(story):
    story.trade(100)
    story.trade(101, "0.00")
    story.send(110, 500, 2, 2)
    story.read(120, 500, 2)
    story.client(121, "synced")
    story.trade(200)
    story.send(210, 500, 3, 3)
    story.read(220, 500, 3)
    story.copy(230)
    assert story.one.lags == [30.0]


def test_a_repetition_and_a_trade_by_hand_leave_no_lag(story):
    story.send(100, 500, 2, 0)
    story.read(110, 500, 2)
    story.client(111, "synced")
    story.copy(120)
    assert story.one.lags == []
    assert story.one.under_way == {}


def test_what_a_client_missed_counts_from_the_trade_when_it_is_back(story):
    story.trade(100)
    story.send(110, 500, 2, 1)
    story.client(300, "started", symbol="EURUSD", position="0.00")
    story.trade(310)
    story.connect(320, 501)
    story.send(330, 501, 1, 2)
    story.read(340, 501, 1)
    story.copy(350)
    assert story.one.lags == [250.0]


def test_a_server_started_again_counts_its_trades_anew(story):
    story.trade(100)
    story.server(200, "started", symbol="EURUSD", position="0.10")
    story.connect(210, 501)
    story.send(220, 501, 1, 0)
    story.read(230, 501, 1)
    story.copy(240)
    story.trade(300, "0.20")
    story.send(310, 501, 2, 1)
    story.read(320, 501, 2)
    story.copy(330, "0.20")
    assert story.tally.trades == 2
    assert story.one.lags == [140.0, 30.0]


def test_a_stranger_is_sent_messages_too_and_is_no_client(story):
    story.server(50, "accepted", client=999)
    story.send(60, 999, 1, 0)
    assert story.tally.sent == 2
    assert story.one.sent == 1


def test_they_agree_when_positions_are_equal_and_all_was_read(story):
    assert story.tally.agreed()
    story.trade(100)
    assert not story.tally.agreed()
    story.copy(110)
    assert not story.tally.agreed()
    story.client(110, "deal", "client2", symbol="EURUSD", position="0.10")
    assert story.tally.agreed()
    story.send(120, 500, 2, 1)
    assert not story.tally.agreed()


def test_lags_are_summed_up_as_median_and_maximum():
    assert lag_summary([1.0, 2.0, 30.0]) == {"median": 2.0, "max": 30.0}
    assert lag_summary([]) == {"median": None, "max": None}
    assert lag_text(lag_summary([])) == "-"


def event(seconds: float, kind: str) -> bytes:
    return json.dumps({"t": round(seconds * 1e9), "kind": kind}).encode() + b"\n"


def test_events_of_several_files_come_in_order_of_time_up_to_the_moment_asked_for(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    timeline = Timeline({"a": one, "b": two})
    assert list(timeline.until(9)) == []
    one.write_bytes(event(1, "first") + event(3, "third") + event(9, "late")[:10])
    two.write_bytes(event(2, "second"))
    assert [(name, found["kind"]) for name, found in timeline.until(3)] == [
        ("a", "first"),
        ("b", "second"),
        ("a", "third"),
    ]
    with one.open("ab") as file:
        file.write(event(9, "late")[10:])
    assert list(timeline.until(8)) == []
    assert [found["kind"] for _, found in timeline.until(9)] == ["late"]
    timeline.close()


class Standing:
    """A child as a view or the job sees it."""

    def __init__(self, name: str, code: int | None = None) -> None:
        self.name, self.code, self.pid, self.restarts = name, code, 4711, 0
        self.last_error, self.starts, self.failures = "why", 0, 0

    def ended(self) -> int | None:
        return self.code

    def start(self) -> None:
        self.starts += 1

    def end(self) -> None:
        self.starts = 0


def test_plain_lines_bear_the_name_of_who_wrote_them():
    stream = io.StringIO()
    PlainView(stream).line("client1", "hello")
    PlainView(None).line("client1", "nobody hears it")
    assert stream.getvalue() == "client1 | hello\n"


LOG_LINE = "2026-01-31T12:00:00.123+01:00 signal_server[EURUSD,H1] info OnTimer start server ok"


def test_the_live_picture_shows_logs_positions_messages_and_lags(story):
    from rich.console import Console

    stream = io.StringIO()
    view = LiveView(("server", "client1", "client2"), Console(file=stream, force_terminal=True, width=160, height=30))
    story.trade(100)
    story.send(110, 500, 2, 1)
    story.read(120, 500, 2)
    story.copy(130)
    view.line("server", LOG_LINE)
    view.line("client1", "[red]not markup")
    view.line("job", "client1 is process 4711")
    children: list[Any] = [Standing("server"), Standing("client1"), Standing("client2", 1)]
    view.update(story.tally, children, "trading")
    view.close()
    picture = stream.getvalue()
    for text in (
        "signal: trading; 1 trades, 0 merged",
        "4711",
        "ended",
        "EURUSD 0.10",
        "2 of 2 received",
        "median 30 ms, max 30 ms",
        "12:00:00.123 start server ok",
        "[red]not markup",
        "client1 is process 4711",
    ):
        assert text in picture


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_where_there_is_no_terminal_or_json_is_asked_for_there_are_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(choose_view(("server",), json=False), PlainView)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert isinstance(choose_view(("server",), json=True), PlainView)
    view = choose_view(("server",), json=False)
    assert isinstance(view, LiveView)
    view.close()


def test_without_rich_there_are_plain_lines(monkeypatch):
    real = builtins.__import__

    def without_rich(name: str, *arguments: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(builtins, "__import__", without_rich)
    assert isinstance(choose_view(("server",), json=False), PlainView)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(None, tmp_path, tmp_path, PlainView(io.StringIO()))  # type: ignore[arg-type]


def test_a_child_that_was_killed_is_started_again(job):
    child: Any = Standing("server", -9)
    _look_after(job, child)
    assert (child.starts, child.restarts) == (1, 1)
    child.code = None
    _look_after(job, child)
    assert child.starts == 1


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_child_that_had_a_reason_to_end_ends_the_job_with_its_code(job, code):
    with pytest.raises(JobError, match=f"client1 ended with exit code {code}: why") as caught:
        _look_after(job, Standing("client1", code))  # type: ignore[arg-type]
    assert caught.value.code == code


def test_a_child_that_dies_again_and_again_ends_the_job(job):
    child: Any = Standing("client1", 1)
    for _ in range(MOST_RESTARTS):
        job.alive.add("client1")
        _look_after(job, child)
    with pytest.raises(JobError) as caught:
        _look_after(job, child)
    assert caught.value.code == 1


def test_a_child_that_never_comes_to_life_ends_the_job_soon(job):
    child: Any = Standing("client1", 1)
    for _ in range(MOST_FAILURES - 1):
        _look_after(job, child)
    with pytest.raises(JobError, match="client1 ended with exit code 1: why"):
        _look_after(job, child)


def test_what_keeps_a_run_from_showing_anything_is_named(job, story):
    job.tally = story.tally
    assert _problem(job, []) == "client2 never connected"
    story.two.connected = True
    assert _problem(job, ["client1"]) == "the positions of client1 are not equal to the server's"
    assert _problem(job, []) == "nothing was traded: there was no time"
    story.trade(100)
    assert _problem(job, []) is None


def test_the_end_of_a_tethered_programs_input_is_the_command_quit():
    parent, to_child = os.pipe()
    commands, relayed = os.pipe()
    os.write(to_child, b"buy 0.10\npositions")
    os.close(to_child)
    relay(parent, relayed)
    os.close(parent)
    assert os.read(commands, 100) == b"buy 0.10\npositions\nquit\n"
    # An input that cannot be read has ended as well.
    relay(parent, relayed)
    assert os.read(commands, 100) == b"\nquit\n"
    os.close(commands)
    os.close(relayed)


def test_a_childs_last_error_is_remembered_without_its_mark():
    child = Child("server", [], queue.SimpleQueue())
    lines = [
        "2026-01-31T12:00:00.123+01:00 signal_server[EURUSD,H1] error OnTimer -Accept failed",
        LOG_LINE,
    ]
    child._read(io.StringIO("\n".join(lines) + "\n"))
    assert child.last_error == "Accept failed"
    child._read(io.StringIO("python -m demos run signal_server: error: no such file\n"))
    assert child.last_error == "no such file"
    child._read(io.StringIO("  File x\nModuleNotFoundError: No module named 'winsock'\n"))
    assert child.last_error == "ModuleNotFoundError: No module named 'winsock'"
