"""The calculations: values worked out by hand, the definitions written down directly, and TA-Lib."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indicator_kit import random_bars

from demos.ideas.indicator.calculations import (
    PRICES,
    Bar,
    average_true_range,
    exponential_average,
    of_price,
    relative_strength,
    simple_average,
    smoothed_average,
    weighted_average,
)

BARS = random_bars(400)
CLOSES = [bar.close for bar in BARS]
PERIODS = [1, 2, 3, 14, 50]


def values(step, numbers):
    return [step(number) for number in numbers]


def bar_of(open, high, low, close):
    return Bar(0, open, high, low, close, 1)


def same(found, expected):
    assert len(found) == len(expected)
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert (one is None) == (other is None), number
        if one is not None:
            assert one == pytest.approx(float(other), rel=1e-9, abs=1e-12), number


def test_the_simple_average_is_the_mean_of_the_last_numbers():
    assert values(simple_average(3), [1.0, 2.0, 6.0, 1.0, 2.0]) == [None, None, 3.0, 3.0, 3.0]


def test_the_weighted_average_gives_the_newest_number_the_largest_weight():
    # (1*1 + 2*2 + 3*6) / 6 and (1*2 + 2*6 + 3*1) / 6
    assert values(weighted_average(3), [1.0, 2.0, 6.0, 1.0]) == [None, None, 23 / 6, 17 / 6]


def test_the_exponential_average_begins_with_the_first_number():
    # The factor is 1/2: 4, 4 + (8 - 4) / 2 = 6, 6 + (2 - 6) / 2 = 4, 4 + (0 - 4) / 2 = 2.
    assert values(exponential_average(3), [4.0, 8.0, 2.0, 0.0]) == [None, None, 4.0, 2.0]


def test_the_smoothed_average_begins_with_the_simple_average():
    # (3 + 6 + 9) / 3 = 6, then (6 * 2 + 9) / 3 = 7 and (7 * 2 + 1) / 3 = 5.
    assert values(smoothed_average(3), [3.0, 6.0, 9.0, 9.0, 1.0]) == [None, None, 6.0, 7.0, 5.0]


def test_the_relative_strength_index_is_that_of_wilder():
    # Changes +1, -1, +2: gains (1 + 0) / 2 = 0.5, losses (0 + 1) / 2 = 0.5; then (0.5 + 2) / 2 = 1.25, 0.25.
    found = values(relative_strength(2), [10.0, 11.0, 10.0, 12.0])
    same(found, [None, None, 50.0, 100 - 100 / (1 + 1.25 / 0.25)])


def test_the_relative_strength_index_without_losses_is_100_and_without_changes_50():
    assert values(relative_strength(2), [1.0, 2.0, 3.0, 4.0])[2:] == [100.0, 100.0]
    assert values(relative_strength(2), [3.0, 2.0, 1.0])[2:] == [0.0]
    assert values(relative_strength(2), [1.0, 1.0, 1.0])[2:] == [50.0]


def test_the_average_true_range_is_the_simple_average_of_ranges_that_include_the_close_before():
    bars = [bar_of(5, 6, 4, 5), bar_of(8, 9, 7, 8), bar_of(8, 8.5, 8, 8), bar_of(2, 3, 1, 2)]
    # True ranges: 9 - 5 = 4, 8.5 - 8 = 0.5, 8 - 1 = 7; the first bar has none.
    assert values(average_true_range(2), bars) == [None, None, 2.25, 3.75]


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("close", 4.0),
        ("open", 1.0),
        ("high", 6.0),
        ("low", 0.5),
        ("median", 3.25),
        ("typical", 3.5),
        ("weighted", 3.625),
    ],
)
def test_a_price_of_a_bar_is_that_of_metatrader(price, expected):
    assert of_price(simple_average(1), price)(bar_of(1.0, 6.0, 0.5, 4.0)) == expected
    assert len(PRICES) == 7


@pytest.mark.parametrize("period", PERIODS)
def test_the_averages_agree_with_their_definitions_in_exact_arithmetic(period):
    exact = [Fraction(close) for close in CLOSES]
    windows = [exact[end - period : end] if end >= period else None for end in range(1, len(exact) + 1)]
    same(values(simple_average(period), CLOSES), [each and sum(each) / period for each in windows])
    weights = range(1, period + 1)
    weighted = [
        each and sum(weight * close for weight, close in zip(weights, each, strict=True)) / sum(weights)
        for each in windows
    ]
    same(values(weighted_average(period), CLOSES), weighted)
    alpha, ema = Fraction(2, period + 1), [exact[0]]
    for close in exact[1:60]:
        ema.append(alpha * close + (1 - alpha) * ema[-1])
    same(values(exponential_average(period), CLOSES[:60]), [None] * (period - 1) + ema[period - 1 :])


@pytest.mark.parametrize("period", PERIODS[1:])
def test_the_calculations_agree_with_ta_lib(period):
    talib = pytest.importorskip("talib", reason="TA-Lib is not installed: python -m pip install -e '.[indicators]'")
    import numpy

    close, high, low = (numpy.array([getattr(bar, name) for bar in BARS]) for name in ("close", "high", "low"))

    def check(found, expected):
        same(found, [None if numpy.isnan(each) else float(each) for each in expected])

    check(values(simple_average(period), CLOSES), talib.SMA(close, period))
    check(values(weighted_average(period), CLOSES), talib.WMA(close, period))
    check(values(relative_strength(period), CLOSES), talib.RSI(close, period))
    # MetaTrader's range is averaged simply, TA-Lib's ATR in Wilder's way.
    ranges = numpy.concatenate([[numpy.nan], talib.SMA(talib.TRANGE(high, low, close)[1:], period)])
    check(values(average_true_range(period), BARS), ranges)
    # TA-Lib's exponential average begins with the mean of the first prices. MetaTrader's begins with the first price,
    # which is the mean of its own copies.
    longer = talib.EMA(numpy.concatenate([numpy.full(period - 1, close[0]), close]), period)[period - 1 :]
    longer[: period - 1] = numpy.nan
    check(values(exponential_average(period), CLOSES), longer)


@given(st.lists(st.floats(-1e9, 1e9), max_size=40), st.integers(1, 9))
def test_averages_lie_between_the_smallest_and_the_largest_number(numbers, period):
    for make in (simple_average, exponential_average, smoothed_average, weighted_average):
        for found in values(make(period), numbers):
            low, high = min(numbers), max(numbers)
            assert found is None or low - 1e-6 - abs(low) * 1e-9 <= found <= high + 1e-6 + abs(high) * 1e-9


@given(st.lists(st.floats(-1e9, 1e9), max_size=40), st.integers(1, 9))
def test_the_relative_strength_index_is_between_0_and_100_and_has_no_value_before_its_period(numbers, period):
    found = values(relative_strength(period), numbers)
    assert all(each is None for each in found[:period])
    assert all(each is not None and 0 <= each <= 100 for each in found[period:])


@given(st.lists(st.floats(-1e9, 1e9), min_size=10, max_size=40), st.integers(0, 30))
def test_the_simple_average_does_not_depend_on_where_it_began(numbers, skipped):
    begin = min(skipped, len(numbers) - 3)
    assert values(simple_average(3), numbers)[-1] == values(simple_average(3), numbers[begin:])[-1]
