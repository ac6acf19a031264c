"""Reads MQL5 source as tokens: removes comments, applies the directives, and expands macros.

Supported directives: #define, #undef, #ifdef, #ifndef, #else, #endif, and #include of a file in quotation marks, whose
tokens take the directive's place; also #if and #elif of C. A condition is unknown if its result depends on a name that
the source does not define, since a compiler may define it. The reader chooses whether unknown conditions hold.
`#import "FILE"` becomes two tokens. All other directives are ignored.
Source: https://www.mql5.com/en/docs/basis/preprosessor
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .mql_expressions import constant
from .mql_macros import Macro, MqlError, Token, expanded, partners
from .source_files import Includes, LineTable, SourceError, SourceFile

__all__ = ["Source"]

# The macros that the compiler of MQL5 defines.
_PREDEFINED = ("__MQL__", "__MQL5__")

# A string, a character constant or a comment, which may be incomplete.
_OPAQUE = re.compile(r'"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_INCLUDE = re.compile(r'"([^"\n]*)"|<[^>\n]*>')
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# A condition with unknown names is known if it has the same result for each of these values.
_VALUES_OF_UNKNOWN_NAMES = ("0", "1", str((1 << 31) - 1))
# Files that include each other in a chain longer than this are not read.
_MAX_INCLUDES = 30
_WORD = re.compile(
    r'0[xX][0-9a-fA-F]+[uUlL]*|0[bB][01]+[uUlL]*|\d+[uUlL]*|[A-Za-z_]\w*|"(?:\\.|[^"\\])*"?|\'(?:\\.|[^\'\\])*\'?'
    r"|<<|>>|<=|>=|==|!=|&&|\|\||\S"
)


class _Condition(NamedTuple):
    """An open #if: whether its present branch is compiled, whether a branch was, and whether the source around is."""

    holds: bool
    taken: bool
    around: bool


class Source:
    """The tokens of a source with a position, and its macros as they are at the end of the source.

    `not_included` are the directives #include that were not followed, as the line, the file's name and the reason.
    `assumed` says whether unknown conditions hold; `unknown_conditions` whether there are any.
    """

    def __init__(self, file: SourceFile, includes: Includes | None = None, assumed: bool = True) -> None:
        self.unknown_conditions = False
        self._assumed = assumed
        self.macros: dict[str, Macro] = {}
        self.lines = LineTable()
        self.not_included: list[tuple[int, str, str]] = []
        self._includes = includes or Includes()
        self._conditions: list[_Condition] = []
        self.tokens = list(self._read(file, 0))
        self.at = 0
        self._partners = partners(self.tokens)

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
            self._condition(name, text, line)
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

    def _condition(self, name: str, text: str, line: int) -> None:
        if name in ("if", "ifdef", "ifndef"):
            holds = self._compiled and self._holds(name, text, line)
            self._conditions.append(_Condition(holds, holds, self._compiled))
        elif self._conditions and name == "endif":
            self._conditions.pop()
        elif self._conditions:
            _, taken, around = self._conditions[-1]
            holds = around and not taken and (name == "else" or self._holds("if", text, line))
            self._conditions[-1] = _Condition(holds, taken or holds, around)

    def _holds(self, name: str, text: str, line: int) -> bool:
        if name != "if":
            word = re.match(r"\w*", text)
            return self._is_defined(word[0] if word else "") == (name == "ifdef")
        text = _DEFINED.sub(lambda found: f" {int(self._is_defined(found[1] or found[2]))} ", text)
        try:
            tokens = expanded(list(_split(text, line)), self.macros)
            results = {
                constant([self._with_value(token, value) for token in tokens], line, lambda name: None, {}) != 0
                for value in _VALUES_OF_UNKNOWN_NAMES
            }
        except MqlError:
            results = {False, True}
        if len(results) == 1:
            return results.pop()
        self.unknown_conditions = True
        return self._assumed

    def _with_value(self, token: Token, value: str) -> Token:
        """The token, or the value if it is a name that the source does not define."""
        if token.text in ("true", "false"):
            value = str(int(token.text == "true"))
        return token._replace(text=value) if _NAME.fullmatch(token.text) else token

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


def _split(row: str, line: int) -> Iterable[Token]:
    for word in _WORD.findall(row):
        yield Token(word, line)
