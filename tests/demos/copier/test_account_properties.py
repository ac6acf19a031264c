"""What holds for the account rules in every history of trades, prices, silence, restarts and an owner's trades."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from account_kit import OWN, SYMBOL, Copying, own_symbol
from hypothesis import given
from hypothesis import strategies as st

from demos.copier.account_rules import allowed_lots, decide
from demos.copier.account_values import ENDS, JOINS, SCALES, STALES, AccountOptions
from demos.copier.rejections import order_executed, order_rejected
from demos.provider.steps import Status

_lots = st.decimals("-3", "3", places=2).map(str)
_prices = st.decimals("1.09950", "1.10050", places=5).map(str)
_options = st.builds(
    AccountOptions,
    scale=st.sampled_from(SCALES),
    factor=st.sampled_from([Decimal("0.33"), Decimal(1), Decimal(2)]),
    reverse=st.booleans(),
    join=st.sampled_from(JOINS),
    stale=st.sampled_from(STALES),
    on_end=st.sampled_from(ENDS),
    equity_floor=st.sampled_from([Decimal(0), Decimal(500)]),
    restore=st.booleans(),
)
_step = st.one_of(
    st.tuples(st.just("trade"), _lots, _prices),
    st.tuples(st.just("trade"), st.just("0"), _prices),
    st.tuples(st.just("price"), _prices),
    st.tuples(st.just("owner"), _lots),
    st.tuples(st.just("later"), st.sampled_from([10, 5000, 31_000])),
    st.tuples(st.just("status"), st.sampled_from([*Status, Status.LIVE]), st.sampled_from([None, 0, 40_000])),
    st.tuples(st.just("ended"), st.sampled_from(["", "expired"])),
    st.tuples(st.just("figures"), st.sampled_from([400, 1000, 2500])),
    st.tuples(st.just("fill"), st.sampled_from(["none", "half", "all"])),
    st.tuples(st.just("rejected"), st.booleans()),
    st.tuples(st.just("restart")),
)


def take(copying: Copying, step: tuple) -> None:
    """Let one thing happen in the world."""
    kind, *values = step
    if kind == "trade":
        copying.trade(*values)
    elif kind == "price":
        copying.own = own_symbol(str(copying.own.lots), values[0])
    elif kind == "owner":
        copying.holds(values[0])
    elif kind == "later":
        copying.later(values[0])
        copying.silent_ms = 0 if copying.status is Status.LIVE else copying.silent_ms + values[0]
    elif kind == "status":
        copying.status, copying.confirmed_age = values
        copying.receive()
    elif kind == "ended":
        copying.ended = values[0]
    elif kind == "figures":
        copying.own_account = replace(OWN, balance=Decimal(values[0]), equity=Decimal(values[0]))
    elif kind == "rejected":
        copying.memory = order_rejected(copying.memory, copying.own.name, copying.time, reduces=values[0])
    elif kind == "restart":
        copying.state = None
        copying.receive()


def fill(copying: Copying, part: str) -> None:
    """Trade what the decision allows, in whole or in part."""
    allowed = allowed_lots(copying.decide(), copying.own.lots)
    if part == "half":
        hundredths = int((allowed + copying.own.lots) / 2 * 100)
        allowed = Decimal(hundredths) / 100
    if part != "none":
        copying.own = replace(copying.own, lots=allowed)


def every_step(copying: Copying, steps: list[tuple]):
    """Let the steps happen; after each, the copying before its decision."""
    copying.publish()
    copying.observe()
    for step in steps:
        take(copying, step)
        if SYMBOL in copying.memory.symbols or (copying.state and copying.state.positions):
            yield copying
            fill(copying, step[1] if step[0] == "fill" else "all")


_histories = given(_options, st.lists(_step, max_size=25))


@_histories
def test_exposure_increases_only_toward_the_scaled_target_of_a_live_and_confirmed_state(options, steps):
    for copying in every_step(Copying(options), steps):
        decision, present = copying.decide(), copying.own.lots
        allowed = allowed_lots(decision, present)
        if abs(allowed) > abs(present) or allowed * present < 0:
            followed = copying.memory.symbols[SYMBOL]
            assert (copying.status, copying.confirmed_age) == (Status.LIVE, 0)
            assert abs(allowed) <= abs(Fraction(followed.lots) * followed.ratio)
            assert Fraction(allowed) * Fraction(followed.lots) * followed.ratio > 0
            assert not copying.memory.stopped
            assert not copying.ended


@_histories
def test_reductions_are_never_blocked(options, steps):
    for copying in every_step(Copying(options), steps):
        copying.memory = order_executed(copying.memory, copying.own.name)
        decision, present = copying.decide(), copying.own.lots
        allowed = allowed_lots(decision, present)
        followed = copying.memory.symbols[SYMBOL]
        if decision.lots is None:
            assert not followed.ours or decision.rule == "no-ratio"
        else:
            assert abs(allowed) <= abs(decision.lots)
            assert allowed * decision.lots >= 0
        if followed.flatten:
            assert allowed == 0


@_histories
def test_a_ratio_never_changes_while_the_position_is_open(options, steps):
    before = None
    for copying in every_step(Copying(options), steps):
        copying.decide()
        followed = copying.memory.symbols[SYMBOL]
        if before and before.lots * followed.lots > 0 and before.ratio is not None:
            assert followed.ratio == before.ratio
        before = followed


@_histories
def test_the_same_values_give_the_same_decisions_also_after_a_restart_in_between(options, steps):
    for copying in every_step(Copying(options), steps):
        own = replace(copying.own_account, symbols={SYMBOL: copying.own})
        first = decide(options, copying.view(), own, copying.memory, copying.time)
        copying.memory = first.memory
        assert copying.memory == first.memory
        second = decide(options, copying.view(), own, copying.memory, copying.time)
        assert second.decisions == first.decisions
        assert second.memory == first.memory
        assert second.alarms == []


@_histories
def test_an_alarm_is_raised_once_for_each_cause(options, steps):
    for copying in every_step(Copying(options), steps):
        copying.decide()
        copying.alarms.clear()
        copying.decide()
        assert copying.alarms == []


@given(st.lists(_step, max_size=25))
def test_a_symbol_that_waits_is_not_traded_before_the_provider_is_flat_or_reverses(steps):
    copying = Copying(AccountOptions(join="wait"))
    copying.trade("1.23")
    copying.decide()
    for step in steps:
        if step[0] == "trade" and Decimal(step[1]) <= 0:
            return
        take(copying, step)
        decision = copying.decide()
        if decision.rule == "reached":
            return
        assert allowed_lots(decision, copying.own.lots) == copying.own.lots
