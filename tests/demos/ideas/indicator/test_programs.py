"""The programs in one terminal: both charts show the same, and peers that break the rules harm nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from copier_kit import Peer as WebsocketsPeer
from copier_kit import WebsocketsProvider
from hostile_kit import BINARY, frame
from ideas_kit import TIMER_MS, Peer, connect, pass_time, served, until
from indicator_kit import FeedStage, hello_text, hours, page_text, values_text
from signal_kit import Script, Stage
from web_kit import certificate, network

from demos.ideas.indicator.protocol import FROM_CLIENT, FROM_SERVER, ClientHello, History
from demos.terminal.charts import drawing

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

INDICATORS = "sma:3,ema:3:median,rsi:3,atr:2"
HELLO = FROM_CLIENT.encode(ClientHello(1, "peer"))

# The hello of a server without rows.
EMPTY = hello_text(last=0)


def complete(stage: FeedStage, seq: int) -> Script:
    """Let the terminal go on until the client has the row with this seq."""
    yield from until(stage, lambda: stage.client.follower.series.last == seq and stage.client.follower.is_complete)


def test_the_client_draws_what_the_server_draws(tmp_path):
    stage = FeedStage(indicators=INDICATORS)

    def script() -> Script:
        yield from complete(stage, 0)
        stage.quote(hours(12)[4:])
        yield from complete(stage, 11)

    assert stage.play(script()) == 0, stage.texts
    shown = stage.values(stage.chart.id)
    assert stage.values(stage.client_chart) == shown
    assert {name: len(values) for name, values in shown.items()} == {
        "SMA(3)": 9,
        "EMA(3,median)": 9,
        "RSI(3)": 8,
        "ATR(2)": 9,
    }
    assert len(stage.record.of("bar")) == 11
    assert stage.record.of("applied")[-1]["seq"] == 11
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    for chart in (stage.chart.id, stage.client_chart):
        drawing.draw_chart(stage.terminal, chart, tmp_path / f"{chart}.png")
    first, second = ((tmp_path / f"{chart}.png").read_bytes() for chart in (stage.chart.id, stage.client_chart))
    assert first == second


def test_a_client_that_comes_later_gets_the_history_and_values_are_written_at_the_end(tmp_path):
    files = [tmp_path / name for name in ("server.csv", "client.csv")]
    stage = FeedStage(indicators=INDICATORS, quotes=hours(30), values=str(files[0]))
    stage.client.values = str(files[1])

    def script() -> Script:
        yield from complete(stage, 29)

    assert stage.play(script()) == 0, stage.texts
    assert files[0].read_bytes() == files[1].read_bytes()
    lines = files[0].read_text(encoding="utf-8").splitlines()
    assert lines[0] == 'time,SMA(3),"EMA(3,median)",RSI(3),ATR(2)'
    assert len(lines) == 30


def test_both_charts_show_only_the_rows_that_are_kept(tmp_path):
    stage = FeedStage(indicators="sma:2", quotes=hours(30), keep=10)
    stage.client.keep = 10

    def script() -> Script:
        yield from complete(stage, 29)
        stage.quote(hours(33)[120:])
        yield from complete(stage, 32)

    assert stage.play(script()) == 0, stage.texts
    shown = stage.values(stage.chart.id)["SMA(2)"]
    assert stage.values(stage.client_chart)["SMA(2)"] == shown
    assert [time.day * 24 + time.hour - 24 for time in shown] == list(range(22, 32))


def test_many_bars_that_close_between_two_ticks_are_all_calculated():
    stage = FeedStage(indicators="sma:2", client=False)

    def script() -> Script:
        yield from served(stage)
        # The history takes the ticks of 299 hours before the program sees one of them.
        for tick in hours(300)[4:]:
            stage.terminal.history.take(tick)
        stage.quote(hours(301)[1200:])
        yield from until(stage, lambda: stage.program.feed.series.last >= 300)

    assert stage.play(script()) == 0, stage.texts
    rows = stage.program.feed.series.rows(1, 300)
    assert [row.time // 3_600_000 for row in rows] == list(range(300))
    assert len(stage.record.of("bar")) == 1


def test_a_file_that_cannot_be_written_ends_the_program_with_exit_code_4(tmp_path):
    stage = FeedStage(client=False, values=str(tmp_path / "absent" / "values.csv"))
    assert stage.play(served(stage)) == 4
    assert any("absent" in line for line in stage.errors())


def test_another_period_of_the_servers_chart_begins_another_stream_which_its_old_client_does_not_draw():
    stage = FeedStage(indicators="sma:2", quotes=hours(5))

    def script() -> Script:
        yield from complete(stage, 4)
        stage.terminal.post("chart EURUSD M15")
        yield from until(stage, lambda: any("this one is EURUSD,H1" in line for line in stage.errors()))

    assert stage.play(script()) == 0, stage.texts
    first, second = (each["stream"] for each in stage.record.of("stream"))
    assert first != second
    assert stage.record.of("stream")[1]["seq"] == 19
    assert len(stage.values(stage.client_chart)["SMA(2)"]) == 3


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"indicators": "sma:0"}, "invalid period of sma: 0"),
        ({"indicators": "absent.py:f"}, "there is no file absent.py"),
        ({"cert": "absent.pem"}, "absent.pem"),
        ({"key": "x.pem"}, "--key is given without --cert"),
    ],
)
def test_a_server_that_cannot_start_says_why_with_exit_code_2(inputs, problem):
    stage = FeedStage(client=False, **inputs)
    assert stage.play(pass_time(1)) == 2
    assert problem in stage.errors()[0]


def test_values_are_sent_over_tls(tmp_path):
    stage = FeedStage(indicators="sma:2", quotes=hours(5), certificate=certificate(tmp_path))
    assert stage.play(complete(stage, 4)) == 0, stage.texts
    assert stage.record.of("serving")[0]["tls"] is True
    assert stage.values(stage.client_chart) == stage.values(stage.chart.id)


# ---- hostile clients of the server


def messages(peer: Peer) -> list[object]:
    """The messages of the server so far."""
    return [FROM_SERVER.decode(text) for text in peer.texts()]


def greet(stage: Stage) -> Peer:
    """A client that has said hello."""
    peer = connect(stage)
    peer.say(HELLO)
    return peer


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[" * 1000,
        '{"type":"history","stream":"%s","first":1}' % ("0" * 32),
        '{"type":"hello","version":2,"client":"x"}',
        '{"type":"error","code":"x","text":"again and again"}',
        HELLO,
        "y" * 5000,
        json.dumps({"type": "hello", "version": 1, "client": "\ud800"}),
    ],
)
def test_a_client_that_breaks_the_protocol_is_ended_and_the_others_are_served(text):
    stage = FeedStage(client=False, indicators="sma:2")

    def script() -> Script:
        yield from served(stage)
        good, bad = greet(stage), greet(stage)
        yield from until(stage, lambda: good.texts() and bad.texts())
        bad.say(text)
        yield from until(stage, lambda: bad.read() is None or bad.ended)
        stage.quote(hours(4)[4:])
        yield from until(stage, lambda: len(good.texts()) == 4)
        assert not good.ended

    assert stage.play(script()) == 0, stage.texts


def test_a_client_that_sends_binary_frames_or_nothing_is_ended():
    stage = FeedStage(client=False)

    def script() -> Script:
        yield from served(stage)
        binary, silent = greet(stage), connect(stage)
        yield from until(stage, lambda: binary.texts())
        binary.send(frame(BINARY, b"x"))
        yield from until(stage, lambda: binary.read() is None or binary.ended)
        yield from pass_time(15)
        yield from until(stage, lambda: silent.read() is None or silent.ended)

    assert stage.play(script()) == 0, stage.texts


def test_a_client_that_asks_for_the_history_again_and_again_without_reading_is_served_one_page_at_a_time():
    stage = FeedStage(client=False, indicators="sma:2", quotes=hours(900))

    def script() -> Script:
        yield from served(stage)
        greedy, good = greet(stage), greet(stage)
        yield from until(stage, lambda: greedy.texts() and good.texts())
        hello = messages(good)[0]
        assert hello.last == 899
        for _ in range(20):
            for _ in range(20):
                greedy.say(FROM_CLIENT.encode(History(hello.stream, 1)))
            yield from pass_time(0.5)
        good.say(FROM_CLIENT.encode(History(hello.stream, 801)))
        yield from until(stage, lambda: len(good.texts()) == 2)
        assert len(messages(good)[1].rows) == 99
        yield from until(stage, lambda: greedy.read() is None or greedy.ended)

    assert stage.play(script()) == 0, stage.texts
    assert any("more than 152 requests in 60 s" in line for line in stage.texts)


# ---- a client of a server that lies


def lying(*texts: str, answers: bool = False) -> WebsocketsProvider:
    """A server that answers the hello with these texts, and requests with pages that are whole."""

    async def behave(peer: WebsocketsPeer) -> None:
        await peer.connection.recv()
        for text in texts:
            await peer.connection.send(text)
        last = 1000
        while True:
            request = json.loads(await peer.connection.recv())
            if answers and request["type"] == "history":
                last += 1000
                await peer.connection.send(page_text(request["first"], last))

    return WebsocketsProvider(behave)


def client_of(server: WebsocketsProvider, **inputs: object) -> Stage:
    return Stage("indicator_client", timer_ms=TIMER_MS, url=f"ws://127.0.0.1:{server.port}", **inputs)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ([values_text(1)], "values before hello"),
        (
            [EMPTY, values_text(1), values_text(1, row=[1, [9.0]])],
            "the values of row 1 have changed",
        ),
        ([EMPTY, values_text(1).replace(repr(1 / 7), "NaN")], "not JSON: NaN is not a number"),
        ([EMPTY, values_text(1).replace(repr(1 / 7), "1e999")], "not a number from -1e"),
        ([EMPTY, page_text(1, 5)], "a page that was not requested"),
        ([hello_text(symbol="GBPUSD")], "the server's chart is GBPUSD,H1, this one is EURUSD,H1"),
        ([hello_text(version=2)], "unsupported protocol version: 2"),
        (["x" * 300_000], "more than"),
        (['{"type":"error","code":"busy","text":"later"}'], "the server has ended the connection: busy: later"),
    ],
)
def test_a_server_that_lies_is_left_with_the_reason_and_the_client_tries_again_later(texts, problem):
    server = lying(*texts)
    stage = client_of(server)

    def script() -> Script:
        yield from until(stage, lambda: server.connections == 2)

    assert stage.play(script()) == 0
    assert any(problem in line for line in stage.errors()), stage.errors()


def test_an_endless_history_is_left_and_the_rows_stay_limited():
    server = lying(hello_text(last=1000), answers=True)
    stage = client_of(server, keep=400)

    def script() -> Script:
        yield from until(stage, lambda: stage.errors())

    assert stage.play(script()) == 0
    assert "the history has no end" in stage.errors()[0]
    series = stage.program.follower.series
    assert series.last - series.first < 400
    [line] = stage.terminal.lines.of(stage.chart.id)
    assert len(line.values) <= 400


def test_a_client_that_has_received_no_values_leaves_the_file_of_an_earlier_run_and_fails(tmp_path):
    path = tmp_path / "values.csv"
    path.write_text("earlier", encoding="utf-8")
    stage = Stage("indicator_client", timer_ms=TIMER_MS, url="ws://127.0.0.1:9", values=str(path))
    assert stage.play(until(stage, stage.errors)) == 3
    assert path.read_text(encoding="utf-8") == "earlier"
    assert "no connection to ws://127.0.0.1:9 has succeeded" in stage.errors()[-1]


def test_a_client_that_its_server_refuses_leaves_the_file_of_an_earlier_run(tmp_path):
    path = tmp_path / "values.csv"
    path.write_text("earlier", encoding="utf-8")
    stage = client_of(lying(hello_text(symbol="GBPUSD")), values=str(path))
    assert stage.play(until(stage, stage.errors)) == 0
    assert path.read_text(encoding="utf-8") == "earlier"
    assert any(f"{path} is not written: no values were received" in line for line in stage.texts)


def test_a_client_without_a_connection_goes_on_with_another_period_of_its_chart():
    stage = Stage("indicator_client", timer_ms=TIMER_MS, url="ws://127.0.0.1:9")

    def script() -> Script:
        yield from until(stage, stage.errors)
        before = stage.program.follower
        stage.terminal.post("chart EURUSD M15")
        yield from until(stage, lambda: stage.program.follower is not before)
        yield from until(stage, lambda: len(stage.errors()) > 1)
        assert not any("has succeeded" in line for line in stage.errors())

    assert stage.play(script()) == 3


def test_a_client_that_cannot_use_its_settings_says_why():
    stage = Stage("indicator_client", timer_ms=TIMER_MS, url="ws://127.0.0.1:1", ca=str(Path("absent.pem")))
    assert stage.play(pass_time(1)) == 2
    assert stage.errors()
