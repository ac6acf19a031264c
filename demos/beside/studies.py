"""What the pairs' READMEs say about the study programs, procedure by procedure, and the programs' own lines.

The tables of the READMEs are the only source of these texts: the pages in notes/beside and `python -m demos beside`
show them. A table follows a heading such as `## SignalServer: server.py`, in the order of the listing. Each row has the
procedure of the listing (`none` for one that is ours alone), its lines in the program, what it does and what differs.
A procedure that a reader has removed from the program has no lines.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from demos.registry import PROGRAMS, Kind, find_program

__all__ = ["DECLARATIONS", "ERRATUM", "ROOT", "Erratum", "Part", "Study", "all_errata", "all_studies", "study_names"]

ROOT = Path(__file__).resolve().parents[2]

# The first row of each table: everything outside the procedures.
DECLARATIONS = "inputs and variables"
ERRATUM = re.compile(r"\b[STUHA]\d{1,2}\b")

# The article's examples, by the folders of our pairs.
_EXAMPLES = {"template": 1, "signal": 2, "ticks": 3}
_CELLS = re.compile(r"(?<!\\)\|")
_ERRATUM_ROW = re.compile(r"(?:<a id=\"\w+\"></a>)?([STUHA]\d{1,2})")
_OURS = re.compile(r"(?:`(\w+)`, )?lines (\d+)-(\d+)")


class Part(NamedTuple):
    """A procedure, or the declarations: its lines in our program, and the README's texts, which are Markdown.

    `position` is the procedure's place in the listing, from 1; 0 for the declarations and for a procedure of our own.
    """

    name: str
    position: int
    first: int
    last: int
    does: str
    differs: str

    @property
    def is_ours_alone(self) -> bool:
        return self.position == 0 and self.name != DECLARATIONS

    @property
    def errata(self) -> list[str]:
        """The numbers in the text about the differences, in its order."""
        return list(dict.fromkeys(ERRATUM.findall(self.differs)))


class Study(NamedTuple):
    """A study program: its name, the listing's name, the article's example, its files, its lines and its parts."""

    name: str
    listing: str
    example: int
    path: Path
    lines: list[str]
    parts: list[Part]

    @property
    def file(self) -> str:
        """The program's file, relative to the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def readme(self) -> Path:
        return self.path.with_name("README.md")

    @property
    def procedures(self) -> int:
        """The number of the procedures in the listing."""
        return max(part.position for part in self.parts)

    def code(self, part: Part) -> list[tuple[int, str]]:
        """The lines of a part with their numbers."""
        return [(number, self.lines[number - 1]) for number in range(part.first, part.last + 1)]


class Erratum(NamedTuple):
    """A row of notes/errata.md, as Markdown: what the original does, and what the study program does."""

    original: str
    study: str


def study_names() -> list[str]:
    """The names of the six study programs, in the order of the article: the server first in each example."""
    files = {name: Path(entry.file) for name, entry in PROGRAMS.items() if entry.kind is Kind.STUDY}
    return sorted(files, key=lambda name: (_EXAMPLES[files[name].parent.name], files[name].stem != "server"))


@cache
def all_studies() -> dict[str, Study]:
    """The six study programs by name, in the order of the article.

    Errors: ProgramError if a program is not Python; ValueError if a README has no table for a program, or a row that is
    not of the form above.
    """
    return {name: _study(name, find_program(name).path) for name in study_names()}


def _study(name: str, path: Path) -> Study:
    lines = path.read_text(encoding="utf-8").splitlines()
    text = path.with_name("README.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ ([^\n]+): {re.escape(path.name)}$(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    if section is None:
        raise ValueError(f"the README of {path} has no heading 'LISTING: {path.name}'")
    parts: list[Part] = []
    places = _places(lines)
    for cells in _rows(section[2], 4):
        ours = _OURS.fullmatch(cells[1])
        if ours is None:
            raise ValueError(f"the README of {path}: not of the form `NAME`, lines FIRST-LAST: {cells[1]}")
        listed = cells[0].strip("`")
        position = 0 if listed in ("none", DECLARATIONS) else sum(part.position > 0 for part in parts) + 1
        own = ours[1] or listed
        # The lines in the table are for the reader of the README; a reader may have changed the program.
        parts.append(Part(own, position, *places.get(own, (1, 0)), cells[2], cells[3]))
    listing = re.sub(r"^The ", "the ", section[1])
    return Study(name, listing, _EXAMPLES[path.parent.name], path, lines, parts)


def _places(lines: list[str]) -> dict[str, tuple[int, int]]:
    """The first and the last line of each function, and of what is before the functions with the head of the file."""
    functions = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.FunctionDef)]
    last = functions[0].lineno - 1 if functions else len(lines)
    while last and not lines[last - 1]:
        last -= 1
    return {DECLARATIONS: (1, last)} | {node.name: (node.lineno, node.end_lineno or 0) for node in functions}


@cache
def all_errata() -> dict[str, Erratum]:
    """The errata by their numbers."""
    text = (ROOT / "notes" / "errata.md").read_text(encoding="utf-8")
    found = {}
    for cells in _rows(text, 5):
        if number := _ERRATUM_ROW.fullmatch(cells[0]):
            original, study = (cell.replace("\\|", "|") for cell in cells[1:3])
            found[number[1]] = Erratum(original, study)
    return found


def _rows(text: str, columns: int) -> list[list[str]]:
    """The cells of the tables with this number of columns, without headings."""
    rows = [
        [cell.strip() for cell in _CELLS.split(line.strip().strip("|"))]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    bars = {index for index, row in enumerate(rows) if not row[-1].strip("-")}
    return [row for index, row in enumerate(rows) if len(row) == columns and not {index, index + 1} & bars]
