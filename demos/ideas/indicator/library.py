"""Indicators of TA-Lib, which has more than a hundred and fifty (the extra ``indicators``).

A value is calculated from the last MOST_BARS bars. So an indicator with a long memory, such as an adaptive average,
does not depend on when the server was started, once there are so many bars.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from demos.ideas.indicator.calculations import Bar
from demos.ideas.indicator.user_functions import MOST_BARS, IndicatorError

_INSTALL = 'indicators of TA-Lib need it: python -m pip install -e ".[indicators]"'

# The group of the functions whose values are prices.
_ON_PRICES = "Overlap Studies"
# MACD is in that group, but its values are differences of prices.
_NOT_ON_PRICES = ("MACD", "MACDEXT", "MACDFIX")


class LibraryIndicator(NamedTuple):
    """The names of the outputs, whether they are prices, and the calculation of all outputs at each bar."""

    title: str
    outputs: tuple[str, ...]
    on_prices: bool
    calculate: Callable[[Bar], tuple[float | None, ...]]


def library_indicator(name: str, arguments: Sequence[str]) -> LibraryIndicator:
    """A function of TA-Lib with these parameters, in its order; the others have its default values.

    Errors: IndicatorError without TA-Lib, for an unknown function, and for parameters that it refuses.
    """
    try:
        from talib import abstract
    except ImportError:
        raise IndicatorError(_INSTALL) from None
    try:
        function = abstract.Function(name)  # type: ignore[attr-defined, unused-ignore] # made at run time
        info: Mapping[str, Any] = function.info
    except Exception:  # TA-Lib raises a plain Exception
        raise IndicatorError(f"TA-Lib has no function {name}") from None
    parameters = list(info["parameters"])
    if len(arguments) > len(parameters):
        raise IndicatorError(f"{name} of TA-Lib has {len(parameters)} parameters, not {len(arguments)}")
    given = {key: _number(name, text) for key, text in zip(parameters, arguments, strict=False)}
    if "periods" in info["input_names"]:
        raise IndicatorError(f"{name} of TA-Lib needs more than bars")
    _check(name, _calculation(function, given))
    title = f"{name}({','.join(arguments)})" if arguments else name
    on_prices = info["group"] == _ON_PRICES and name not in _NOT_ON_PRICES
    return LibraryIndicator(title, tuple(info["output_names"]), on_prices, _calculation(function, given))


def _number(name: str, text: str) -> float:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise IndicatorError(f"invalid parameter of {name}: {text!r}; use a number") from None


def _calculation(function: Any, given: Mapping[str, float]) -> Callable[[Bar], tuple[float | None, ...]]:
    import numpy

    bars: deque[Bar] = deque(maxlen=MOST_BARS)

    def take(bar: Bar) -> tuple[float | None, ...]:
        bars.append(bar)
        columns = list(zip(*bars, strict=True))
        names = ("open", "high", "low", "close", "volume")
        arrays = {key: numpy.array(column, dtype=float) for key, column in zip(names, columns[1:], strict=True)}
        result = function(arrays, **given)
        outputs = result if isinstance(result, list) else [result]
        return tuple(float(each[-1]) for each in outputs)

    return take


def _check(name: str, calculate: Callable[[Bar], object]) -> None:
    """Calculate a value of a bar that is forgotten: TA-Lib checks parameters only then."""
    try:
        calculate(Bar(0, 1.0, 1.0, 1.0, 1.0, 1))
    except Exception as error:  # TA-Lib raises a plain Exception
        raise IndicatorError(f"{name} of TA-Lib: {error}") from None
