"""Evaluates constant integer expressions of MQL: `1 + 2`, `(uint)~0`, `'f' << 8 | sizeof(int)`.

The parser climbs the precedence of the operators. Results are kept within 64 bits, as MQL's long and ulong are, so that
no expression can use much memory or time.
Source: https://www.mql5.com/en/docs/basis/operations/rules
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence

from .mql_macros import MqlError, Token

__all__ = ["Sizes", "as_type", "constant"]

# The size of a type in bytes; None if no type has this name.
Sizes = Callable[[str], "int | None"]

# A parenthesis takes up to twelve calls of the parser.
_MAX_DEPTH = 30
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}


def _divided(one: int, other: int) -> int:
    """Division as in C: towards zero."""
    if other == 0:
        raise ValueError("division by zero")
    return abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)


_OPERATORS: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "||": (1, lambda a, b: a != 0 or b != 0), "&&": (2, lambda a, b: a != 0 and b != 0),
    "|": (3, operator.or_), "^": (4, operator.xor), "&": (5, operator.and_),
    "==": (6, operator.eq), "!=": (6, operator.ne),
    "<": (7, operator.lt), ">": (7, operator.gt), "<=": (7, operator.le), ">=": (7, operator.ge),
    "<<": (8, lambda a, b: a << min(max(b, 0), 64)), ">>": (8, lambda a, b: a >> min(max(b, 0), 64)),
    "+": (9, operator.add), "-": (9, operator.sub),
    "*": (10, operator.mul), "/": (10, _divided), "%": (10, lambda a, b: a - _divided(a, b) * b),
}  # fmt: skip
_UNARY: dict[str, Callable[[int], int]] = {
    "-": operator.neg, "+": operator.pos, "~": operator.invert, "!": lambda value: value == 0
}  # fmt: skip


def constant(tokens: Sequence[Token], line: int, sizes: Sizes, names: Mapping[str, int]) -> int:
    """The value of an expression, whose macros are already replaced. `names` has the values of constants.

    Errors: MqlError with `line` if it is not a constant integer.
    """
    parser = _Parser([token.text for token in tokens], sizes, names)
    try:
        value = parser.binary(0)
        if parser.at == len(parser.words):
            return value
    except ValueError:
        pass
    text = " ".join(parser.words)
    raise MqlError(line, f"not a constant integer: {text if len(text) < 80 else text[:77] + '...'}")


def as_type(value: int, name: str, size: int) -> int:
    """The value after a cast to the type `name` of `size` bytes."""
    if name in ("float", "double"):
        return value
    if name == "bool":
        return int(value != 0)
    value &= (1 << 8 * size) - 1
    signed = not name.startswith("u") and value >> (8 * size - 1)
    return value - (1 << 8 * size) if signed else value


class _Parser:
    """Errors: ValueError for everything that is not a constant integer expression."""

    def __init__(self, words: Sequence[str], sizes: Sizes, names: Mapping[str, int]) -> None:
        self.words = words
        self.at = 0
        self._sizes = sizes
        self._names = names
        self._depth = 0

    def _peek(self, ahead: int = 0) -> str:
        return self.words[self.at + ahead] if self.at + ahead < len(self.words) else ""

    def _expect(self, word: str) -> None:
        if self._peek() != word:
            raise ValueError(f"{word!r} expected")
        self.at += 1

    def binary(self, above: int) -> int:
        """Operators with a precedence higher than `above`; 0 includes ?:."""
        left = self._unary()
        while (found := _OPERATORS.get(self._peek())) and found[0] > above:
            self.at += 1
            left = _within_64_bits(found[1](left, self.binary(found[0])))
        if above == 0 and self._peek() == "?":
            self._nest()
            self.at += 1
            yes = self.binary(0)
            self._expect(":")
            no = self.binary(0)
            self._depth -= 1
            return yes if left else no
        return left

    def _nest(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")

    def _unary(self) -> int:
        self._nest()
        value = self._operand()
        self._depth -= 1
        return value

    def _operand(self) -> int:
        word = self._peek()
        self.at += 1
        if word in _UNARY:
            return _within_64_bits(_UNARY[word](self._unary()))
        if word == "sizeof":
            return self._size_of()
        if word == "(":
            if (kind := self._type()) and self._peek() == ")":
                self.at += 1
                return as_type(self._unary(), *kind)
            value = self.binary(0)
            self._expect(")")
            return value
        self.at -= 1
        if kind := self._type():
            self._expect("(")
            value = as_type(self.binary(0), *kind)
            self._expect(")")
            return value
        self.at += 1
        return self._names[word] if word in self._names else _literal(word)

    def _type(self) -> tuple[str, int] | None:
        """The type that begins here, with its size."""
        name, length = self._peek(), 1
        if name in ("unsigned", "struct") and self._peek(1):
            name, length = ("u" if name == "unsigned" else "") + self._peek(1), 2
        size = self._sizes(name)
        if size is None:
            return None
        self.at += length
        return name, size

    def _size_of(self) -> int:
        self._expect("(")
        kind = self._type()
        self._expect(")")
        if kind is None:
            raise ValueError("not a type")
        return kind[1]


def _within_64_bits(value: int) -> int:
    if -(1 << 63) <= value < 1 << 64:
        return int(value)
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _literal(word: str) -> int:
    if word.startswith("'"):
        return _character(word)
    digits = word.rstrip("uUlL").lower()
    if digits.startswith(("0x", "0b")):
        return _within_64_bits(int(digits[:70], 16 if digits[1] == "x" else 2))
    if not re.fullmatch("[0-9]{1,20}", digits):
        raise ValueError("not a number")
    return int(digits)


def _character(word: str) -> int:
    text = word[1:-1]
    if len(text) == 1:
        return ord(text)
    if text.startswith("\\") and text[1:] in _ESCAPES:
        return _ESCAPES[text[1:]]
    if re.fullmatch(r"\\[xX][0-9a-fA-F]{1,4}", text):
        return int(text[2:], 16)
    raise ValueError("not a character")
