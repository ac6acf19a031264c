"""Lost and repeated ticks, counted by their numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.collector.sequence import MAX_LATE, SequenceTracker


def added(*numbers: int) -> tuple[SequenceTracker, list[bool]]:
    sequence = SequenceTracker.starting_at(numbers[0])
    return sequence, [sequence.add(number) for number in numbers[1:]]


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((1, 2, 3), 0),
        ((1, 3), 1),
        ((1, 3, 2), 0),
        ((1, 10), 8),
        ((1, 10, 5), 7),
        # Ticks before the first received one are not lost.
        ((500, 501), 0),
        # The first two ticks arrive in the other order.
        ((2, 1, 3), 0),
        ((5, 1), 3),
        ((5, 1, 3), 2),
    ],
)
def test_numbers_missing_between_the_first_and_the_last_are_lost(numbers, lost):
    sequence, new = added(*numbers)
    assert sequence.lost == lost
    assert all(new)


@pytest.mark.parametrize("numbers", [(1, 1), (1, 2, 1), (1, 3, 2, 2), (5, 1, 3, 5), (5, 1, 1)])
def test_a_repeated_number_is_recognized_and_changes_nothing(numbers):
    sequence, new = added(*numbers)
    assert new[-1] is False
    assert sequence.lost == added(*numbers[:-1])[0].lost


def test_a_number_whose_receipt_is_unknown_is_accepted():
    sequence = SequenceTracker(first=1, last=100, lost=3, known_from=101)
    assert sequence.add(50)
    assert sequence.add(103)
    assert sequence.lost == 5
    assert sequence.add(101)
    assert not sequence.add(101)
    assert (sequence.first, sequence.last, sequence.lost) == (1, 103, 4)


def test_an_earlier_first_number_leaves_the_unknown_range_unknown():
    sequence = SequenceTracker(first=50, last=100, lost=0, known_from=101)
    assert sequence.add(48)
    assert sequence.lost == 1
    assert sequence.add(60)


def test_a_large_gap_needs_no_more_memory():
    sequence, _ = added(1, 10**15 - 1)
    assert sequence.lost == 10**15 - 3
    assert sequence.add(10**15 - 1 - MAX_LATE)
    assert not sequence.add(10**15 - 1 - MAX_LATE)
    # Older numbers are not in memory: such a tick is accepted and not treated as repeated.
    assert sequence.add(10**15 - 2 - MAX_LATE)
    for leap in range(1, 10):
        sequence.add(10**15 + leap * 2 * MAX_LATE)
        assert len(sequence._missing) <= 2 * MAX_LATE


@given(st.lists(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_in_any_order_the_result_is_that_of_a_plain_count(numbers: list[int], chance: random.Random):
    chance.shuffle(numbers)
    sequence, new = added(*numbers)
    assert sequence.lost == max(numbers) - min(numbers) + 1 - len(set(numbers))
    assert sum(new) == len(set(numbers)) - 1
