"""What numbered ticks tell of losses."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.collector.sequence import MOST_LATE, Sequence


def taken(*numbers: int) -> tuple[Sequence, list[bool]]:
    sequence = Sequence.beginning(numbers[0])
    return sequence, [sequence.take(number) for number in numbers[1:]]


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((1, 2, 3), 0),
        ((1, 3), 1),
        ((1, 3, 2), 0),
        ((1, 10), 8),
        ((1, 10, 5), 7),
        # What came before the server did is not lost.
        ((500, 501), 0),
        # The first two have changed places on their way.
        ((2, 1, 3), 0),
        ((5, 1), 3),
        ((5, 1, 3), 2),
    ],
)
def test_what_lies_between_the_first_number_and_the_last_is_lost(numbers, lost):
    sequence, new = taken(*numbers)
    assert sequence.lost == lost
    assert all(new)


@pytest.mark.parametrize("numbers", [(1, 1), (1, 2, 1), (1, 3, 2, 2), (5, 1, 3, 5), (5, 1, 1)])
def test_a_number_that_comes_twice_is_known_and_changes_nothing(numbers):
    sequence, new = taken(*numbers)
    assert new[-1] is False
    assert sequence.lost == taken(*numbers[:-1])[0].lost


def test_a_number_of_which_nothing_is_remembered_is_taken():
    sequence = Sequence(first=1, last=100, lost=3, known_from=101)
    assert sequence.take(50)
    assert sequence.take(103)
    assert sequence.lost == 5
    assert sequence.take(101)
    assert not sequence.take(101)
    assert (sequence.first, sequence.last, sequence.lost) == (1, 103, 4)


def test_what_comes_before_the_first_leaves_the_rest_unknown():
    sequence = Sequence(first=50, last=100, lost=0, known_from=101)
    assert sequence.take(48)
    assert sequence.lost == 1
    assert sequence.take(60)


def test_a_leap_costs_no_memory():
    sequence, _ = taken(1, 10**15 - 1)
    assert sequence.lost == 10**15 - 3
    assert sequence.take(10**15 - 1 - MOST_LATE)
    assert not sequence.take(10**15 - 1 - MOST_LATE)
    # Further back nothing is remembered: such a tick is kept rather than taken for a repetition.
    assert sequence.take(10**15 - 2 - MOST_LATE)
    for leap in range(1, 10):
        sequence.take(10**15 + leap * 2 * MOST_LATE)
        assert len(sequence._missing) <= 2 * MOST_LATE


@given(st.lists(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_it_agrees_with_a_plain_count_in_whatever_order_they_come(numbers: list[int], chance: random.Random):
    chance.shuffle(numbers)
    sequence, new = taken(*numbers)
    assert sequence.lost == max(numbers) - min(numbers) + 1 - len(set(numbers))
    assert sum(new) == len(set(numbers)) - 1
