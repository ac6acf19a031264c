"""The programs sentiment_server and sentiment_client on a stage, each against peers of other software."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from copier_kit import Peer as ServerPeer
from copier_kit import WebsocketsProvider
from ideas_kit import TIMER_MS, Peer, connect, opened, pass_time, served, until
from signal_kit import Script, Stage
from web_kit import network

from demos.terminal.interfaces import ProgramError
from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.account_file import AccountTerms

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


def server_stage(**inputs: object) -> Stage:
    return Stage("sentiment_server", timer_ms=TIMER_MS, **{"Port": 0, "interval": 0.1, **inputs})


def client_stage(server: WebsocketsProvider, account: PaperAccount | None = None, **inputs: object) -> Stage:
    settings: dict[str, Any] = {"url": f"ws://127.0.0.1:{server.port}", "name": "anna", **inputs}
    return Stage("sentiment_client", timer_ms=TIMER_MS, account=account, **settings)


def say(peer: Peer, **fields: object) -> None:
    peer.say(json.dumps(fields))


def hello(peer: Peer, name: str) -> None:
    say(peer, type="hello", version=1, client=name)


def volumes(peer: Peer, long: str, short: str = "0") -> None:
    say(peer, type="volumes", volumes={"EURUSD": {"long": long, "short": short}})


def last_total(peer: Peer) -> dict[str, object] | None:
    """The EURUSD total of the last message; None when it has none."""
    totals = [json.loads(text) for text in peer.texts() if '"totals"' in text]
    found: dict[str, object] | None = totals[-1]["totals"].get("EURUSD") if totals else None
    return found


def longs(lots: str, clients: int) -> dict[str, object]:
    """A total of the long positions only."""
    return {"long": {"lots": lots, "clients": clients}}


# ---- the server


def joined(stage: Stage, *lots: str) -> list[Peer]:
    """Clients with these long volumes; each is a participant of its own."""
    peers = []
    for number, each in enumerate(lots):
        peer = connect(stage)
        hello(peer, f"client {number}")
        volumes(peer, each)
        peers.append(peer)
    return peers


def test_each_client_is_sent_the_rules_and_then_the_totals_at_each_interval():
    stage = server_stage(name="here", silence=30, most_lots=5.0)

    def script() -> Script:
        yield from served(stage)
        peers = joined(stage, "1", "2.5", "1000000")
        yield from until(stage, lambda: all(last_total(peer) for peer in peers))
        assert last_total(peers[0]) == longs("8.5", 3)
        first = json.loads(peers[0].texts()[0])
        assert (first["server"], first["interval_ms"], first["silence_ms"]) == ("here", 100, 30_000)
        count = len(peers[0].texts())
        yield from pass_time(1)
        yield from until(stage, lambda: len(peers[0].texts()) >= count + 9)
        assert len(peers[0].texts()) <= count + 12

    assert stage.play(script()) == 0
    assert stage.record.of("published")[-1]["participants"] in (0, 3)


def test_with_hosts_all_clients_of_this_computer_are_one_participant_whatever_their_names():
    stage = server_stage(hosts="sentiment.example")

    def script() -> Script:
        yield from served(stage)
        peers = joined(stage, "1", "2", "4")
        yield from until(stage, lambda: [each["participants"] for each in stage.record.of("published")][-1:] == [1])
        yield from pass_time(1)
        assert last_total(peers[0]) is None

    assert stage.play(script()) == 0
    assert any("count as one participant" in line for line in stage.texts)


def test_the_volumes_of_a_killed_client_are_in_no_later_total():
    stage = server_stage()

    def script() -> Script:
        yield from served(stage)
        peers = joined(stage, "1", "2", "4", "8")
        yield from until(stage, lambda: last_total(peers[0]) == longs("15", 4))
        peers[3].reset()
        yield from until(stage, lambda: last_total(peers[0]) is None)
        for peer in peers[:3]:
            volumes(peer, "3")
        yield from until(stage, lambda: last_total(peers[0]) == longs("9", 3))

    assert stage.play(script()) == 0


def test_a_connected_client_that_is_silent_stops_counting_after_the_stated_time():
    stage = server_stage(silence=2)

    def script() -> Script:
        yield from served(stage)
        peers = joined(stage, "1", "2", "4", "8")
        yield from until(stage, lambda: last_total(peers[0]) == longs("15", 4))
        begin = stage.clock.time
        while last_total(peers[0]) is not None:
            for peer in peers[:3]:
                volumes(peer, "3")
            yield from pass_time(0.5)
            if last_total(peers[0]) == longs("9", 3):
                break
        assert 1.5 <= stage.clock.time - begin <= 4
        assert not peers[3].close_code()

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"type":"volumes","volumes":{}}',
        '{"type":"hello","version":2,"client":"x"}',
        '{"type":"hello","version":1,"client":""}',
        '{"type":"error","code":"x","text":"again and again"}',
        "[" * 1000,
    ],
)
def test_an_invalid_first_message_is_answered_with_an_error_and_the_end(text):
    stage = server_stage()

    def script() -> Script:
        yield from served(stage)
        good, bad = joined(stage, "1")[0], connect(stage)
        bad.say(text)
        yield from until(stage, bad.close_code)
        assert '"type":"error"' in bad.texts()[-1]
        yield from opened(stage, good)
        assert not good.close_code()

    assert stage.play(script()) == 0


def test_a_flood_of_volumes_ends_its_client_only():
    stage = server_stage()

    def script() -> Script:
        yield from served(stage)
        peers = joined(stage, "1", "2", "4")
        flood = joined(stage, "8")[0]
        for _ in range(300):
            volumes(flood, "9")
        yield from until(stage, flood.close_code)
        for peer in peers:
            volumes(peer, "3")
        yield from until(stage, lambda: last_total(peers[0]) == longs("9", 3))

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    "inputs",
    [
        {"least_clients": 2},
        {"silence": 0},
        {"interval": 0.0},
        {"most_lots": 0.0},
        {"most_lots": 1e-9},
        {"most_lots": 2e6},
        {"name": ""},
        {"clients": 0},
        {"per_address": 0},
        {"Port": 70_000},
    ],
)
def test_an_input_that_cannot_be_used_is_refused(inputs):
    with pytest.raises(ProgramError, match=f"input {next(iter(inputs))}: "):
        server_stage(**inputs)


# ---- the client


class Sentiment:
    """A server of the package websockets: it records the clients' messages, and sends what a test requests."""

    def __init__(self, silence_ms: int = 60_000) -> None:
        self.rules = {
            "version": 1,
            "server": "other",
            "interval_ms": 1000,
            "silence_ms": silence_ms,
            "most_lots": "100",
            "most_symbols": 2,
            "least_clients": 3,
        }
        self.heard: list[dict[str, Any]] = []
        self.server = WebsocketsProvider(self.behave)
        self.seq = 0

    async def behave(self, peer: ServerPeer) -> None:
        await peer.say("hello", **self.rules)
        while True:
            self.heard.append(json.loads(await peer.connection.recv()))

    def send_totals(self, **total: object) -> None:
        """Send a total of EURUSD; without arguments, a message without one."""
        self.seq += 1
        totals = {"EURUSD": total} if total else {}
        self.server.send(json.dumps({"type": "totals", "seq": self.seq, "time": 1, "totals": totals}))

    def volumes(self) -> list[dict[str, Any]]:
        return [each["volumes"] for each in self.heard if each["type"] == "volumes"]


