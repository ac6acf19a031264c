"""Reads MQL5 source as tokens: removes comments, applies the directives, and expands macros.

Supported directives: #define, #undef, #ifdef, #ifndef, #else, #endif, and #include of a file in quotation marks, whose
tokens take the directive's place. Of C's #if and #elif only a number and defined(NAME) are evaluated; another condition
is taken to hold. `#import "FILE"` becomes two tokens. All other directives are ignored.
Source: https://www.mql5.com/en/docs/basis/preprosessor
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .source_files import Includes, LineTable, SourceError, SourceFile

__all__ = ["Macro", "MqlError", "Source", "Token", "expanded"]

# A macro may contain other macros, and an argument too. These limits stop source that would expand for ever, or to
# gigabytes.
_MAX_DEPTH = 50
_MAX_REPLACEMENTS = 10_000
# The macros that the compiler of MQL5 defines.
_PREDEFINED = ("__MQL__", "__MQL5__")

# A string, a character constant or a comment, which may be incomplete.
_OPAQUE = re.compile(r'"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_INCLUDE = re.compile(r'"([^"\n]*)"|<[^>\n]*>')
# A condition of #if that is evaluated: a number, or whether a macro is defined.
_CONDITION = re.compile(r"\s*(!?)\s*(?:defined\s*(?:\(\s*(\w+)\s*\)|(\w+))|(\d+))\s*", re.ASCII)
# Files that include each other in a chain longer than this are not read.
_MAX_INCLUDES = 30
_WORD = re.compile(
    r'0[xX][0-9a-fA-F]+[uUlL]*|0[bB][01]+[uUlL]*|\d+[uUlL]*|[A-Za-z_]\w*|"(?:\\.|[^"\\])*"?|\'(?:\\.|[^\'\\])*\'?'
    r"|<<|>>|<=|>=|==|!=|&&|\|\||\S"
)


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


class _Condition(NamedTuple):
    """An open #if: whether its present branch is compiled, whether a branch was, and whether the source around is."""

    holds: bool
    taken: bool
    around: bool


