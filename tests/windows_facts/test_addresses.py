"""Checks that the notes and the recording of the matrix of addresses are current, and which result compat has."""

from __future__ import annotations

import pytest

from tests.conformance import recordings
from tests.conformance.address_cells import ADDRESSES, PROGRAMS, cells
from tests.conformance.runner import collect, run
from tests.windows_facts.address_answers import UNREACHABLE, accepted, answer_of_windows
from tests.windows_facts.address_notes import COMPAT_WITHOUT_SCOPE, NOTES, differences, page
from winsock import BACKEND

SCENARIOS = collect()
CELLS = {cell.scenario: cell for program in PROGRAMS for cell in cells(program)}


def test_the_notes_match_the_matrix() -> None:
    """To update the notes: python -m tests.windows_facts.address_notes"""
    assert NOTES.read_text(encoding="utf-8") == page()


def test_the_recording_has_the_results_of_windows_from_the_matrix() -> None:
    """To update the recording: python -m tests.windows_facts.address_notes"""
    entries = recordings.load()
    found = {name: entries[name]["windows"] for name in CELLS if "windows" in entries[name]}
    assert found == differences()


def test_each_cell_has_a_scenario_and_each_scenario_a_cell() -> None:
    assert [name for name, scenario in SCENARIOS.items() if scenario.concern == "addresses"] == list(CELLS)


def test_each_address_is_in_a_cell() -> None:
    assert {cell.address for cell in CELLS.values()} == ADDRESSES.keys()


@pytest.mark.usefixtures("unstarted")
@pytest.mark.skipif(BACKEND != "compat", reason="the first accepted result is that of compat")
@pytest.mark.parametrize("name", CELLS)
def test_compat_has_the_first_of_the_accepted_results(name: str) -> None:
    cell = CELLS[name]
    for label, *result in run(SCENARIOS[name]):
        answers = accepted(cell)[str(label)]
        if answer_of_windows(cell).compat:
            assert result == [COMPAT_WITHOUT_SCOPE]
        elif [UNREACHABLE] in answers:
            assert result in answers  # it depends on the routes
        else:
            assert result == answers[0]
