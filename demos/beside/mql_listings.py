"""Finds the listings of MQL programs in a text, and splits each into its procedures.

The text is MQL source, or an article with listings: Markdown with fenced code, HTML with `<pre>`, or plain text. Plain
text has no marks around a listing, so a listing ends where the next OnInit or OnStart begins a new one.

A source file is split in the same way, if several programs follow each other in it. An article may print a program in
several blocks, so the marked blocks are read twice: each one alone, and all together as one text.

Nothing is compiled. Comments, strings and character constants are covered with blanks; what is left shows where a
function begins and which braces belong together.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import accumulate, pairwise
from typing import NamedTuple

__all__ = ["OPAQUE", "Lines", "Listing", "Procedure", "listings_in"]

# A comment, a string or a character constant, which may be incomplete.
OPAQUE = re.compile(r'(//[^\n]*|/\*.*?(?:\*/|\Z))|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?', re.DOTALL)

# A function's head with its opening brace, or the head of a type, in a text that is covered. Each repetition has a
# limit, so that the time grows with the length of the text.
_HEAD = re.compile(
    r"^[ \t]*(?:(?:class|struct|union|enum|interface)\b[^;{}()]{0,300}"
    r"|(?:(?:static|const|virtual)[ \t]+){0,3}(?P<type>[A-Za-z_]\w*)[\s&*]{1,300}(?P<name>[A-Za-z_]\w*)"
    r"\s{0,300}\([^(){};]{0,3000}\)\s{0,3000})\{",
    re.MULTILINE,
)
_BRACE = re.compile("[{}]")
_STATEMENTS = {"case", "do", "else", "for", "if", "new", "return", "switch", "while"}
# Procedures with which a program begins; a listing has one of them.
_ENTRIES = ("OnInit", "OnStart")
_CONDITION = re.compile(r"[ \t]*#[ \t]*(if|endif)")
_FIRST_LINE = re.compile(r"[ \t]*(?://\+--|#property|#include|input\b)")
_FENCE = re.compile(r" {0,3}(```|~~~)(.*)")
# HTML begins with a tag, also after comments, or has a listing in <pre>.
_HTML = re.compile(
    r"\A\s*(?:<!--(?:(?!-->).)*-->\s*)*<(?:[?a-z]|!doctype\b)|^[ \t]*<pre[\s>]",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_LINE_TAGS = ("p", "div", "tr", "li", "h1", "h2", "h3", "h4")
# The text in these is not shown.
_HIDDEN_TAGS = ("script", "style")


# Lines with their numbers in the file.
Lines = list[tuple[int, str]]


class Procedure(NamedTuple):
    """A function: its name, its lines, and whether its last brace was found."""

    name: str
    lines: Lines
    complete: bool = True


class Listing(NamedTuple):
    """A program: the lines outside its procedures, and its procedures in their order."""

    declarations: Lines
    procedures: list[Procedure]

    @property
    def is_program(self) -> bool:
        """Whether it has the procedure with which a program begins."""
        return any(procedure.name in _ENTRIES for procedure in self.procedures)

    @property
    def code(self) -> str:
        """The text of all parts, without comments and strings."""
        parts = [self.declarations, *(procedure.lines for procedure in self.procedures)]
        return "\n".join(covered("\n".join(line for _, line in lines)) for lines in parts)


class _Found(NamedTuple):
    """A function in a text: its name, its first and last line, counted from 0, and whether it is complete."""

    name: str
    first: int
    last: int
    complete: bool


def listings_in(text: str, is_source: bool) -> list[Listing]:
    """The listings in a text that contain a procedure; a source file (`is_source`) has no text around its listings.

    Listings can have the same lines: those of a block, and those of all blocks together.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\N{NO-BREAK SPACE}", " ")
    blocks = [
        list(enumerate(block.split("\n"), first)) for first, block in ([(1, text)] if is_source else _blocks(text))
    ]
    *marked, _ = blocks
    if len(marked) > 1:
        blocks.append([line for block in marked for line in block])
    listings = []
    for lines in blocks:
        for start, stop, functions in _groups("\n".join(line for _, line in lines), is_source):
            moved = [found._replace(first=found.first - start, last=found.last - start) for found in functions]
            listings.append(_listing(lines[start:stop], moved))
    return listings


def covered(text: str) -> str:
    """The text with blanks in place of comments, strings and character constants, except for line ends."""
    return OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """The blocks of code in a text, each with the number of its first line; the last one is what nothing marks."""
    lines = text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").split("\n")
    for number, block in _fenced(lines):
        yield number, block
        length = block.count("\n") + 1
        lines[number - 1 : number - 1 + length] = [""] * length
    rest = "\n".join(lines)
    if not _HTML.search(rest):
        yield 1, rest
        return
    reader = _PreReader()
    # After the last tag there is only text. The parser would search it again and again for the end of a tag.
    tags, end, words = rest.rpartition(">")
    reader.feed(tags + end)
    reader.close()
    reader.handle_data(unescape(words))
    reader.handle_endtag("pre")
    yield from reader.blocks
    yield 1, reader.outside