class Source:
    """The tokens of a source with a position, and its macros as they are at the end of the source.

    `not_included` are the directives #include that were not followed, as the line, the file's name and the reason.
    """

    def __init__(self, file: SourceFile, includes: Includes | None = None) -> None:
        self.macros: dict[str, Macro] = {}
        self.lines = LineTable()
        self.not_included: list[tuple[int, str, str]] = []
        self._includes = includes or Includes()
        self._conditions: list[_Condition] = []
        self.tokens = list(self._read(file, 0))
        self.at = 0
        self._partners = _partners(self.tokens)

    def _read(self, file: SourceFile, depth: int) -> Iterable[Token]:
        # Comments are removed except for their line ends, so that line numbers stay right.
        plain = _OPAQUE.sub(
            lambda match: match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]+", " ", match[0]),
            file.text.replace("\r\n", "\n").replace("\r", "\n"),
        )
        line = self.lines.add(file.name, plain.count("\n") + 1) + 1
        outer, self._conditions = self._conditions, []
        for row in plain.replace("\\\n", " \v").split("\n"):
            directive = re.match(r"\s*#\s*(\w*)\s*(.*)", row, re.DOTALL)
            if not directive:
                if self._compiled:
                    yield from _split(row, line)
            elif directive[1] == "include":
                if self._compiled:
                    yield from self._include(directive[2], line, file.folder, depth)
            else:
                yield from self._directive(directive[1], directive[2], line)
            line += 1 + row.count("\v")
        self._conditions = outer

    def _include(self, text: str, line: int, folder: Path, depth: int) -> Iterable[Token]:
        named = _INCLUDE.match(text)
        if not named:
            return
        try:
            if named[1] is None:
                raise SourceError("only files in quotation marks are read")
            if depth == _MAX_INCLUDES:
                raise SourceError("files include each other too deeply")
            file = self._includes.open(named[1], folder)
        except SourceError as error:
            self.not_included.append((line, named[0], str(error)))
            return
        if file:
            yield from self._read(file, depth + 1)

    @property
    def _compiled(self) -> bool:
        return not self._conditions or (self._conditions[-1].holds and self._conditions[-1].around)

    def _directive(self, name: str, text: str, line: int) -> Iterable[Token]:
        if name in ("if", "ifdef", "ifndef", "elif", "else", "endif"):
            self._condition(name, text)
        elif not self._compiled:
            return
        elif name == "define" and (parts := re.match(r"(\w+)(\([^()]*\))?(.*)", text, re.DOTALL)):
            parameters = tuple(re.findall(r"\w+", parts[2])) if parts[2] is not None else None
            self.macros[parts[1]] = Macro(parameters, list(_split(parts[3], line)), line)
        elif name == "undef" and (word := re.match(r"\w+", text)):
            self.macros.pop(word[0], None)
        elif name == "import":
            yield Token("#import", line)
            yield from _split(text, line)

    def _condition(self, name: str, text: str) -> None:
        if name in ("if", "ifdef", "ifndef"):
            holds = self._holds(name, text)
            self._conditions.append(_Condition(holds, holds, self._compiled))
        elif self._conditions and name == "endif":
            self._conditions.pop()
        elif self._conditions:
            _, taken, around = self._conditions[-1]
            holds = not taken and (name == "else" or self._holds("if", text))
            self._conditions[-1] = _Condition(holds, taken or holds, around)

    def _holds(self, name: str, text: str) -> bool:
        if name != "if":
            word = re.match(r"\w*", text)
            return self._is_defined(word[0] if word else "") == (name == "ifdef")
        condition = _CONDITION.fullmatch(text)
        if not condition:
            return True
        macro = condition[2] or condition[3]
        return (self._is_defined(macro) if macro else int(condition[4][:9]) != 0) != bool(condition[1])

    def _is_defined(self, name: str) -> bool:
        return name in self.macros or name in _PREDEFINED

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    @property
    def line(self) -> int:
        return self.tokens[min(self.at, len(self.tokens) - 1)].line if self.tokens else 1

    def next(self) -> Token:
        if self.at >= len(self.tokens):
            raise MqlError(self.line, "the source ends inside a declaration")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, text: str) -> None:
        token = self.next()
        if token.text != text:
            raise MqlError(token.line, f"{text!r} expected, found {token.text!r}")

    def between(self, opening: str) -> list[Token]:
        """The tokens between two brackets; the next token must be the opening one."""
        start = self.at
        self.expect(opening)
        end = self._partners.get(start)
        if end is None:
            raise MqlError(self.tokens[start].line, f"{opening!r} is never closed")
        self.at = end + 1
        return self.tokens[start + 1 : end]

    def until(self, closing: str, limit: int = 100) -> list[Token]:
        """The tokens before `closing`, which is the last token that is read; at most `limit`."""
        line, tokens = self.line, []
        while self.peek() != closing:
            tokens.append(self.next())
            if len(tokens) > limit or tokens[-1].text in (";", "}"):
                raise MqlError(line, f"{closing!r} is missing")
        self.next()
        return tokens


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
        partners = _partners(tokens)
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
                end = partners.get(at, at) if at < len(tokens) and tokens[at].text == "(" else at
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


def _split(row: str, line: int) -> Iterable[Token]:
    for word in _WORD.findall(row):
        yield Token(word, line)


def _partners(tokens: Sequence[Token]) -> dict[int, int]:
    """The index of the closing bracket for each opening one, of { } and of ( )."""
    partners: dict[int, int] = {}
    opened: dict[str, list[int]] = {"}": [], ")": []}
    for index, token in enumerate(tokens):
        if token.text in ("{", "("):
            opened["}" if token.text == "{" else ")"].append(index)
        elif opened.get(token.text):
            partners[opened[token.text].pop()] = index
    return partners
