"""What the job `signal` counts, and how it is shown."""

from __future__ import annotations

import io
import itertools
from argparse import Namespace
from collections import deque
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from demos.copier.job import SignalJob
from demos.copier.study_job import CommandTrader, StudyTally
from demos.copier.tally import SERVER, Tally
from demos.copier.view import tables
from demos.launcher.views import LiveView

MS = 1_000_000


class Story:
    """Gives the tally one event after another; times are in milliseconds."""

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
        self.client(ms, "connected", port=port)
        self.server(ms, "accepted", client=port)

    def send(self, ms: float, port: int, number: int, trades: int) -> None:
        self.server(ms, "sent", client=port, number=number, trades=trades)

    def read(self, ms: float, port: int, number: int) -> None:
        self.client(ms, "received", port=port, number=number)

    def connect_second(self) -> None:
        self.link(10, 600, "client2")

    def link(self, ms: float, port: int, name: str | None, trades: int = 0, position: str = "") -> None:
        """Connect and send the first message; the client trades if that gives it a position."""
        self.server(ms, "accepted", client=port)
        if name:
            self.client(ms, "connected", name, port=port)
            self.message(ms, port, name, 1, trades, position)
        else:
            self.send(ms, port, 1, trades)

    def message(self, ms: float, port: int, name: str, number: int, trades: int, position: str) -> None:
        self.send(ms, port, number, trades)
        self.client(ms + 1, "received", name, port=port, number=number)
        if position:
            self.client(ms + 2, "deal", name, symbol="EURUSD", position=position)
        self.client(ms + 2, "synced", name)

    def copy(self, ms: float, position: str = "0.10") -> None:
        self.client(ms, "deal", symbol="EURUSD", position=position)
        self.client(ms, "synced")


@pytest.fixture
def story() -> Story:
    """A server without trades, and a client that has read the first message."""
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


def test_the_first_message_of_a_connection_is_counted_and_has_no_lag(story):
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


def test_lag_runs_from_the_earliest_trade_that_the_message_is_the_first_to_announce(story):
    for number, time in enumerate((100, 110, 120), 1):
        story.trade(time, f"0.{number}0")
    story.send(150, 500, 2, 3)
    story.read(160, 500, 2)
    story.copy(170, "0.30")
    assert story.one.lags == [70.0]
    assert story.one.merged == story.tally.merged == 2


def test_a_trade_that_a_message_does_not_announce_yet_counts_for_the_next_message(story):
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


def test_a_lag_has_the_parts_until_its_newest_message_was_sent_until_it_was_read_and_until_the_copy(story):
    story.trade(100)
    story.send(150, 500, 2, 1)
    story.read(160, 500, 2)
    story.copy(175)
    assert story.tally.parts() == [(50.0, 10.0, 15.0)]
    story.trade(200)
    story.send(210, 500, 3, 2)
    story.trade(220)
    story.send(230, 500, 4, 3)
    story.read(240, 500, 3)
    story.read(241, 500, 4)
    story.copy(250)
    assert story.tally.parts()[1:] == [(30.0, 11.0, 9.0)]
    # A message may have been read before its send is reported.
    story.trade(300)
    story.read(310, 500, 5)
    story.copy(320)
    story.send(312, 500, 5, 4)
    assert story.tally.parts()[2:] == [(12.0, -2.0, 10.0)]
    assert [sum(parts) for parts in story.one.parts] == story.one.lags
    assert story.one.link.sent_at.keys() <= {1}


def test_a_deal_may_be_reported_before_the_message_that_it_follows(story):
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
    assert story.one.link.since == {}


def test_what_a_client_missed_while_disconnected_counts_from_the_trade(story):
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


def test_the_server_may_accept_and_send_before_the_client_has_reported_its_port(story):
    story.server(50, "accepted", client=700)
    story.send(51, 700, 1, 0)
    assert (story.two.connected, story.two.sent) == (False, 0)
    story.client(52, "connected", "client2", port=700)
    assert (story.two.connected, story.two.sent, story.tally.sent) == (True, 1, 2)


def test_messages_to_an_unknown_client_are_counted_for_no_client(story):
    story.server(50, "accepted", client=999)
    story.send(60, 999, 1, 0)
    assert story.tally.sent == 2
    assert story.one.sent == 1


