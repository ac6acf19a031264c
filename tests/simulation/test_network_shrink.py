"""A failing fault script is shrunk to the shortest one that breaks the same invariant, within a budget of runs."""

from __future__ import annotations

from random import Random

import pytest

from winsock.simulation.faults import Fault
from winsock.simulation.random_faults import random_faults
from winsock.simulation.shrink import shrink
from winsock.simulation.units import SECOND

SCRIPT = tuple(random_faults(Random(4), hosts=["a", "b"], pairs=[("a", "b")], start=0, end=600, budget=40, longest=60))


def crash(seconds: int, host: str = "a", duration: int = 10) -> Fault:
    return Fault(seconds * SECOND, "crash", (host,), duration=duration * SECOND)


def test_shrinking_keeps_only_the_faults_that_break_the_invariant() -> None:
    needed = {SCRIPT[3], SCRIPT[17], SCRIPT[30]}
    result = shrink(SCRIPT, lambda script: "positions" if needed <= set(script) else None)
    assert set(result.script) == needed
    assert result.violation == "positions"
    assert result.complete


def test_shrinking_ignores_a_script_that_breaks_another_invariant() -> None:
    def run(script: tuple[Fault, ...]) -> str | None:
        if SCRIPT[5] in script:
            return "positions"
        return "ledger" if script else None

    assert shrink(SCRIPT, run).script == (SCRIPT[5],)


def test_shrinking_shortens_the_durations() -> None:
    def run(script: tuple[Fault, ...]) -> str | None:
        return "lost" if any((fault.duration or 0) >= 3 * SECOND for fault in script) else None

    (fault,) = shrink([crash(5), crash(30)], run).script
    assert 3 * SECOND <= (fault.duration or 0) <= 4 * SECOND


def test_shrinking_stops_at_its_budget_with_the_best_script_so_far() -> None:
    runs = []

    def run(script: tuple[Fault, ...]) -> str | None:
        runs.append(script)
        return "positions" if SCRIPT[3] in script and SCRIPT[30] in script else None

    result = shrink(SCRIPT, run, budget=20)
    assert len(runs) == result.runs == 20
    assert not result.complete
    assert {SCRIPT[3], SCRIPT[30]} <= set(result.script)
    assert len(result.script) < len(SCRIPT)


def test_shrinking_runs_no_script_twice_and_is_the_same_each_time() -> None:
    runs: list[list[tuple[Fault, ...]]] = [[], []]
    for made in runs:

        def run(script: tuple[Fault, ...], made: list[tuple[Fault, ...]] = made) -> str | None:
            made.append(script)
            return "positions" if {SCRIPT[1], SCRIPT[20]} <= set(script) else None

        shrink(SCRIPT, run)
    assert runs[0] == runs[1]
    assert len(set(runs[0][1:])) == len(runs[0][1:])


def test_a_program_that_fails_without_faults_shrinks_to_an_empty_script() -> None:
    result = shrink(SCRIPT, lambda script: "positions")
    assert result.script == ()


def test_a_script_that_breaks_nothing_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="breaks no invariant"):
        shrink(SCRIPT, lambda script: None)
