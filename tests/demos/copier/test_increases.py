"""When exposure may increase: the first contact, the age of a change, and which prices are compared."""

from __future__ import annotations

from decimal import Decimal

import pytest
from account_kit import START, SYMBOL, Copying, own_symbol

from demos.copier.account_values import AccountOptions
from demos.provider.messages import Position


def joined(join: str, ask: str = "1.10000", **options: object) -> Copying:
    """A copier whose first state has a buy of 1 lot at 1.1, an hour old."""
    copying = Copying(AccountOptions(join=join, **options), own=own_symbol("0", ask))
    copying.trade("1", "1.1")
    copying.later(3_600_000)
    return copying


def following(price: str = "1.1", **options: object) -> Copying:
    """A copier that follows a buy of 1 lot."""
    copying = Copying(AccountOptions(**options), own=own_symbol("0", price))
    copying.follow("1", price)
    return copying


def tickets(*lots_price: tuple[str, str], time: int = START) -> list[Position]:
    return [
        Position(SYMBOL, Decimal(lots), Decimal(price), Decimal(100_000), time, ticket=number)
        for number, (lots, price) in enumerate(lots_price, 1)
    ]


# ---- first contact


def test_join_wait_leaves_the_symbol_alone_until_the_provider_is_flat():
    copying = joined("wait")
    copying.holds("0.7")
    for lots in ("1", "2", "0.5"):
        copying.trade(lots)
        decision = copying.obey()
        assert (decision.lots, decision.rule, copying.own.lots) == (None, "join-wait", Decimal("0.7"))
    copying.trade("0")
    assert (copying.obey().rule, copying.own.lots) == ("reduce", 0)
    copying.trade("1")
    assert (copying.obey().rule, copying.own.lots) == ("follow", 1)


def test_join_wait_ends_when_the_provider_reverses():
    copying = joined("wait")
    copying.obey()
    copying.trade("-1")
    assert (copying.obey().rule, copying.own.lots) == ("follow", -1)


def test_join_wait_follows_a_position_that_the_account_has_already():
    copying = joined("wait")
    copying.holds("1")
    assert copying.obey().rule == "reached"
    copying.trade("0.5")
    assert copying.obey().rule == "reduce"


@pytest.mark.parametrize(
    ("ask", "rule", "lots"),
    [("1.10000", "join-no-worse", 1), ("1.09", "join-no-worse", 1), ("1.10001", "join-no-worse", 0)],
)
def test_join_no_worse_needs_a_price_that_is_not_worse_than_the_average(ask, rule, lots):
    copying = joined("no-worse", ask)
    assert (copying.obey().rule, copying.own.lots) == (rule, lots)


def test_join_no_worse_joins_when_the_price_comes_back():
    copying = joined("no-worse", "1.2")
    copying.obey()
    copying.holds("0", "1.1")
    assert (copying.obey().may_increase, copying.own.lots) == (True, 1)


def test_join_now_joins_at_any_price():
    copying = joined("now", "1.5")
    assert (copying.obey().rule, copying.own.lots) == ("join-now", 1)


@pytest.mark.parametrize("join", ["wait", "no-worse", "now"])
def test_the_first_contact_is_remembered_so_that_a_restart_with_another_option_does_not_join(join):
    copying = joined("wait")
    copying.obey()
    copying.options = AccountOptions(join=join)
    assert (copying.obey().rule, copying.own.lots) == ("join-wait", 0)


def test_after_joining_a_position_that_is_closed_here_is_not_joined_again():
    copying = joined("now")
    copying.obey()
    copying.obey()
    copying.holds("0")
    assert (copying.obey().rule, copying.own.lots) == ("changed-here", 0)


def test_a_position_that_was_opened_while_the_copier_was_away_is_a_first_contact():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.trade("1")
    copying.later(30_001)
    assert (copying.obey().rule, copying.own.lots) == ("join-wait", 0)


def test_a_position_that_was_opened_again_while_the_copier_was_away_is_a_first_contact():
    copying = following()
    copying.trade("0")
    copying.obey()
    copying.trade("1")
    copying.later(30_001)
    assert (copying.obey().rule, copying.own.lots) == ("join-wait", 0)


def test_a_position_from_before_the_providers_start_is_a_first_contact():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.publish(*tickets(("1", "1.1"), time=0))
    copying.state = copying.state.__class__(**{**vars(copying.state), "seq": 9})
    assert (copying.obey().rule, copying.own.lots) == ("join-wait", 0)


def test_a_reversal_while_the_copier_was_away_closes_the_own_position():
    copying = following()
    copying.trade("-1")
    copying.later(30_001)
    assert (copying.obey().rule, copying.own.lots) == ("join-wait", 0)


# ---- the age of a change


@pytest.mark.parametrize(("age", "rule", "lots"), [(30_000, "follow", 2), (30_001, "late", 1)])
def test_an_added_part_is_followed_while_the_change_is_young(age, rule, lots):
    copying = following()
    copying.trade("2")
    copying.later(age)
    decision = copying.obey()
    assert (decision.rule, copying.own.lots) == (rule, lots)
    assert rule == "follow" or decision.text == (
        "the provider's change is 30001 ms old, more than 30000 ms: it is not followed any more"
    )


