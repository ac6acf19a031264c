"""The tables of the README match the study programs: procedures, line ranges and errata. The programs keep limits."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

from demos.template.protocol import encode, prepare

FOLDER = Path(__file__).resolve().parents[3] / "demos" / "template"
README = (FOLDER / "README.md").read_text(encoding="utf-8")

LISTINGS = {
    "server": [
        "OnInit",
        "OnDeinit",
        "OnChartEvent",
        "OnTimer",
        "StartServer",
        "AcceptClient",
        "CloseClean",
        "CreateTpl",
    ],
    "client": ["OnStart", "CloseClean"],
}
MOST_LINES = {"server": 260, "client": 160}
DECLARATIONS = "inputs and variables"
TITLES = {"server": "TplServer: server.py", "client": "TplClient: client.py"}
CODE = re.compile(r"\b[ASTH]\d{1,2}\b")


class Row(NamedTuple):
    """A row of a table: the listing's procedure, or none; our name; its first and last line; the errata."""

    listing: str | None
    ours: str
    lines: tuple[int, int]
    errata: set[str]


def table(program: str) -> list[Row]:
    part = README.partition(f"\n## {TITLES[program]}\n")[2].partition("\n## ")[0]
    found = []
    for line in re.findall(r"^\| (.*) \|$", part, re.MULTILINE)[2:]:
        listing, ours, does, differs = line.split(" | ")
        assert does
        name, first, last = re.fullmatch(r"(?:(.+), )?lines (\d+)-(\d+)", ours).groups()
        found.append(
            Row(
                None if listing == "none" else listing.strip("`"),
                (name or listing).strip("`"),
                (int(first), int(last)),
                set(CODE.findall(differs)),
            )
        )
    assert found
    return found


def source(program: str) -> str:
    return (FOLDER / f"{program}.py").read_text(encoding="utf-8")


def functions(program: str) -> dict[str, tuple[int, int]]:
    """The functions of the program in their order, with their first and last lines."""
    nodes = ast.parse(source(program)).body
    return {node.name: (node.lineno, node.end_lineno or 0) for node in nodes if isinstance(node, ast.FunctionDef)}


def declarations(program: str) -> tuple[int, int]:
    """The first and the last line of the assignments and classes in front of the first function."""
    nodes = ast.parse(source(program)).body
    first = next(node.lineno for node in nodes if isinstance(node, ast.FunctionDef))
    found = [node for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign, ast.ClassDef))]
    assert all(node.lineno < first for node in found)
    return found[0].lineno, found[-1].end_lineno or 0


def marks(program: str) -> list[tuple[int, set[str]]]:
    """The errata that comments mark, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source(program)).readline)
    comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    return [(line, set(CODE.findall(text))) for line, text in comments if "noqa" not in text and CODE.search(text)]


@pytest.mark.parametrize("program", LISTINGS)
def test_the_table_has_the_articles_procedures_in_the_articles_order(program):
    assert [row.listing for row in table(program) if row.listing] == [DECLARATIONS, *LISTINGS[program]]


@pytest.mark.parametrize("program", LISTINGS)
def test_our_procedures_have_the_articles_names_and_order_and_only_ours_follow_them(program):
    names = list(functions(program))
    assert names[: len(LISTINGS[program])] == LISTINGS[program]
    rows = table(program)
    assert [row.ours for row in rows] == [DECLARATIONS, *names]
    assert all(row.listing in (row.ours, None) for row in rows)
    assert [row.ours for row in rows if row.listing is None] == names[len(LISTINGS[program]) :]
    assert all(row.errata for row in rows if row.listing is None)


@pytest.mark.parametrize("program", LISTINGS)
def test_the_line_ranges_are_those_of_the_functions(program):
    expected = {DECLARATIONS: declarations(program), **functions(program)}
    assert {row.ours: row.lines for row in table(program)} == expected


@pytest.mark.parametrize("program", LISTINGS)
def test_each_row_has_exactly_the_errata_that_are_marked_in_its_lines(program):
    found = marks(program)
    assert found
    for row in table(program):
        first, last = row.lines
        marked = set().union(*(codes for line, codes in found if first <= line <= last))
        assert row.errata == marked, row.ours
    ranges = [row.lines for row in table(program)]
    assert all(any(first <= line <= last for first, last in ranges) for line, _ in found)


@pytest.mark.parametrize("program", LISTINGS)
def test_a_program_is_about_as_long_as_the_articles(program):
    assert len(source(program).splitlines()) <= MOST_LINES[program]


@pytest.mark.parametrize("program", LISTINGS)
def test_a_program_imports_only_the_terminal_winsock_and_the_protocol(program):
    tree = ast.parse(source(program))
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = {"__future__", "typing", "ctypes", "demos.terminal", "winsock", "demos.template.protocol"}
    assert modules <= allowed


@pytest.mark.parametrize("program", LISTINGS)
def test_a_program_has_the_articles_two_inputs(program):
    inputs = re.findall(r"^(\w+): Annotated\[", source(program), re.MULTILINE)
    assert inputs == ["Host", "Port"]


def test_the_bytes_of_the_wire_format_are_those_of_the_protocol():
    [block] = re.findall(r"^```text\n(45 55 .*?)^```$", README, re.DOTALL | re.MULTILINE)
    shown = bytes.fromhex(re.sub(r"  +.*$", "", block, flags=re.MULTILINE))
    template = b"\xff\xfe" + "<chart>\r\n</chart>\r\n".encode("utf-16-le")
    assert shown == encode("EURUSD", 16385, prepare(template, "tpl_server.ex5"))
