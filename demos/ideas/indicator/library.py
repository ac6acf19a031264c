"""Indicators of TA-Lib, which has more than a hundred and fifty (the extra ``indicators``).

A value is calculated from the last MOST_BARS bars. So an indicator with a long memory, such as an adaptive average,
does not depend on when the server was started, once there are so many bars. A sum over all bars, such as OBV, goes on
from bar to bar instead: it begins with the first bar of the calculation. Other functions of all bars are refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

from demos.ideas.indicator.calculations import Bar
from demos.ideas.indicator.user_functions import MOST_BARS, IndicatorError

_INSTALL = 'indicators of TA-Lib need it: python -m pip install -e ".[indicators]"'

# The group of the functions whose values are prices.
_ON_PRICES = "Overlap Studies"
# MACD is in that group, but its values are differences of prices.
_NOT_ON_PRICES = ("MACD", "MACDEXT", "MACDFIX")

# Sums over all bars: each value is the last one and an addition.
_SUMS = ("AD", "CUMSUM", "OBV", "PVT", "WAD")
# Their values depend on all bars in another way, or are positions in the array of the bars.
_OF_ALL_BARS = ("MAXINDEX", "MININDEX", "MINMAXINDEX", "NVI", "PVI", "VWAP")


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
    defaults = info["parameters"]
    given = {key: _number(name, text, defaults[key]) for key, text in zip(parameters, arguments, strict=False)}
    if "periods" in info["input_names"]:
        raise IndicatorError(f"{name} of TA-Lib needs more than bars")
    if name in _OF_ALL_BARS:
        raise IndicatorError(f"{name} of TA-Lib depends on all bars; the calculation has the last {MOST_BARS}")
    _check(name, _window_calculation(function, given))
    needed = abstract.Function(name, **given).lookback + 1  # type: ignore[attr-defined, unused-ignore] # as above
    if needed > MOST_BARS:
        raise IndicatorError(
            f"{name} of TA-Lib needs {needed} bars with these parameters; the calculation has the last {MOST_BARS}"
        )
    title = f"{name}({','.join(arguments)})" if arguments else name
    on_prices = info["group"] == _ON_PRICES and name not in _NOT_ON_PRICES
    calculation = (_sum_calculation if name in _SUMS else _window_calculation)(function, given)
    return LibraryIndicator(title, tuple(info["output_names"]), on_prices, calculation)


def _number(name: str, text: str, default: object) -> float:
    """A parameter as a number of the default value's type: TA-Lib does not take an int for a float."""
    try:
        return float(text) if isinstance(default, float) else int(text)
    except ValueError:
        kind = "number" if isinstance(default, float) else "whole number"
        raise IndicatorError(f"invalid parameter of {name}: {text!r}; use a {kind}") from None


def _window_calculation(function: Any, given: Mapping[str, float]) -> Callable[[Bar], tuple[float | None, ...]]:
    """The outputs at the last of MOST_BARS bars."""
    calculate = _calculation(function, given)
    return lambda bar: tuple(float(each[-1]) for each in calculate(bar))


def _sum_calculation(function: Any, given: Mapping[str, float]) -> Callable[[Bar], tuple[float | None, ...]]:
    """The sum over all bars so far, of a function with one output."""
    calculate = _calculation(function, given)
    total: float | None = None

    def take(bar: Bar) -> tuple[float | None, ...]:
        nonlocal total
        [output] = calculate(bar)
        # The first value of PVT and WAD is at the second bar.
        total = float(output[-1]) if total is None or isnan(total) else total + float(output[-1] - output[-2])
        return (total,)

    return take


def _calculation(function: Any, given: Mapping[str, float]) -> Callable[[Bar], Sequence[Any]]:
    """The arrays of all outputs over the last MOST_BARS bars."""
    import numpy

    bars: deque[Bar] = deque(maxlen=MOST_BARS)

    def take(bar: Bar) -> Sequence[Any]:
        bars.append(bar)
        columns = list(zip(*bars, strict=True))
        names = ("open", "high", "low", "close", "volume")
        arrays = {key: numpy.array(column, dtype=float) for key, column in zip(names, columns[1:], strict=True)}
        result = function(arrays, **given)
        return result if isinstance(result, list) else [result]

    return take


def _check(name: str, calculate: Callable[[Bar], object]) -> None:
    """Calculate a value of a bar that is forgotten: TA-Lib checks parameters only then."""
    try:
        calculate(Bar(0, 1.0, 1.0, 1.0, 1.0, 1))
    except Exception as error:  # TA-Lib raises a plain Exception
        raise IndicatorError(f"{name} of TA-Lib: {error}") from None
