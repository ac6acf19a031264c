"""What the job ``broker`` shows while it runs."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest

from demos.ideas.broker.view import BROKER, status, tables
from demos.provider.demo_tally import PROVIDER, DemoTally


class Running:
    """A process as a view sees it."""

    def __init__(self, name: str, pid: int) -> None:
        self.name, self.pid = name, pid

    def exit_code(self) -> int | None:
        return None


def position(kind: str, lots: str, time: int) -> dict[str, object]:
    return {"kind": kind, "symbol": "EURUSD", "position": lots, "t": time}


def test_a_copier_is_connecting_connected_following_or_stopped() -> None:
    tally = DemoTally({"copier1": Decimal(1)})
    copier = tally.copiers["copier1"]
    assert status(copier) == "connecting"
    for event, word in (("connected", "connected"), ("received", "following")):
        tally.take("copier1", {"kind": event, "t": 1})
        assert status(copier) == word
    tally.take("copier1", {"kind": "stopped", "reason": "the provider is stale", "t": 2})
    assert status(copier) == "stopped"


def test_the_table_has_a_row_for_each_process_with_its_position() -> None:
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=120, legacy_windows=False)
    tally = DemoTally({"copier1": Decimal("0.5")})
    tally.take(PROVIDER, position("started", "0.00", 0))
    tally.take(PROVIDER, position("deal", "0.40", 1_000_000))
    tally.take("copier1", {"kind": "connected", "t": 1})
    tally.take("copier1", {"kind": "received", "t": 1})
    tally.take("copier1", position("deal", "0.20", 4_000_000))
    processes = [Running(name, 100 + place) for place, name in enumerate((BROKER, PROVIDER, "copier1"))]
    table, beside = tables(tally, processes, "trading", "mqtts://localhost:8883/signals/demo")
    assert beside is None
    console.print(table)
    shown = console.file.getvalue()
    lines = {line.replace("│", " ").split()[0]: line for line in shown.splitlines() if line.strip(" │")}
    assert "relaying" in lines[BROKER]
    assert all(text in lines[PROVIDER] for text in ("EURUSD 0.40", "publishing"))
    assert all(text in lines["copier1"] for text in ("EURUSD 0.20", "following", "3.0 ms"))
    assert "broker: trading; 1 trade; Ctrl-C ends it" in shown
    assert "mqtts://localhost:8883/signals/demo" in shown
