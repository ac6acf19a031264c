"""The pace of acknowledgements is within the limits of the provider, also when they arrive late and together."""

from __future__ import annotations

import pytest

from demos.copier.ack_pace import AT_ONCE, COUNTED, PER_SECOND, AckPace
from demos.provider.clients import _LOGIN_LIMITS, _WEBSOCKET_LIMITS
from demos.provider.protocol import MOST_FROM_CLIENT


def sent_at(characters: int, seconds: int) -> list[int]:
    """When messages of this size are sent by a copier that has news each millisecond."""
    pace, times = AckPace(0), []
    for now in range(seconds * 1000):
        if pace.allows(now):
            pace.sent(characters)
            times.append(now)
    return times


@pytest.mark.parametrize("characters", [100, 5000, 100_000, MOST_FROM_CLIENT])
@pytest.mark.parametrize("late_ms", [0, 1000, 4000])
def test_a_provider_accepts_every_acknowledgement_also_when_those_of_four_seconds_arrive_together(characters, late_ms):
    limits, cost = _WEBSOCKET_LIMITS, 1 + characters // COUNTED
    # A login is sent before.
    left, at = limits.burst - (1 + _LOGIN_LIMITS.message // COUNTED), 0
    for time in sent_at(characters, 60):
        arrival = time if not late_ms else (time // late_ms + 1) * late_ms
        left = min(left + (arrival - at) * limits.frames_per_second // 1000, limits.burst) - cost
        at = arrival
        assert left >= 0


def test_small_acknowledgements_are_sent_at_once_and_large_ones_are_left_out():
    assert sent_at(900, 1)[:AT_ONCE] == list(range(AT_ONCE))
    assert len(sent_at(900, 10)) == pytest.approx(AT_ONCE + 10 * PER_SECOND, abs=2)
    first, second, *_ = sent_at(MOST_FROM_CLIENT, 60)
    assert (first, second) == (0, (1 + MOST_FROM_CLIENT // COUNTED - AT_ONCE) * 1000 // PER_SECOND + 1)
