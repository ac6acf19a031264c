"""Parses the structures that MQL5 source declares.

Supported: struct and union with their fields, pack(n), nesting and inheritance, enum, and #define of a name. Methods,
functions, #import and everything else are skipped.
Source: https://www.mql5.com/en/docs/basis/types/classes
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["MQL_TYPES", "Field", "MqlError", "Struct", "parse"]

# Sizes of MQL5's simple types in bytes; an enum has 4.
MQL_TYPES = {
    "char": 1, "uchar": 1, "bool": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "color": 4, "float": 4,
    "long": 8, "ulong": 8, "double": 8, "datetime": 8,
}  # fmt: skip
_WORDS = {"const", "struct", "union", "class", "public", "private", "protected"}


class MqlError(Exception):
    """The source cannot be parsed; `line` is the number of the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class Token(NamedTuple):
    text: str
    line: int


class Field(NamedTuple):
    """A field: its type, its name, and the sizes of its array dimensions; -1 is a dynamic array."""

    type: str
    name: str
    sizes: tuple[int, ...]
    line: int

    def __str__(self) -> str:
        kind = "{...}" if "::" in self.type else self.type
        return f"{kind} {self.name}" + "".join(f"[{'' if size < 0 else size}]" for size in self.sizes)


@dataclass
class Struct:
    """A struct or union; `pack` limits the alignment of its fields (1 if the source has no pack)."""

    name: str
    line: int
    union: bool = False
    pack: int = 1
    base: str = ""
    fields: list[Field] = field(default_factory=list)


class _Source:
    """The tokens of the source, the names that #define defines, and the structures found so far."""

    def __init__(self, text: str) -> None:
        self.defines: dict[str, list[Token]] = {}
        self._tokens = list(self._read(text))
        self._at = 0
        self.structs: dict[str, Struct] = {}
        self.enums: set[str] = set()

    def _read(self, text: str) -> Iterable[Token]:
        # Comments are removed except for their line ends, so that line numbers stay right.
        plain = re.sub(
            r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/',
            lambda match: match[0] if match[0][0] == '"' else re.sub(r"[^\n]+", " ", match[0]),
            text,
            flags=re.DOTALL,
        )
        plain = re.sub(r"\\\r?\n", " \v", plain)
        line = 1
        for row in plain.split("\n"):
            directive = re.match(r"\s*#\s*(\w*)\s*(.*)", row, re.DOTALL)
            if not directive:
                yield from self._split(row, line)
            elif directive[1] == "define" and (named := re.match(r"(\w+)(?!\w|\()(.*)", directive[2], re.DOTALL)):
                self.defines[named[1]] = list(self._split(named[2], line))
            line += 1 + row.count("\v")

    def _split(self, row: str, line: int) -> Iterable[Token]:
        for word in re.findall(r'0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|"(?:\\.|[^"\\])*"|<<|>>|\S', row):
            yield Token(word, line)

    def peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else ""

    @property
    def line(self) -> int:
        return self._tokens[min(self._at, len(self._tokens) - 1)].line if self._tokens else 1

    def next(self) -> Token:
        if self._at >= len(self._tokens):
            raise MqlError(self.line, "the source ends inside a structure")
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, text: str) -> None:
        token = self.next()
        if token.text != text:
            raise MqlError(token.line, f"{text!r} expected, found {token.text!r}")

    def between(self, opening: str, closing: str) -> list[Token]:
        """The tokens between two brackets; the next token must be the opening one."""
        self.expect(opening)
        tokens = [self.next()]
        depth = 1
        while depth := depth + {opening: 1, closing: -1}.get(tokens[-1].text, 0):
            tokens.append(self.next())
        return tokens[:-1]

    def until(self, closing: str) -> list[Token]:
        tokens = []
        while self.peek() != closing:
            tokens.append(self.next())
        self.next()
        return tokens

    def expanded(self, tokens: Iterable[Token], inside: frozenset[str] = frozenset()) -> list[Token]:
        out: list[Token] = []
        for token in tokens:
            if token.text in self.defines and token.text not in inside:
                out += self.expanded(self.defines[token.text], inside | {token.text})
            else:
                out.append(token)
        return out


