"""Conversion functions, between values and text. https://www.mql5.com/en/docs/convert"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from demos.terminal.mql.constants import CP_ACP, TIME_DATE, TIME_MINUTES, TIME_SECONDS
from demos.terminal.points import rounded
from demos.wire.codepages import codec_of

__all__ = [
    "CharArrayToString",
    "DoubleToString",
    "IntegerToString",
    "NormalizeDouble",
    "StringToCharArray",
    "StringToDouble",
    "StringToInteger",
    "TimeToString",
]

EPOCH = datetime(1970, 1, 1)

_CONVERSION = re.compile(r"(%[-+ #0]*(?:\*|[1-9]\d*)?(?:\.(?:\*|\d+)?)?)(?:I64|I32|ll|hh|[hlLzjt])?([a-zA-Z%])")
_SAME_IN_PYTHON = {"u": "d", "S": "s"}

# The ANSI code page that CP_ACP means: that of a Windows for Western Europe and America.
_ANSI = 1252

_DOUBLE = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)", re.ASCII)
_INTEGER = re.compile(r"\s*([-+]?\d+)", re.ASCII)
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


def time_of(milliseconds: int) -> datetime:
    """Milliseconds since 1970 as a datetime without a time zone."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(time: datetime) -> int:
    """A datetime without a time zone as milliseconds since 1970."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def TimeToString(value: datetime, mode: int = TIME_DATE | TIME_MINUTES) -> str:
    """``2017.04.19 09:00``, or the parts that TIME_DATE, TIME_MINUTES and TIME_SECONDS select."""
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


def IntegerToString(number: int, str_len: int = 0, fill_symbol: str = " ") -> str:
    """The decimal text, filled up on the left to at least ``str_len`` characters."""
    return str(number).rjust(str_len, fill_symbol)


def StringToDouble(value: str) -> float:
    """The number at the beginning of the text, after blanks; 0.0 when there is none."""
    match = _DOUBLE.match(value)
    return float(match[1]) if match else 0.0


def StringToInteger(value: str) -> int:
    """The integer at the beginning of the text, after blanks; 0 when there is none. Limited to 64 bits."""
    match = _INTEGER.match(value)
    return min(max(int(match[1]), _LONG_MIN), _LONG_MAX) if match else 0


def StringToCharArray(text_string: str, codepage: int = CP_ACP) -> bytes:
    """The text in a code page, followed by a NUL; a character that the code page lacks becomes ``?``.

    CP_ACP is code page 1252. A text ends at its first NUL, as in MQL5. MQL5 fills an array instead.
    """
    return text_string.partition("\0")[0].encode(_codec(codepage), "replace") + b"\0"


def CharArrayToString(array: bytes, start: int = 0, count: int = -1, codepage: int = CP_ACP) -> str:
    """The text of ``count`` bytes from ``start``, or of all bytes when ``count`` is -1, up to the first NUL.

    CP_ACP is code page 1252. A byte that the code page does not define becomes U+FFFD.
    """
    data = bytes(array[start:] if count < 0 else array[start : start + count])
    return data.partition(b"\0")[0].decode(_codec(codepage), "replace")


def _codec(codepage: int) -> str:
    return codec_of(_ANSI if codepage == CP_ACP else codepage)


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
    """Format as C's printf: sizes (l, ll, I64, h) are accepted and ignored, %u is %d, %s accepts any value.

    Errors: TypeError or ValueError when the format does not fit its arguments.
    """
    python = _CONVERSION.sub(lambda m: m[1] + _SAME_IN_PYTHON.get(m[2], m[2]), format)
    shown = tuple(mql_text(arg) if isinstance(arg, (bool, datetime)) else arg for arg in args)
    return python % shown
