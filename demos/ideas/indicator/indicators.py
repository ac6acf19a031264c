"""The indicators that a server calculates, made from the text of its input, such as "sma:20,rsi:14,mine.py:slope".

Each part names one indicator:

- KIND:PERIOD or KIND:PERIOD:PRICE: sma, ema, smma, lwma, rsi (with a price of PRICES, by default close), atr;
- FILE.py:FUNCTION, which gets a window of its own, or FILE.py:FUNCTION:prices, which is drawn on the prices;
- talib:NAME or talib:NAME:PARAMETER:PARAMETER.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demos.ideas.indicator.calculations import (
    PRICES,
    Bar,
    Calculation,
    Step,
    average_true_range,
    exponential_average,
    of_price,
    relative_strength,
    simple_average,
    smoothed_average,
    weighted_average,
)
from demos.ideas.indicator.library import library_indicator
from demos.ideas.indicator.series import LONGEST_NAME, MOST_LINES, MOST_WINDOWS, Line, Row, usable
from demos.ideas.indicator.user_functions import IndicatorError, load_function, user_calculation

LONGEST_PERIOD = 1000

_AVERAGES: dict[str, Callable[[int], Step]] = {
    "sma": simple_average,
    "ema": exponential_average,
    "smma": smoothed_average,
    "lwma": weighted_average,
}
_RSI_LEVELS = (30.0, 70.0)

_BUILT_IN = re.compile(rf"({'|'.join(_AVERAGES)}|rsi|atr):(\d{{1,4}})(?::({'|'.join(PRICES)}))?", re.ASCII)
_USER = re.compile(r"(?P<file>.+\.py):(?P<function>[^\W\d]\w*)(?P<prices>:prices)?")
_LIBRARY = re.compile(r"talib:([A-Z][A-Z0-9_]{1,19})((?::-?[0-9.]{1,12})*)", re.ASCII)

# Red, yellow, aqua, magenta, orange, lime, white, silver, as in the colors of charts.
_COLORS = (0x0000FF, 0x00FFFF, 0xFFFF00, 0xFF00FF, 0x00A5FF, 0x00FF00, 0xFFFFFF, 0xC0C0C0)


@dataclass(frozen=True)
class Part:
    """One indicator: its lines' names, whether they are on the prices, their levels, and the calculation of all."""

    names: tuple[str, ...]
    on_prices: bool
    calculate: Callable[[Bar], tuple[float | None, ...]]
    levels: tuple[float, ...] = ()


class Indicators:
    """Some indicators with their lines, which get one closed bar after another."""

    def __init__(self, parts: list[Part]) -> None:
        """Errors: IndicatorError for too many lines or windows."""
        self._parts = parts
        lines: list[Line] = []
        window = 0
        for part in parts:
            window += not part.on_prices
            for name in part.names:
                color = _COLORS[len(lines) % len(_COLORS)]
                shown = "".join(each if each.isprintable() else "?" for each in name)[:LONGEST_NAME]
                lines.append(Line(shown, 0 if part.on_prices else window, color, part.levels))
        if len(lines) > MOST_LINES or window > MOST_WINDOWS:
            raise IndicatorError(
                f"{len(lines)} lines in {window} windows below the prices; there is room for {MOST_LINES} lines "
                f"and {MOST_WINDOWS} windows"
            )
        names = [line.name for line in lines]
        if twice := [name for name in names if names.count(name) > 1]:
            raise IndicatorError(f"an indicator is given twice: two lines have the name {twice[0]!r}")
        self.lines = tuple(lines)

    def take(self, bar: Bar) -> Row:
        """The values at the bar that follows the last one."""
        return Row(bar.time, tuple(usable(value) for part in self._parts for value in part.calculate(bar)))


def indicators_problem(text: str) -> str | None:
    """Why this text names no indicators, or None; files and TA-Lib are not looked at."""
    for each in text.split(","):
        if not (_BUILT_IN.fullmatch(each) or _USER.fullmatch(each) or _LIBRARY.fullmatch(each)):
            return (
                f"invalid indicator: {each!r}; use sma:20, ema:20, smma:20, lwma:20, rsi:14, atr:14, "
                "talib:CCI:14 or FILE.py:FUNCTION, separated by commas"
            )
    return None


def indicator_files(text: str) -> list[str]:
    """The files that this text names."""
    return [match["file"] for each in text.split(",") if (match := _USER.fullmatch(each))]


def absolute_files(text: str) -> str:
    """The same indicators with absolute paths of the files, for a process with another working folder."""
    parts = []
    for each in text.split(","):
        match = _USER.fullmatch(each)
        parts.append(f"{Path(match['file']).absolute()}{each[match.end('file') :]}" if match else each)
    return ",".join(parts)


def make_indicators(text: str, report: Callable[[str], object]) -> Indicators:
    """The indicators that a text names; ``report`` gets lines about failures of a user's function.

    Errors: IndicatorError.
    """
    if problem := indicators_problem(text):
        raise IndicatorError(problem)
    texts = text.split(",")
    labels = _labels([match for each in texts if (match := _USER.fullmatch(each))])
    return Indicators([_part(each, labels, report) for each in texts])


def _part(text: str, labels: Mapping[str, str], report: Callable[[str], object]) -> Part:
    if match := _BUILT_IN.fullmatch(text):
        return _built_in(match[1], int(match[2]), match[3])
    if match := _LIBRARY.fullmatch(text):
        made = library_indicator(match[1], match[2].split(":")[1:])
        names = (made.title,) if len(made.outputs) == 1 else tuple(f"{made.title} {each}" for each in made.outputs)
        return Part(names, made.on_prices, made.calculate)
    match = _USER.fullmatch(text)
    assert match is not None
    label = labels[text]
    function = load_function(Path(match["file"]), match["function"])
    return Part((label,), bool(match["prices"]), _single(user_calculation(function, label, report)))


def _labels(users: Sequence[re.Match[str]]) -> dict[str, str]:
    """The name of each user's function by its text: ``file.function``, with folders where two files have one name."""
    paths = {match[0]: Path(os.path.abspath(match["file"])).with_suffix("") for match in users}
    found = {}
    for match in users:
        path = paths[match[0]]
        others = {paths[each[0]] for each in users if each["function"] == match["function"]} - {path}
        count = 1
        while any(path.parts[-count:] == other.parts[-count:] for other in others):
            count += 1
        found[match[0]] = f"{'/'.join(path.parts[-count:])}.{match['function']}"
    return found


def _built_in(kind: str, period: int, price: str | None) -> Part:
    if not 1 <= period <= LONGEST_PERIOD:
        raise IndicatorError(f"invalid period of {kind}: {period}; use 1 to {LONGEST_PERIOD}")
    name = f"{kind.upper()}({period}{f',{price}' if price else ''})"
    if kind == "atr":
        if price:
            raise IndicatorError(f"atr has no price: give atr:{period}, not atr:{period}:{price}")
        return Part((name,), False, _single(average_true_range(period)))
    if kind == "rsi":
        return Part((name,), False, _single(of_price(relative_strength(period), price or "close")), _RSI_LEVELS)
    return Part((name,), True, _single(of_price(_AVERAGES[kind](period), price or "close")))


def _single(calculation: Calculation) -> Callable[[Bar], tuple[float | None, ...]]:
    return lambda bar: (calculation(bar),)
