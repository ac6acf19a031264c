"""Checks the size of the variable that an MQL program passes to WSAStartup, which writes a whole WSADATA to it."""

from __future__ import annotations

from collections.abc import Sequence

from .declarations import MQL_TYPES, Declarations
from .findings import Finding
from .mql_macros import MqlError, Token, expanded
from .mql_structs import number
from .offsets import lay_out

__all__ = ["compare_startup_buffers"]

_QUALIFIERS = {
    "const", "static", "input", "sinput", "extern", "private", "protected", "public", ":", "struct", "union", "enum",
}  # fmt: skip
# Tokens before a variable's declaration begins.
_BOUNDARIES = {";", "{", "}", "(", ")", "#import"}
# For each call the source before it is searched.
_MAX_CALLS = 20
_MAX_WORDS = 60


def compare_startup_buffers(found: Declarations, bits: int, expected: int) -> list[Finding]:
    """A finding for each call of WSAStartup with a variable of known size; `expected` is the size of WSADATA."""
    findings: list[Finding] = []
    inside, calls = False, 0
    for at, token in enumerate(found.tokens):
        if token.text == "#import":
            inside = at + 1 < len(found.tokens) and found.tokens[at + 1].text.startswith('"')
        elif token.text == "WSAStartup" and not inside and calls < _MAX_CALLS:
            calls += 1
            name = _second_argument(found.tokens, at + 1)
            size = _size_of_variable(name, at, found, bits) if name else None
            if size is not None:
                findings.append(_finding(found.place(token.line), name, size, expected, bits))
    return findings


def _finding(where: str, name: str, size: int, expected: int, bits: int) -> Finding:
    facts = {"variable": name, "size": size, "expected": expected}
    text = f"{where}: {name} has {size} bytes, WSADATA has {expected} on {bits}-bit Windows"
    if size >= expected:
        return Finding(True, "call WSAStartup", text, facts=facts)
    advice = f"WSAStartup writes beyond its end. Use: uchar {name}[{expected}];"
    return Finding(False, "call WSAStartup", text, advice, facts)


def _second_argument(tokens: Sequence[Token], at: int) -> str:
    """The name that is the second argument of the call whose `(` is at this index; "" for anything else."""
    if at >= len(tokens) or tokens[at].text != "(":
        return ""
    depth = 0
    parts: list[list[str]] = [[]]
    for token in tokens[at : at + _MAX_WORDS]:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return parts[1][0] if len(parts) == 2 and len(parts[1]) == 1 else ""
        if token.text == "," and depth == 1:
            parts.append([])
        elif (token.text, depth) != ("(", 1):
            parts[-1].append(token.text)
    return ""


def _size_of_variable(name: str, before: int, found: Declarations, bits: int) -> int | None:
    """The size in bytes that the nearest declaration or ArrayResize before this index gives a variable."""
    tokens = found.tokens
    count: int | None = None
    for at in range(before - 1, -1, -1):
        if tokens[at].text != name:
            continue
        if count is None and at > 1 and tokens[at - 1].text == "(" and tokens[at - 2].text == "ArrayResize":
            count = _constant(found, tokens, at + 2, (",", ")"))
        if tokens[at - 1].text == "&":
            return None  # a parameter: its size is that of the caller's variable
        kind = _declared_type(tokens, at, found)
        if kind is None:
            continue
        if tokens[at - 1].text == "*" or kind == "pointer":
            return None
        one = _size_of_type(kind, found, bits)
        if tokens[at + 1].text == "[" and tokens[at + 2].text != "]":
            count = _constant(found, tokens, at + 2, ("]",))
        elif tokens[at + 1].text != "[":
            count = 1
        return one * count if one is not None and count is not None else None
    return None


def _declared_type(tokens: Sequence[Token], at: int, found: Declarations) -> str | None:
    """The type of the declaration that the name at this index belongs to; None if it is not a declaration."""
    if at + 2 >= len(tokens) or tokens[at + 1].text not in (";", ",", "[", "="):
        return None
    start = at
    while start > 0 and at - start < _MAX_WORDS and tokens[start - 1].text not in _BOUNDARIES:
        start -= 1
    words = [token for token in tokens[start:at] if token.text not in _QUALIFIERS]
    if not words or any(word.text in ("&", "=", ".") for word in words):
        return None
    try:
        texts = [word.text for word in expanded(words, found.macros) if word.text not in _QUALIFIERS]
    except MqlError:
        return None
    if texts[:1] == ["unsigned"] and len(texts) > 1:
        texts = ["u" + texts[1]]
    kind = found.aliases.get(texts[0], texts[0]) if texts else ""
    return kind if kind in MQL_TYPES or kind in found.structs or kind == "pointer" else None


def _size_of_type(kind: str, found: Declarations, bits: int) -> int | None:
    if kind in MQL_TYPES:
        return MQL_TYPES[kind]
    try:
        return lay_out(kind, found.structs, MQL_TYPES | {"pointer": bits // 8}).size
    except MqlError:
        return None


def _constant(found: Declarations, tokens: Sequence[Token], at: int, ends: Sequence[str]) -> int | None:
    """The value of the expression from this index to one of `ends` outside of parentheses."""
    depth = 0
    for end in range(at, min(at + _MAX_WORDS, len(tokens))):
        text = tokens[end].text
        if depth == 0 and text in ends:
            try:
                return number(found, tokens[at:end], tokens[at].line)
            except MqlError:
                return None
        depth += (text == "(") - (text == ")")
    return None
