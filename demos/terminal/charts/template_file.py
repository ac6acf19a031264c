"""Chart templates, files as MetaTrader 5 writes them: read into a tree and written back, byte for byte.

A template is UTF-16LE text with a byte order mark and CRLF line ends: sections, ``<chart>`` to ``</chart>``, nested
to any depth, and lines ``key=value`` in them. Unknown content keeps its place and its text; so do line ends, blank
lines and anything after the last section, such as the NUL that the article's server sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from demos.terminal.interfaces import TerminalError
from demos.terminal.template_tree import Line, Section, new_section

__all__ = ["BOM", "ROOT", "Line", "Section", "TemplateError", "new_section", "parse", "to_bytes"]

BOM = b"\xff\xfe"
ROOT = "chart"

_OPENING_TAG = re.compile(r"<(\w+)>", re.ASCII)
_MAX_DEPTH = 16

# Limits the memory for a template from the network: a tree needs about 200 bytes for each line.
MAX_LINES = 250_000

# The values of a program's inputs may look like tags; they are never read as sections.
_OPAQUE = "inputs"


class TemplateError(TerminalError):
    """Bytes that are not a template; the message names the line."""

    code = 4


def parse(data: bytes) -> Section:
    """Read the bytes of a template file.

    Errors: TemplateError when they are not UTF-16LE with a byte order mark, or the sections are not nested properly.
    """
    if not data.startswith(BOM):
        raise TemplateError("a template begins with the byte order mark FF FE")
    if len(data) % 2:
        raise TemplateError("a template has two bytes for each character; the last character has one")
    # A lone surrogate is not valid text, but it must be written back unchanged; so every even length can be decoded.
    text = data[len(BOM) :].decode("utf-16-le", "surrogatepass")
    if text.count("\n") >= MAX_LINES:
        raise TemplateError(f"a template has at most {MAX_LINES} lines")
    document = Section("")
    stack = [document]
    lines = text.split("\n")
    for number, raw in enumerate(lines, 1):
        line = _line(raw, last=number == len(lines))
        if line is not None:
            _add_line(line, number, stack)
    if len(stack) > 1:
        raise TemplateError(f"the template ends inside <{stack[-1].name}>")
    if not any(document.sections(ROOT)):
        raise TemplateError(f"the template has no <{ROOT}>")
    return document


def to_bytes(document: Section) -> bytes:
    """The bytes of the template file; a tree from parse() gives the bytes that were read."""
    return BOM + "".join(_texts(document)).encode("utf-16-le", "surrogatepass")


def _line(raw: str, *, last: bool) -> Line | None:
    if last:
        return Line(raw, "") if raw else None
    return Line(raw[:-1], "\r\n") if raw.endswith("\r") else Line(raw, "\n")


def _add_line(line: Line, number: int, stack: list[Section]) -> None:
    """Add a line to the open section, which is the last one of the stack, or open or close a section."""
    top = stack[-1]
    text = line.text.strip()
    if top.name and text == f"</{top.name}>":
        top.closing = line
        stack.pop()
        return
    opening = None if top.name == _OPAQUE else _OPENING_TAG.fullmatch(text)
    if opening:
        if len(stack) > _MAX_DEPTH:
            raise TemplateError(f"line {number}: sections are nested deeper than {_MAX_DEPTH}")
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
