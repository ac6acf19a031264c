"""What a strategy returns, and when two calculations agree."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.ideas.agents.grid import MOST_IN_TASK
from demos.ideas.agents.protocol import TO_COORDINATOR, Result
from demos.ideas.agents.values import (
    LARGEST,
    LONGEST_ERROR,
    LONGEST_FIGURE,
    MOST_FIGURES,
    all_same,
    exception_value,
    is_same,
    result_of,
    value_of,
    value_text,
)


def test_a_number_is_the_result_and_a_dict_may_have_further_figures():
    assert value_of(3) == {"result": 3.0}
    assert value_of(Decimal("1.5")) == {"result": 1.5}
    assert value_of({"result": 1, "trades": 7}) == {"result": 1.0, "trades": 7.0}


def test_the_numbers_of_numpy_are_numbers():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    assert value_of({"result": numpy.float32(0.5), "trades": numpy.int64(7)}) == {"result": 0.5, "trades": 7.0}


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (None, "no number for 'result': NoneType"),
        ("1.5", "no number for 'result': str"),
        (float("nan"), "returned nan for 'result'"),
        (float("-inf"), "returned -inf for 'result'"),
        (1e308, "returned 1e+308 for 'result', beyond 1e+300"),
        ({"result": 1, "other": -1.1e300}, "returned -1.1e+300 for 'other', beyond 1e+300"),
        ({"profit": 1}, "without 'result'"),
        ({"result": 1, "other": []}, "no number for 'other': list"),
        ({"result": 1, 2: 3}, "invalid name: 2"),
        ({"result": 1, "a b": 3}, "invalid name: 'a b'"),
        ({"result": 1, **{f"f{number}": 1 for number in range(MOST_FIGURES)}}, f"more than {MOST_FIGURES} figures"),
    ],
)
def test_anything_else_is_an_error(returned, problem):
    value = value_of(returned)
    assert isinstance(value, str)
    assert problem in value
    assert result_of(value) is None


def test_an_exception_becomes_one_short_line():
    assert exception_value(ValueError("fast must be\nbelow slow")) == "ValueError: fast must be below slow"
    assert exception_value(KeyError()) == "KeyError"
    text = exception_value(ValueError("\x1b[31m" + "x" * 1000))
    assert len(text) == LONGEST_ERROR
    assert text.isprintable()


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise self


def test_an_exception_that_cannot_be_converted_to_text_is_its_name():
    assert exception_value(_Unprintable()) == "_Unprintable"


@given(
    st.one_of(
        st.floats(),
        st.integers(),
        st.decimals(allow_nan=False),
        st.text(),
        st.dictionaries(st.sampled_from(["result", "a", "x" * LONGEST_FIGURE, ""]), st.floats(), max_size=4),
    )
)
def test_whatever_a_strategy_returns_can_be_reported(returned):
    values = (value_of(returned), LARGEST, -LARGEST)
    result = Result(0, tuple(map(value_of, values)))
    assert TO_COORDINATOR.decode(TO_COORDINATOR.encode(result)) == result


@pytest.mark.parametrize(
    "value",
    [
        exception_value(ValueError('"' * 1000)),
        exception_value(ValueError("\U0001f600" * 1000)),
        value_of({"result": -1.2345678901234567e-100, **{"x" * 31 + str(n): 1 / 3 for n in range(MOST_FIGURES - 1)}}),
    ],
)
def test_the_longest_values_of_the_largest_task_can_be_reported(value):
    result = Result(0, (value,) * MOST_IN_TASK)
    assert TO_COORDINATOR.decode(TO_COORDINATOR.encode(result)) == result


def test_calculations_agree_to_nine_digits_or_within_a_billionth():
    assert is_same({"result": 0.1 + 0.2}, {"result": 0.3})
    assert not is_same({"result": 1.0}, {"result": 1.0001})
    assert is_same({"result": 9e-10}, {"result": -9e-11})
    assert not is_same({"result": 1e-9}, {"result": -1e-10})
    assert not is_same({"result": 1.0}, {"result": 1.0, "trades": 1.0})
    assert not is_same({"result": 1.0}, {"profit": 1.0})


def test_errors_agree_whatever_their_texts_and_never_with_figures():
    assert is_same("ValueError: at 0x1", "ValueError: at 0x2")
    assert not is_same("ValueError", {"result": 1.0})
    assert all_same(("a", {"result": 1.0}), ("b", {"result": 1.0}))
    assert not all_same(("a",), ("a", "a"))


def test_a_value_is_shown_with_its_figures_or_its_error():
    assert value_text({"result": 10218.99999999996, "trades": 24.0}) == "result=10219 trades=24"
    assert value_text("ValueError: x") == "error: ValueError: x"
