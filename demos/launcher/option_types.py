"""Types of command line options: each kind of value is checked here, once for all commands.

Each function is the ``type`` of an argparse option. It returns the value, or raises argparse.ArgumentTypeError with the
text and what was expected, which argparse shows with exit code 2.
"""

from __future__ import annotations

import argparse
import math
import re
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.paper.export_file import MOST_DIGITS
from demos.terminal.paper.market import speed_from_text
from demos.terminal.points import volume_steps
from demos.terminal.runtime.log import escaped
from demos.terminal.symbols import symbol_problem
from demos.wire.ports import listening_port_from_text, port_from_text

SubParsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_LOTS = re.compile(r"(\d{1,9}(?:\.\d{1,8})?)" + r":(\d{1,9}(?:\.\d{1,8})?)" * 2, re.ASCII)
_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,8})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3,8}", re.ASCII)


class Lots(NamedTuple):
    """A symbol's volume limits: minimum and maximum in steps, the step in lots."""

    minimum: int
    maximum: int
    step: Decimal


def whole(text: str, least: int = 1, most: int | None = None) -> int:
    """A whole number within limits, by default a positive one."""
    value = int(text) if _WHOLE.fullmatch(text) else None
    if value is None or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not a whole number {limits}")
    return value


def count(text: str) -> int:
    """A whole number of at least 0."""
    return whole(text, 0)


def seed(text: str) -> int:
    """The number of a random walk: any whole number."""
    if not _WHOLE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not a whole number")
    return int(text)


def port(text: str) -> int:
    """The port of a server to connect to."""
    try:
        return port_from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def listening_port(text: str) -> int:
    """The port that a server listens on; 0 means any free port."""
    try:
        return listening_port_from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def digits(text: str) -> int:
    """The digits after the decimal point of a price."""
    return whole(text, 0, MOST_DIGITS)


def above_zero(text: str, unit: str = "") -> float:
    """A number above 0; ``unit`` is what the error calls it, such as " of seconds"."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not a number{unit} above 0")
    return value


def seconds(text: str) -> float:
    """A length of time above 0."""
    return above_zero(text, " of seconds")


def speed(text: str) -> str:
    """The speed of a replay: the text itself, which speed_from_text() and a child process read again."""
    try:
        speed_from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def symbol(text: str) -> str:
    """A symbol's name; see demos.terminal.symbols."""
    problem = symbol_problem(text)
    if problem:
        raise argparse.ArgumentTypeError(problem)
    return text


def chart(text: str) -> tuple[str, int]:
    """``GBPUSD,M15``: a symbol and a PERIOD_*. The last comma separates them: a symbol's name may contain one."""
    name, _, period = text.rpartition(",")
    if period not in TIMEFRAMES:
        periods = ", ".join(TIMEFRAMES)
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not SYMBOL,PERIOD; periods: {periods}")
    return symbol(name), TIMEFRAMES[period]


def lots(text: str) -> Lots:
    """``0.01:100:0.01``: minimum, maximum and step in lots."""
    match = _LOTS.fullmatch(text)
    if match:
        minimum, maximum, step = (Decimal(part) for part in match.groups())
        if step > 0:
            spec = SymbolSpec("", volume_step=step)
            least, most = volume_steps(minimum, spec), volume_steps(maximum, spec)
            if least is not None and most is not None and 0 < least <= most:
                return Lots(least, most, step)
    raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not MIN:MAX:STEP in lots, as in 0.01:100:0.01")


def amount(text: str) -> Decimal:
    """An amount of money, as in 10000 or 2500.50."""
    if not _AMOUNT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not an amount of money, as in 10000 or 2500.50")
    return Decimal(text)


def currency(text: str) -> str:
    """The code of a currency, as in USD."""
    if not _CURRENCY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not a currency of capital letters, as in USD")
    return text