def _fenced(lines: list[str]) -> list[tuple[int, str]]:
    """The blocks of code in Markdown."""
    found: list[tuple[int, str]] = []
    mark, start = "", 0
    for number, line in enumerate(lines):
        fence = _FENCE.fullmatch(line)
        if fence and not mark:
            mark, start = fence[1], number + 1
        elif fence and fence[1] == mark and not fence[2].strip("`~ \t"):
            found.append((start + 1, "\n".join(lines[start:number])))
            mark = ""
    return found


class _PreReader(HTMLParser):
    """Collects the text of each `<pre>`, and the text outside."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[int, str]] = []
        self._outside: list[str] = []
        self._pre: list[str] | None = None
        self._line = 1
        self._is_hidden = False

    @property
    def outside(self) -> str:
        return "".join(self._outside)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self.handle_endtag(tag)
            self._pre, self._line = [], self.getpos()[0]
        elif tag == "br":
            self._text.append("\n")
        elif tag in _LINE_TAGS:
            self.handle_data("\n")
        elif tag in _HIDDEN_TAGS:
            self._is_hidden = True

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN_TAGS:
            self._is_hidden = False
        elif tag == "pre" and self._pre is not None:
            self.blocks.append((self._line, "".join(self._pre)))
            self._pre = None
            self._outside.append("\n")

    def handle_data(self, data: str) -> None:
        if self._pre is None and self._outside and self._outside[-1].endswith("\n"):
            # After a tag that begins a line the file may begin a new line too.
            data = data.removeprefix("\n")
        if not self._is_hidden:
            self._text.append(data.replace("\N{NO-BREAK SPACE}", " "))

    @property
    def _text(self) -> list[str]:
        return self._outside if self._pre is None else self._pre


def _functions(text: str) -> list[_Found]:
    """The functions of a text that are not inside the braces of another function or of a type."""
    plain = covered(text)
    closing = _closing_braces(plain)
    starts = [0, *(match.end() for match in re.finditer("\n", plain))]
    found = []
    position = 0
    while head := _HEAD.search(plain, position):
        end = closing.get(head.end() - 1)
        if head["name"] is None or {head["type"], head["name"]} & _STATEMENTS:
            position = end or head.end()
            continue
        position = end or _end_of_incomplete(plain, head.end())
        first, last = (bisect_right(starts, at) - 1 for at in (head.start("type"), position - 1))
        found.append(_Found(head["name"], first, last, end is not None))
    return found


def _closing_braces(plain: str) -> dict[int, int]:
    """For each opening brace that has a closing one: its position, and the position after the closing brace."""
    found = {}
    opened = []
    for brace in _BRACE.finditer(plain):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            found[opened.pop()] = brace.end()
    return found


def _end_of_incomplete(plain: str, position: int) -> int:
    """Where a function ends that has no closing brace: before the next function, or at the end of the text."""
    following = _HEAD.search(plain, position)
    return len(plain[position : following.start() if following else len(plain)].rstrip()) + position


def _groups(block: str, is_source: bool) -> list[tuple[int, int, list[_Found]]]:
    """The programs in a block: the first line, the line after the last, and the functions, of each."""
    lines = block.split("\n")
    conditions = list(accumulate(map(_condition, lines)))
    groups: list[list[_Found]] = []
    has_entry = False
    for found in _functions(block):
        # Between #ifdef and #endif a program may have the same procedure twice.
        is_entry = found.name in _ENTRIES and conditions[found.first] <= 0
        if not groups or (is_entry and has_entry):
            groups.append([])
            has_entry = False
        has_entry = has_entry or is_entry
        groups[-1].append(found)
    placed, before = [], 0
    for group in groups:
        # Before the first line of a program and after its last function, an article has its own text.
        code = (number for number in range(before, group[0].first) if is_source or _FIRST_LINE.match(lines[number]))
        start, before = next(code, group[0].first), group[-1].last + 1
        placed.append((start, len(lines) if is_source and group is groups[-1] else before, group))
    return placed


def _condition(line: str) -> int:
    """1 for a line that begins conditional code, -1 for one that ends it, 0 for every other line."""
    found = _CONDITION.match(line)
    return 0 if found is None else 1 if found[1] == "if" else -1


def _listing(lines: Lines, functions: list[_Found]) -> Listing:
    """A listing from its lines and its functions."""
    numbered = [(number, line.rstrip().expandtabs(3)) for number, line in lines]
    procedures, edges = [], [0]
    for found in functions:
        first = found.first
        # The comment directly above a function belongs to it.
        while first > edges[-1] and numbered[first - 1][1].lstrip().startswith("//"):
            first -= 1
        procedures.append(Procedure(found.name, _trimmed(numbered[first : found.last + 1]), found.complete))
        edges += [first, found.last + 1]
    edges.append(len(lines))
    outside = [numbered[start:stop] for start, stop in list(pairwise(edges))[::2]]
    return Listing(_trimmed([line for part in outside for line in part]), procedures)


def _trimmed(lines: Lines) -> Lines:
    """The lines without empty ones at the end, and with at most one empty line in a row."""
    kept: Lines = []
    for line in lines:
        if line[1] or (kept and kept[-1][1]):
            kept.append(line)
    while kept and not kept[-1][1]:
        kept.pop()
    return kept
