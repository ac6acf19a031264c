"""The reader's listing and our program in a terminal: two columns, procedure by procedure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator
from itertools import zip_longest
from unicodedata import east_asian_width

from demos.beside.matching import Match
from demos.beside.studies import DECLARATIONS, Part
from winsock.command_line import printable

__all__ = ["summary", "two_columns"]

_SEPARATOR = " | "
# Where a line of code may end if it has no blank: after an opening bracket, a comma, =, | and ?, and before a dot.
_BREAK = re.compile(r"(?<=[(\[{,=|?])(?=[^\s)\]}=|])|(?<=[A-Za-z_)\]])(?=\.)")
_NAME = re.compile(r"(?<=\W)(?=\w)")
_FIRST_NAME = re.compile(r"\W*\w*")
# Lines and blanks that decorate a comment; they are shortened where they do not fit.
_RUN = re.compile(r"([-=*+/_ ])\1{5,}")


def two_columns(match: Match, name: str, width: int, only: Collection[str] = ()) -> Iterator[str]:
    """The lines of the comparison; `name` is the reader's file, `only` the procedures to show, all if it is empty."""
    side = (width - len(_SEPARATOR)) // 2
    theirs = match.theirs
    for part in match.study.parts:
        if only and part.name not in only:
            continue
        listed = match.listing.declarations if part.name == DECLARATIONS else None
        if part.name in theirs:
            listed = theirs[part.name].lines
        yield from _head(match, part, width)
        yield _joined(_shortened(name, side), match.study.file, side)
        yield from _rows(listed if listed is not None else [(0, _absent(part))], match.study.code(part), side)
        yield ""
    for other in match.additional:
        if not only or other in only:
            yield _rule(f"{other} (only in {name})", width)
            yield from _rows(theirs[other].lines, [], side)
            yield ""


def summary(match: Match, name: str) -> Iterator[str]:
    """What was found in the reader's file, and what was not."""
    study = match.study
    found = study.procedures - len(match.missing)
    ours = [part.name for part in study.parts if part.is_ours_alone]
    yield f"{name} next to {study.file}: {found} of the {study.procedures} procedures of {study.listing} were found."
    for text, names in (
        (f"Not found in {name}", match.missing),
        (f"Without a closing brace in {name}", match.incomplete),
        (f"Only in {name}", match.additional),
        (f"Only in {study.file}", ours),
    ):
        if names:
            yield f"{text}: {', '.join(names)}"


def _absent(part: Part) -> str:
    return "(not in the listing)" if part.is_ours_alone else "(not found)"


def _head(match: Match, part: Part, width: int) -> Iterator[str]:
    """The name of a procedure, its place in the listing, what it does and what differs."""
    place = f", {part.position} of {match.study.procedures}" if part.position else ""
    yield _rule(f"{part.name}{place}", width)
    for label, text in (("What it does", part.does), ("What differs", part.differs)):
        yield from textwrap.wrap(f"{label}: {plain(text)}", width)
    yield ""


def plain(markdown: str) -> str:
    """A cell of a README's table without the marks of Markdown."""
    return re.sub(r"`([^`]*)`", r"\1", markdown).replace("\\|", "|")


def _rule(title: str, width: int) -> str:
    title = f"== {_shortened(title, width - 4)} "
    return title + "=" * (width - _cells(title))


def _rows(left: list[tuple[int, str]], right: list[tuple[int, str]], side: int) -> Iterator[str]:
    columns = ([piece for line in lines for piece in _pieces(*line, side)] for lines in (left, right))
    for one, other in zip_longest(*columns, fillvalue=""):
        yield _joined(one, other, side)


def _joined(left: str, right: str, side: int) -> str:
    padding = " " * (side - _cells(left))
    return f"{left}{padding}{_SEPARATOR}{right}".rstrip()


def _pieces(number: int, code: str, side: int) -> list[str]:
    """A line of code with its number, in as many lines of a column as it needs."""
    code = printable(code)
    prefix = f"{number or '':>4} "
    room = side - len(prefix)
    # Characters that take two cells of the terminal.
    if _cells(code) > len(code):
        room //= 2
    indent = min(len(code) - len(code.lstrip()), room // 2)
    text = code.strip() if _cells(code) <= room else _RUN.sub(r"\1\1\1\1", code.strip())
    pieces: list[str] = []
    while text or not pieces:
        # A long name needs the room of the indent.
        name = _FIRST_NAME.match(text, 0, room)
        blanks = max(0, min(indent + 2 * bool(pieces), room - (name.end() if name else 0)))
        cut = _cut(text, room - blanks)
        pieces.append((prefix if not pieces else " " * len(prefix)) + " " * blanks + text[:cut].rstrip())
        text = text[cut:].lstrip()
    return pieces


def _cut(code: str, room: int) -> int:
    """Where to end a line of code: at a blank in the second half of the room, at punctuation, or before a name."""
    if len(code) <= room:
        return len(code)
    blank = code.rfind(" ", 1, room + 1)
    if blank >= room // 2:
        return blank
    places, names = ([found.start() for found in pattern.finditer(code, 1, room + 1)] for pattern in (_BREAK, _NAME))
    return max(0, blank, *places) or max(names, default=room)


def _shortened(text: str, room: int) -> str:
    """The text, with dots at its end if it takes more cells of a terminal than there are."""
    if _cells(text) <= room:
        return text
    text = text[: room - 3]
    while _cells(text) > room - 3:
        text = text[:-1]
    return f"{text}..."


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
