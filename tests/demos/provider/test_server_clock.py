"""The largest age of what the server states, whatever the two clocks say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.provider.server_clock import JUMP_MS, ServerClock

DELAY = st.integers(0, 10_000)


def measured(sent: int, time: int, received: int) -> ServerClock:
    clock = ServerClock()
    clock.login_sent(sent)
    clock.welcomed(time, received)
    return clock


@given(offset=st.integers(-(10**12), 10**12), there=DELAY, back=DELAY, late=DELAY, old=st.integers(0, 10**6))
def test_an_age_is_never_too_small_and_at_most_the_round_trip_too_large(
    offset: int, there: int, back: int, late: int, old: int
) -> None:
    # The server's clock shows ours plus the offset.
    sent = 2 * 10**12
    clock = measured(sent, sent + there + offset, sent + there + back)
    now = sent + 10**7
    assert clock.heard(now - late + offset, now)
    age = clock.age(now - old + offset, now)
    assert age is not None
    assert old <= age <= old + there + back


def test_a_message_from_the_future_makes_ages_unknown() -> None:
    clock = measured(0, 1000, 100)
    assert clock.age(1000, 100) == 100
    assert not clock.heard(1000 + 200 + JUMP_MS, 200)
    assert clock.age(1000, 300) is None


def test_clocks_that_differ_a_little_in_speed_are_followed_and_ages_stay_upper_bounds() -> None:
    clock = measured(0, 1000, 10)
    for now in range(1000, 1_000_000, 1000):
        # The server's clock is 1 ms a second faster.
        server = 1000 + now + now // 1000
        assert clock.heard(server, now)
        age = clock.age(server, now)
        assert age is not None
        assert 0 <= age <= 10


def test_a_server_that_seems_late_makes_ages_larger() -> None:
    clock = measured(0, 1000, 100)
    assert clock.heard(1000, 10_000)
    assert clock.lag == 10_000
    assert clock.age(1000, 10_000) == 10_000


@pytest.mark.parametrize("clock", [ServerClock(), measured(0, 5, 1)])
def test_the_age_of_something_before_the_provider_started_is_unknown(clock: ServerClock) -> None:
    assert clock.age(0, 50) is None
