"""What changed in the provider's positions: the missed part and its price, the time of the change, the whole stop."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from account_kit import START, SYMBOL
from hypothesis import given
from hypothesis import strategies as st

from demos.copier.account_memory import Followed
from demos.copier.account_values import ProviderView
from demos.copier.provider_changes import Sight, observe, whole_stop
from demos.provider.messages import Account, Position, Snapshot
from demos.provider.steps import Status

STATE = Snapshot("a", 1, START, Account("USD"))
# The present is START: a change at START is young.
SIGHT = Sight(ProviderView(STATE, Status.LIVE, 0, 0), START, True, False, "wait", 30_000)


def position(
    lots: object, price: object = "1", *, time: int = START, sl: str | None = None, ticket: int | None = None
) -> Position:
    stop = None if sl is None else Decimal(sl)
    return Position(SYMBOL, Decimal(str(lots)), Decimal(str(price)), Decimal(100_000), time, sl=stop, ticket=ticket)


def observed(*states: Position | None, copied: int = 0) -> Followed:
    """After these states of a netting account; the first ``copied`` of them were copied in whole."""
    followed = Followed()
    for number, each in enumerate(states):
        followed = observe(followed, [each] if each else [], SIGHT)
        if number < copied:
            followed = Followed(**{**vars(followed), "missed": Decimal(0), "missed_price": None})
    return followed


def test_a_new_position_is_missed_at_its_average_price():
    followed = observed(position(2, "1.1"))
    assert (followed.missed, followed.missed_price, followed.join) == (2, Decimal("1.1"), "")


def test_an_added_part_is_missed_at_its_derived_price_and_added_parts_are_averaged():
    followed = observed(position(-1, 1), position(-2, "1.5"), position(-4, "1.75"), copied=1)
    assert (followed.missed, followed.missed_price) == (3, 2)


def test_a_smaller_position_keeps_the_price_of_the_missed_part_and_its_share():
    followed = observed(position(1, 1), position(4, "2.5"), position(2, "2.5"), copied=1)
    assert (followed.missed, followed.missed_price) == (Decimal("1.5"), 3)


def test_a_reversed_position_is_missed_in_whole():
    followed = observed(position(3, 1), position(-1, 2), copied=1)
    assert (followed.missed, followed.missed_price) == (1, 2)


def test_a_flat_symbol_misses_nothing():
    followed = observed(position(3, 1), None)
    assert (followed.lots, followed.missed, followed.missed_price, followed.ratio) == (0, 0, None, None)


def test_an_average_price_from_which_no_price_can_be_derived_leaves_it_unknown():
    assert observed(position(1, 100), position(2, 1), copied=1).missed_price is None


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 200)), min_size=1, max_size=6), st.data())
def test_the_derived_price_is_the_average_of_all_parts_that_were_added_after_the_copied_one(parts, data):
    """Buys and reductions with exact averages, on an independent model in fractions."""
    lots, price = Fraction(10), Fraction(100)
    missed, cost = Fraction(0), Fraction(0)
    states = [position(10, 100)]
    for added, at in parts:
        price = (lots * price + added * at) / (lots + added)
        lots, missed, cost = lots + added, missed + added, cost + added * at
        states.append(position(lots, Decimal(price.numerator) / Decimal(price.denominator)))
        closed = data.draw(st.integers(0, int(lots) // 2))
        left = (lots - closed) / lots
        lots, missed, cost = lots * left, missed * left, cost * left
        states.append(position(lots, Decimal(price.numerator) / Decimal(price.denominator)))
    followed = observed(*states, copied=1)
    assert abs(Fraction(followed.missed) - missed) < Fraction(1, 10**9)
    assert abs(Fraction(followed.missed_price) - cost / missed) < Fraction(1, 10**6)


@pytest.mark.parametrize(("newest", "consecutive", "changed"), [(START, False, START), (1, True, START), (1, False, 0)])
def test_a_change_has_the_time_of_the_newest_position_or_of_a_state_that_directly_follows(newest, consecutive, changed):
    old = observe(Followed(), [position(1, time=1)], SIGHT)
    followed = observe(old, [position(2, time=newest)], SIGHT._replace(consecutive=consecutive))
    assert followed.changed == changed


def test_the_same_positions_change_nothing():
    followed = observed(position(1), position(3), copied=1)
    assert observe(followed, [position(3)], SIGHT._replace(consecutive=False, join="now")) == followed


@pytest.mark.parametrize(
    ("stops", "whole"),
    [
        ([("1", "1.08"), ("1", "1.07")], "1.07"),
        ([("-1", "1.12"), ("-1", "1.13")], "1.13"),
        ([("1", "1.08"), ("1", None)], None),
        ([("3", "1.08"), ("-1", "1.12")], "1.08"),
        ([("3", "1.08"), ("-1", None)], "1.08"),
        ([("1", None)], None),
        ([("1", "1.08"), ("-1", "1.12")], None),
        ([], None),
    ],
)
def test_the_whole_stop_loss_is_the_nearest_one_that_closes_all_positions_of_the_net_side(stops, whole):
    positions = [position(lots, sl=sl) for lots, sl in stops]
    lots = sum((each.lots for each in positions), Decimal(0))
    assert whole_stop(lots, positions) == (None if whole is None else Decimal(whole))


def test_a_part_of_which_closed_positions_of_the_other_side_are_a_share_has_no_known_price():
    old = observe(Followed(), [position(2), position(-1)], SIGHT)
    followed = observe(old, [position(3)], SIGHT)
    assert (followed.missed, followed.missed_price) == (3, None)


def test_the_error_of_a_derived_price_is_half_a_point_of_each_average_and_shrinks_with_the_part():
    followed = observed(position(1), position(4), copied=1)
    assert (followed.missed, followed.missed_error) == (3, Decimal("2.5"))
    followed = observe(followed, [position(2)], SIGHT)
    assert (followed.missed, followed.missed_error) == (Decimal("1.5"), Decimal("1.25"))


def test_a_new_ticket_that_replaces_an_old_one_has_no_known_price():
    old = observe(Followed(), [position(1, "1.0", ticket=1)], SIGHT)
    copied = Followed(**{**vars(old), "missed": Decimal(0), "missed_price": None})
    assert observe(copied, [position(3, "1.2", ticket=2)], SIGHT).missed_price is None
    assert observe(copied, [position(1, "1.0", ticket=1), position(3, "1.2", ticket=2)], SIGHT).missed_price == Decimal(
        "1.2"
    )
