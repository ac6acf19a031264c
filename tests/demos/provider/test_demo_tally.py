"""What the events of a provider and its copiers add up to: targets, lags and states, in any order of the events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from demos.provider.demo_tally import PROVIDER, DemoTally, targets

FULL, HALF = "full", "half"
MS = 1_000_000


def tally(*events: tuple[str, dict[str, Any]]) -> DemoTally:
    result = DemoTally({FULL: Decimal(1), HALF: Decimal("0.5")})
    for name in (PROVIDER, FULL, HALF):
        result.take(name, {"t": 0, "kind": "started", "symbol": "EURUSD", "position": "0.00"})
    for name, event in events:
        result.take(name, event)
    return result


def deal(name: str, ms: float, position: str, symbol: str = "EURUSD") -> tuple[str, dict[str, Any]]:
    return name, {"t": int(ms * MS), "kind": "deal", "symbol": symbol, "position": position}


def provider(kind: str, login: str = FULL) -> tuple[str, dict[str, Any]]:
    return PROVIDER, {"t": 0, "kind": kind, "login": login}


def copier(kind: str, **fields: object) -> tuple[str, dict[str, Any]]:
    return FULL, {"t": 0, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("lots", "scaled"), [("0.30", "0.15"), ("0.33", "0.16"), ("-0.33", "-0.16"), ("0.01", None), ("-0.01", None)]
)
def test_a_target_is_rounded_toward_zero_and_no_position_when_it_is_zero(lots, scaled):
    expected = {} if scaled is None else {"EURUSD": Decimal(scaled)}
    assert targets({"EURUSD": Decimal(lots)}, Decimal("0.5")) == expected


def test_a_copier_has_its_target_when_its_position_is_the_scaled_one():
    result = tally(deal(PROVIDER, 1, "0.30"), deal(FULL, 2, "0.30"), deal(HALF, 3, "0.30"))
    assert [result.has_target(each) for each in result.copiers.values()] == [True, False]
    result.take(*deal(HALF, 4, "0.15"))
    assert result.has_target(result.copiers[HALF])
    assert (result.trades, result.copiers[HALF].orders) == (1, 2)


def test_a_closed_position_is_no_position():
    result = tally(deal(PROVIDER, 1, "0.30"), deal(PROVIDER, 2, "0.00"))
    assert result.positions[PROVIDER] == {}


EVENTS = [deal(PROVIDER, 10, "0.20"), deal(PROVIDER, 30, "-0.40"), deal(FULL, 12, "0.20"), deal(FULL, 35, "-0.40")]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (2, 0, 1, 3), (2, 3, 0, 1), (2, 0, 3, 1)])
def test_a_lag_is_the_time_from_the_trade_to_its_copy_in_any_order_of_the_events(order):
    assert tally(*(EVENTS[number] for number in order)).lags() == [2, 5]


def test_the_lag_of_one_order_for_several_trades_counts_from_the_earliest():
    trades = [deal(PROVIDER, 10, "0.20"), deal(PROVIDER, 20, "0.40"), deal(PROVIDER, 30, "0.60")]
    assert tally(*trades, deal(FULL, 31, "0.60")).lags() == [21]


def test_trades_that_leave_the_target_as_it_is_do_not_count_for_the_lag():
    result = tally(
        deal(PROVIDER, 10, "0.20"),
        deal(HALF, 11, "0.10"),
        # The first of these changes half of the lots by less than a step, and the second one returns to the target.
        deal(PROVIDER, 20, "0.21"),
        deal(PROVIDER, 30, "0.40"),
        deal(PROVIDER, 40, "0.20"),
        deal(PROVIDER, 50, "0.60"),
        deal(HALF, 53, "0.30"),
    )
    assert result.copiers[HALF].lags == [1, 3]


def test_a_deal_that_copies_no_trade_has_no_lag():
    result = tally(deal(PROVIDER, 10, "0.20"), deal(FULL, 11, "0.50"), deal(FULL, 12, "0.20", "GBPUSD"))
    assert result.lags() == []
    assert not result.has_target(result.copiers[FULL])


@pytest.mark.parametrize(
    ("events", "status", "waits"),
    [
        ([], "connecting", False),
        ([provider("login"), copier("connected")], "connected", False),
        ([copier("connected"), provider("login"), copier("received")], "following", False),
        ([provider("login"), copier("received"), provider("disconnected")], "connecting", False),
        # A new connection may be reported before the end of the old one.
        ([provider("login"), provider("login"), copier("received"), provider("disconnected")], "following", False),
        ([provider("login"), copier("refused", code="paused"), provider("disconnected")], "paused", True),
        ([copier("refused", code="closing")], "closing", False),
        ([copier("refused", code="disabled"), copier("connected")], "connecting", False),
        ([copier("stopped", symbol="", reason="the daily loss")], "stopped", True),
        ([provider("login", "nobody"), provider("disconnected", "nobody")], "connecting", False),
    ],
)
def test_the_state_of_a_copier_follows_from_what_both_sides_report(events, status, waits):
    found = tally(*events).copiers[FULL]
    assert (found.status, found.waits) == (status, waits)


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ([copier("refused", code="disabled")], True),
        ([copier("refused", code="failed")], True),
        ([copier("stopped", symbol="", reason="the daily loss")], True),
        ([copier("refused", code="paused")], False),
        ([copier("refused", code="disconnected")], False),
        ([copier("refused", code="disabled"), copier("connected"), provider("login")], False),
    ],
)
def test_a_copier_has_ended_when_only_a_change_lets_it_copy_again(events, ended):
    assert tally(*events).copiers[FULL].has_ended is ended


def test_a_provider_that_starts_again_has_no_connections():
    result = tally(provider("login"), copier("received"))
    result.take(PROVIDER, {"t": 1, "kind": "started", "symbol": "EURUSD", "position": "0.00"})
    assert result.copiers[FULL].status == "connecting"


def test_it_is_settled_when_the_provider_pauses_and_each_copier_has_its_target_or_waits():
    pause = (PROVIDER, {"t": 0, "kind": "paused", "paused": True})
    result = tally(deal(PROVIDER, 1, "0.20"), deal(HALF, 2, "0.10"))
    assert not result.settled()
    result.take(*pause)
    assert not result.settled()
    result.take(*copier("refused", code="disabled"))
    assert result.settled()
    result.take(*copier("connected"))
    assert not result.settled()
    result.take(*deal(FULL, 3, "0.20"))
    assert result.settled()
