"""The metrics, read by prometheus-client's own parser."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from dashboard_kit import NOW, example, made, position, server_row, subscriber
from prometheus_client.parser import text_string_to_metric_families

from demos.provider.health import HealthLimits, health_of
from demos.provider.metrics import metrics_text
from demos.provider.overview import Counters, Overview

NOTES = Path(__file__).resolve().parents[3] / "notes/dashboard.md"


def samples(overview: Overview | None, now: int = NOW) -> dict[tuple[str, ...], float]:
    """The values by the metric's name and the values of its labels."""
    text = metrics_text(overview, health_of(overview, now, HealthLimits())).decode()
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name.removeprefix("provider_"), *sample.labels.values())
            assert key not in found
            assert sample.name.startswith("provider_")
            found[key] = sample.value
    return found


def test_the_metrics_have_the_values_of_the_overview():
    found = samples(example())
    expected = {
        ("healthy",): 1,
        ("paused",): 0,
        ("bans",): 3,
        ("subscribers",): 8,
        ("subscribers_drifting",): 1,
        ("unsent_bytes",): 18_240,
        ("account_balance", "USD"): 10_000,
        ("account_equity", "USD"): 10_012.5,
        ("position_lots", "GBPUSD"): -0.25,
        ("position_profit", "USDJPY"): 418.06,
        ("logins_total",): 31,
        ("refusals_total",): 7,
        ("disconnects_total",): 12,
        ("states_total",): 1204,
        ("overview_time_seconds",): NOW / 1000,
        ("account_read_time_seconds",): NOW / 1000,
        ("start_time_seconds",): NOW / 1000 - 7500,
    }
    assert {key: found[key] for key in expected} == expected


def test_positions_of_one_symbol_are_added():
    found = samples(
        made(positions=[position(lots="0.1", ticket=1), position(lots="-0.3", profit=Decimal(-2), ticket=2)])
    )
    assert (found["position_lots", "EURUSD"], found["position_profit", "EURUSD"]) == (-0.2, 10.5)


def test_a_metric_without_a_value_is_missing():
    found = samples(made())
    assert ("lag_median_seconds",) not in found
    assert ("tick_time_seconds",) not in found
    found = samples(made(server=server_row(last_tick=NOW - 500), subscribers=[subscriber(lag_ms=1500)]))
    assert (found["lag_median_seconds",], found["lag_max_seconds",]) == (1.5, 1.5)
    assert found["tick_time_seconds",] == NOW / 1000 - 0.5


def test_no_metric_names_a_login_or_an_address():
    text = metrics_text(example(), health_of(example(), NOW, HealthLimits())).decode()
    assert "anna" not in text
    assert "203.0.113" not in text


def test_names_with_special_characters_are_escaped():
    found = samples(made(positions=[position('a"b\\c\nd')], server=server_row(server='x"} 1\n# evil')))
    assert ("position_lots", 'a"b\\c\nd') in found


def test_counters_rise_beyond_32_bits():
    assert samples(made(counters=Counters(bytes=2**40)))["bytes_total",] == 2**40


def test_before_the_first_overview_there_is_only_the_health():
    assert samples(None) == {("healthy",): 0}
    assert samples(made(server=server_row(paused=True)))["healthy",] == 0


def test_the_notes_have_every_metric_and_no_other():
    rows = re.findall(r"^\| (`provider_.*?) \|", NOTES.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`provider_(\w+)`", row)}
    everything = {**example(), "last_tick": NOW}
    assert named == {key[0] for key in samples(everything)}
