"""Parses the prototypes between `#import "Ws2_32.dll"` and the next `#import`."""

from __future__ import annotations

import re

from .declarations import Parameter, Prototype
from .mql_macros import Token, expanded
from .mql_source import Source

__all__ = ["read_import"]

_WINSOCK_DLL = re.compile(r'"(?:.*[\\/])?(ws2_32|wsock32)(\.dll)?"', re.IGNORECASE)
_QUALIFIERS = {"const", "struct", "union", "enum", "&", "*", "far", "FAR", "in", "out", "void"}


def read_import(source: Source) -> list[Prototype]:
    """The prototypes of an import; the next token must be `#import`. Other DLLs have none."""
    source.next()
    winsock = _WINSOCK_DLL.fullmatch(source.peek())
    if source.peek().startswith('"'):
        source.next()
    else:
        return []
    found: list[Prototype] = []
    words: list[Token] = []
    while source.peek() not in ("", "#import"):
        token = source.next()
        if token.text != ";":
            words.append(token)
            continue
        if winsock and (prototype := _prototype(words, source)):
            found.append(prototype)
        words = []
    return found


def _prototype(words: list[Token], source: Source) -> Prototype | None:
    texts = [word.text for word in words]
    if "(" not in texts[2:] or texts[-1] != ")":
        return None
    opened = texts.index("(", 2)
    result = [token.text for token in expanded(words[: opened - 1], source.macros)]
    text = re.sub(r" ?([(),\[\]]) ?", r"\1", " ".join(texts)).replace("& ", "&").replace(",", ", ")
    return Prototype(
        _type(result), texts[opened - 1], _parameters(words[opened + 1 : -1], source), text, words[opened - 1].line
    )


def _parameters(words: list[Token], source: Source) -> tuple[Parameter, ...]:
    parts: list[list[Token]] = [[]]
    for word in words:
        if word.text == ",":
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts) == 1 and [word.text for word in parts[0]] in ([], ["void"]):
        return ()
    return tuple(_parameter(part, source) for part in parts)


def _parameter(words: list[Token], source: Source) -> Parameter:
    """One parameter: `const uchar &buf[]`, `int len = 0`, or only a type."""
    texts = [word.text for word in expanded(words, source.macros)]
    texts = texts[: texts.index("=")] if "=" in texts else texts
    names = [text for text in texts if re.fullmatch(r"[A-Za-z_]\w*", text) and text not in _QUALIFIERS]
    length = 2 if names[:1] == ["unsigned"] else 1
    name = names[length] if len(names) > length else ""
    return Parameter(_type(names[:length]), name, any(text in ("&", "*", "[") for text in texts))


def _type(words: list[str]) -> str:
    """The type without qualifiers; a pointer ends in *."""
    names = [word for word in words if word not in _QUALIFIERS]
    kind = "u" + names[1] if names[:1] == ["unsigned"] and len(names) > 1 else names[0] if names else "void"
    return f"{kind}*" if "*" in words else kind
