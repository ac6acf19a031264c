"""The outputs beyond the provider's own ports: each gets the states, the timer events and its sockets."""

from __future__ import annotations

from decimal import Decimal

import pytest
from feed_kit import RecordedFeed, stage_with
from signal_kit import Script, buy

pytestmark = pytest.mark.usefixtures("started")


def test_a_feed_gets_each_trade_each_timer_event_and_the_end():
    feed = RecordedFeed()
    stage = stage_with(feed)

    def script() -> Script:
        yield
        assert feed.timers > 0
        assert not feed.states[-1].holdings
        buy(stage, "0.50")
        yield
        assert [(each.symbol, each.lots) for each in feed.states[-1].holdings] == [("EURUSD", Decimal("0.5"))]
        stage.program.OnSocket(4_000_000, 1)
        assert feed.sockets == [(4_000_000, 1)]
        assert not feed.closed

    assert stage.play(script()) == 0
    assert feed.closed


def test_a_feed_that_cannot_carry_the_state_is_reported_once_and_the_others_go_on():
    broken, sound = RecordedFeed(), RecordedFeed()
    broken.problem = "too many positions"
    stage = stage_with(broken, sound)

    def script() -> Script:
        yield
        yield
        assert len(sound.states) >= 2

    assert stage.play(script()) == 0
    assert stage.stream.getvalue().count("cannot be published") == 1


def test_a_failed_feed_ends_the_provider_with_its_code():
    feed = RecordedFeed()
    stage = stage_with(feed)

    def script() -> Script:
        yield
        feed.failure, feed.code = "another provider publishes at the same place", 4
        yield

    assert stage.play(script()) == 4
    assert "another provider publishes at the same place" in stage.stream.getvalue()
