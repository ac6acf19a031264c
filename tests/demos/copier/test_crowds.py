"""The provider serves real clients while a silent crowd holds as many connections as it can."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from signal_kit import Script, Stage, close, dial, port_of, read

from demos.provider import plain
from winsock import WSAEWOULDBLOCK

pytestmark = pytest.mark.usefixtures("started")

FLAT = b"<<EURUSD|0.00>>\0"


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], Stage]:
    def make(total: int, per_address: int) -> Stage:
        monkeypatch.setattr(plain, "MOST_CONNECTIONS", total)
        monkeypatch.setattr(plain, "MOST_PER_ADDRESS", per_address)
        return Stage("provider", Port=0)

    return make


def test_a_silent_crowd_of_the_same_address_makes_room_for_a_real_client(crowded):
    stage = crowded(8, 6)

    def script() -> Script:
        yield
        crowd = [dial(port_of(stage.program.server)) for _ in range(30)]
        yield
        assert len(stage.program.conns) == 6
        client = dial(port_of(stage.program.server))
        yield
        assert read(client, len(FLAT)) == FLAT
        assert len(stage.program.conns) == len(stage.program.limits) == 6
        close(client, *crowd)

    assert stage.play(script()) == 0
    [report, *_] = [text for text in stage.errors() if "closed to make room" in text]
    assert report.startswith("-connections closed to make room for new ones: 24; ")


def test_a_crowd_of_one_address_does_not_replace_a_client_of_another(crowded):
    stage = crowded(8, 6)
    addresses = iter([b"client", *[b"crowd"] * 100])
    stage.program.client_key = lambda name: next(addresses)

    def script() -> Script:
        yield
        client = dial(port_of(stage.program.server))
        yield
        first = stage.program.conns[0]
        crowd = [dial(port_of(stage.program.server)) for _ in range(40)]
        yield
        yield
        assert first in stage.program.conns
        assert read(client, len(FLAT)) == FLAT
        close(client, *crowd)

    assert stage.play(script()) == 0


def test_a_closed_connection_is_no_longer_counted(crowded):
    stage = crowded(8, 6)

    def script() -> Script:
        yield
        for _ in range(5):
            crowd = [dial(port_of(stage.program.server)) for _ in range(4)]
            yield
            assert len(stage.program.limits) == 4
            close(*crowd)
            yield
        assert len(stage.program.limits) == 0

    assert stage.play(script()) == 0
    assert not [text for text in stage.errors() if "closed to make room" in text]


def test_a_client_that_takes_nothing_for_a_minute_is_closed():
    stage = Stage("provider", Port=0)

    def script() -> Script:
        yield
        peer = dial(port_of(stage.program.server))
        yield
        stage.program.send_many = lambda sockets, *arguments: [-WSAEWOULDBLOCK] * len(sockets)
        begin = stage.clock.time
        while stage.program.conns:
            stage.program.trades += 1
            yield
        assert stage.clock.time - begin == pytest.approx(60, abs=2)
        close(peer)

    assert stage.play(script()) == 0
    assert any("failed error: (#10060)" in text for text in stage.errors())
