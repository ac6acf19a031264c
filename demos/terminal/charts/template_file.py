"""Chart templates, files as MetaTrader 5 writes them: read into a tree and written back, byte for byte.

A template is UTF-16LE text with a byte order mark and CRLF line ends: sections, ``<chart>`` to ``</chart>``, nested
to any depth, and lines ``key=value`` in them. What is not known here stays where it is, as it is; also line ends, blank
lines and what follows the last section, such as the NUL that the article's server sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import takewhile

from demos.terminal.interfaces import TerminalError

BOM = b"\xff\xfe"
ROOT = "chart"

_OPENING = re.compile(r"<(\w+)>", re.ASCII)
_DEEPEST = 16

# The values of a program's inputs are its own business: nothing in there is a section.
_OPAQUE = "inputs"


class TemplateError(TerminalError):
    """Bytes that are no template; the message names the line."""

    code = 4


@dataclass
class Line:
    """A line's text and its end: CRLF, LF, or nothing at the end of the file."""

    text: str
    end: str = "\r\n"

    def key(self) -> str:
        """What stands before the first ``=``; "" where there is none."""
        return self.text.partition("=")[0] if "=" in self.text else ""

    def value(self) -> str:
        """What stands behind the first ``=``."""
        return self.text.partition("=")[2]


@dataclass
class Section:
    """A section with its lines and the sections in it, in their order. The document itself has no name and no marks."""

    name: str
    items: list[Line | Section] = field(default_factory=list)
    opening: Line | None = None
    closing: Line | None = None

    def lines(self) -> Iterator[Line]:
        """The section's own lines."""
        return (item for item in self.items if isinstance(item, Line))

    def sections(self, name: str) -> Iterator[Section]:
        """The sections of that name that are directly in this one."""
        return (item for item in self.items if isinstance(item, Section) and item.name == name)

    def get(self, key: str, default: str = "") -> str:
        """The first value of that key."""
        return next((line.value() for line in self.lines() if line.key() == key), default)

    def set(self, key: str, value: object) -> None:
        """Give a key its value; a new key comes behind the last one that precedes the first section."""
        line = next((line for line in self.lines() if line.key() == key), None)
        if line:
            line.text = f"{key}={value}"
            return
        head = list(takewhile(lambda item: isinstance(item, Line), self.items))
        while head and head[-1] == Line(""):
            head.pop()
        self.items.insert(len(head), Line(f"{key}={value}"))

    def remove(self, section: Section) -> None:
        """Take out a section that is directly in this one, and the blank line behind it."""
        index = next(index for index, item in enumerate(self.items) if item is section)
        del self.items[index]
        if index < len(self.items) and self.items[index] == Line(""):
            del self.items[index]

    def copy(self) -> Section:
        """A copy that shares nothing."""
        return deepcopy(self)


def new_section(name: str, *pairs: tuple[str, object]) -> Section:
    """A section of these keys and values."""
    lines: list[Line | Section] = [Line(f"{key}={value}") for key, value in pairs]
    return Section(name, lines, Line(f"<{name}>"), Line(f"</{name}>"))


def parse(data: bytes) -> Section:
    """The document that the bytes of a template file hold.

    Errors: TemplateError when they are not UTF-16LE with a mark, or the sections do not fit into each other.
    """
    if not data.startswith(BOM):
        raise TemplateError("a template begins with the byte order mark FF FE")
    if len(data) % 2:
        raise TemplateError("a template has two bytes for each character, and this one has half a character")
    # A lone surrogate is no text, but it is to come out as it went in; so nothing is left that cannot be read.
    text = data[len(BOM) :].decode("utf-16-le", "surrogatepass")
    document = Section("")
    stack = [document]
    for number, raw in enumerate(text.split("\n"), 1):
        line = _line(raw, last=text.count("\n") == number - 1)
        if line is not None:
            _take(line, number, stack)
    if len(stack) > 1:
        raise TemplateError(f"the template ends inside <{stack[-1].name}>")
    if not any(document.sections(ROOT)):
        raise TemplateError(f"the template has no <{ROOT}>")
    return document


def to_bytes(document: Section) -> bytes:
    """The template file; what parse() has read comes out as it was."""
    return BOM + "".join(_texts(document)).encode("utf-16-le", "surrogatepass")


def _line(raw: str, *, last: bool) -> Line | None:
    if last:
        return Line(raw, "") if raw else None
    return Line(raw[:-1], "\r\n") if raw.endswith("\r") else Line(raw, "\n")


def _take(line: Line, number: int, stack: list[Section]) -> None:
    """Put a line where it belongs: on top of the stack is the section that is open."""
    top = stack[-1]
    text = line.text.strip()
    if top.name and text == f"</{top.name}>":
        top.closing = line
        stack.pop()
        return
    opening = None if top.name == _OPAQUE else _OPENING.fullmatch(text)
    if opening:
        if len(stack) > _DEEPEST:
            raise TemplateError(f"line {number}: sections are nested deeper than {_DEEPEST}")
        section = Section(opening[1], opening=line)
        top.items.append(section)
        stack.append(section)
        return
    if text.startswith("</") and top.name != _OPAQUE:
        expected = f"</{top.name}>" if top.name else f"<{ROOT}>"
        raise TemplateError(f"line {number}: expected {expected}, found {text[:60]}")
    if not top.name and text.strip("\0"):
        raise TemplateError(f"line {number}: expected <{ROOT}>, found {text[:60]}")
    top.items.append(line)


def _texts(section: Section) -> Iterator[str]:
    if section.opening:
        yield section.opening.text + section.opening.end
    for item in section.items:
        if isinstance(item, Line):
            yield item.text + item.end
        else:
            yield from _texts(item)
    if section.closing:
        yield section.closing.text + section.closing.end