def test_server_and_clients_agree_when_each_client_has_read_the_last_trade_and_has_the_position(story):
    assert not story.tally.agreed()
    story.client(10, "connected", "client2", port=600)
    story.server(10, "accepted", client=600)
    story.send(11, 600, 1, 0)
    assert not story.tally.agreed()
    story.client(12, "received", "client2", port=600, number=1)
    assert story.tally.agreed()
    story.trade(100)
    assert not story.tally.agreed()
    for port, name in ((500, "client1"), (600, "client2")):
        assert not story.tally.agreed()
        story.send(120, port, 2, 1)
        story.client(121, "received", name, port=port, number=2)
        story.client(122, "deal", name, symbol="EURUSD", position="0.10")
    assert story.tally.agreed()


def test_a_position_that_is_equal_by_chance_is_no_agreement(story):
    story.connect_second()
    for number, position in enumerate(("0.10", "0.20", "0.10"), 1):
        story.trade(100 * number, position)
    # Both clients have the first of the three positions, which is also the last.
    for name in ("client1", "client2"):
        story.client(350, "deal", name, symbol="EURUSD", position="0.10")
    for port in (500, 600):
        story.send(120, port, 2, 1)
    story.read(130, 500, 2)
    story.client(130, "received", "client2", port=600, number=2)
    assert not story.tally.agreed()


def test_messages_that_a_killed_client_has_not_read_do_not_prevent_an_agreement(story):
    story.connect_second()
    assert story.tally.agreed()
    story.trade(100)
    story.send(110, 500, 2, 1)
    story.send(110, 600, 2, 1)
    story.client(120, "received", "client2", port=600, number=2)
    story.client(121, "deal", "client2", symbol="EURUSD", position="0.10")
    story.client(200, "started", symbol="EURUSD", position="0.00")
    story.connect(210, 501)
    story.send(220, 501, 1, 1)
    assert not story.tally.agreed()
    story.read(230, 501, 1)
    story.copy(231)
    assert story.tally.agreed()


Stream = list[tuple[str, dict[str, Any]]]


def recorded_run() -> list[Stream]:
    """The events of a server and two clients, one list for each process, of a run with every special case.

    A client is killed and connects again, the server is killed, a client gets the same port again, trades are merged,
    messages are read together, and a stranger connects.
    """
    story = Story()
    taken: Stream = []
    story.tally.take = lambda name, event: taken.append((name, dict(event)))  # type: ignore[method-assign, assignment]
    story.server(0, "started", symbol="EURUSD", position="0.00")
    story.server(1, "listening", port=8081)
    for ms, port, name in ((3, 500, "client1"), (4, 600, "client2")):
        story.client(2, "started", name, symbol="EURUSD", position="0.00")
        story.link(ms, port, name)
    story.link(20, 999, None)
    story.trade(100, "0.10")
    story.trade(110, "0.20")
    story.message(120, 500, "client1", 2, 2, "0.20")
    story.send(121, 600, 2, 2)
    story.trade(130, "0.30")
    story.send(140, 600, 3, 3)
    story.client(150, "received", "client2", port=600, number=2)
    story.client(150, "received", "client2", port=600, number=3)
    story.client(151, "deal", "client2", symbol="EURUSD", position="0.30")
    story.client(151, "synced", "client2")
    # client1 is killed with a message on its way.
    story.send(160, 500, 3, 3)
    story.client(200, "started", symbol="EURUSD", position="0.20")
    story.trade(210, "0.00")
    story.link(220, 501, "client1", trades=4, position="0.00")
    story.message(225, 600, "client2", 4, 4, "0.00")
    # The server is killed; client1 gets the port of its first connection again.
    story.server(300, "started", symbol="EURUSD", position="0.00")
    story.server(301, "listening", port=8081)
    story.link(310, 602, "client2")
    story.link(311, 500, "client1")
    story.trade(400, "-0.10")
    story.message(410, 602, "client2", 2, 1, "-0.10")
    story.message(411, 500, "client1", 2, 1, "-0.10")
    story.server(500, "paused", paused=True)
    return [[event for event in taken if event[0] == name] for name in (SERVER, "client1", "client2")]


def result(tally: Tally) -> dict[str, Any]:
    tally.finish()
    clients = {
        each.name: (each.connected, each.sent, each.received, each.merged, each.lags) for each in tally.clients.values()
    }
    return {
        "clients": clients,
        "totals": (tally.port, tally.trades, tally.sent, tally.received, tally.merged, tally.paused),
        "parts": tally.parts(),
        "positions": tally.positions,
        "agreed": tally.agreed(),
    }


def taken_in_order(tally: Tally, streams: list[Stream], choose: Callable[[int], int]) -> dict[str, Any]:
    """Give the tally the events of all streams; ``choose`` picks the stream of the next event."""
    left = [deque(stream) for stream in streams if stream]
    while left:
        number = choose(len(left))
        tally.take(*left[number].popleft())
        left = [stream for stream in left if stream]
    return result(tally)


