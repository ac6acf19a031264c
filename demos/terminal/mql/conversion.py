"""MQL5's conversions between values and text."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from demos.terminal.mql.constants import TIME_DATE, TIME_MINUTES, TIME_SECONDS
from demos.terminal.points import rounded

EPOCH = datetime(1970, 1, 1)

_CONVERSION = re.compile(r"(%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+)?)?)(?:I64|I32|ll|hh|[hlLzjt])?([a-zA-Z%])")
_SAME_IN_PYTHON = {"u": "d", "S": "s"}


def time_of(milliseconds: int) -> datetime:
    """Zoneless milliseconds since 1970 as a datetime without a zone."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(time: datetime) -> int:
    """A datetime without a zone as milliseconds since 1970."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def TimeToString(value: datetime, mode: int = TIME_DATE | TIME_MINUTES) -> str:
    """``2017.04.19 09:00``, or the parts of it that TIME_DATE, TIME_MINUTES and TIME_SECONDS name."""
    parts = [f"{value:%Y.%m.%d}"] if mode & TIME_DATE else []
    if mode & TIME_SECONDS:
        parts.append(f"{value:%H:%M:%S}")
    elif mode & TIME_MINUTES:
        parts.append(f"{value:%H:%M}")
    return " ".join(parts)


def NormalizeDouble(value: float, digits: int) -> float:
    """The double nearest to ``value`` rounded to that many digits, halves away from zero."""
    return float(rounded(value, digits)) if math.isfinite(value) else value


def DoubleToString(value: float, digits: int = 8) -> str:
    """``value`` with exactly that many digits after the point; -0.00 keeps its sign, as in MQL5."""
    return f"{rounded(value, digits):f}" if math.isfinite(value) else str(value)


def mql_text(value: object) -> str:
    """A value as Print shows it: doubles with up to 16 digits, ``true`` and ``false``, times to the second."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = f"{value:.16g}"
        return f"{text}.0" if text.removeprefix("-").isdigit() else text
    if isinstance(value, datetime):
        return TimeToString(value, TIME_DATE | TIME_SECONDS)
    return str(value)


def mql_format(format: str, args: tuple[object, ...]) -> str:
    """``format`` filled in as C's printf does: sizes (l, ll, I64, h) are accepted, %u is %d, %s takes any value.

    Errors: TypeError or ValueError when the format does not fit its arguments.
    """
    python = _CONVERSION.sub(lambda m: m[1] + _SAME_IN_PYTHON.get(m[2], m[2]), format)
    shown = tuple(mql_text(arg) if isinstance(arg, (bool, datetime)) else arg for arg in args)
    return python % shown
