"""The simulation gives the answers of Windows in the recorded scenarios and the facts, except those that are listed."""

from __future__ import annotations

import sys
import zlib

import pytest

from tests.properties.wine import stop_all
from tests.simulation.answers import call_programs, outcomes, report
from tests.simulation.answers.outcomes import DIFFERS, Outcome
from tests.simulation.answers.reasons import reasons
from winsock import BACKEND

# All scenarios and facts, and many programs, perhaps on a busy machine.
pytestmark = pytest.mark.timeout(900)

# Batches of ten random programs that are compared with compat.
BATCHES = 30


def runs_here(name: str) -> bool:
    """Whether a scenario or fact is run here: each one on Linux, a quarter on Windows, where the same code answers."""
    return sys.platform != "win32" or zlib.crc32(name.encode()) % 4 == 0


@pytest.fixture(scope="module")
def scenarios() -> list[Outcome]:
    return list(outcomes.of_scenarios(runs_here))


@pytest.fixture(scope="module")
def facts() -> list[Outcome]:
    return list(outcomes.of_facts(runs_here))


def test_95_percent_of_the_scenarios_and_of_the_facts_agree(scenarios: list[Outcome], facts: list[Outcome]) -> None:
    assert report.share(scenarios) >= 95
    assert report.share(facts) >= 95


def test_every_difference_has_a_reason_and_every_reason_a_difference(
    scenarios: list[Outcome], facts: list[Outcome]
) -> None:
    """A reason is removed when its scenario or fact agrees."""
    differing = {outcome.name for outcome in (*scenarios, *facts) if outcome.kind == DIFFERS}
    assert differing == set(filter(runs_here, reasons()))


@pytest.mark.skipif(
    sys.platform == "win32", reason="the notes list all scenarios and facts, not the part that runs here"
)
def test_the_notes_list_the_differences(scenarios: list[Outcome], facts: list[Outcome]) -> None:
    """To update the notes: python -m tests.simulation.answers --notes"""
    assert report.in_notes() == report.generated(scenarios, facts)


def test_the_recorded_programs_have_the_traces_of_compat() -> None:
    recorded = call_programs.recorded()
    assert len(recorded) == call_programs.RECORDED_PROGRAMS
    assert [found for program, trace in recorded if (found := call_programs.compared(program, trace))] == []


@pytest.mark.skipif(BACKEND != "compat", reason="compat does not run here")
def test_the_recorded_traces_are_those_of_compat(unstarted: None) -> None:
    """To record them again: python -m tests.simulation.answers --record"""
    stop_all()
    assert [program for program, trace in call_programs.recorded() if call_programs.on_compat(program) != trace] == []


@pytest.mark.skipif(BACKEND != "compat", reason="compat does not run here")
def test_random_programs_have_the_same_traces_as_on_compat(unstarted: None) -> None:
    from tests.properties.generating import batch

    for number in range(BATCHES):
        for program in batch(number):
            found = call_programs.compared(program, call_programs.on_compat(program))
            assert found == "", f"batch {number}: {found}"
