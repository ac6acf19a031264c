"""Chart templates, files as MetaTrader writes them: read into a tree and written back, byte for byte.

A template is text: sections, ``<chart>`` to ``</chart>``, nested to any depth, and lines ``key=value`` in them. Unknown
content keeps its place and its text; so do line ends, blank lines and anything after the last section, such as the NUL
that the article's server sends or the Ctrl-Z that DOS programs write. Blanks around tags and keys have no meaning, and
neither has the case of a tag.

MetaTrader 5 saves UTF-16LE with a byte order mark and CRLF line ends. MetaTrader 4, editors and version control leave
8-bit files, and line ends of LF. A file is saved in the encoding in which it was read. In an 8-bit file without a mark,
text that is valid UTF-8 and not plain ASCII is UTF-8; any other text has the code page 1252, and every byte is kept. A
character that the encoding lacks makes the saved file UTF-16LE.
"""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Iterator

from demos.terminal.interfaces import TerminalError
from demos.terminal.template_tree import Document, Line, Section, new_section

__all__ = ["BOM", "ROOT", "Document", "Line", "Section", "TemplateError", "new_section", "parse", "text_of", "to_bytes"]

BOM = codecs.BOM_UTF16_LE
ROOT = "chart"

_OPENING_TAG = re.compile(r"<(\w+)>", re.ASCII)
_MAX_DEPTH = 16

# Limits the memory for a template from the network: a tree needs about 200 bytes for each line.
MAX_LINES = 250_000

# The values of a program's inputs may look like tags; they are never read as sections.
_OPAQUE = "inputs"

# The code page of a western Windows.
ANSI = "cp1252"

_CODEC_OF_MARK = {
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "utf-8",
}

# The beginning of a UTF-16 file without a mark: an ASCII character.
_START_OF_UTF16 = re.compile(rb"(?P<le>[^\0]\0)|\0[^\0]")

# What may stand around a tag, and before and after the chart: white space, NUL, Ctrl-Z, a second byte order mark.
_PADDING = string.whitespace + "\0\x1a\ufeff"

# The single bytes that 8-bit programs append to a UTF-16 file: NUL, line ends, Ctrl-Z.
_TAILS = (b"\0", b"\n", b"\r", b"\x1a")


class TemplateError(TerminalError):
    """Bytes that are not a template; the message names the line."""

    code = 4


def parse(data: bytes, ansi: str = ANSI) -> Document:
    """Read the bytes of a template file. ``ansi`` is the codec of 8-bit text that is neither ASCII nor UTF-8.

    Errors: TemplateError when the sections are not nested properly, there is no chart, or half a character is missing.
    """
    text, document = _decoded(data, ansi)
    stack: list[Section] = [document]
    # A lone CR inside a line belongs to its text, unless the file has no other line ends.
    mark = "\r" if "\n" not in text and "\r" in text else "\n"
    if text.count(mark) >= MAX_LINES:
        raise TemplateError(f"a template has at most {MAX_LINES} lines")
    lines = text.split(mark)
    for number, raw in enumerate(lines, 1):
        line = _line(raw, mark, last=number == len(lines))
        if line is not None:
            _add_line(line, number, stack)
    if len(stack) > 1:
        raise TemplateError(f"the template ends inside <{stack[-1].name}>")
    if not any(document.sections(ROOT)):
        raise TemplateError(f"the template has no <{ROOT}>")
    return document


def text_of(data: bytes, ansi: str = ANSI) -> str:
    """The text of a template file, without its mark. Errors: TemplateError when half a character is missing."""
    return _decoded(data, ansi)[0]


def to_bytes(document: Document) -> bytes:
    """The bytes of the template file; a tree from parse() gives the bytes that were read."""
    text = "".join(_texts(document, _line_end(document)))
    try:
        return document.mark + text.encode(document.codec, _errors_of(document.codec)) + document.tail
    except UnicodeEncodeError:
        return BOM + text.encode("utf-16-le", "surrogatepass")


def _decoded(data: bytes, ansi: str) -> tuple[str, Document]:
    """The text of a file, and an empty document with its encoding."""
    mark = next((mark for mark in _CODEC_OF_MARK if data.startswith(mark)), b"")
    codec = _CODEC_OF_MARK.get(mark) or _codec_without_mark(data, ansi)
    tail = data[-1:] if codec.startswith("utf-16") and len(data) % 2 else b""
    if tail and tail not in _TAILS:
        raise TemplateError("a template has two bytes for each character; the last character has one")
    text = data[len(mark) : len(data) - len(tail)].decode(codec, _errors_of(codec))
    return text, Document(codec=codec, mark=mark, tail=tail)


def _codec_without_mark(data: bytes, ansi: str) -> str:
    if start := _START_OF_UTF16.match(data):
        return "utf-16-le" if start["le"] else "utf-16-be"
    if data.isascii():
        return ansi
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ansi
    return "utf-8"


def _errors_of(codec: str) -> str:
    """The error handler that keeps what is not valid text: lone surrogates in UTF-16, single bytes in 8-bit text."""
    return "surrogatepass" if codec.startswith("utf-16") else "surrogateescape"


def _line_end(document: Section) -> str:
    """The line end of the chart's first line, for the lines that were added."""
    opening = next(document.sections(ROOT)).opening
    return (opening and opening.end) or "\r\n"


def _line(raw: str, mark: str, *, last: bool) -> Line | None:
    if last:
        return Line(raw, "") if raw else None
    text = raw.rstrip("\r")
    return Line(text, raw[len(text) :] + mark)


def _add_line(line: Line, number: int, stack: list[Section]) -> None:
    """Add a line to the open section, which is the last one of the stack, or open or close a section."""
    top = stack[-1]
    text = line.text.strip(_PADDING)
    if top.name and text.lower() == f"</{top.name}>":
        top.closing = line
        stack.pop()
        return
    opening = None if top.name == _OPAQUE else _OPENING_TAG.fullmatch(text)
    if opening:
        if len(stack) > _MAX_DEPTH:
            raise TemplateError(f"line {number}: sections are nested deeper than {_MAX_DEPTH}")
        section = Section(opening[1].lower(), opening=line)
        top.items.append(section)
        stack.append(section)
        return
    if text.startswith("</") and top.name != _OPAQUE:
        expected = f"</{top.name}>" if top.name else f"<{ROOT}>"
        raise TemplateError(f"line {number}: expected {expected}, found {text[:60]}")
    if not top.name and text:
        raise TemplateError(f"line {number}: expected <{ROOT}>, found {text[:60]}")
    top.items.append(line)


def _texts(section: Section, end: str) -> Iterator[str]:
    """The text of the section's lines; a line that was added gets the line end ``end``."""
    if section.opening:
        yield section.opening.text + (end if section.opening.end is None else section.opening.end)
    for item in section.items:
        if isinstance(item, Section):
            yield from _texts(item, end)
        else:
            yield item.text + (end if item.end is None else item.end)
    if section.closing:
        yield section.closing.text + (end if section.closing.end is None else section.closing.end)
