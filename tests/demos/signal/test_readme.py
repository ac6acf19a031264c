"""The study programs against the article's listings, and the README against both."""

from __future__ import annotations

import re

import pytest
from listing_kit import expected_rows, imported_modules, inputs, marks, procedures, rows
from terminal_kit import ROOT

from demos.signal.protocol import encode

FOLDER = ROOT / "demos" / "signal"
README = FOLDER / "README.md"
LONGEST_FILE = 260

# The article's procedures, in the order of its listings.
LISTINGS = {
    "server": [
        *("OnInit", "OnDeinit", "OnTrade", "OnTimer", "StartServer"),
        *("AcceptClients", "Send", "CloseClean", "Close", "GetSymbolLot"),
    ],
    "client": [
        *("OnInit", "OnDeinit", "OnTimer", "StartClient", "Receive"),
        *("CloseClean", "CheckMessage", "SyncSymbolLot", "FindNextPos", "GetSymbolLot"),
    ],
}
# Our own procedures, each with the errata that make it necessary.
OURS = {"server": {"DiscardInput": {"S16", "S18"}}, "client": {"Connected": {"S12", "A4"}}}
KNOWN = {f"S{n}" for n in range(1, 28)} | {f"H{n}" for n in range(1, 7)} | {f"A{n}" for n in range(1, 8)}

both = pytest.mark.parametrize("program", ["server", "client"])


@both
def test_the_procedures_are_the_article_s_in_its_order(program):
    found = {p.name: p.errata for p in procedures(FOLDER / f"{program}.py")[1:]}
    assert [name for name in found if name not in OURS[program]] == LISTINGS[program]
    for name, errata in OURS[program].items():
        assert errata <= found[name]


@both
def test_the_inputs_are_the_article_s(program):
    assert inputs(FOLDER / f"{program}.py") == ["Host", "Port"]


@both
def test_the_file_is_of_the_listing_s_size(program):
    assert len((FOLDER / f"{program}.py").read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@both
def test_it_imports_the_terminal_winsock_and_the_protocol_alone(program):
    allowed = {"__future__", "ctypes", "typing", "demos.terminal", "winsock", "demos.signal.protocol"}
    assert imported_modules(FOLDER / f"{program}.py") <= allowed


@both
def test_every_mark_is_a_known_erratum(program):
    assert {number for _, number in marks(FOLDER / f"{program}.py")} <= KNOWN


@both
def test_the_table_has_every_procedure_with_its_lines_and_its_errata(program):
    titles = {"server": "SignalServer: server.py", "client": "SignalClient: client.py"}
    assert rows(README, titles[program]) == expected_rows(FOLDER / f"{program}.py", LISTINGS[program])


def test_every_erratum_is_in_a_table_or_among_those_that_remain():
    assert set(re.findall(r"\b[SHA]\d+\b", README.read_text(encoding="utf-8"))) >= KNOWN


def test_the_example_of_the_message_is_exact():
    [example] = re.findall(r"^    ((?:[0-9a-f]{2} )+[0-9a-f]{2})$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert bytes.fromhex(example) == encode("EURUSD", 0.25, 1252)
