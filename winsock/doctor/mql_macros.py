"""Replaces the macros of MQL source. Source text becomes tokens in mql_source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Macro", "MqlError", "Token", "expanded", "partners"]

# A macro may contain other macros, and an argument too. These limits stop source that would expand for ever, or to
# gigabytes.
_MAX_DEPTH = 50
_MAX_REPLACEMENTS = 10_000


class MqlError(Exception):
    """The source cannot be parsed; `line` is the number of the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class Token(NamedTuple):
    text: str
    line: int


class Macro(NamedTuple):
    """A macro of #define; `parameters` is None if it has no parameter list."""

    parameters: tuple[str, ...] | None
    body: list[Token]
    line: int


def expanded(tokens: Sequence[Token], macros: Mapping[str, Macro]) -> list[Token]:
    """The tokens with all macros replaced.

    The time is proportional to the lengths of the tokens and of the result.

    Errors: MqlError if the result is too long, or the macros are nested too deeply.
    """
    return _Expansion(macros).expanded(tokens, frozenset(), 0)


class _Expansion:
    def __init__(self, macros: Mapping[str, Macro]) -> None:
        self._macros = macros
        self._left = _MAX_REPLACEMENTS

    def expanded(self, tokens: Sequence[Token], inside: frozenset[str], depth: int) -> list[Token]:
        """`inside` are the macros whose replacement these tokens are; `depth` counts the calls of this method."""
        out: list[Token] = []
        closing = partners(tokens)
        at = 0
        while at < len(tokens):
            token = tokens[at]
            at += 1
            macro = self._macros.get(token.text) if token.text not in inside else None
            if macro is None:
                out.append(token)
                continue
            if depth > _MAX_DEPTH:
                raise MqlError(token.line, f"the macro {token.text} is nested too deeply")
            body = macro.body
            if macro.parameters is not None:
                end = closing.get(at, at) if at < len(tokens) and tokens[at].text == "(" else at
                given = _arguments(tokens[at + 1 : end])
                if end == at or len(given) != len(macro.parameters):
                    out.append(token)
                    continue
                at = end + 1
                values = {
                    name: self.expanded(value, inside, depth + 1)
                    for name, value in zip(macro.parameters, given, strict=True)
                }
                body = [part for word in body for part in values.get(word.text, (word,))]
            self._left -= 1 + len(body)
            if self._left < 0:
                raise MqlError(token.line, f"the macro {token.text} is too long when it is expanded")
            out += self.expanded(body, inside | {token.text}, depth + 1)
        return out


def _arguments(tokens: Sequence[Token]) -> list[list[Token]]:
    """The arguments between the parentheses of a macro's call."""
    given: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            given.append([])
        else:
            given[-1].append(token)
    return given


def partners(tokens: Sequence[Token]) -> dict[int, int]:
    """The index of the closing bracket for each opening one, of { } and of ( )."""
    partners: dict[int, int] = {}
    opened: dict[str, list[int]] = {"}": [], ")": []}
    for index, token in enumerate(tokens):
        if token.text in ("{", "("):
            opened["}" if token.text == "{" else ")"].append(index)
        elif opened.get(token.text):
            partners[opened[token.text].pop()] = index
    return partners
