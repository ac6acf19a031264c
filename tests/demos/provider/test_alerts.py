"""When an alert is sent: once for each condition, with a message at its end, and within limits."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from dashboard_kit import NOW, made, server_row, subscriber

from demos.provider.alert_processes import LONGEST_MS, MOST_PROCESSES
from demos.provider.alerts import Alert, AlertLimits, Alerts
from demos.provider.attempts import Ban
from demos.provider.overview import MOST_SUBSCRIBERS, Overview

NOTES = Path(__file__).resolve().parents[3] / "notes/dashboard.md"
LIMITS = AlertLimits()
HELD = {"EURUSD": Decimal("0.1")}
WANTED = {"EURUSD": Decimal("0.2")}


@pytest.fixture
def alerts() -> Alerts:
    """The message about the start has been sent."""
    result = Alerts()
    result.update(made(), NOW)
    return result


def update(alerts: Alerts, after: int, **parts: object) -> list[Alert]:
    return alerts.update(made(NOW + after, **parts), NOW + after)  # type: ignore[arg-type]


def drifting(login: str = "anna", number: int = 1) -> dict[str, object]:
    return {"subscribers": [subscriber(number, login, held=HELD, wanted=WANTED)]}


def banned(*logins: str | None, until: float = NOW / 1000 + 3600) -> dict[str, object]:
    return {"bans": [Ban(login, "192.0.2.1", NOW / 1000, until, 1) for login in logins]}


def old_account(after: int) -> Overview:
    return {**made(NOW + after), "account_read": NOW - 60_000}


def summary(found: list[Alert]) -> list[tuple[str, str, str]]:
    return [(alert.kind, alert.state, alert.subject) for alert in found]


def test_the_start_of_the_program_is_one_message():
    alerts = Alerts()
    [alert] = alerts.update(made(), NOW)
    assert summary([alert]) == [("restart", "raised", "")]
    assert "version 0.9.0" in alert.text
    assert update(alerts, 1000) == []


def test_a_message_is_one_line_of_json(alerts):
    [alert] = update(alerts, 0, **banned("anna"))
    assert json.loads(alert.json()) == {
        "kind": "ban",
        "state": "raised",
        "subject": "anna from 192.0.2.1",
        "text": "anna from 192.0.2.1 is banned for 1 h because of wrong passwords",
        "server": "Example provider",
        "time": NOW,
    }
    assert "\n" not in alert.json()
    assert f"```json\n{alert.json()}\n```" in NOTES.read_text(encoding="utf-8")


def test_the_notes_have_the_limits():
    text = " ".join(NOTES.read_text(encoding="utf-8").split())
    assert f"a subscriber has drifted for {LIMITS.drift_ms // 1000} s" in text
    assert f"has not acknowledged the newest state for {LIMITS.lag_ms // 1000} s" in text
    assert f"within {LIMITS.repeat_ms // 60_000} minutes" in text
    assert f"At most {LIMITS.per_minute} messages of each kind" in text
    assert f"at most {MOST_PROCESSES} at a time, each for at most {LONGEST_MS // 1000} s" in text
    assert f"At most {MOST_SUBSCRIBERS} subscribers are listed" in text


def test_a_subscriber_that_drifts_for_long_enough_is_one_message_and_its_end_another(alerts):
    assert update(alerts, 0, **drifting()) == []
    assert update(alerts, LIMITS.drift_ms - 1, **drifting()) == []
    [alert] = update(alerts, LIMITS.drift_ms, **drifting())
    assert summary([alert]) == [("drift", "raised", "anna from 203.0.113.7")]
    assert alert.text == "anna from 203.0.113.7 holds 0.1 EURUSD and wants 0.2"
    assert update(alerts, LIMITS.drift_ms + 1000, **drifting()) == []
    [ended] = update(alerts, LIMITS.drift_ms + 2000)
    assert summary([ended]) == [("drift", "ended", "anna from 203.0.113.7")]
    assert ended.text == f"ended: {alert.text}"
    assert update(alerts, LIMITS.drift_ms + 3000) == []


def test_a_drift_that_ends_meanwhile_begins_anew(alerts):
    update(alerts, 0, **drifting())
    update(alerts, 30_000)
    assert update(alerts, LIMITS.drift_ms, **drifting()) == []
    assert update(alerts, 2 * LIMITS.drift_ms - 1, **drifting()) == []
    assert len(update(alerts, 2 * LIMITS.drift_ms, **drifting())) == 1


@pytest.mark.parametrize(("count", "end"), [(5, "wants 0"), (6, "and 1 more symbol"), (7, "and 2 more symbols")])
def test_a_drift_in_many_symbols_shows_some_and_counts_the_others(alerts, count, end):
    row = subscriber(held={f"S{number}": Decimal(1) for number in range(count)}, wanted={})
    update(alerts, 0, subscribers=[row])
    [alert] = update(alerts, LIMITS.drift_ms, subscribers=[row])
    assert alert.text.endswith(end)


def test_a_reconnect_does_not_hide_a_drift(alerts):
    update(alerts, 0, **drifting(number=1))
    assert len(update(alerts, LIMITS.drift_ms, **drifting(number=2))) == 1


def test_a_provider_that_is_stale_is_a_message_and_its_recovery_too(alerts):
    [alert] = alerts.update(old_account(1000), NOW + 1000)
    assert summary([alert]) == [("stale", "raised", "")]
    assert "the account has not been read" in alert.text
    assert alerts.update(old_account(2000), NOW + 2000) == []
    assert summary(update(alerts, 3000)) == [("stale", "ended", "")]


def test_a_provider_that_cannot_check_logins_for_long_is_a_message(alerts):
    limited = server_row(checks_logins=False)
    assert update(alerts, 0, server=limited) == []
    [alert] = update(alerts, LIMITS.limited_ms, server=limited)
    assert (alert.kind, alert.state) == ("limited", "raised")
    assert "logins cannot be checked" in alert.text


@pytest.mark.parametrize(
    ("acked", "lag", "count"),
    [(41, LIMITS.lag_ms, 1), (41, LIMITS.lag_ms - 1, 0), (42, LIMITS.lag_ms, 0), (41, None, 0)],
)
def test_a_subscriber_that_does_not_acknowledge_for_long_is_stale(alerts, acked, lag, count):
    found = update(alerts, 0, subscribers=[subscriber(acked=acked, lag_ms=lag)])
    assert summary(found) == [("stale", "raised", "anna from 203.0.113.7")] * count


def test_a_subscriber_that_becomes_silent_is_stale_although_its_row_is_old(alerts):
    row = subscriber(acked=41, lag_ms=3, waiting_since=NOW)
    assert update(alerts, LIMITS.lag_ms - 1, subscribers=[row]) == []
    assert summary(update(alerts, LIMITS.lag_ms, subscribers=[row])) == [("stale", "raised", "anna from 203.0.113.7")]


def test_a_ban_is_a_message_and_its_end_too(alerts):
    found = update(alerts, 0, **banned("anna", None, until=NOW / 1000 + 60))
    assert [alert.subject for alert in found] == ["anna from 192.0.2.1", "every login from 192.0.2.1"]
    # The overview is made from rows that may be a little old.
    assert [alert.state for alert in update(alerts, 60_000, **banned("anna", None, until=NOW / 1000 + 60))] == [
        "ended"
    ] * 2


def test_a_condition_that_comes_and_goes_is_not_raised_again_at_once(alerts):
    assert len(update(alerts, 0, **banned("anna"))) == 1
    assert len(update(alerts, 1000)) == 1
    assert update(alerts, 2000, **banned("anna")) == []
    assert update(alerts, 3000) == []
    assert update(alerts, LIMITS.repeat_ms - 1, **banned("anna")) == []
    assert summary(update(alerts, LIMITS.repeat_ms, **banned("anna"))) == [("ban", "raised", "anna from 192.0.2.1")]


def test_in_a_minute_only_so_many_messages_of_a_kind_are_sent_and_the_others_are_counted(alerts):
    many = [f"login{number}" for number in range(100)]
    assert len(update(alerts, 0, **banned(*many))) == LIMITS.per_minute
    assert update(alerts, 59_999, **banned(*many, "late")) == []
    [alert] = update(alerts, 60_000, **banned(*many, "late", "later"))
    assert alert.subject == "later from 192.0.2.1"
    left_out = 100 - LIMITS.per_minute + 1
    assert alert.text.endswith(f"(and {left_out} other messages of this kind)")


def test_many_messages_of_one_kind_do_not_hide_another_kind(alerts):
    update(alerts, 0, **banned(*(f"login{number}" for number in range(100))))
    stale = {**old_account(1000), "bans": made(**banned(*(f"other{number}" for number in range(100))))["bans"]}
    assert summary(alerts.update(stale, NOW + 1000)) == [("stale", "raised", "")]


def test_the_end_of_what_was_not_sent_is_not_sent(alerts):
    update(alerts, 0, **banned(*(f"login{number}" for number in range(LIMITS.per_minute + 3))))
    found = update(alerts, 120_000)
    assert len(found) == LIMITS.per_minute
    assert {alert.state for alert in found} == {"ended"}


def test_after_the_clock_went_back_alerts_are_sent(alerts):
    assert len(update(alerts, 0, **banned("anna"))) == 1
    update(alerts, 1000)
    assert len(update(alerts, -3_600_000, **banned("anna"))) == 1
    update(alerts, -3_600_000, **drifting())
    assert len(update(alerts, -3_600_000 + LIMITS.drift_ms, **drifting())) == 1


def test_what_is_remembered_is_bounded_by_what_exists(alerts):
    for number in range(200):
        update(alerts, number * 1000, **banned(f"login{number}"))
    update(alerts, 200_000 + LIMITS.repeat_ms)
    assert (alerts._since, alerts._raised, alerts._last) == ({}, {}, {})
