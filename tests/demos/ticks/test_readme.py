"""The tick pair's README and programs agree: procedures, line ranges, marked errata, sizes and imports."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from terminal_kit import ROOT

import winsock
from demos.ticks.protocol import decode, encode

FOLDER = ROOT / "demos" / "ticks"
README = (FOLDER / "README.md").read_text(encoding="utf-8")

# The procedures of the article's listings, in the article's order.
PROCEDURES = {
    "server": ["OnInit", "OnDeinit", "OnTimer", "CloseClean"],
    "client": ["OnInit", "OnDeinit", "OnTick", "CloseClean"],
}
VARIABLES = "inputs and variables"
MAX_LINES = 150
ALLOWED_IMPORTS = {"__future__", "ctypes", "typing", "demos.terminal", "demos.ticks.protocol", "winsock"}

ERRATUM = r"\b[A-Z]\d{1,2}\b"
programs = pytest.mark.parametrize("program", PROCEDURES)


class Row(NamedTuple):
    """A row of a program's table: the listing's procedure, ours, its lines, and the errata in its text."""

    listing: str
    ours: str
    first: int
    last: int
    errata: set[str]


def path_of(program: str) -> Path:
    return FOLDER / f"{program}.py"


def functions_of(program: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path_of(program).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def rows_of(program: str) -> list[Row]:
    section = README.partition(f"### The tick {program}: {program}.py\n")[2].partition("\n#")[0]
    found = []
    for line in section.splitlines():
        match = re.fullmatch(r"\| (.+?) \| (?:`(\w+)`, )?lines (\d+)-(\d+) \| [^|]+ \| ([^|]+) \|", line)
        if match:
            listing = match[1].strip("`")
            found.append(
                Row(listing, match[2] or listing, int(match[3]), int(match[4]), {*re.findall(ERRATUM, match[5])})
            )
    assert found, section
    return found


def marks_of(program: str) -> dict[int, set[str]]:
    """The errata in the comments of each line."""
    lines = path_of(program).read_text(encoding="utf-8").splitlines()
    return {number: {*re.findall(ERRATUM, line.partition("#")[2])} for number, line in enumerate(lines, 1)}


@programs
def test_the_listings_procedures_are_in_the_table_and_in_the_program_in_the_listings_order(program):
    listed = [row.listing for row in rows_of(program)]
    assert [name for name in listed if name not in (VARIABLES, "none")] == PROCEDURES[program]
    assert [name for name in functions_of(program) if name in PROCEDURES[program]] == PROCEDURES[program]


@programs
def test_the_table_has_every_function_with_exactly_its_lines(program):
    table = {row.ours: (row.first, row.last) for row in rows_of(program) if row.listing != VARIABLES}
    assert table == {name: (node.lineno, node.end_lineno) for name, node in functions_of(program).items()}


@programs
def test_the_row_of_the_variables_covers_the_marked_lines_outside_the_functions(program):
    [row] = [row for row in rows_of(program) if row.listing == VARIABLES]
    functions = functions_of(program).values()
    outside = [
        number
        for number, marks in marks_of(program).items()
        if marks and not any(node.lineno <= number <= node.end_lineno for node in functions)
    ]
    assert row.first <= min(outside)
    assert row.last == max(outside)
    assert row.last < min(node.lineno for node in functions)


@programs
def test_the_errata_of_a_row_are_those_marked_in_its_lines(program):
    marks = marks_of(program)
    for row in rows_of(program):
        assert row.errata == set().union(*(marks[number] for number in range(row.first, row.last + 1))), row.listing


@programs
def test_a_program_has_at_most_150_lines(program):
    assert len(path_of(program).read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@programs
def test_a_program_imports_only_the_terminal_winsock_and_the_protocol(program):
    imported = set()
    for node in ast.walk(ast.parse(path_of(program).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported <= ALLOWED_IMPORTS
    assert {"demos.terminal", "winsock"} <= imported


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("server", {"SOCK_DGRAM", "IPPROTO_UDP", "recvfrom", "WSAErrorDescript", "WSAEWOULDBLOCK"}),
        ("client", {"SOCK_DGRAM", "IPPROTO_UDP", "sendto", "WSAErrorDescript", "WSAEWOULDBLOCK"}),
    ],
)
def test_h2_the_names_that_the_article_s_header_lacks_come_from_winsock(program, names):
    tree = ast.parse(path_of(program).read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert names <= used
    module = importlib.import_module(f"demos.ticks.{program}")
    assert all(getattr(module, name) is getattr(winsock, name) for name in names)
    # No name of the program is undefined.
    assert all(hasattr(module, name) or hasattr(builtins, name) for name in used - local_names(tree))


def local_names(tree: ast.AST) -> set[str]:
    """The names that are assigned anywhere in the program, and its parameters."""
    nodes = list(ast.walk(tree))
    assigned = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return assigned | {node.arg for node in nodes if isinstance(node, ast.arg)}


@programs
def test_a_program_records_no_events(program):
    assert "Event(" not in path_of(program).read_text(encoding="utf-8")


def test_the_bytes_of_the_example_are_those_of_the_protocol():
    [example] = re.findall(r"^    ((?:[0-9a-f]{2} ){14}[0-9a-f]{2})$", README, re.MULTILINE)
    assert bytes.fromhex(example) == encode("EURUSD", 1.1, 5)


def test_the_longest_datagram_of_the_wire_format_is_a_tick():
    assert decode(b"X" * 64 + b" 123456789.12345678\0").text == "X" * 64 + " 123456789.12345678"