def trade(account: PaperAccount, stage: Stage, lots: str) -> None:
    """Trade as the operator does."""
    stage.terminal.event_loop.post_command(f"{'buy' if Decimal(lots) > 0 else 'sell'} {abs(Decimal(lots))}")


def test_the_client_sends_its_name_and_the_volumes_of_both_sides_when_they_change(tmp_path):
    sentiment = Sentiment()
    account = closed_after_test(PaperAccount(terms=AccountTerms(margin_mode=ACCOUNT_MARGIN_MODE_RETAIL_HEDGING)))
    stage = client_stage(sentiment.server, account)

    def script() -> Script:
        yield from until(stage, lambda: sentiment.volumes() == [{}])
        trade(account, stage, "0.25")
        yield from until(stage, lambda: sentiment.volumes()[-1].get("EURUSD") == {"long": "0.25", "short": "0"})
        trade(account, stage, "-0.1")
        yield from until(stage, lambda: sentiment.volumes()[-1].get("EURUSD") == {"long": "0.25", "short": "0.1"})

    assert stage.play(script()) == 0
    assert sentiment.heard[0] == {"type": "hello", "version": 1, "client": "anna"}


def test_volumes_that_do_not_change_are_sent_again_in_time():
    sentiment = Sentiment(silence_ms=4000)
    stage = client_stage(sentiment.server)

    def script() -> Script:
        yield from until(stage, lambda: len(sentiment.volumes()) == 1)
        yield from pass_time(3.5)
        yield from until(stage, lambda: len(sentiment.volumes()) >= 4)

    assert stage.play(script()) == 0
    assert len(sentiment.volumes()) <= 6


