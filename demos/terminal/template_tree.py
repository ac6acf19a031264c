"""A chart template as a tree: sections with lines and further sections in them, in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import takewhile


@dataclass(slots=True)
class Line:
    """A line's text and its end: CRLF (with any number of CR), LF, CR, or nothing at the end of the file.

    None stands for the end of the chart's first line; a line that is added has it.
    """

    text: str
    end: str | None = None

    def key(self) -> str:
        """The text before the first ``=``, without blanks around it; "" for a line without ``=``."""
        return self.text.partition("=")[0].strip() if "=" in self.text else ""

    def value(self) -> str:
        """The text after the first ``=``."""
        return self.text.partition("=")[2]

    def set_value(self, value: object) -> None:
        """Replace the text after the first ``=``."""
        self.text = f"{self.text.partition('=')[0]}={value}"

    def copy(self) -> Line:
        """A line with the same text and end."""
        return Line(self.text, self.end)


@dataclass(slots=True)
class Section:
    """A section with its lines and subsections in their order. Its name is in lower case.

    ``opening`` and ``closing`` are the lines with the tags, such as ``<chart>`` and ``</chart>``.
    """

    name: str
    items: list[Line | Section] = field(default_factory=list)
    opening: Line | None = None
    closing: Line | None = None

    def lines(self) -> Iterator[Line]:
        """The section's own lines."""
        return (item for item in self.items if isinstance(item, Line))

    def sections(self, name: str) -> Iterator[Section]:
        """The direct subsections with this name."""
        return (item for item in self.items if isinstance(item, Section) and item.name == name)

    def get(self, key: str, default: str = "") -> str:
        """The first value of the key."""
        return next((line.value() for line in self.lines() if line.key() == key), default)

    def set(self, key: str, value: object) -> None:
        """Set the key's value; a new key is inserted after the last key before the first subsection."""
        line = next((line for line in self.lines() if line.key() == key), None)
        if line:
            line.set_value(value)
            return
        head = list(takewhile(lambda item: isinstance(item, Line), self.items))
        while head and _is_blank(head[-1]):
            head.pop()
        self.items.insert(len(head), Line(f"{key}={value}"))

    def remove(self, section: Section) -> None:
        """Remove a direct subsection and the blank line after it."""
        index = next(index for index, item in enumerate(self.items) if item is section)
        del self.items[index]
        if index < len(self.items) and _is_blank(self.items[index]):
            del self.items[index]

    def remove_all(self, sections: Collection[Section]) -> None:
        """Remove these direct subsections and the blank line after each, in one pass."""
        removed = {id(section) for section in sections}
        kept: list[Line | Section] = []
        after_removed = False
        for item in self.items:
            if id(item) in removed:
                after_removed = True
            elif after_removed and _is_blank(item):
                after_removed = False
            else:
                kept.append(item)
                after_removed = False
        self.items = kept

    def copy(self) -> Section:
        """A deep copy."""
        items = [item.copy() for item in self.items]
        opening, closing = (line and line.copy() for line in (self.opening, self.closing))
        return Section(self.name, items, opening, closing)


@dataclass
class Document(Section):
    """A whole template: a section without name and tags, and how its file is encoded.

    ``codec`` is Python's name of the encoding; ``mark`` is the byte order mark at the beginning of the file, or b"".
    ``tail`` is a single byte at the end of a UTF-16 file, or b"".
    """

    name: str = ""
    codec: str = "utf-16-le"
    mark: bytes = b"\xff\xfe"
    tail: bytes = b""

    def copy(self) -> Document:
        """A deep copy."""
        tree = super().copy()
        return Document(tree.name, tree.items, tree.opening, tree.closing, self.codec, self.mark, self.tail)


def new_section(name: str, *pairs: tuple[str, object]) -> Section:
    """A section of these keys and values."""
    lines: list[Line | Section] = [Line(f"{key}={value}") for key, value in pairs]
    return Section(name, lines, Line(f"<{name}>"), Line(f"</{name}>"))


def _is_blank(item: Line | Section) -> bool:
    return isinstance(item, Line) and not item.text.strip()
