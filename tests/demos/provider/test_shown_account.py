"""What the program shows on the dashboard: its positions, and whether ticks arrive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dashboard_kit import request
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


@pytest.mark.parametrize(("stale_ticks", "status"), [(2, "stale"), (0, "publishing")])
def test_a_provider_without_ticks_is_stale_after_the_time_that_was_configured(stale_ticks, status, tmp_path: Path):
    state = str(tmp_path / "provider.sqlite")
    stage = Stage("provider", Port=-1, state=state, stale_ticks=stale_ticks)
    stage.chart.module.Port = 0
    found = []

    def script() -> Script:
        for _ in range(5):
            yield
        dashboard = stage.program.service._shared.dashboard
        found.append(dashboard.answer(request("/healthz"), "203.0.113.7", stage.clock.utc_ms()).body)

    assert stage.play(script()) == 0
    assert json.loads(found[0])["status"] == status
