"""The account's positions on the dashboard: when they changed, and their prices."""

from __future__ import annotations

from pathlib import Path

import pytest
from signal_kit import Script, Stage

pytestmark = pytest.mark.usefixtures("started")


def test_a_position_has_the_time_of_the_providers_clock_and_a_price_with_the_symbols_digits(tmp_path: Path):
    # The ticks of the kit are from 1970. The kit maps Port to the plain port: the subscribers' port is set here.
    stage = Stage("provider", Port=-1, state=str(tmp_path / "provider.sqlite"))
    stage.chart.module.Port = 0
    shown = []

    def script() -> Script:
        yield
        before = stage.clock.utc_ms()
        stage.host.post("buy 0.10")
        yield
        yield
        [row] = stage.program.service._shared.dashboard._feed.overview["positions"]
        assert before <= row["time"] <= stage.clock.utc_ms()
        shown.append((row["price"], row["sl"]))

    assert stage.play(script()) == 0
    assert shown == [("1.10002", None)]
