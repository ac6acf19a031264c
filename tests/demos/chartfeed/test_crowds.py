"""The chart server serves real clients while a crowd of others holds as many connections as it can."""

from __future__ import annotations

import pytest
from signal_kit import Script, close, dial, read, read_all, write
from tpl_kit import get, names, serve, served, turns, until

from demos.chartfeed import serving
from demos.chartfeed.frames import HELLO
from demos.chartfeed.serving import Message
from demos.template.protocol import decode
from demos.terminal.charts import layout
from demos.wire.crowds import client_key
from winsock import INVALID_SOCKET, WSAEMFILE, WSASetLastError

pytestmark = pytest.mark.usefixtures("started")

# What a stranger sends and then stays silent.
SILENT = {
    "nothing": b"",
    "a subscriber": HELLO,
    "half a hello": HELLO[:5],
    "half a request": b"GET / HTTP/1.1\r\n",
    "a request without an end": b"GET / HTTP/1.1\r\nX: " + b"x" * 1000,
    "a byte": b"x",
    "a zero": b"\0",
    "a whole request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two hellos": HELLO * 2,
    "a refused request": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no HTTP": b"\x16\x03\x01",
}


@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
def test_a_silent_crowd_does_not_keep_the_server_from_serving(tmp_path, said):
    stage = serve(tmp_path, connections=8)

    def script() -> Script:
        yield
        crowd = []
        for _ in range(20):
            crowd.append(dial(stage.port))
            if said:
                write(crowd[-1], said)
        yield from turns(3)
        assert len(stage.program.conns) == len(stage.program.limits) <= 4
        yield from get(stage)
        close(*crowd)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252).symbol == "EURUSD"


def test_connections_that_made_room_are_counted_and_reported_every_ten_seconds(tmp_path):
    stage = serve(tmp_path, connections=2)

    def script() -> Script:
        yield
        crowd = []
        for _ in range(50):
            crowd += [dial(stage.port) for _ in range(3)]
            yield from turns(3)
        close(*crowd)
        yield from turns(120)

    assert stage.play(script()) == 0
    reports = [text for text in stage.errors() if "closed to make room" in text]
    assert 2 <= len(reports) <= 4
    assert sum(int(text.split(": ")[1].split(";")[0]) for text in reports) == 149
    assert reports[0].endswith("the limits are 1 from one address and 2 in all (--connections)")


def test_the_client_that_made_progress_longest_ago_makes_room(tmp_path):
    stage = serve(tmp_path, connections=4)

    def script() -> Script:
        yield
        subscribers = [dial(stage.port) for _ in range(2)]
        write(subscribers[0], HELLO)
        yield from served(stage)
        write(subscribers[1], HELLO)
        yield from served(stage, 2)
        write(subscribers[0], b"I am here")
        yield from turns(2)
        kept = stage.program.conns[0]
        third = dial(stage.port)
        yield from until(lambda: len(stage.record.of("served")) == 3)
        assert stage.program.conns[0] is kept
        assert kept.state is serving.State.SUBSCRIBED
        close(*subscribers, third)

    assert stage.play(script()) == 0


def test_a_crowd_of_one_address_does_not_replace_a_client_of_another(tmp_path):
    stage = serve(tmp_path, connections=4)
    addresses = iter([b"other", *[b"crowd"] * 100])
    stage.program.client_key = lambda name: next(addresses)

    def script() -> Script:
        yield
        subscriber = dial(stage.port)
        write(subscriber, HELLO)
        yield from served(stage)
        crowd = [dial(stage.port) for _ in range(30)]
        yield from turns(20)
        stage.change("news")
        yield from until(lambda: sum(event["how"] == "follow" for event in stage.record.of("served")) == 2)
        for _ in range(2):
            last = read(subscriber, int.from_bytes(read(subscriber, 4), "big"))
        assert names(last) == ["news"]
        close(subscriber, *crowd)

    assert stage.play(script()) == 0


def test_one_event_accepts_at_most_its_limit(tmp_path):
    stage = serve(tmp_path)
    stage.program.MAX_ACCEPTED = 5

    def script() -> Script:
        yield
        crowd = [dial(stage.port) for _ in range(12)]
        for count in (5, 10, 12):
            yield
            assert len(stage.program.conns) == count
        close(*crowd)

    assert stage.play(script()) == 0


def test_without_a_free_descriptor_a_connection_of_a_crowd_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.wire.crowds.CROWD", 2)
    stage = serve(tmp_path)
    accept = stage.program.accept

    def full(*arguments: object) -> int:
        if len(stage.program.conns) >= 3:
            WSASetLastError(WSAEMFILE)
            return INVALID_SOCKET
        return accept(*arguments)

    def script() -> Script:
        yield
        crowd = [dial(stage.port) for _ in range(3)]
        for each in crowd:
            write(each, HELLO)
        yield from served(stage, 3)
        stage.program.accept = full
        peer = dial(stage.port)
        yield from served(stage, 4)
        assert decode(read_all(peer), 1252).symbol == "EURUSD"
        close(peer, *crowd)

    assert stage.play(script()) == 0
    assert [text.split(": ")[0] for text in stage.errors()] == ["-connections closed to make room for new ones"]


def test_a_client_that_reads_a_little_now_and_then_is_closed_after_the_time_for_an_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "ANSWER_MS", 60_000)
    # The system's buffers may hide for longer than STALLED_MS that the client reads.
    monkeypatch.setattr(serving, "STALLED_MS", 120_000)
    stage = serve(tmp_path)
    layout.root(stage.template).set("description", "x" * 8_000_000)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        yield from served(stage)
        begin = stage.clock.time
        while stage.program.conns:
            read(peer, 400_000)
            yield from turns(100)
        assert stage.clock.time - begin == pytest.approx(60, abs=11)
        close(peer)

    assert stage.play(script()) == 0
    assert any("has read only" in text for text in stage.errors()), stage.errors()


def test_clients_share_the_bytes_of_a_template(tmp_path):
    stage = serve(tmp_path)
    layout.root(stage.template).set("description", "x" * 5_000_000)

    def script() -> Script:
        yield
        peers = [dial(stage.port) for _ in range(6)]
        for peer in peers[:2]:
            write(peer, HELLO)
        for peer in peers[2:4]:
            write(peer, b"GET /chart.tpl HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield from served(stage, 6)
        message: Message = stage.program.message
        outputs = [client.output[-1].obj for client in stage.program.conns if client.output]
        assert len(outputs) == 6
        assert {id(each) for each in outputs} == {id(message.data), id(message.framed)}
        close(*peers)

    assert stage.play(script()) == 0


@pytest.mark.parametrize("value", [0, -1, 769])
def test_the_limit_is_checked(value):
    from demos.chartfeed import server

    assert server._connections_problem(value) == f"{value} is not between 1 and 768"


def test_the_key_of_a_client_is_its_address(tmp_path):
    stage = serve(tmp_path)
    keys = []

    def key(name) -> bytes:
        keys.append(client_key(name))
        return keys[-1]

    stage.program.client_key = key

    def script() -> Script:
        yield
        yield from get(stage)

    assert stage.play(script()) == 0
    assert keys == [bytes([127, 0, 0, 1])]
