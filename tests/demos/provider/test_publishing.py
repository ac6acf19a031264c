"""Streams, numbers and updates of the provider's side."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_kit import KEY, START, account, holding

from demos.provider.accounts import AccountState, View
from demos.provider.messages import Account, Ack, Heartbeat, Hello, Known, Position, Snapshot, Update, Welcome
from demos.provider.protocol import MOST_POSITIONS, decode_from_server
from demos.provider.publishing import Publisher
from demos.provider.states import difference, digest, in_order, merge
from demos.provider.streams import FIGURES_MS, MOST_IDLE, Subscription

STREAM = f"{'a' * 32}-{'b' * 16}"
ONE = holding("EURUSD", "1")


def received(subscription: Subscription, now: int) -> object:
    text = subscription.next_message(now)
    return None if text is None else decode_from_server(text)


def publisher(state: AccountState) -> Publisher:
    return Publisher(state, START, KEY)


def snapshot_of(subscription: Subscription, now: int = START) -> Snapshot:
    message = received(subscription, now)
    assert isinstance(message, Snapshot)
    return message


def test_a_subscriber_gets_a_snapshot_then_updates_then_heartbeats() -> None:
    provider = publisher(account(ONE))
    subscription = provider.subscribe(View(), START)
    first = snapshot_of(subscription)
    assert first.positions[0].lots == 1
    assert received(subscription, START + 1) is None
    provider.observe(account(holding("EURUSD", "2")), START + 2)
    update = received(subscription, START + 3)
    assert isinstance(update, Update)
    assert (update.previous, update.seq, update.time) == (1, 2, START + 2)
    assert received(subscription, START + 5002) is None
    assert received(subscription, START + 5003) == Heartbeat(first.stream, 2, START + 5003)
    assert received(subscription, START + 5004) is None


def test_every_publisher_has_new_streams_whatever_was_before() -> None:
    streams = {snapshot_of(publisher(account(ONE)).subscribe(View(), START)).stream for _ in range(5)}
    assert len({stream[:32] for stream in streams}) == 5
    assert len({stream[33:] for stream in streams}) == 5


def test_hello_names_the_run_that_begins_each_streams_name() -> None:
    provider = publisher(account(ONE))
    hello = decode_from_server(provider.hello("p", START))
    assert isinstance(hello, Hello)
    for view in (View(), View(frozenset({"EURUSD"}), False)):
        welcome = decode_from_server(provider.subscribe(view, START).welcome("u", START))
        assert isinstance(welcome, Welcome)
        assert welcome.stream.startswith(hello.stream + "-")
        assert welcome.symbols == (None if view.symbols is None else ("EURUSD",))


def test_an_unchanged_account_makes_no_new_state() -> None:
    provider = publisher(account(ONE))
    subscription = provider.subscribe(View(), START)
    snapshot_of(subscription)
    provider.observe(account(ONE), START + 10_000)
    assert isinstance(received(subscription, START + 10_000), Heartbeat)


def test_balance_and_equity_alone_make_a_new_state_once_in_a_while() -> None:
    provider = publisher(account(ONE))
    subscription = provider.subscribe(View(), START)
    snapshot_of(subscription)
    provider.observe(account(ONE, equity="1001"), START + FIGURES_MS - 1)
    assert received(subscription, START + FIGURES_MS - 1) is None
    provider.observe(account(ONE, equity="1002"), START + FIGURES_MS)
    update = received(subscription, START + FIGURES_MS)
    assert isinstance(update, Update)
    assert update.account == Account("USD", Decimal(1000), Decimal(1002))
    assert update.positions == ()


def test_a_positions_time_is_that_of_its_last_change_of_lots_and_0_before_the_run() -> None:
    provider = publisher(account(ONE))
    provider.observe(account(ONE, holding("GBPUSD", "1")), START + 5)
    provider.observe(account(ONE, holding("GBPUSD", "1", price="1.2")), START + 6)
    times = {each.symbol: each.time for each in snapshot_of(provider.subscribe(View(), START + 6), START + 6).positions}
    assert times == {"EURUSD": 0, "GBPUSD": START + 5}
    provider.observe(account(holding("GBPUSD", "1")), START + 7)
    provider.observe(account(ONE, holding("GBPUSD", "2")), START + 8)
    times = {each.symbol: each.time for each in snapshot_of(provider.subscribe(View(), START + 8), START + 8).positions}
    assert times == {"EURUSD": START + 8, "GBPUSD": START + 8}


def test_times_do_not_fall_when_the_clock_is_set_back() -> None:
    provider = publisher(account(ONE))
    assert provider.time(START + 1000) == START + 1000
    assert provider.time(START - 5000) == START + 1000
    assert provider.time(START - 4000) == START + 2000


def test_users_of_the_same_symbols_share_a_stream() -> None:
    provider = publisher(account(ONE))
    views = [View(frozenset({"EURUSD"}), False), View(None, False).narrowed(["EURUSD"])]
    streams = {snapshot_of(provider.subscribe(view, START)).stream for view in views}
    assert len(streams) == 1


def test_a_login_can_only_narrow_what_a_user_sees() -> None:
    allowed = View(frozenset({"EURUSD", "GBPUSD"}), False)
    assert allowed.narrowed(["GBPUSD", "SECRET"]) == View(frozenset({"GBPUSD"}), False)
    assert allowed.narrowed(None) == allowed
    assert allowed.narrowed([]) == View(frozenset(), False)


def test_the_tickets_of_a_restricted_view_hide_the_order_but_survive_a_restart() -> None:
    state = account(*(holding("EURUSD", "1", ticket=ticket) for ticket in range(1, 9)), hedging=True)
    view = View(frozenset({"EURUSD"}), False)
    tickets = [each.ticket for each in snapshot_of(publisher(state).subscribe(view, START)).positions]
    assert tickets == [each.ticket for each in snapshot_of(publisher(state).subscribe(view, START)).positions]
    assert len(set(tickets)) == 8
    assert not set(tickets) & set(range(1, 1000))
    whole = snapshot_of(publisher(state).subscribe(View(), START))
    assert [each.ticket for each in whole.positions] == list(range(1, 9))


def test_a_resync_is_answered_with_one_snapshot_and_not_more_than_one_a_second() -> None:
    subscription = publisher(account(ONE)).subscribe(View(), START)
    first = snapshot_of(subscription)
    subscription.resync()
    assert received(subscription, START + 999) is None
    subscription.resync()
    assert received(subscription, START + 1000) == first
    assert received(subscription, START + 2500) is None


def test_a_newer_state_after_a_resync_is_a_snapshot_at_once() -> None:
    provider = publisher(account(ONE))
    subscription = provider.subscribe(View(), START)
    snapshot_of(subscription)
    subscription.resync()
    provider.observe(account(holding("EURUSD", "2")), START + 1)
    assert snapshot_of(subscription, START + 1).seq == 2
    assert received(subscription, START + 1001) is None


def test_a_claim_or_acknowledgement_of_a_state_that_was_not_sent_is_a_problem() -> None:
    subscription = publisher(account(ONE)).subscribe(View(), START)
    stream = snapshot_of(subscription).stream
    assert subscription.claim_problem(None) is None
    assert subscription.claim_problem(Known(stream, 1)) is None
    assert subscription.claim_problem(Known(STREAM, 100)) is None
    assert "knows seq 2" in (subscription.claim_problem(Known(stream, 2)) or "")
    assert subscription.ack_problem(Ack(stream, 1)) is None
    assert "which was not sent" in (subscription.ack_problem(Ack(stream, 2)) or "")
    assert "another stream" in (subscription.ack_problem(Ack(STREAM, 1)) or "")


def test_feeds_without_subscribers_are_kept_up_to_a_limit() -> None:
    provider = publisher(account(ONE))
    views = [View(frozenset({f"S{number}"}), False) for number in range(MOST_IDLE + 1)]
    streams = []
    for view in views:
        subscription = provider.subscribe(view, START)
        streams.append(snapshot_of(subscription).stream)
        subscription.close()
        subscription.close()
    assert snapshot_of(provider.subscribe(views[-1], START)).stream == streams[-1]
    assert snapshot_of(provider.subscribe(views[0], START)).stream != streams[0]


def test_a_state_that_the_protocol_cannot_carry_is_refused_at_once() -> None:
    provider = publisher(account(ONE))
    for state in (account(ONE, ONE), account(*(holding(f"S{number}", "1") for number in range(MOST_POSITIONS + 1)))):
        with pytest.raises(ValueError, match="positions"):
            provider.observe(state, START + 1)
    assert snapshot_of(provider.subscribe(View(), START + 2)).positions[0].symbol == "EURUSD"


POSITIONS = st.lists(
    st.builds(
        Position,
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from([Decimal(1), Decimal("-0.5")]),
        st.sampled_from([Decimal(1), Decimal(2)]),
        st.just(Decimal(100)),
        st.integers(0, 2),
        ticket=st.integers(1, 3),
    ),
    unique_by=lambda each: (each.symbol, each.ticket),
).map(in_order)


@settings(deadline=None)
@given(states=st.lists(POSITIONS, min_size=3, max_size=3))
def test_an_update_is_correct_after_every_state_from_its_previous_one(states: list[tuple[Position, ...]]) -> None:
    first, second = (
        Snapshot(STREAM, seq, seq, Account("USD"), each) for seq, each in zip((1, 3), states, strict=False)
    )
    update = difference(first, second)
    assert update is not None
    assert digest(merge(first, update)) == digest(second)
    assert merge(second, update) == second
    # A state in between has the symbols of the update in any form, and all others as they are in both.
    changed = {each.symbol for each in update.positions}
    between = in_order(
        [each for each in states[2] if each.symbol in changed]
        + [each for each in states[1] if each.symbol not in changed]
    )
    assert merge(Snapshot(STREAM, 2, 2, Account("USD"), between), update) == second


def test_the_states_of_the_account_are_counted_as_a_subscriber_that_sees_everything_gets_them():
    provider = publisher(account(ONE))
    subscription = provider.subscribe(View(), START)
    assert provider.states == 1
    changes = [
        (account(ONE), 1),
        (account(ONE, equity="1001"), 2),
        (account(ONE, equity="1002"), FIGURES_MS),
        (account(equity="1002"), FIGURES_MS + 1),
        (account(equity="1003"), FIGURES_MS + 2),
    ]
    counts = []
    for state, after in changes:
        provider.observe(state, START + after)
        counts.append(provider.states)
    assert counts == [1, 1, 2, 3, 3]
    assert provider.states == subscription.newest_seq


@pytest.mark.parametrize("hedging", [True, False])
def test_the_time_of_a_position_is_when_the_provider_has_seen_its_lots_change(hedging):
    ticket = 7 if hedging else None
    provider = publisher(account(holding("EURUSD", "1", ticket=ticket), hedging=hedging))
    assert provider.changed_at("EURUSD", 7) == 0
    provider.observe(account(holding("EURUSD", "1", price="1.2", ticket=ticket), hedging=hedging), START + 5)
    assert provider.changed_at("EURUSD", 7) == 0
    provider.observe(account(holding("EURUSD", "2", ticket=ticket), hedging=hedging), START + 6)
    assert provider.changed_at("EURUSD", 7) == START + 6
    assert provider.changed_at("GBPUSD", 7) == 0
