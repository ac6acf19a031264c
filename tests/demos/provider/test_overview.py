"""The overview, its histories and the health that is derived from it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from dashboard_kit import NOW, example, made, position, server_row, subscriber

from demos.provider.attempts import Ban
from demos.provider.health import HealthLimits, health_of
from demos.provider.histories import KEPT_MS, MOST_POINTS, History
from demos.provider.overview import (
    LONGEST_LINE,
    MOST_BANS,
    MOST_LOG_LINES,
    MOST_SUBSCRIBERS,
    MOST_SYMBOLS,
    Counters,
    LogLine,
    drift_of,
)


def lots(**values: str) -> dict[str, Decimal]:
    return {symbol: Decimal(value) for symbol, value in values.items()}


def test_the_overview_is_json_with_decimal_numbers_as_text():
    overview = example()
    assert json.loads(json.dumps(overview)) == overview
    assert overview["account"] == {"currency": "USD", "balance": "10000", "equity": "10012.5", "hedging": False}
    assert overview["positions"][0] == {
        "symbol": "EURUSD",
        "lots": "0.5",
        "price": "1.08125",
        "sl": "1.07",
        "tp": "1.095",
        "profit": "12.5",
        "time": NOW - 240_000,
        "ticket": None,
    }
    assert overview["subscribers"][1]["held"]["GBPUSD"] == "-0.25"
    assert overview["bans"][0] == {"address": "198.51.100.9", "login": None, "until": NOW / 1000 + 240, "level": 2}


@pytest.mark.parametrize(
    ("price", "digits", "text"),
    [
        ("1.0986333333333334", 5, "1.0986333"),
        ("1.0986999999999999", 5, "1.09870"),
        ("1.1", 5, "1.10000"),
        ("1.100005", 5, "1.100005"),
        ("151.237", 3, "151.237"),
        ("2318", 0, "2318"),
        ("2318.5", 0, "2318.5"),
        ("2320", 0, "2320"),
        ("1.0986333333333334", None, "1.0986333333333334"),
    ],
)
def test_a_price_has_the_digits_of_its_symbol_and_an_average_up_to_two_more(price, digits, text):
    [row] = made(positions=[position(price=Decimal(price), tp=Decimal(price), digits=digits)])["positions"]
    assert (row["price"], row["sl"], row["tp"]) == (text, None, text)


@pytest.mark.parametrize(
    ("held", "wanted", "drift"),
    [
        (lots(EURUSD="0.1"), lots(EURUSD="0.1"), []),
        (lots(EURUSD="0.1"), lots(EURUSD="0.10"), []),
        (lots(EURUSD="0.1"), lots(EURUSD="0.2"), ["EURUSD"]),
        (lots(EURUSD="0.1"), lots(EURUSD="-0.1"), ["EURUSD"]),
        (lots(EURUSD="0.1"), {}, ["EURUSD"]),
        ({}, lots(GBPUSD="0.1", EURUSD="0.1"), ["EURUSD", "GBPUSD"]),
        (lots(EURUSD="0"), {}, []),
        ({}, lots(EURUSD="0"), []),
        (lots(EURUSD="0.1"), None, []),
    ],
)
def test_a_subscriber_drifts_in_symbols_where_it_holds_something_else_than_it_wants(held, wanted, drift):
    assert drift_of(held, wanted) == drift
    row = made(subscribers=[subscriber(held=held, wanted=wanted)])["subscribers"][0]
    assert row["drift"] == drift
    assert (row["wanted"] is None) == (wanted is None)


def test_totals_count_all_subscribers_and_bans():
    rows = [subscriber(number, lag_ms=lag, unsent=5) for number, lag in enumerate([3, None, 9, 1, 700])]
    rows[0] = rows[0]._replace(wanted={})
    overview = made(subscribers=rows, bans=[Ban(None, "192.0.2.1", 0, 1, 1)] * (MOST_BANS + 1))
    expected = {"subscribers": 5, "drifting": 1, "lag_ms": 3, "lag_max_ms": 700, "unsent": 25, "bans": MOST_BANS + 1}
    assert overview["totals"] == expected
    assert made()["totals"] == {
        "subscribers": 0, "drifting": 0, "lag_ms": None, "lag_max_ms": None, "unsent": 0, "bans": 0
    }  # fmt: skip


def test_the_lag_of_a_subscriber_grows_while_a_state_waits_for_its_acknowledgement():
    late = subscriber(1, lag_ms=3, waiting_since=NOW - 40_000)
    for after in (0, 5_000):
        found = made(NOW + after, subscribers=[late, subscriber(2, lag_ms=7)])
        assert [row["lag_ms"] for row in found["subscribers"]] == [40_000 + after, 7]
        assert found["totals"]["lag_max_ms"] == 40_000 + after
    assert made(NOW - 50_000, subscribers=[late])["totals"]["lag_max_ms"] == 0


def test_of_too_many_subscribers_those_that_drift_and_then_those_that_lag_are_listed():
    rows = [subscriber(number, lag_ms=number % 100) for number in range(MOST_SUBSCRIBERS + 100)]
    rows[7] = rows[7]._replace(wanted={}, lag_ms=0)
    rows[8] = rows[8]._replace(lag_ms=5000)
    overview = made(subscribers=rows)
    listed = overview["subscribers"]
    assert [row["id"] for row in listed[:2]] == [7, 8]
    assert len(listed) == MOST_SUBSCRIBERS
    assert overview["totals"]["subscribers"] == MOST_SUBSCRIBERS + 100


def test_the_overview_is_bounded():
    many = {f"S{number:03}": Decimal(number) for number in range(1, 500)}
    row = subscriber(held=many, wanted={**many, "S400": Decimal(0)})
    bans = [Ban("anna", f"192.0.2.{number}", 0, 1, 1) for number in range(MOST_BANS + 5)]
    log = [LogLine(number, "info", "x" * 10_000) for number in range(MOST_LOG_LINES + 5)]
    overview = made(subscribers=[row], bans=bans, log=log)
    shown = overview["subscribers"][0]
    assert shown["drift"] == ["S400"]
    assert next(iter(shown["held"])) == "S400"
    assert len(shown["held"]) == len(shown["wanted"]) == MOST_SYMBOLS
    assert len(overview["bans"]) == MOST_BANS
    assert [line["time"] for line in overview["log"]] == list(range(5, MOST_LOG_LINES + 5))
    assert {len(line["text"]) for line in overview["log"]} == {LONGEST_LINE}


# ---- histories


def test_a_point_has_the_rates_since_the_overview_before():
    history = History()
    history.add(made(NOW, counters=Counters(10, 100, 5000)))
    assert history.points == ()
    later = made(NOW + 2000, counters=Counters(11, 130, 5500), subscribers=[subscriber(lag_ms=7)])
    history.add(later)
    expected = {"states": 0.5, "messages": 15.0, "bytes": 250.0, "lag_ms": 7, "lag_max_ms": 7, "subscribers": 1}
    assert history.points == ({"time": NOW + 2000, **expected},)


def test_points_are_kept_for_five_minutes():
    history = History()
    for second in range(400):
        history.add(made(NOW + second * 1000))
    assert len(history.points) == KEPT_MS / 1000
    assert history.points[-1]["time"] == NOW + 399_000


def test_the_number_of_points_is_bounded():
    history = History()
    for number in range(2 * MOST_POINTS):
        history.add(made(NOW + number))
    assert len(history.points) == MOST_POINTS


def test_there_is_no_point_after_the_counters_or_the_clock_have_fallen():
    history = History()
    for time, messages in ((0, 5), (1000, 9), (2000, 3), (3000, 4), (2500, 6), (3500, 7)):
        history.add(made(NOW + time, counters=Counters(messages=messages)))
    assert [point["time"] - NOW for point in history.points] == [1000, 3500]


# ---- health


@pytest.mark.parametrize(
    ("server", "after", "limits", "status"),
    [
        (server_row(), 0, HealthLimits(), "publishing"),
        (server_row(), 5000, HealthLimits(), "publishing"),
        (server_row(), 5001, HealthLimits(), "stale"),
        (server_row(), 5001, HealthLimits(overview_ms=0), "publishing"),
        (server_row(), 10_001, HealthLimits(overview_ms=0), "stale"),
        (server_row(paused=True), 0, HealthLimits(), "paused"),
        (server_row(paused=True), 5001, HealthLimits(), "stale"),
        (server_row(last_tick=NOW - 86_400_000), 0, HealthLimits(), "publishing"),
        (server_row(last_tick=NOW - 60_001), 0, HealthLimits(tick_ms=60_000), "stale"),
        (server_row(last_tick=NOW - 60_000), 0, HealthLimits(tick_ms=60_000), "publishing"),
        (server_row(last_tick=None, started=NOW - 60_001), 0, HealthLimits(tick_ms=60_000), "stale"),
        (server_row(last_tick=None, started=NOW), 0, HealthLimits(tick_ms=60_000), "publishing"),
    ],
)
def test_the_provider_is_healthy_while_it_publishes_and_nothing_is_old(server, after, limits, status):
    health = health_of(made(NOW, server), NOW + after, limits)
    assert health.status == status
    assert health.healthy == (status == "publishing")
    assert health.reason


def test_an_account_that_is_not_read_any_more_is_stale():
    overview = {**made(), "account_read": NOW - 10_001}
    health = health_of(overview, NOW, HealthLimits())
    assert health == ("stale", "the account has not been read from the terminal for more than 10 s")
    assert health_of({**overview, "account_read": None, "started": NOW}, NOW, HealthLimits()).healthy


def test_without_an_overview_the_provider_is_starting():
    assert health_of(None, NOW, HealthLimits()).status == "starting"


def test_a_position_of_a_hedging_account_has_its_ticket():
    assert [row["ticket"] for row in made(positions=[position(ticket=5), position(ticket=6)])["positions"]] == [5, 6]