def test_the_timer_is_fast_enough_for_a_server_that_soon_takes_a_client_for_silent():
    sentiment = Sentiment(silence_ms=1000)
    stage = Stage("sentiment_client", url=f"ws://127.0.0.1:{sentiment.server.port}")

    def script() -> Script:
        yield from until(stage, lambda: stage.record.of("sent"))
        begin, before = stage.clock.time, len(stage.record.of("sent"))
        yield from until(stage, lambda: stage.clock.time >= begin + 4)
        # Four times within this second; at most five times.
        assert 15 <= len(stage.record.of("sent")) - before <= 20

    assert stage.play(script()) == 0


def test_fast_trading_is_sent_at_most_five_times_a_second():
    sentiment = Sentiment()
    stage = client_stage(sentiment.server)

    def script() -> Script:
        yield from until(stage, lambda: len(sentiment.volumes()) == 1)
        for _ in range(100):
            trade(stage.account, stage, "0.01")
            yield
        yield from until(stage, lambda: sentiment.volumes()[-1] == {"EURUSD": {"long": "1", "short": "0"}})

    assert stage.play(script()) == 0
    assert len(sentiment.volumes()) <= 10


def test_the_totals_are_drawn_at_the_present_bar_and_logged_when_they_change():
    sentiment = Sentiment()
    stage = client_stage(sentiment.server)

    def script() -> Script:
        yield from until(stage, sentiment.volumes)
        for _ in range(3):
            sentiment.send_totals(long={"lots": "12.5", "clients": 4}, short={"lots": "3", "clients": 5})
        yield from until(stage, lambda: stage.record.of("totals"))
        assert list(stage.program.long_totals.values()) == [12.5]
        assert list(stage.program.short_totals.values()) == [3.0]
        sentiment.send_totals(long={"lots": "9", "clients": 4}, short=None)
        yield from until(stage, lambda: len(stage.record.of("totals")) == 2)
        assert list(stage.program.long_totals.values()) == [9.0]
        assert list(stage.program.short_totals.values()) == [3.0]
        sentiment.send_totals()
        yield from until(stage, lambda: len(stage.record.of("totals")) == 3)

    assert stage.play(script()) == 0
    assert "EURUSD: long 12.5 lots of 4 participants, short 3 lots of 5 participants" in stage.texts
    assert "EURUSD: long 9 lots of 4 participants, short not published" in stage.texts
    assert stage.texts.count("EURUSD: no total is published at present") == 1


def test_a_total_is_not_shown_any_more_when_the_server_sends_none():
    sentiment = Sentiment()
    stage = client_stage(sentiment.server)

    def script() -> Script:
        yield from until(stage, sentiment.volumes)
        sentiment.send_totals(long={"lots": "12.5", "clients": 4}, short={"lots": "3", "clients": 5})
        yield from until(stage, lambda: stage.record.of("totals"))
        begin = stage.clock.time
        yield from until(stage, lambda: len(stage.record.of("totals")) == 2)
        assert stage.clock.time - begin == pytest.approx(5, abs=0.3)

    assert stage.play(script()) == 0
    assert stage.record.of("totals")[-1]["long"] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the server breaks the protocol: not JSON"),
        ('{"type":"totals","seq":0,"time":1,"totals":{}}', "the server breaks the protocol: totals: seq"),
        ('{"type":"error","code":"busy","text":"too many"}', "the server ends the connection: too many (busy)"),
    ],
)
def test_the_client_leaves_a_server_that_breaks_the_protocol_or_reports_an_error(text, reason):
    sentiment = Sentiment()
    stage = client_stage(sentiment.server)

    def script() -> Script:
        yield from until(stage, sentiment.volumes)
        sentiment.server.send(text)
        yield from until(stage, stage.errors)
        yield from until(stage, lambda: sentiment.server.connections == 2)
        yield from until(stage, lambda: len(sentiment.volumes()) >= 2)

    assert stage.play(script()) == 0
    assert reason in stage.errors()[0]
    assert len([each for each in sentiment.heard if each["type"] == "hello"]) == 2


def test_the_client_fails_when_it_has_never_connected():
    stage = Stage("sentiment_client", timer_ms=TIMER_MS, url="ws://127.0.0.1:9")

    def script() -> Script:
        yield from until(stage, stage.errors)

    assert stage.play(script()) == 3