def parse(text: str) -> dict[str, Struct]:
    """The structures of the source by name, in their order.

    Errors: MqlError for a structure that cannot be parsed.
    """
    source = _Source(text)
    while source.peek():
        if source.peek() in ("struct", "union") and _begins_structure(source):
            _structure(source)
        elif source.peek() == "enum" and re.match(r"\w", source.peek(1)) and source.peek(2) == "{":
            source.enums.add(source.peek(1))
            source.next(), source.next()
            source.between("{", "}")
        else:
            source.next()
    for name in source.enums:
        source.structs[name] = Struct(name, 0, fields=[Field("int", "value", (), 0)], base="enum")
    return source.structs


def _begins_structure(source: _Source) -> bool:
    """Whether a declaration `struct NAME {` starts here, also with pack(n) or a base; not `struct NAME variable`."""
    return source.peek(1) == "{" or source.peek(2) in ("{", ":", "pack")


def _structure(source: _Source, outer: str = "") -> str:
    """Parses from `struct` or `union` to the closing bracket and returns the name of the structure."""
    union, line = source.next().text == "union", source.line
    name = source.next().text if source.peek() != "{" else f"{outer}::{line}"
    made = Struct(name, line, union)
    if source.peek() == "pack":
        source.next()
        made.pack = _number(source, source.between("(", ")"), line) or 1
    if source.peek() == ":":
        source.next()
        bases = [token.text for token in source.until("{") if token.text not in _WORDS]
        made.base = bases[0] if bases else ""
    else:
        source.expect("{")
    while source.peek() != "}":
        _member(source, made)
    source.next()
    source.structs[name] = made
    return name


def _member(source: _Source, made: Struct) -> None:
    if source.peek() == ";":
        source.next()
    elif source.peek() in ("public", "private", "protected") and source.peek(1) == ":":
        source.next(), source.next()
    elif source.peek() in ("struct", "union") and _begins_structure(source):
        kind = _structure(source, made.name)
        _declared(source, made, kind)
    else:
        words: list[Token] = []
        # The last word before a bracket, a comma or the semicolon is the name of the field.
        while source.peek() not in ("[", ",", ";", "(", "{", "}", ""):
            words.append(source.next())
        if source.peek() == "(":
            _skip_method(source)
            return
        if source.peek() not in ("[", ",", ";") or len(words) < 2:
            raise MqlError(source.line, f"cannot parse: {' '.join(word.text for word in words)} {source.peek()}")
        *kinds, name = words
        texts = [word.text for word in source.expanded(kinds) if word.text not in _WORDS]
        if "static" in texts:
            source.until(";")
            return
        if not texts:
            raise MqlError(name.line, f"{name.text} has no type")
        _declared(source, made, " ".join(texts), name)


def _declared(source: _Source, made: Struct, kind: str, name: Token | None = None) -> None:
    """Parses the names of a declaration: `name[2], other;`. Only a nested struct or union may have no name."""
    while True:
        if name is None and source.peek() != ";":
            name = source.next()
        sizes = []
        while source.peek() == "[":
            line = source.next().line
            size = source.until("]")
            sizes.append(_number(source, size, line) if size else -1)
        if name:
            made.fields.append(Field(kind, name.text, tuple(sizes), name.line))
        token = source.next()
        if token.text == ";":
            return
        if token.text != ",":
            raise MqlError(token.line, f"';' expected, found {token.text!r}")
        name = None


def _skip_method(source: _Source) -> None:
    source.between("(", ")")
    while source.peek() not in (";", "{"):
        source.next()
    if source.peek() == "{":
        source.between("{", "}")
    else:
        source.next()


_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.floordiv,
    ast.Mod: operator.mod, ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
    ast.LShift: lambda a, b: a << min(b, 64), ast.RShift: operator.rshift,
}  # fmt: skip


def _number(source: _Source, tokens: list[Token], line: int) -> int:
    """The value of a constant integer expression, with sizeof of the simple types."""
    text = " ".join(token.text for token in source.expanded(tokens))
    text = re.sub(r"\bsizeof \( (\w+) \)", lambda match: str(MQL_TYPES.get(match[1], match[1])), text)
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        raise MqlError(line, f"not a constant integer: {' '.join(token.text for token in tokens)}") from error


def _value(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    raise ValueError("not an integer")
