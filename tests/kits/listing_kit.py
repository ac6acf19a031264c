"""For the tests that compare a study program, its README and the article's listing: procedures, marks and tables."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

MODULE = "inputs and variables"
ERRATUM = re.compile(r"\b[SHTUA]\d+\b")


class Procedure(NamedTuple):
    """A function of a program: its first and last line, and the errata that comments in it name."""

    name: str
    first: int
    last: int
    errata: frozenset[str]


class Row(NamedTuple):
    """A row of a README's table: the listing's procedure ("" for one of our own), ours, its lines, the errata named."""

    listing: str
    ours: str
    lines: str
    errata: frozenset[str]


def marks(path: Path) -> list[tuple[int, str]]:
    """The errata in a program's comments, each with its line number."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return [(token.start[0], number) for token in comments for number in ERRATUM.findall(token.string)]


def procedures(path: Path) -> list[Procedure]:
    """A program's functions in their order; the first entry stands for what is outside all functions.

    Its lines are those of the assignments and classes, and of the marks outside functions.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    numbers = marks(path)
    found = []
    for node in functions:
        last = node.end_lineno or node.lineno
        inside = frozenset(number for line, number in numbers if node.lineno <= line <= last)
        found.append(Procedure(node.name, node.lineno, last, inside))
    outside = [(line, n) for line, n in numbers if not any(p.first <= line <= p.last for p in found)]
    declarations = [node for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign, ast.ClassDef))]
    first = min(declarations[0].lineno, *(line for line, _ in outside))
    last = max(declarations[-1].end_lineno or 0, *(line for line, _ in outside))
    return [Procedure(MODULE, first, last, frozenset(number for _, number in outside)), *found]


def rows(readme: Path, heading: str) -> list[Row]:
    """The table in the section with this heading."""
    section = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert section, heading
    found = []
    for line in section[1].splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] if line.startswith("|") else []
        if len(cells) != 4 or set(cells[0]) == {"-"} or cells[0].startswith("procedure"):
            continue
        match = re.fullmatch(r"(?:`(?P<name>\w+)`, )?lines (?P<lines>\d+-\d+)", cells[1])
        assert match, f"not of the form `NAME`, lines FIRST-LAST: {cells[1]}"
        assert cells[2], f"what does it do: {cells[0]}"
        listing = cells[0].strip("`") if cells[0] != "none" else ""
        found.append(Row(listing, match["name"] or listing, match["lines"], frozenset(ERRATUM.findall(cells[3]))))
    return found


def expected_rows(path: Path, listing: list[str]) -> list[Row]:
    """The table's rows as the program has them; `listing` names the article's procedures."""
    return [
        Row(
            p.name if p.name in listing or p.name == MODULE else "",
            p.name,
            f"{p.first}-{p.last}",
            p.errata,
        )
        for p in procedures(path)
    ]


def imported_modules(path: Path) -> set[str]:
    """The modules that a program imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def inputs(path: Path) -> list[str]:
    """The names of a program's inputs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and ast.unparse(node.annotation).startswith("Annotated[")
    ]
