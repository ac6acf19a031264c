"""Parses the declarations of MQL5 source: structures, constants, typedefs, and the prototypes of Winsock's DLL.

Supported: struct and union with their fields, pack(n), nesting and inheritance, enum, const, typedef, #define and
#import. Methods, functions, classes and everything else are skipped. A declaration that cannot be parsed does not stop
the others: its structure gets an error, and parsing continues after it. Each token is read a limited number of times,
so the time is proportional to the length of the source.
Source: https://www.mql5.com/en/docs/basis/types/classes
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .declarations import MQL_TYPES, Declarations, Field, Struct
from .mql_expressions import constant
from .mql_imports import read_import
from .mql_macros import MqlError, Token, expanded
from .mql_source import Source
from .offsets import lay_out
from .source_files import Includes, SourceFile

__all__ = ["number", "parse", "read"]

_WORDS = {"const", "struct", "union", "class", "public", "private", "protected", "virtual", "final"}
_UNSIGNED = {"unsigned char": "uchar", "unsigned short": "ushort", "unsigned int": "uint", "unsigned": "uint"}
_MAX_DEPTH = 30
_MAX_ARRAY = (1 << 31) - 1


def parse(text: str) -> dict[str, Struct]:
    """The structures of the source by name, in their order.

    Errors: MqlError for a structure that cannot be parsed.
    """
    structs = read(SourceFile("", text, Path())).structs
    for struct in structs.values():
        if struct.error:
            raise struct.error
    return structs


def read(file: SourceFile, includes: Includes | None = None, assumed: bool = True) -> Declarations:
    """All declarations of the source and of the files that it includes.

    `assumed` says whether unknown conditions of #if hold.
    """
    source = Source(file, includes, assumed)
    found = Declarations(source.lines, source.not_included, macros=source.macros, tokens=source.tokens)
    found.unknown_conditions = source.unknown_conditions
    while source.peek():
        start = source.at
        try:
            _declaration(source, found)
        except MqlError:
            source.at = start + 1
    return found


def _declaration(source: Source, found: Declarations) -> None:
    word = source.peek()
    if word in ("struct", "union") and _begins_structure(source):
        _structure(source, found, 0)
    elif word == "#import":
        found.prototypes += read_import(source)
    elif word == "enum":
        _enum(source, found)
    elif word == "const" and source.peek(3) == "=":
        source.at += 2
        name = source.next()
        source.next()
        value = number(found, source.until(";"), name.line)
        found.add_constant(name, value)
        source.at -= 1
    elif word == "typedef":
        source.next()
        if source.peek() == "enum" and "{" in (source.peek(1), source.peek(2)):
            _enum(source, found)
            _add_aliases(found, "int", _declarators(source), source.line)
        elif source.peek() not in ("struct", "union") or not _begins_structure(source):
            _typedef(source, found)
    else:
        source.next()


def _begins_structure(source: Source) -> bool:
    """Whether a declaration `struct NAME {` starts here, also with pack(n) or a base; not `struct NAME variable`."""
    return source.peek(1) in ("{", "pack") or source.peek(2) in ("{", ":", "pack", "final")


def _structure(source: Source, found: Declarations, depth: int, outer: str = "") -> str:
    """Parses from `struct` or `union` to the closing bracket and returns the name of the structure.

    A structure that cannot be parsed gets an error, and the position is then after its closing bracket.
    """
    alone = source.peek(-1) == "typedef"
    union, line = source.next().text == "union", source.line
    made = Struct(f"{outer}::{source.at}", line, union)
    try:
        _head(source, found, made)
        body = source.at
        source.between("{")
        end, source.at = source.at, body + 1
    except MqlError as error:
        made.error = error
        found.structs[made.name] = made
        raise
    try:
        while source.at < end - 1:
            _member(source, found, made, depth)
    except MqlError as error:
        made.error = error
    source.at = end
    declarators = _declarators(source) if alone else []
    names = [words[-1] for words in declarators if len(words) == 1]
    if "::" in made.name and names:
        made.name = names[0]
    found.structs[made.name] = made
    _add_aliases(found, made.name, declarators, source.line)
    return made.name


def _head(source: Source, found: Declarations, made: Struct) -> None:
    """Parses the name, pack(n) before or after it, and the base."""
    _pack(source, found, made)
    if source.peek() not in ("{", ":"):
        made.name = source.next().text
    if source.peek() == "final":
        source.next()
    _pack(source, found, made)
    if source.peek() == ":":
        source.next()
        bases = [token.text for token in source.until("{", 10) if token.text not in _WORDS]
        made.base = bases[0] if bases else ""
        source.at -= 1


def _pack(source: Source, found: Declarations, made: Struct) -> None:
    if source.peek() == "pack":
        source.next()
        made.pack = number(found, source.between("("), made.line) or 1


def _member(source: Source, found: Declarations, made: Struct, depth: int) -> None:
    word = source.peek()
    if word == ";":
        source.next()
    elif word in ("public", "private", "protected") and source.peek(1) == ":":
        source.at += 2
    elif word in ("struct", "union") and _begins_structure(source):
        if depth == _MAX_DEPTH:
            raise MqlError(source.line, f"{made.shown} is nested too deeply")
        inner = _structure(source, found, depth + 1, made.name)
        if "::" in inner and source.peek() == ";":
            made.fields.append(Field(inner, "", (), source.line))
        _fields(source, found, made, inner)
    elif word == "enum":
        _enum(source, found)
        _fields(source, found, made, "int")
    elif word == "template":
        source.until(">")
    else:
        _field_or_method(source, found, made)


def _field_or_method(source: Source, found: Declarations, made: Struct) -> None:
    words: list[Token] = []
    # The last word before a bracket, a comma or the semicolon is the name of the field.
    while source.peek() not in ("[", ",", ";", "(", "{", "}", ""):
        words.append(source.next())
    if source.peek() == "(" or any(word.text == "operator" for word in words):
        _skip_method(source)
        return
    if source.peek() not in ("[", ",", ";") or len(words) < 2:
        raise MqlError(source.line, f"cannot parse: {' '.join(word.text for word in words)} {source.peek()}")
    *kinds, name = words
    if any(word.text == ":" for word in words):
        raise MqlError(name.line, f"a field of MQL has no colon: {' '.join(word.text for word in words)}")
    texts = [word.text for word in expanded(kinds, found.macros) if word.text not in _WORDS]
    if "static" in texts:
        source.until(";", 1000)
        return
    if not texts:
        raise MqlError(name.line, f"{name.text} has no type")
    kind = " ".join(texts)
    kind = _UNSIGNED.get(kind, kind)
    _fields(source, found, made, found.aliases.get(kind, kind), name)


def _fields(source: Source, found: Declarations, made: Struct, kind: str, name: Token | None = None) -> None:
    """Parses the names of a declaration: `name[2], other;`. Only a nested struct or union may have no name."""
    while True:
        pointer = kind.endswith("*") and name is not None
        while name is None and source.peek() == "*":
            source.next()
            pointer = True
        if name is None and source.peek() != ";":
            name = source.next()
        sizes = []
        while source.peek() == "[":
            line = source.next().line
            size = source.until("]")
            sizes.append(_array_size(found, size, line) if size else -1)
        if name:
            plain = kind.rstrip("* ")
            made.fields.append(Field(f"{plain} *" if pointer else plain, name.text, tuple(sizes), name.line))
        token = source.next()
        if token.text == ";":
            return
        if token.text != ",":
            raise MqlError(token.line, f"';' expected, found {token.text!r}")
        name = None


def _skip_method(source: Source) -> None:
    if source.peek() == "[":  # operator[]
        source.until("]")
    while source.peek() == "(":
        source.between("(")
    while source.peek() not in (";", "{"):
        source.next()
    if source.peek() == "{":
        source.between("{")
    else:
        source.next()


def _enum(source: Source, found: Declarations) -> None:
    """Parses `enum NAME { A, B = 2 }`, to the closing bracket."""
    source.next()
    if re.match(r"\w", source.peek()):
        name = source.next()
        value_field = Field("int", "value", (), name.line)
        found.structs.setdefault(name.text, Struct(name.text, name.line, fields=[value_field], base="enum"))
    value = -1
    entry: list[Token] = []
    for token in [*source.between("{"), Token(",", source.line)]:
        if token.text != ",":
            entry.append(token)
            continue
        if entry:
            value += 1
            if len(entry) > 2 and entry[1].text == "=":
                value = number(found, entry[2:], entry[0].line)
            found.add_constant(entry[0], value)
        entry = []


def _typedef(source: Source, found: Declarations) -> None:
    """Parses `typedef TYPE NAME, *NAME;` and the pointers to functions of MQL, `typedef TYPE (*NAME)(PARAMETERS);`."""
    line = source.line
    words = [token.text for token in expanded(source.until(";"), found.macros)]
    if "(" in words and "*" in words:
        at = words.index("*") + 1
        found.aliases[words[min(at, len(words) - 1)]] = "pointer"
        return
    first, *others = _split_at_commas(words)
    names = [word for word in first if word not in _WORDS and word not in ("enum", "*")]
    kind = " ".join(names[:-1])
    kind = _UNSIGNED.get(kind, kind)
    if kind:
        declarator = [word for word in first if word == "*"] + names[-1:]
        _add_aliases(found, found.aliases.get(kind, kind), [declarator, *others], line)


def _declarators(source: Source) -> list[list[str]]:
    """Parses the names after the bracket of a typedef, `NAME, *NAME`, up to the semicolon."""
    words = []
    while source.peek() not in (";", "{", "}", "#import", ""):
        words.append(source.next().text)
    return _split_at_commas(words)


def _split_at_commas(words: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == ",":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _add_aliases(found: Declarations, kind: str, declarators: Sequence[Sequence[str]], line: int) -> None:
    """Adds the names of a typedef. The names of arrays are left out."""
    for words in declarators:
        if words and re.fullmatch(r"[A-Za-z_]\w*", words[-1]):
            found.aliases[words[-1]] = "pointer" if "*" in words else kind
            found.defined_at[words[-1]] = line


def number(found: Declarations, tokens: Sequence[Token], line: int) -> int:
    """The value of a constant integer expression.

    Errors: MqlError if it is not one.
    """

    def size_of(name: str) -> int | None:
        name = found.aliases.get(name, name)
        if name in MQL_TYPES:
            return MQL_TYPES[name]
        try:
            return lay_out(name, found.structs, MQL_TYPES).size if name in found.structs else None
        except (MqlError, KeyError):
            return None

    return constant(expanded(tokens, found.macros), line, size_of, found.constants)


def _array_size(found: Declarations, tokens: list[Token], line: int) -> int:
    size = number(found, tokens, line)
    if not 0 < size <= _MAX_ARRAY:
        raise MqlError(line, f"invalid size of an array: {size}; it must be from 1 to {_MAX_ARRAY}")
    return size
