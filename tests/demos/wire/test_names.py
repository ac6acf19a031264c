"""Programs whose host name cannot be resolved at present try again, and report it once."""

from __future__ import annotations

import pytest
from signal_kit import Script, Stage, port_of
from tick_kit import USDJPY, TickStage, receive, receiver
from tpl_kit import TplStage, get

from demos.wire import addresses
from winsock import INVALID_SOCKET, WSATRY_AGAIN

__all__ = ["receiver"]

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def unresolved(monkeypatch):
    """A resolver that fails with a temporary error until it is repaired."""
    resolve = addresses.getaddrinfo

    def fail(*arguments: object) -> int:
        return WSATRY_AGAIN

    monkeypatch.setattr(addresses, "getaddrinfo", fail)
    return lambda: monkeypatch.setattr(addresses, "getaddrinfo", resolve)


def listens_later(stage: Stage, repair) -> Script:
    for _ in range(20):
        yield
    assert stage.program.server == INVALID_SOCKET
    assert 2 <= stage.program.starting.failures <= 10
    repair()
    for _ in range(400):
        if stage.program.server != INVALID_SOCKET:
            return
        yield
    raise AssertionError("the program does not listen")


def test_the_collector_listens_when_the_name_can_be_resolved(unresolved):
    stage = Stage("tick_collector", Port=0, Host="localhost")
    assert stage.play(listens_later(stage, unresolved)) == 0
    [error] = stage.errors()
    assert error.startswith("-localhost cannot be found: (#11002)")
    assert error.endswith("; it is tried again")


def test_the_chart_server_listens_when_the_name_can_be_resolved(unresolved, tmp_path):
    stage = TplStage("chart_server", tmp_path, Port=0, Host="localhost", timer_ms=1000)

    def script() -> Script:
        yield from listens_later(stage, unresolved)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert len([error for error in stage.errors() if "cannot be found" in error]) == 1


def test_the_sender_keeps_its_ticks_until_the_name_can_be_resolved(unresolved, receiver):
    stage = TickStage(port_of(receiver), USDJPY, Host="localhost")

    def script() -> Script:
        stage.tick(110_500)
        for _ in range(20):
            yield
        unresolved()
        for _ in range(40):
            yield
        assert receive(receiver) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1