def taken_by_time(tally: Tally, streams: list[Stream]) -> dict[str, Any]:
    for name, event in sorted(itertools.chain(*streams), key=lambda event: event[1]["t"]):
        tally.take(name, event)
    return result(tally)


def test_a_run_with_kills_and_a_port_used_again_is_counted_as_it_was():
    found = taken_by_time(Tally(["client1", "client2"]), recorded_run())
    assert found["clients"] == {
        "client1": (True, 6, 5, 1, [22.0, 92.0, 13.0]),
        "client2": (True, 6, 6, 1, [51.0, 17.0, 12.0]),
    }
    assert found["totals"] == (8081, 5, 13, 11, 2, True)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_result_is_the_same_when_the_events_of_one_process_come_after_all_of_another(order):
    streams = recorded_run()
    by_time = taken_by_time(Tally(["client1", "client2"]), streams)
    assert by_time["agreed"] is True
    assert (
        taken_in_order(Tally(["client1", "client2"]), [streams[number] for number in order], lambda count: 0) == by_time
    )


@hypothesis.given(st.data())
def test_the_result_is_the_same_for_every_interleaving_of_the_processes_events(data):
    streams = recorded_run()
    by_time = taken_by_time(Tally(["client1", "client2"]), streams)
    choices = st.integers(0, 2)
    assert taken_in_order(Tally(["client1", "client2"]), streams, lambda n: data.draw(choices) % n) == by_time


@pytest.fixture
def job() -> SignalJob:
    return SignalJob(Namespace())


def test_the_reason_why_a_run_has_shown_nothing_is_named(job, story):
    job.tally = story.tally
    assert job.problem([]) == "client2 never connected"
    assert job.exit_code("client2 never connected") == 3
    story.two.connected = True
    assert job.problem(["client1"]) == "the positions of client1 are not equal to the server's"
    assert job.problem([]) == "nothing was traded: there was no time"
    job.ticks_over = True
    assert job.problem([]) == "nothing was traded: the ticks were over before the clients had connected"
    story.trade(100)
    assert job.problem([]) is None


class Standing:
    """A child as a view sees it."""

    pid = 4711

    def __init__(self, name: str, code: int | None = None) -> None:
        self.name, self.code = name, code

    def exit_code(self) -> int | None:
        return self.code


def test_the_table_shows_positions_messages_and_lags(story):
    from rich.console import Console

    story.trade(100)
    story.send(110, 500, 2, 1)
    story.read(120, 500, 2)
    story.copy(130)
    children: list[Any] = [Standing("server"), Standing("client1"), Standing("client2", 1)]
    stream = io.StringIO()
    Console(file=stream, width=160).print(tables(story.tally, children, "trading").processes)
    picture = stream.getvalue()
    for text in (
        "signal: trading; 1 trade, 0 merged",
        "4711",
        "ended",
        "EURUSD 0.10",
        "messages received",
        "median lag",
        " 2 of 2 ",
        " 30 ms, max 30 ms",
    ):
        assert text in picture


@pytest.mark.parametrize(("width", "height", "logs"), [(60, 14, False), (60, 10, False), (110, 30, True)])
def test_a_small_terminal_shows_the_whole_table_and_drops_the_logs_first(width, height, logs):
    console = pytest.importorskip("rich.console").Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True
    )
    names = ("server", "client1", "client2")
    tally = Tally(names[1:])
    with closing(LiveView(names, lambda processes, state, height: tables(tally, processes, state), console)) as view:
        view.line("client2", "a line of its log")
        shown = console.render_lines(view.picture([Standing(name) for name in names], "trading"))
    text = "\n".join("".join(segment.text for segment in line) for line in shown)
    assert all(name in text for name in (*names, "process", "position"))
    assert ("a line of its log" in text) is logs


def test_at_80_columns_each_process_has_one_line_of_the_table():
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=80, height=24, legacy_windows=False)
    names = ("server", "client1", "client2")
    tally = Tally(names[1:])
    tally.sent = 1000
    for name in names:
        tally.positions[name]["EURUSD"] = "-10.25"
    for client in tally.clients.values():
        client.sent = client.received = 500
        client.lags = [1234.0]
    shown = console.render_lines(tables(tally, [Standing(name) for name in names], "trading").processes)
    rows = ["".join(segment.text for segment in line) for line in shown]
    assert len(rows) == 8
    assert sum("EURUSD -10.25" in row for row in rows) == 3
    assert sum("500 of 500 " in row and "1234 ms, max 1234 ms" in row for row in rows) == 2