def test_a_late_part_is_followed_with_the_next_change():
    copying = following()
    copying.trade("2")
    copying.later(30_001)
    copying.obey()
    copying.trade("2.5")
    assert (copying.obey().rule, copying.own.lots) == ("follow", Decimal("2.5"))


def test_a_confirmed_state_without_a_change_does_not_make_a_late_change_young():
    copying = following()
    copying.trade("2")
    position = copying.state.positions
    copying.later(30_001)
    copying.publish(*position)
    assert copying.obey().rule == "late"


def test_a_closed_opposite_position_is_as_old_as_the_state_that_directly_follows():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.publish(*tickets(("2", "1.1"), ("-1", "1.1")))
    copying.obey()
    copying.obey()
    copying.later(3_600_000)
    copying.publish(*tickets(("2", "1.1")))
    decision = copying.obey()
    assert (decision.rule, copying.own.lots) == ("follow", 2)
    assert "the provider's average price (that of the added part is unknown) 1.1" in decision.text


def test_a_closed_opposite_position_has_an_unknown_age_when_states_were_missed():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.publish(*tickets(("2", "1.1"), ("-1", "1.1")))
    copying.obey()
    copying.obey()
    copying.publish(*tickets(("2", "1.1"), ("-1", "1.1")))
    copying.publish(*tickets(("2", "1.1")))
    decision = copying.obey()
    assert (decision.rule, copying.own.lots) == ("late", 1)
    assert decision.text == "the age of the provider's change is unknown: it is not followed any more"


# ---- the price


@pytest.mark.parametrize(
    ("lots", "ask", "rule"),
    [
        ("1", "1.10030", "follow"),
        ("1", "1.10031", "deviation"),
        ("-1", "1.09972", "follow"),
        ("-1", "1.09971", "deviation"),
        ("1", "1.0", "follow"),
        ("-1", "1.2", "follow"),
    ],
)
def test_a_new_position_is_followed_at_a_price_that_is_worse_by_at_most_the_deviation(lots, ask, rule):
    copying = Copying(own=own_symbol("0", ask))
    copying.publish()
    copying.observe()
    copying.trade(lots, "1.1")
    assert copying.obey().rule == rule


def test_a_refused_price_is_explained_with_both_prices_and_the_difference():
    copying = Copying(own=own_symbol("0", "1.10045"))
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1")
    assert (
        copying.obey().text
        == "the ask 1.10045 is 45 points worse than the provider's average price 1.1; allowed are 30"
    )


def test_a_position_is_followed_when_the_price_comes_back_in_time():
    copying = Copying(own=own_symbol("0", "1.2"))
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1")
    copying.obey()
    copying.later(20_000)
    copying.holds("0", "1.1")
    assert (copying.obey().rule, copying.own.lots) == ("follow", 1)


@pytest.mark.parametrize(("ask", "rule"), [("1.20030", "follow"), ("1.20031", "deviation")])
def test_the_price_of_an_added_part_is_derived_from_both_averages(ask, rule):
    copying = following("1.1")
    copying.trade("2", "1.15")
    copying.holds("1", ask)
    decision = copying.obey()
    assert decision.rule == rule
    assert "than the price of the part that the provider has added 1.2" in decision.text


def test_the_price_of_a_part_that_is_not_copied_yet_stays_when_the_position_shrinks():
    copying = following("1")
    copying.trade("3", "1.2")
    copying.holds("1", "2")
    copying.obey()
    copying.trade("1.5", "1.2")
    copying.holds("1", "2")
    decision = copying.obey()
    assert decision.text.startswith(
        "the ask 2 is 70000 points worse than the price of the part that the provider has added 1.3"
    )


def test_a_small_part_of_a_large_position_is_compared_with_the_average():
    copying = following("1.1")
    copying.trade("1.01", "1.10001")
    decision = copying.obey()
    assert decision.rule == "follow"
    assert "the provider's average price (that of the added part is too inexact) 1.10001" in decision.text


def test_the_price_of_a_new_ticket_is_its_own():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.publish(*tickets(("50", "1.1")))
    copying.obey()
    copying.obey()
    copying.publish(*tickets(("50", "1.1"), ("0.01", "1.2"), time=START + 1))
    copying.holds("50", "1.20031")
    assert copying.obey().text == (
        "the ask 1.20031 is 31 points worse than the price of the part that the provider has added 1.2; allowed are 30"
    )


def test_a_deviation_of_0_allows_any_price():
    copying = Copying(AccountOptions(maxdeviation=Decimal(0)), own=own_symbol("0", "0"))
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1")
    assert (copying.obey().rule, copying.own.lots) == ("follow", 1)


@pytest.mark.parametrize("join", ["wait", "no-worse"])
def test_without_a_price_nothing_is_compared_and_nothing_increases(join):
    copying = joined(join, "0") if join == "no-worse" else following()
    copying.trade("2", "1.1")
    copying.own = own_symbol(str(copying.own.lots), "0")
    decision = copying.obey()
    assert (decision.rule, decision.may_increase) == ("no-price", False)


def test_huge_prices_of_a_server_are_compared_without_an_error():
    copying = Copying(own=own_symbol(point=Decimal("1e-15")))
    copying.publish()
    copying.observe()
    copying.trade("999999999999999", "999999999999999.99999999999999999999")
    assert copying.obey().rule == "follow"
