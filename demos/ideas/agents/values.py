"""What a strategy returns for one point: figures, or the error that it ended with.

The figure ``result`` is what the optimisation maximizes. A strategy returns it alone, as a number, or a dict that
contains it and further figures.

Two calculations of a point are the same when both are errors, or when each figure agrees to nine digits or differs by
at most 1e-9. Not exactly: mathematical functions of two systems may differ in the last digit of a float, and so may
sums that should be 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import TypeAlias

# Figures by name, or the text of an error.
Value: TypeAlias = "dict[str, float] | str"

RESULT = "result"
MOST_FIGURES = 8
LONGEST_FIGURE = 32
LONGEST_ERROR = 200

# No figure is larger, and none is smaller than the negative.
LARGEST = 1e300

_FIGURE = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_FIGURE - 1}}}", re.ASCII)
_TIMEOUT = "no result within "
_TIMEOUT_TEXT = re.compile(rf"{_TIMEOUT}(\d{{1,6}}(?:\.\d{{1,3}})?) s", re.ASCII)
_RELATIVE = 1e-9
_ABSOLUTE = 1e-9


def value_of(returned: object) -> Value:
    """The value for what a strategy has returned."""
    figures = returned if isinstance(returned, Mapping) else {RESULT: returned}
    if RESULT not in figures:
        return error_value(f"the strategy returned a dict without {RESULT!r}")
    if len(figures) > MOST_FIGURES:
        return error_value(f"the strategy returned more than {MOST_FIGURES} figures: {len(figures)}")
    found: dict[str, float] = {}
    for name, figure in figures.items():
        if not isinstance(name, str) or not _FIGURE.fullmatch(name):
            return error_value(f"the strategy returned a figure with an invalid name: {name!r}")
        # The types of numpy are registered as numbers.
        if not isinstance(figure, (Real, Decimal)):
            return error_value(f"the strategy returned no number for {name!r}: {type(figure).__name__}")
        found[name] = float(figure)
        if not math.isfinite(found[name]):
            return error_value(f"the strategy returned {found[name]} for {name!r}")
        if abs(found[name]) > LARGEST:
            return error_value(f"the strategy returned {found[name]} for {name!r}, beyond {LARGEST:g}")
    return found


def error_value(text: str) -> str:
    """The value for an error: its text in one line, shortened."""
    line = " ".join(text.split()) or "an error without a text"
    return "".join(character if character.isprintable() else "?" for character in line)[:LONGEST_ERROR]


def timeout_value(seconds: float) -> Value:
    """The value for a point that has taken longer than its limit."""
    return error_value(f"{_TIMEOUT}{seconds:g} s")


def timeout_of(value: Value) -> float | None:
    """The limit in seconds of a value that timeout_value() has made; None for every other value."""
    found = _TIMEOUT_TEXT.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) if found else None


def exception_value(error: BaseException) -> str:
    """The value for an exception; without the text of one that cannot be converted to text."""
    try:
        text = str(error)
    except BaseException:  # the owner's class may raise anything
        text = ""
    return error_value(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def result_of(value: Value) -> float | None:
    """What is maximized; None for an error."""
    return None if isinstance(value, str) else value[RESULT]


def is_same(one: Value, other: Value) -> bool:
    """Whether two calculations of a point agree: see the head of this module."""
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return one.keys() == other.keys() and all(
        math.isclose(figure, other[name], rel_tol=_RELATIVE, abs_tol=_ABSOLUTE) for name, figure in one.items()
    )


def all_same(ones: Sequence[Value], others: Sequence[Value]) -> bool:
    """Whether two calculations of the same points agree."""
    return len(ones) == len(others) and all(map(is_same, ones, others))


def value_text(value: Value) -> str:
    """A value for a person: ``result=1.5 trades=7``, or the error."""
    if isinstance(value, str):
        return f"error: {value}"
    return " ".join(f"{name}={figure:.6g}" for name, figure in value.items())