@pytest.fixture
def study() -> StudyTally:
    return StudyTally(["client1", "client2"])


def deal(ms: float, position: str) -> dict[str, Any]:
    return {"t": round(ms * MS), "kind": "deal", "symbol": "EURUSD", "position": position}


def test_of_the_articles_programs_the_port_and_the_connections_are_read_from_log_lines(study):
    study.take_line(SERVER, "x server[EURUSD,H1] info OnTimer start server ok, 127.0.0.1:8081")
    study.take_line("client2", "x client[EURUSD,H1] info OnTimer connect OK, 127.0.0.1:8081")
    study.take_line(SERVER, "x server[EURUSD,H1] info OnTimer connect OK")
    assert study.port == 8081
    assert [client.connected for client in study.clients.values()] == [False, True]


def test_of_the_articles_programs_a_copy_counts_from_the_earliest_trade_that_led_to_it(study):
    for ms, position in ((100, "0.10"), (110, "0.20"), (120, "0.10"), (130, "-0.10")):
        study.take(SERVER, deal(ms, position))
    study.take("client1", deal(150, "0.10"))
    # The close before a reversal is a step on the way, and no copy.
    study.take("client1", deal(160, "0.00"))
    study.take("client1", deal(161, "-0.10"))
    study.finish()
    assert study.clients["client1"].lags == [50.0, 31.0]
    assert (study.trades, study.clients["client1"].merged, study.clients["client2"].lags) == (4, 2, [])
    assert not study.agreed()
    study.take("client2", deal(170, "-0.10"))
    assert study.agreed()
    study.take("client2", {"t": 0, "kind": "sent"})


def test_a_position_of_zero_is_no_position(study):
    study.take(SERVER, deal(100, "0.10"))
    study.take(SERVER, deal(110, "0.00"))
    assert study.agreed()


def test_the_commands_for_the_articles_server_lead_to_other_positions_and_repeat_with_their_seed():
    commands = []
    for _ in range(2):
        trader, position = CommandTrader(7), Decimal(0)
        commands.append([])
        for _ in range(40):
            command = trader.next_command(position)
            trader.take_answer()
            assert command is not None
            commands[-1].append(command)
            action, _, lots = command.partition(" ")
            before = position
            position = Decimal(0) if action == "close" else position + Decimal(lots) * (1 if action == "buy" else -1)
            assert position != before
            assert abs(position) <= Decimal("0.05")
    assert commands[0] == commands[1]
    assert {command.split()[0] for command in commands[0]} == {"buy", "sell", "close"}


def test_of_the_articles_programs_the_copies_are_the_same_for_every_interleaving():
    server = [(SERVER, deal(ms, position)) for ms, position in ((100, "0.10"), (110, "0.20"), (130, "0.10"))]
    clients = [
        [(name, deal(ms + later, position)) for ms, position in ((105, "0.10"), (140, "0.10"))]
        for name, later in (("client1", 0), ("client2", 1))
    ]
    found = []
    for order in set(itertools.permutations([0, 0, 0, 1, 1, 2, 2])):
        choices = iter(order)
        streams = [deque(each) for each in (server, *clients)]
        tally = StudyTally(["client1", "client2"])
        for choice in choices:
            tally.take(*streams[choice].popleft())
        found.append(result(tally))
    assert found[0]["clients"]["client1"] == (False, 0, 0, 1, [5.0, 30.0])
    assert all(each == found[0] for each in found)


def test_a_command_waits_for_the_answer_to_the_previous_one():
    trader = CommandTrader(7)
    assert trader.next_command(Decimal(0))
    for _ in range(100):
        assert trader.next_command(Decimal("0.03")) is None
        assert trader.last_command(Decimal("0.03")) is None
    trader.take_answer()
    assert trader.next_command(Decimal("0.03"))


@pytest.mark.parametrize("reached", ["0.02", "-0.05", "0.09", "-0.31"])
def test_the_last_command_leads_to_a_position_that_no_earlier_message_has_stated(reached):
    trader = CommandTrader(7)
    assert trader.next_command(Decimal(reached))
    trader.take_answer()
    action, _, lots = trader.last_command(Decimal("0.01")).partition(" ")
    assert action == "buy"
    last = Decimal("0.01") + Decimal(lots)
    assert last > max(abs(Decimal(reached)), Decimal("0.05"))
    assert trader.has_last(last)
    assert not trader.has_last(Decimal("0.01"))
    # It was refused, or its server was killed.
    trader.take_answer()
    assert trader.last_command(Decimal("0.01")) == f"buy {lots}"
