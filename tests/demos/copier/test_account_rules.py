"""The account rules by example: following, reducing, flattening, stopping, and what each decision says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from account_kit import LIMITS, LOCAL, OWN, START, SYMBOL, Copying, own_symbol
from provider_kit import Network, account, holding

from demos.copier.account_memory import AccountMemory, OlderState, read_account_memory
from demos.copier.account_rules import allowed_lots, decide, explained, resume
from demos.copier.account_values import (
    JOINS,
    AccountOptions,
    Decision,
    ProviderView,
    choice_problem,
    provider_view,
)
from demos.copier.rejections import order_rejected
from demos.provider.messages import Account, Position
from demos.provider.steps import Status

NOT_LIVE = [Status.OFFLINE, Status.WAITING, Status.STALE, Status.STOPPED]


def text(lots: Decimal | None) -> str:
    return "none" if lots is None else str(lots.normalize())


# ---- following


def test_a_position_that_the_provider_opens_is_followed():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.trade("1")
    decision = copying.obey()
    assert (text(decision.lots), decision.rule, decision.may_increase) == ("1", "follow", True)
    assert copying.decide().rule == "reached"


def test_an_added_part_is_followed_and_a_reduction_is_followed():
    copying = Copying()
    copying.follow("1", "1.1")
    copying.trade("2", "1.1")
    assert (copying.obey().rule, text(copying.own.lots)) == ("follow", "2")
    copying.trade("0.5", "1.1")
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0.5")
    copying.trade("0")
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0")


def test_a_reversal_is_followed_in_whole_when_the_increase_is_allowed():
    copying = Copying()
    copying.follow("1")
    copying.trade("-0.5")
    decision = copying.obey()
    assert (decision.rule, text(copying.own.lots)) == ("follow", "-0.5")
    assert decision.text.startswith("the position of 1.00 lots is closed first; ")


def test_a_reversal_whose_increase_is_refused_still_closes_the_position():
    copying = Copying()
    copying.follow("1")
    copying.trade("-1", "1.2")
    assert (copying.obey().rule, text(copying.own.lots)) == ("deviation", "0")


def test_a_reversed_copy_sells_what_the_provider_buys():
    copying = Copying(AccountOptions(reverse=True))
    copying.follow("1")
    assert text(copying.own.lots) == "-1"


def test_a_position_below_the_minimum_is_not_traded():
    copying = Copying(AccountOptions(factor=Decimal("0.1")))
    copying.publish()
    copying.observe()
    copying.trade("0.09")
    decision = copying.obey()
    assert (text(decision.lots), decision.rule) == ("0", "below-minimum")
    assert decision.text == "the scaled position is below the minimum of 0.01 lots"


def test_a_position_below_the_minimum_is_not_copied_yet_so_that_its_price_counts_with_the_next_change():
    copying = Copying(AccountOptions(factor=Decimal("0.01")))
    copying.publish()
    copying.observe()
    copying.trade("0.5")
    copying.obey()
    assert copying.memory.symbols[SYMBOL].missed == Decimal("0.5")


def test_a_position_that_falls_below_the_minimum_is_closed():
    copying = Copying(AccountOptions(factor=Decimal("0.1")))
    copying.follow("1")
    copying.trade("0.05")
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0")


def test_the_net_of_a_hedging_account_is_followed():
    copying = Copying()
    copying.publish()
    copying.observe()
    buy, sell = (
        Position(SYMBOL, Decimal(lots), Decimal("1.1"), Decimal(100_000), START, ticket=ticket)
        for lots, ticket in (("3", 1), ("-1", 2))
    )
    copying.publish(buy, sell)
    copying.obey()
    assert text(copying.own.lots) == "2"


def test_a_symbol_that_the_copier_does_not_copy_has_no_decision():
    copying = Copying()
    copying.trade("1")
    outcome = decide(copying.options, copying.view(), OWN, AccountMemory(), 0)
    assert (outcome.decisions, dict(outcome.memory.symbols)) == ({}, {})


# ---- reductions always go out


@pytest.mark.parametrize("status", NOT_LIVE)
def test_a_reduction_goes_out_in_every_status(status):
    copying = Copying()
    copying.follow("1")
    copying.trade("0.4")
    copying.status, copying.confirmed_age = status, None
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0.4")


def test_a_reduction_goes_out_late_after_the_end_of_the_login_and_without_a_price():
    copying = Copying()
    copying.follow("1")
    copying.trade("0.4")
    copying.later(3_600_000)
    copying.ended = "expired"
    copying.own = own_symbol("1", "0")
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0.4")


def test_a_reduction_goes_out_after_a_restart_before_the_provider_is_reached():
    copying = Copying()
    copying.follow("1")
    copying.trade("0.4")
    copying.decide()
    copying.state, copying.status = None, Status.OFFLINE
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0.4")


# ---- a pause after rejections


def reject(copying: Copying, number: int, *, reduces: bool) -> None:
    for _ in range(number):
        copying.memory = order_rejected(copying.memory, copying.own.name, copying.time, reduces=reduces)


def test_a_paused_symbol_is_not_increased():
    copying = Copying()
    copying.follow("1")
    copying.trade("2")
    reject(copying, 3, reduces=False)
    decision = copying.obey()
    assert (decision.rule, text(copying.own.lots)) == ("paused", "1")
    assert decision.text.startswith("paused for 60000 ms after 3 rejected orders; ")


def test_a_paused_symbol_that_needs_no_order_is_not_reported_as_paused():
    copying = Copying()
    copying.follow("1")
    reject(copying, 3, reduces=False)
    assert copying.obey().rule == "reached"


def test_a_paused_symbol_is_reduced_at_intervals():
    copying = Copying()
    copying.follow("1")
    copying.trade("0.5")
    reject(copying, 3, reduces=True)
    assert not copying.decide().may_reduce
    copying.later(10_000)
    assert copying.decide().may_reduce


# ---- the equity floor


def test_below_the_equity_floor_everything_is_closed_and_nothing_is_copied():
    copying = Copying(AccountOptions(equity_floor=Decimal(900)))
    copying.follow("1")
    copying.own_account = replace(OWN, equity=Decimal("899.99"))
    assert (copying.obey().rule, text(copying.own.lots)) == ("flatten", "0")
    copying.own_account = OWN
    copying.trade("2")
    assert (copying.obey().rule, text(copying.own.lots)) == ("stopped", "0")
    assert len(copying.alarms) == 1
    assert copying.alarms[0].startswith("the equity 899.99 is below the floor 900 (--equity-floor)")


def test_the_alarm_of_the_equity_floor_names_what_is_closed_and_what_stays():
    copying = Copying(AccountOptions(equity_floor=Decimal(900)))
    copying.follow("1")
    copying.own_account = replace(OWN, equity=Decimal(800), others={"DAX": Decimal(2)})
    copying.obey()
    [alarm] = copying.alarms
    assert f"closed are {LOCAL} 1.00; these stay, because the provider has not traded their symbols: DAX 2.00" in alarm


def test_figures_that_the_terminal_does_not_know_are_not_below_the_floor():
    copying = Copying(AccountOptions(equity_floor=Decimal(900)))
    copying.follow("1")
    copying.own_account = replace(OWN, balance=Decimal(0), equity=Decimal(0))
    assert (copying.obey().rule, copying.alarms) == ("reached", [])


def test_the_equity_floor_closes_a_symbol_at_first_contact_too():
    copying = Copying(AccountOptions(equity_floor=Decimal(900)))
    copying.trade("1")
    copying.holds("0.3")
    assert copying.obey().lots is None
    copying.own_account = replace(OWN, equity=Decimal(800))
    assert (copying.obey().rule, text(copying.own.lots)) == ("flatten", "0")


def test_after_the_operator_resumes_only_new_positions_are_followed():
    copying = Copying(AccountOptions(equity_floor=Decimal(900)))
    copying.follow("1")
    copying.own_account = replace(OWN, equity=Decimal(800))
    copying.obey()
    copying.own_account = OWN
    copying.memory = resume(copying.memory)
    assert copying.obey().rule == "join-wait"
    copying.trade("0")
    copying.obey()
    copying.trade("1")
    assert (copying.obey().rule, text(copying.own.lots)) == ("follow", "1")


def test_a_position_that_cannot_be_closed_at_once_stays_to_be_closed():
    copying = Copying(AccountOptions(stale="flatten"))
    copying.follow("1")
    copying.status, copying.silent_ms = Status.OFFLINE, 30_000
    assert copying.decide().rule == "flatten"
    copying.status, copying.silent_ms = Status.LIVE, 0
    copying.trade("2")
    assert (text(copying.decide().lots), copying.decide().rule) == ("0", "flatten")


# ---- stale, ended, stopped by an alarm


@pytest.mark.parametrize(
    ("status", "age", "rule"),
    [
        *((status, 0, "not-live") for status in NOT_LIVE[:-1]),
        (Status.STOPPED, 0, "alarm"),
        (Status.LIVE, None, "unconfirmed"),
        (Status.LIVE, 30_001, "unconfirmed"),
        (Status.LIVE, 30_000, "follow"),
    ],
)
def test_an_increase_needs_a_live_and_confirmed_state(status, age, rule):
    copying = Copying()
    copying.follow("1")
    copying.trade("2")
    copying.status, copying.confirmed_age = status, age
    assert (copying.obey().rule, text(copying.own.lots)) == (rule, "2" if rule == "follow" else "1")


def test_a_provider_that_was_never_heard_is_not_stale():
    copying = Copying(status=Status.OFFLINE, silent_ms=10**6)
    copying.observe()
    assert (copying.state, copying.alarms, copying.memory) == (None, [], AccountMemory())


def test_a_stale_provider_is_alarmed_once_and_its_positions_are_held():
    copying = Copying()
    copying.follow("1")
    copying.status, copying.silent_ms = Status.OFFLINE, 29_999
    assert (copying.obey().rule, copying.alarms) == ("reached", [])
    for silent in (30_000, 60_000):
        copying.silent_ms = silent
        assert (copying.obey().rule, text(copying.own.lots)) == ("reached", "1")
    assert copying.alarms == [
        "the provider is stale: its state has not been confirmed for 30000 ms (--stale hold)",
    ]


def test_a_provider_that_becomes_stale_again_is_alarmed_again():
    copying = Copying()
    copying.follow("1")
    for _ in range(2):
        copying.status, copying.silent_ms = Status.STALE, 30_000
        copying.decide()
        copying.status, copying.silent_ms = Status.LIVE, 0
        copying.decide()
    assert len(copying.alarms) == 2


def test_with_stale_flatten_the_position_is_closed_and_not_opened_again_by_the_same_position():
    copying = Copying(AccountOptions(stale="flatten"))
    copying.follow("1")
    copying.status, copying.silent_ms = Status.OFFLINE, 30_000
    assert (copying.obey().rule, text(copying.own.lots)) == ("flatten", "0")
    copying.status, copying.silent_ms = Status.LIVE, 0
    assert (copying.obey().rule, text(copying.own.lots)) == ("join-wait", "0")


def test_stale_flatten_works_after_a_restart_without_a_state():
    copying = Copying(AccountOptions(stale="flatten"))
    copying.follow("1")
    copying.state, copying.status, copying.silent_ms = None, Status.OFFLINE, 30_000
    assert (copying.obey().rule, text(copying.own.lots)) == ("flatten", "0")


def test_stale_flatten_leaves_a_symbol_at_first_contact_alone():
    copying = Copying(AccountOptions(stale="flatten"))
    copying.trade("1")
    copying.holds("0.3")
    copying.decide()
    copying.status, copying.silent_ms = Status.OFFLINE, 30_000
    assert copying.obey().lots is None


def test_an_alarm_that_stops_the_follower_does_not_close_positions():
    copying = Copying(AccountOptions(stale="flatten"))
    copying.follow("1")
    copying.status, copying.silent_ms = Status.STOPPED, 10**6
    assert (copying.obey().rule, copying.alarms) == ("reached", [])


def end_login(on_end: str) -> Copying:
    copying = Copying(AccountOptions(on_end=on_end, stale="flatten"))
    copying.follow("1")
    copying.ended, copying.status, copying.silent_ms = "revoked", Status.OFFLINE, 10**6
    copying.obey()
    copying.obey()
    assert copying.alarms == [f"the provider has ended the login: revoked (--on-end {on_end})"]
    return copying


def renew_login(copying: Copying) -> Decision:
    """The login works again, and the provider adds to its position."""
    copying.ended, copying.status, copying.silent_ms = "", Status.LIVE, 0
    copying.trade("2")
    return copying.obey()


def test_on_end_hold_keeps_the_position_until_the_login_works_again():
    copying = end_login("hold")
    assert text(copying.own.lots) == "1"
    assert renew_login(copying).rule == "follow"


def test_on_end_close_only_stays_until_the_operator_resumes():
    copying = end_login("close-only")
    assert text(copying.own.lots) == "1"
    assert renew_login(copying).rule == "close-only"
    copying.memory = resume(copying.memory)
    assert copying.obey().rule == "follow"


def test_on_end_flatten_closes_the_position():
    copying = end_login("flatten")
    assert text(copying.own.lots) == "0"
    assert renew_login(copying).rule == "join-wait"


def test_nothing_increases_while_the_login_is_ended():
    copying = Copying()
    copying.follow("1")
    copying.trade("2")
    copying.ended = "expired"
    assert copying.obey().text == "nothing increases: the provider has ended the login (expired)"


def test_a_symbol_that_the_login_does_not_show_any_more_is_not_taken_for_flat():
    copying = Copying()
    copying.follow("1")
    copying.holds("0.6")
    copying.shown = frozenset({"GBPUSD"})
    copying.publish()
    decision = copying.obey()
    assert (decision.rule, text(decision.lots), text(copying.own.lots)) == ("hidden", "1", "0.6")
    assert decision.text == "nothing increases: the provider's login does not show EURUSD any more"


def test_a_symbol_that_is_shown_again_is_compared_with_what_was_known():
    copying = Copying()
    copying.follow("1")
    copying.shown = frozenset({"GBPUSD"})
    copying.publish()
    copying.obey()
    copying.shown = None
    copying.trade("0.4")
    assert (copying.obey().rule, text(copying.own.lots)) == ("reduce", "0.4")


# ---- the owner's changes


def test_what_the_owner_or_a_stop_loss_closes_is_left_until_the_provider_changes_its_position():
    copying = Copying()
    copying.follow("1")
    copying.holds("0")
    assert (copying.obey().rule, text(copying.own.lots)) == ("changed-here", "0")
    copying.trade("1.5")
    assert (copying.obey().rule, text(copying.own.lots)) == ("follow", "1.5")


@pytest.mark.parametrize("left", ["0", "0.4"])
def test_what_was_closed_here_is_opened_again_only_while_the_whole_position_is_young(left):
    copying = Copying()
    copying.follow("1")
    copying.later(30_001)
    copying.holds(left)
    copying.trade("1.01")
    decision = copying.obey()
    assert (decision.rule, text(copying.own.lots)) == ("late", left)
    assert decision.text.startswith("a part of the position was copied before and closed here; it is 30001 ms old")


def test_the_average_price_counts_when_lots_that_were_closed_here_are_opened_again():
    copying = Copying()
    copying.follow("1", "1.1")
    copying.holds("0", "1.12")
    # The added 0.5 lots have the present price of 1.12.
    copying.trade("1.5", "1.10666667")
    decision = copying.obey()
    assert (decision.rule, text(copying.own.lots)) == ("deviation", "0")
    assert "the provider's average price (a part was copied before and closed here)" in decision.text


def test_after_an_owners_change_the_added_part_alone_is_judged_when_only_it_is_opened():
    copying = Copying()
    copying.follow("1", "1.1")
    copying.later(30_001)
    copying.holds("1", "1.12")
    copying.trade("1.5", "1.10666667")
    assert (copying.obey().rule, text(copying.own.lots)) == ("follow", "1.5")


def test_the_target_does_not_depend_on_the_own_position():
    copying = Copying()
    copying.follow("1")
    for lots in ("0", "-3", "0.5", "7"):
        copying.holds(lots)
        assert text(copying.decide().lots) == "1"


def test_with_restore_what_the_owner_closes_is_opened_again_also_when_the_change_is_old():
    copying = Copying(AccountOptions(restore=True))
    copying.follow("1")
    copying.later(3_600_000)
    copying.holds("0")
    assert (copying.obey().rule, text(copying.own.lots)) == ("follow", "1")


def test_restore_needs_a_price_within_the_deviation():
    copying = Copying(AccountOptions(restore=True))
    copying.follow("1", "1.1")
    copying.holds("0", "1.10031")
    assert (copying.obey().rule, text(copying.own.lots)) == ("deviation", "0")


# ---- states and memory


def test_an_older_state_is_an_error():
    copying = Copying()
    copying.follow("1")
    older = replace(copying.state, seq=1)
    copying.state = older
    with pytest.raises(OlderState, match=r"state 1 of stream a+-0+ is older than 2, which was acted on"):
        copying.decide()


def test_an_older_state_of_an_earlier_stream_is_an_error():
    copying = Copying()
    copying.follow("1")
    old = copying.state
    copying.state = replace(old, stream="b" * 49, seq=1)
    copying.decide()
    copying.state = replace(old, seq=1)
    with pytest.raises(OlderState):
        copying.decide()


def test_after_resume_the_present_state_is_accepted_whatever_its_number():
    copying = Copying()
    copying.follow("1")
    copying.state = replace(copying.state, seq=1)
    copying.memory = resume(copying.memory)
    assert copying.decide().rule == "reached"


def test_without_any_state_there_is_no_decision():
    view = ProviderView(None, Status.OFFLINE, None, None)
    outcome = decide(AccountOptions(), view, replace(OWN, symbols={SYMBOL: own_symbol()}), AccountMemory(), 0)
    assert (outcome.decisions, outcome.memory) == ({}, AccountMemory())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"version": 2},
        {**AccountMemory().to_dict(), "symbols": {"EURUSD": {}}},
        {**AccountMemory().to_dict(), "streams": [["a"]]},
    ],
)
def test_a_damaged_memory_is_refused(data):
    with pytest.raises(ValueError, match="the copier's stored account memory is damaged: "):
        read_account_memory(data)


def test_a_missing_memory_is_a_new_one():
    assert read_account_memory(None) == AccountMemory()


# ---- the pieces of a decision


def test_an_unknown_value_of_an_option_is_refused_with_the_known_ones():
    check = choice_problem(JOINS)
    assert [check(join) for join in JOINS] == [None, None, None]
    assert check("later") == "unknown value: 'later'; use wait, no-worse, now"


def test_the_view_of_a_follower_has_the_age_of_its_state_by_the_servers_clock():
    network = Network(account(holding("EURUSD", "1")))
    network.connect()
    network.settle()
    assert network.follower.state is not None
    view = provider_view(network.follower, network.now + 700, 3, "expired", ["EURUSD"])
    assert (view.status, view.confirmed_age, view.state_age) == (Status.LIVE, 700, 700)
    assert (view.silent_ms, view.ended, view.shows("EURUSD"), view.shows("GBPUSD")) == (3, "expired", True, False)
    assert [view.age(time) for time in (0, view.state.time, view.state.time - 5)] == [None, 700, 705]


def test_the_view_of_a_follower_without_a_state_knows_no_age():
    view = provider_view(Network(account()).follower, 0, 0)
    assert (view.state, view.status, view.state_age, view.age(START)) == (None, Status.OFFLINE, None, None)


@pytest.mark.parametrize(
    ("lots", "present", "increase", "reduce", "allowed"),
    [
        ("2", "1", True, True, "2"),
        ("2", "1", False, True, "1"),
        ("1", "2", False, True, "1"),
        ("1", "2", True, False, "2"),
        ("-1", "2", True, True, "-1"),
        ("-1", "2", False, True, "0"),
        ("-1", "2", True, False, "2"),
        ("0", "2", False, True, "0"),
        ("1", "0", True, True, "1"),
        ("1", "0", False, True, "0"),
        (None, "2", True, True, "2"),
    ],
)
def test_the_allowed_lots_go_as_far_as_the_flags_allow(lots, present, increase, reduce, allowed):
    target = None if lots is None else Decimal(lots)
    decision = Decision(SYMBOL, SYMBOL, target, "", "", increase, reduce)
    assert text(allowed_lots(decision, Decimal(present))) == allowed


def test_an_explanation_is_one_line_with_the_target_the_rule_and_what_was_seen():
    copying = Copying(AccountOptions(stops=True))
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1", sl="1.09")
    assert explained(copying.decide()) == (
        "EURUSD as EURUSD.m: target 1.00 [follow] "
        "the ask 1.1 is 0 points better than the provider's average price 1.1; "
        "stop loss 1.09 (seq 2, status live, confirmed 0 ms, provider 1.00 at 1.1, missed 1.00, ratio 1, own 0.00, "
        "bid 1.09998, ask 1.1)"
    )


# ---- stop losses


@pytest.mark.parametrize(
    ("lots", "sl", "stop", "problem"),
    [
        ("1", "1.09", "1.09", ""),
        ("1", "1.090004", "1.09", ""),
        ("-1", "1.11", "1.11", ""),
        ("1", None, None, ""),
        ("1", "1.09998", None, "the provider's stop loss 1.09998 is not below the bid 1.09998"),
        ("-1", "1.1", None, "the provider's stop loss 1.1 is not above the ask 1.1"),
    ],
)
def test_the_providers_stop_loss_must_be_on_the_right_side_of_the_market(lots, sl, stop, problem):
    copying = Copying(AccountOptions(stops=True))
    copying.publish()
    copying.observe()
    copying.trade(lots, "1.1", sl)
    decision = copying.decide()
    assert decision.stop_loss == (None if stop is None else Decimal(stop))
    assert decision.stop_problem == problem


def test_without_prices_the_present_stop_loss_is_left():
    copying = Copying(AccountOptions(stops=True))
    copying.follow("1")
    copying.trade("1", "1.1", "1.09")
    copying.own = own_symbol("1", "0")
    assert copying.decide().stop_problem == "there is no price of EURUSD.m to compare the provider's stop loss with"


def test_without_stops_there_is_no_stop_loss():
    copying = Copying()
    copying.trade("1", "1.1", "1.09")
    assert copying.decide().stop_loss is None


def test_a_reversed_copy_has_no_stop_loss():
    copying = Copying(AccountOptions(stops=True, reverse=True))
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1", "1.09")
    decision = copying.decide()
    assert decision.stop_loss is None
    assert decision.stop_problem.startswith("a reversed position cannot have the provider's stop loss")


# ---- ratios in decisions


def test_a_ratio_stays_while_the_position_is_open_and_is_new_for_the_next_one():
    copying = Copying(AccountOptions(scale="balance"), own_account=replace(OWN, balance=Decimal(500)))
    copying.follow("1")
    assert text(copying.own.lots) == "0.5"
    copying.own_account = replace(OWN, balance=Decimal(2000))
    copying.trade("2")
    assert text(copying.obey().lots) == "1"
    copying.trade("-1")
    assert text(copying.obey().lots) == "-2"


@pytest.mark.parametrize("reverse", [False, True])
def test_without_a_ratio_nothing_is_opened_and_the_wrong_side_is_closed(reverse):
    copying = Copying(AccountOptions(scale="balance", reverse=reverse))
    copying.follow("1")
    copying.account = Account("EUR", Decimal(1000), Decimal(1000))
    copying.trade("-1")
    decision = copying.obey()
    assert (decision.rule, text(copying.own.lots)) == ("no-ratio", "0")
    assert decision.text.startswith("no target: no conversion rate from EUR to USD is known (--scale balance)")
    assert text(copying.obey().lots) == "none"


def test_without_a_state_no_ratio_is_computed():
    copying = Copying(AccountOptions(scale="balance"), account=Account("USD"))
    copying.publish()
    copying.observe()
    copying.trade("1")
    assert copying.obey().text.startswith("no target: the provider does not show its balance")
    copying.state, copying.status = None, Status.OFFLINE
    assert copying.obey().text == "no target: the provider's state has not been received"


def test_a_symbol_with_a_coarse_step_is_rounded_toward_zero():
    limits = LIMITS._replace(step=Decimal("0.1"), minimum=Decimal("0.1"))
    copying = Copying(own=own_symbol(limits=limits))
    copying.publish()
    copying.observe()
    copying.trade("-0.19")
    assert text(copying.obey().lots) == "-0.1"
