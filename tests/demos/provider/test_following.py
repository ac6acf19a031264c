"""Which states a follower returns, and what stops it or makes it ask, wait and reconnect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from provider_kit import HEARTBEAT_MS, Killed, MemoryStore

from demos.provider.following import Follower
from demos.provider.messages import (
    Account,
    AccountKind,
    Ack,
    Error,
    Heartbeat,
    Hello,
    Known,
    Login,
    Position,
    Resync,
    Snapshot,
    Update,
    Welcome,
)
from demos.provider.states import net_lots
from demos.provider.steps import Kind, Status, Step

RUN, OTHER_RUN = "a" * 32, "b" * 32
STREAM, OTHER = f"{RUN}-{'0' * 16}", f"{OTHER_RUN}-{'0' * 16}"
SAME_RUN = f"{RUN}-{'1' * 16}"
USD = Account("USD")


def lots(volume: int, symbol: str = "EURUSD", ticket: int | None = None) -> Position:
    return Position(symbol, Decimal(volume), Decimal(1), Decimal(100_000), 1, ticket=ticket)


def snapshot(seq: int, *positions: Position, time: int = 0, stream: str = STREAM) -> Snapshot:
    return Snapshot(stream, seq, time or 1000 * seq, USD, positions)


def update(previous: int, seq: int, *positions: Position, time: int = 0) -> Update:
    return Update(STREAM, seq, previous, time or 1000 * seq, USD, positions)


def connect(follower: Follower, seq: int, *, stream: str = STREAM, time: int = 100_000, now: int = 0) -> Step:
    follower.connected(now)
    follower.receive(Hello(1, "p", stream[:32], HEARTBEAT_MS, time), now)
    follower.login(Login(1, "customer", token="t"), now)
    return follower.receive(Welcome("customer", AccountKind("USD", False), stream, seq, time), now)


def following(*, seq: int = 5, volume: int = 1) -> tuple[Follower, MemoryStore]:
    """A follower that has returned this state."""
    store = MemoryStore()
    follower = Follower(store)
    assert connect(follower, seq) == Step()
    assert follower.receive(snapshot(seq, lots(volume)), 0).state is not None
    return follower, store


def kinds(step: Step) -> list[Kind]:
    return [alarm.kind for alarm in step.alarms]


def assert_stopped(follower: Follower, store: MemoryStore, step: Step, kind: Kind) -> None:
    """Stopped for this reason, also after a restart, until the operator resumes."""
    assert step.state is None
    assert kinds(step)[0] is kind
    assert step.disconnect
    for each in (follower, Follower(store)):
        assert each.status is Status.STOPPED
        assert each.stopped.startswith(kind.value)
        assert connect(each, 99) == Step()
        assert each.receive(snapshot(99, lots(9)), 0) == Step()
        assert each.check(10**9) == Step()
    follower.resume()
    connect(follower, 1)
    assert follower.receive(snapshot(1, lots(3)), 0).state is not None
    assert follower.status is Status.LIVE


def test_a_state_is_returned_once_and_acknowledged() -> None:
    follower, _ = following()
    assert follower.status is Status.LIVE
    assert follower.receive(snapshot(5, lots(1)), 0) == Step()
    assert follower.acknowledge({"EURUSD": Decimal(1)}) == Ack(STREAM, 5, {"EURUSD": Decimal(1)})


def test_nothing_is_acknowledged_before_the_first_state_of_a_connection() -> None:
    follower, _ = following()
    connect(follower, 5)
    assert follower.status is Status.WAITING
    assert follower.acknowledge({}) is None


def test_a_login_names_the_known_state_also_after_a_restart() -> None:
    login = Login(1, "customer", token="t")
    assert Follower(MemoryStore()).login(login, 0).known is None
    _, store = following()
    assert Follower(store).login(login, 0).known == Known(STREAM, 5)


@pytest.mark.parametrize("previous", [3, 5])
def test_an_update_replaces_the_positions_of_its_symbols(previous: int) -> None:
    follower, _ = following()
    step = follower.receive(update(previous, 6, lots(-2, "GBPUSD")), 0)
    assert step.state is not None
    assert net_lots(step.state) == {"EURUSD": 1, "GBPUSD": -2}
    step = follower.receive(update(6, 7, lots(0)), 0)
    assert step.state == snapshot(7, lots(-2, "GBPUSD"))


def test_an_update_of_a_hedging_account_replaces_all_tickets_of_its_symbols() -> None:
    follower = Follower(MemoryStore())
    connect(follower, 1)
    follower.receive(snapshot(1, lots(1, ticket=1), lots(-2, ticket=2), lots(5, "GBPUSD", 3)), 0)
    step = follower.receive(update(1, 2, lots(-2, ticket=2), lots(4, ticket=9)), 0)
    assert step.state is not None
    assert [(each.ticket, each.lots) for each in step.state.positions] == [(2, -2), (9, 4), (3, 5)]
    assert net_lots(step.state) == {"EURUSD": 2, "GBPUSD": 5}
    step = follower.receive(update(2, 3, lots(0)), 0)
    assert step.state is not None
    assert net_lots(step.state) == {"GBPUSD": 5}


@pytest.mark.parametrize("message", [update(6, 7, lots(2)), Heartbeat(STREAM, 6, 101_000)])
def test_a_missed_state_is_asked_for_until_a_snapshot_arrives(message: Any) -> None:
    follower, _ = following()
    step = follower.receive(message, 1000)
    assert (step.state, step.send, kinds(step)) == (None, [Resync()], [Kind.GAP])
    assert follower.status is Status.WAITING
    step = follower.receive(Heartbeat(STREAM, message.seq, 102_000), 2000)
    assert (step.send, kinds(step)) == ([Resync()], [])
    assert follower.receive(snapshot(message.seq, lots(2)), 0).state is not None
    assert follower.status is Status.LIVE


def test_a_lost_first_snapshot_is_noticed_by_the_heartbeat() -> None:
    follower = Follower(MemoryStore())
    connect(follower, 1)
    assert follower.receive(Heartbeat(STREAM, 1, 101_000), 0).send == [Resync()]


@pytest.mark.parametrize(
    "message",
    [snapshot(4, lots(9)), update(3, 4, lots(9)), Heartbeat(STREAM, 4, 4900), snapshot(4, lots(9), time=5000)],
)
def test_a_late_or_repeated_message_is_ignored(message: Any) -> None:
    follower, _ = following()
    assert follower.receive(message, 0) == Step()
    assert follower.status is Status.LIVE


@pytest.mark.parametrize(
    "message", [snapshot(4, lots(9), time=5001), update(3, 4, lots(9), time=5001), Heartbeat(STREAM, 4, 5001)]
)
def test_a_lower_seq_at_a_later_time_stops(message: Any) -> None:
    follower, store = following()
    assert_stopped(follower, store, follower.receive(message, 0), Kind.FALL)


def test_a_welcome_with_a_lower_seq_than_the_known_one_stops_also_after_a_kill() -> None:
    _, store = following()
    follower = Follower(store)
    assert_stopped(follower, store, connect(follower, 4), Kind.FALL)


@pytest.mark.parametrize("message", [snapshot(5, lots(2)), update(4, 5, lots(2)), snapshot(5, lots(1), time=4999)])
def test_two_different_states_under_one_seq_stop(message: Any) -> None:
    follower, store = following()
    assert_stopped(follower, store, follower.receive(message, 0), Kind.CONFLICT)


def test_a_different_state_under_the_known_seq_stops_after_a_restart() -> None:
    _, store = following()
    follower = Follower(store)
    connect(follower, 5)
    assert_stopped(follower, store, follower.receive(snapshot(5, lots(2)), 0), Kind.CONFLICT)


def test_the_order_of_positions_and_the_zeros_of_numbers_make_no_different_state() -> None:
    follower = Follower(MemoryStore())
    connect(follower, 1)
    a, b = lots(1), Position("GBPUSD", Decimal("0.10"), Decimal("1.50"), Decimal("1E+5"), 1)
    assert follower.receive(snapshot(1, a, b), 0).state is not None
    b = Position("GBPUSD", Decimal("0.1"), Decimal("1.5"), Decimal(100_000), 1)
    assert follower.receive(snapshot(1, b, a), 0) == Step()


def test_a_run_that_returns_after_another_one_stops() -> None:
    follower, store = following()
    connect(follower, 1, stream=OTHER)
    assert follower.receive(snapshot(1, lots(1), stream=OTHER, time=200_000), 0).state is not None
    assert_stopped(follower, store, connect(follower, 50), Kind.RETURNED)


def test_another_stream_of_the_same_run_may_return() -> None:
    follower, _ = following()
    connect(follower, 1, stream=SAME_RUN)
    assert follower.receive(snapshot(1, lots(1), stream=SAME_RUN, time=200_000), 0).state is not None
    assert connect(follower, 5, time=201_000) == Step()
    assert follower.receive(snapshot(5, lots(1)), 0).state is not None


def test_the_first_state_of_another_stream_waits_until_its_time_is_not_older() -> None:
    follower, _ = following()
    assert follower.receive(Heartbeat(STREAM, 5, 150_000), 50_000) == Step()
    step = connect(follower, 1, stream=OTHER, time=140_000, now=60_000)
    assert kinds(step) == [Kind.CLOCK]
    step = follower.receive(snapshot(1, lots(7), stream=OTHER, time=139_000), 60_000)
    assert (step.state, kinds(step)) == (None, [Kind.OLDER])
    assert follower.status is Status.WAITING
    assert follower.receive(Heartbeat(OTHER, 1, 149_999), 69_999) == Step()
    step = follower.receive(Heartbeat(OTHER, 1, 150_000), 70_000)
    assert step.state == snapshot(1, lots(7), stream=OTHER, time=139_000)
    assert follower.status is Status.LIVE


def test_the_time_of_the_last_accepted_state_counts_after_a_restart() -> None:
    _, store = following()
    follower = Follower(store)
    connect(follower, 1, stream=OTHER, time=90_000)
    step = follower.receive(snapshot(1, lots(7), stream=OTHER, time=80_000), 0)
    assert (step.state, kinds(step)) == (None, [Kind.OLDER])


def test_a_quiet_server_is_live_and_a_silent_one_is_stale_and_is_left() -> None:
    follower, _ = following()
    for now in range(HEARTBEAT_MS, 10 * HEARTBEAT_MS, HEARTBEAT_MS):
        assert follower.receive(Heartbeat(STREAM, 5, 100_000 + now), now) == Step()
        assert follower.check(now) == Step()
    last = 9 * HEARTBEAT_MS
    assert follower.check(last + 3 * HEARTBEAT_MS) == Step()
    step = follower.check(last + 3 * HEARTBEAT_MS + 1)
    assert kinds(step) == [Kind.STALE]
    assert step.disconnect
    assert follower.status is Status.STALE
    assert follower.check(10**6) == Step()


@pytest.mark.parametrize("message", [Heartbeat(STREAM, 5, 101_000), snapshot(5, lots(1))])
def test_a_repeated_message_does_not_keep_a_silent_server_alive(message: Any) -> None:
    follower, _ = following()
    follower.receive(message, 1)
    follower.receive(message, 10_000)
    assert kinds(follower.check(1 + 3 * HEARTBEAT_MS + 1)) == [Kind.STALE]


def test_a_repeated_hello_neither_ends_the_silence_nor_lengthens_it() -> None:
    follower, _ = following()
    for now in range(1000, 3 * HEARTBEAT_MS, 1000):
        follower.receive(Hello(1, "p", RUN, 600_000, 100_000 + now), now)
    assert follower.heartbeat_ms == HEARTBEAT_MS
    assert kinds(follower.check(3 * HEARTBEAT_MS + 1)) == [Kind.STALE]


def test_the_silence_counts_from_the_confirmed_time_of_the_welcome_and_not_from_the_login() -> None:
    follower = Follower(MemoryStore())
    welcome_with_age(follower, 10_000, now=50_000)
    assert follower.receive(snapshot(5, lots(1)), 50_000).state is not None
    assert follower.status is Status.LIVE
    left = 3 * HEARTBEAT_MS - 10_000
    assert follower.check(50_000 + left) == Step()
    assert kinds(follower.check(50_000 + left + 1)) == [Kind.STALE]


def test_a_state_that_was_confirmed_too_long_ago_is_not_returned() -> None:
    follower = Follower(MemoryStore())
    step = welcome_with_age(follower, 3 * HEARTBEAT_MS + 1, now=50_000)
    assert kinds(step) == [Kind.STALE]
    assert step.disconnect
    assert follower.receive(snapshot(5, lots(1)), 50_000) == Step()
    assert follower.status is Status.STALE


def test_a_new_state_ends_the_silence() -> None:
    follower, _ = following()
    follower.receive(update(5, 6, lots(2), time=101_000), 10_000)
    assert follower.check(10_000 + 3 * HEARTBEAT_MS) == Step()
    assert kinds(follower.check(10_000 + 3 * HEARTBEAT_MS + 1)) == [Kind.STALE]


def welcome_with_age(follower: Follower, age: int, *, now: int) -> Step:
    """Log in at a server whose state with seq 5 was confirmed so long ago."""
    follower.connected(now)
    follower.receive(Hello(1, "p", RUN, HEARTBEAT_MS, 100_000), now)
    follower.login(Login(1, "customer", token="t"), now)
    account = AccountKind("USD", False)
    return follower.receive(Welcome("customer", account, STREAM, 5, 100_000, None, 100_000 - age), now)


def test_a_server_that_never_says_hello_is_left() -> None:
    follower = Follower(MemoryStore())
    follower.connected(0)
    assert kinds(follower.check(20_000)) == [Kind.STALE]


def test_ages_are_upper_bounds_and_unknown_after_a_clock_jumped() -> None:
    follower = Follower(MemoryStore())
    follower.connected(0)
    follower.login(Login(1, "customer", token="t"), 1000)
    follower.receive(Welcome("customer", AccountKind("USD", False), STREAM, 1, 50_000), 1200)
    state = Snapshot(STREAM, 1, 40_000, USD, (Position("A", Decimal(1), Decimal(1), Decimal(1), 45_000), lots(1, "B")))
    assert follower.confirmed_age(1200) is None
    follower.receive(state, 1200)
    assert follower.confirmed_age(1200) == 200
    assert follower.position_age(state.positions[0], 1200) == 5200
    step = follower.receive(Heartbeat(STREAM, 1, 60_000), 1300)
    assert kinds(step) == [Kind.CLOCK]
    assert step.disconnect
    assert follower.confirmed_age(1300) is None
    assert follower.position_age(state.positions[0], 1300) is None


def test_heartbeats_that_stay_late_make_the_follower_measure_the_clocks_again() -> None:
    follower, _ = following()
    steps = [follower.receive(Heartbeat(STREAM, 5, 100_000 + number), 6000 * number) for number in range(1, 4)]
    assert [bool(step.disconnect) for step in steps] == [False, False, True]
    assert kinds(steps[-1]) == [Kind.CLOCK]


def test_a_message_without_or_outside_the_welcomed_stream_breaks_the_protocol() -> None:
    follower = Follower(MemoryStore())
    follower.connected(0)
    step = follower.receive(snapshot(1, lots(1)), 0)
    assert (step.state, kinds(step)) == (None, [Kind.PROTOCOL])
    follower, _ = following()
    step = follower.receive(snapshot(9, lots(1), stream=OTHER), 0)
    assert (step.state, kinds(step)) == (None, [Kind.PROTOCOL])
    assert step.disconnect


def test_an_update_to_more_positions_than_a_message_may_have_breaks_the_protocol() -> None:
    follower = Follower(MemoryStore())
    connect(follower, 1)
    follower.receive(snapshot(1, *(lots(1, f"A{number}") for number in range(1000))), 0)
    step = follower.receive(update(1, 2, lots(1, "B")), 0)
    assert (step.state, kinds(step)) == (None, [Kind.PROTOCOL])


def test_a_fatal_error_of_the_server_ends_the_connection() -> None:
    follower, _ = following()
    step = follower.receive(Error("expired", "the login has expired", True), 0)
    assert kinds(step) == [Kind.ERROR]
    assert step.disconnect == "the server refuses: the login has expired"
    assert not follower.receive(Error("notice", "maintenance at 22:00", False), 0).disconnect


@pytest.mark.parametrize("kill", ["before", "after"])
def test_a_kill_while_a_state_is_stored_leaves_it_to_be_returned_after_the_restart(kill: str) -> None:
    follower, store = following()
    store.kill = kill
    with pytest.raises(Killed):
        follower.receive(update(5, 6, lots(2)), 0)
    follower = Follower(store)
    connect(follower, 6)
    assert follower.receive(snapshot(6, lots(2)), 0).state is not None


@pytest.mark.parametrize(
    "data", [{}, {"version": 2}, {"version": 1, "mark": 3, "newest_time": 0, "runs": []}, {"version": 1, "mark": None}]
)
def test_a_damaged_store_is_refused_instead_of_forgotten(data: dict[str, Any]) -> None:
    store = MemoryStore()
    store.save(data)
    with pytest.raises(ValueError, match=r"the follower's stored state is damaged: .*; remove it to start without it"):
        Follower(store)


def test_messages_are_ignored_when_no_connection_exists() -> None:
    follower, _ = following()
    follower.disconnected()
    assert follower.status is Status.OFFLINE
    assert follower.receive(snapshot(9, lots(9)), 0) == Step()
    assert follower.check(10**9) == Step()
