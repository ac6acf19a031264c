"""Checks of JSON values, built from small parts: a check takes a value and its path, and returns the checked value.

`record` combines the checks of an object's fields and a class. So a message is described by one table, and every
refusal names the field and the value: "positions[3].lots: not a decimal number in a string: 0.1".

Parsing is bounded before it begins: `parse_json` refuses texts that are nested too deeply, numbers with too many
digits, NaN and Infinity, and names that occur twice in an object. Its time is proportional to the length of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from demos.terminal.symbols import symbol_problem

T = TypeVar("T")
Check = Callable[[Any, str], Any]

# A message needs 4 levels; fields of later versions may need a few more.
DEEPEST = 8
LARGEST_INTEGER = 2**53 - 1

_LONGEST_NUMBER = 32
_LONGEST_SHOWN = 60

# Strings (so that brackets inside them do not count) and brackets. The string's end is optional: the expression never
# fails once it has begun, so a text of quotation marks takes linear time.
_NESTING = re.compile(r'"(?:[^"\\]+|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,20})?", re.ASCII)


class FieldError(ValueError):
    """A text is not JSON within the limits, or a field is missing or has a wrong value; the text is one line."""


def parse_json(text: str) -> Any:
    """The value of a JSON text, with integers as int and other numbers as float.

    Errors: FieldError.
    """
    # A text with so few brackets cannot be nested deeper.
    if text.count("{") + text.count("[") > DEEPEST:
        _check_depth(text)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise FieldError(f"not JSON: {problem.msg} at character {problem.pos}") from None


def _check_depth(text: str) -> None:
    depth = 0
    for match in _NESTING.finditer(text):
        first = text[match.start()]
        if first in "[{":
            depth += 1
            if depth > DEEPEST:
                raise FieldError(f"nested more than {DEEPEST} levels deep")
        elif first in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise FieldError(f"the name {shown(name)} occurs twice in an object")
            names.add(name)
    return found


def _parse_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise FieldError(f"a number has more than {_LONGEST_NUMBER} characters")
    return int(text)


def _parse_float(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise FieldError(f"a number has more than {_LONGEST_NUMBER} characters")
    return float(text)


def _constant(text: str) -> NoReturn:
    raise FieldError(f"not JSON: {text} is not a number")


# Made once: json.loads would make one for each text.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_constant
)


def shown(value: object) -> str:
    """The value for an error message, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    short = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return ascii(short) if isinstance(value, str) else short


def refuse(path: str, problem: str) -> NoReturn:
    """Raise FieldError for the field at this path."""
    raise FieldError(f"{path}: {problem}" if path else problem)


def integer(least: int = 0, most: int = LARGEST_INTEGER) -> Check:
    """An integer from ``least`` to ``most``; true and 1.0 are not integers."""

    def check(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            refuse(path, f"not an integer from {least} to {most}: {shown(value)}")
        return value

    return check


def boolean(value: Any, path: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        refuse(path, f"not true or false: {shown(value)}")
    return value


def text(longest: int, *, printable: bool = True, secret: bool = False) -> Check:
    """A string of 1 to ``longest`` characters; the value of a secret is not shown in the error."""

    def check(value: Any, path: str) -> str:
        given = "" if secret else f": {shown(value)}"
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            refuse(path, f"not a string of 1 to {longest} characters{given}")
        if printable and not value.isprintable():
            refuse(path, f"a string with control characters{given}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            refuse(path, f"a string with half a surrogate pair{given}")
        return value

    return check


def pattern(expression: str, meaning: str) -> Check:
    """A string that the regular expression matches."""
    compiled = re.compile(expression, re.ASCII)

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            refuse(path, f"not {meaning}: {shown(value)}")
        return value

    return check


def symbol(value: Any, path: str) -> str:
    """The name of a symbol."""
    if not isinstance(value, str):
        refuse(path, f"not a symbol name: {shown(value)}")
    if problem := symbol_problem(value):
        refuse(path, ascii(problem)[1:-1])
    return value


def decimal(least: Decimal | None = None) -> Check:
    """A decimal number in a string, exact: at most 15 digits before the point and 20 after it, no exponent."""

    def check(value: Any, path: str) -> Decimal:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            refuse(path, f"not a decimal number in a string: {shown(value)}")
        number = Decimal(value)
        if least is not None and number < least:
            refuse(path, f"less than {least}: {value}")
        # Adding 0 removes the sign of "-0".
        return number if number else number + 0

    return check


def decimal_text(number: Decimal) -> str:
    """The shortest text of a number, without an exponent: "0.1" for 0.10."""
    # normalize() rounds to the precision of the current context, so the zeros are removed from the text instead.
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def optional(check: Check) -> Check:
    """A value, or None for null and for a missing field."""
    return lambda value, path: None if value is None else check(value, path)


def listing(check: Check, most: int) -> Check:
    """A list of at most ``most`` values, as a tuple."""

    def check_all(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            refuse(path, f"not a list: {shown(value)}")
        if len(value) > most:
            refuse(path, f"a list of more than {most} values: {len(value)}")
        return tuple(check(each, f"{path}[{number}]") for number, each in enumerate(value))

    return check_all


def mapping(name: Check, check: Check, most: int) -> Check:
    """An object with at most ``most`` names, as a dict."""

    def check_all(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(path, f"not an object: {shown(value)}")
        if len(value) > most:
            refuse(path, f"an object with more than {most} names: {len(value)}")
        return {name(key, f"{path} name"): check(each, f"{path}[{shown(key)}]") for key, each in value.items()}

    return check_all


def record(build: Callable[..., T], fields: Mapping[str, Check]) -> Callable[[Any, str], T]:
    """An object with these fields, passed to ``build``; other fields are ignored.

    A missing field is checked like null: only optional() accepts it.
    """

    required = [name for name, each in fields.items() if not _accepts_none(each)]

    def check(value: Any, path: str) -> T:
        if not isinstance(value, dict):
            refuse(path, f"not an object: {shown(value)}")
        prefix = f"{path}." if path else ""
        for name in required:
            if name not in value:
                refuse(f"{prefix}{name}", "missing")
        return build(**{name: each(value.get(name), f"{prefix}{name}") for name, each in fields.items()})

    return check


def _accepts_none(check: Check) -> bool:
    try:
        return check(None, "") is None
    except FieldError:
        return False


def plain(value: Any) -> Any:
    """The value as JSON: dataclasses as dicts without the fields that are None, decimals as text, tuples as lists."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return {name: plain(each) for name, each in vars(value).items() if each is not None}
