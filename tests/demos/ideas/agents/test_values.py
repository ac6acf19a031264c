"""What a strategy returns, and when two calculations agree."""

from __future__ import annotations

from decimal import Decimal

import pytest

from demos.ideas.agents.values import (
    LONGEST_ERROR,
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


def test_calculations_agree_to_nine_digits():
    assert is_same({"result": 0.1 + 0.2}, {"result": 0.3})
    assert not is_same({"result": 1.0}, {"result": 1.0001})
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
