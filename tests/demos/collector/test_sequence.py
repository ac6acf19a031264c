"""Lost and repeated ticks, counted by their numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.collector.sequence import WINDOW, SequenceTracker


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


def test_a_number_whose_receipt_is_unknown_counts_as_repeated():
    sequence = SequenceTracker.without_window(first=1, last=100, lost=3)
    assert not sequence.add(50)
    assert sequence.add(103)
    assert sequence.lost == 5
    assert sequence.add(101)
    assert not sequence.add(101)
    assert (sequence.first, sequence.last, sequence.lost) == (1, 103, 4)


def test_a_sequence_that_is_continued_from_its_stored_numbers_recognizes_the_same_repeats():
    before, _ = added(5, 7, 8, 12)
    sequence = SequenceTracker(before.first, before.last, before.lost, before.received)
    assert [number for number in range(4, 14) if sequence.add(number)] == [4, 6, 9, 10, 11, 13]
    assert (sequence.first, sequence.last, sequence.lost) == (4, 13, 0)


def test_a_number_below_the_window_counts_as_repeated_and_stays_lost():
    sequence, _ = added(1, 10**15 - 1)
    assert sequence.lost == 10**15 - 3
    assert sequence.add(10**15 - WINDOW)
    assert not sequence.add(10**15 - WINDOW)
    assert not sequence.add(10**15 - 1 - WINDOW)
    assert not sequence.add(1)
    assert sequence.lost == 10**15 - 4


@pytest.mark.parametrize("step", [1, 2, 100, WINDOW - 1, WINDOW, WINDOW + 1, 10**9, 10**14])
def test_a_gap_of_any_size_needs_the_memory_of_one_window(step):
    sequence = SequenceTracker.starting_at(1)
    for number in range(1, 20_000):
        assert sequence.add(1 + number * step)
        assert sequence.received.bit_length() <= WINDOW
    assert sequence.lost == 19_999 * (step - 1)


@given(st.lists(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_numbers_in_any_order_give_the_same_result_as_a_simple_count(numbers: list[int], chance: random.Random):
    chance.shuffle(numbers)
    sequence, new = added(*numbers)
    assert sequence.lost == max(numbers) - min(numbers) + 1 - len(set(numbers))
    assert sum(new) == len(set(numbers)) - 1
