"""Sweeps: a few seeds of the pairs' scenarios, and what a sweep finds. CI runs many seeds by the command."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

import demos.simulation.sweep
from demos.simulation.records import failed
from demos.simulation.report import sums_text
from demos.simulation.runs import Run, simulate
from demos.simulation.sweep import ENOUGH_SEEDS, Sums, sweep
from demos.simulation.terminal_record import LogLine, TerminalRecord
from winsock import WSAECONNRESET

MINUTES = 10
# One on Windows: the scenarios run the same code there.
SEEDS = range(1, 2 if sys.platform == "win32" else 4)


@pytest.mark.parametrize("scenario", ["signal", "template", "ticks"])
def test_the_invariants_hold_for_each_seed(scenario: str) -> None:
    sums = sweep(scenario, SEEDS, MINUTES * 60, 1, lambda sums: None)
    assert not sums.problem, sums_text(scenario, sums)
    assert sums.deals or scenario != "signal"


def test_a_seed_gives_the_same_run_each_time() -> None:
    run = Run(scenario="signal", seed=7, seconds=200)
    first, second = simulate(run, trace=True), simulate(run, trace=True)
    assert first == second
    assert first.trace


def test_a_script_changes_the_faults_and_nothing_else() -> None:
    run = Run(scenario="signal", seed=7, seconds=200)
    first = simulate(run, trace=True)
    again = simulate(Run(scenario="signal", seed=7, seconds=200, script=first.script), trace=True)
    assert again.trace == first.trace


def test_a_sweep_in_several_processes_finds_what_one_process_finds() -> None:
    found = [sweep("ticks", range(1, 5), 120, processes, lambda sums: None) for processes in (1, 2)]
    assert found[0].packets == found[1].packets
    assert found[0].paths == found[1].paths


def test_a_pool_on_windows_has_no_more_processes_than_it_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demos.simulation.sweep, "sys", SimpleNamespace(platform="win32"))
    assert demos.simulation.sweep._useful(100, 1000) == 61


def test_a_sweep_with_enough_seeds_fails_where_a_recovery_path_was_never_reached() -> None:
    sums = Sums(seeds=ENOUGH_SEEDS)
    sums.paths["a connect is refused"] = 0
    sums.faults["crash"] = 3
    assert sums.problem == "never reached: recovery path: a connect is refused"
    assert Sums(seeds=ENOUGH_SEEDS - 1, paths=sums.paths).problem == ""


@pytest.mark.parametrize(
    ("scenario", "paths"),
    [
        ("signal", {"a peer that does not read is dropped", "a message is sent in parts"}),
        ("template", {"a peer that does not read is dropped", "a template is sent in parts"}),
        (
            "agents",
            {"a handshake fails", "a message is sent in parts", "an agent that lies is found", "all is calculated"},
        ),
    ],
)
def test_without_faults_only_the_paths_of_hostile_peers_and_short_sends_are_reached(
    scenario: str, paths: set[str]
) -> None:
    assert set(simulate(Run(scenario=scenario, seed=1, seconds=400, script="")).paths) <= paths


@pytest.mark.parametrize(("text", "found"), [("EURUSD 0.02 at 1.10054 -> 0.03", False), ("error: (#10054) WSAE", True)])
def test_a_price_is_not_the_number_of_an_error(text: str, found: bool) -> None:
    terminal: Any = TerminalRecord("copier")
    terminal.log.append(LogLine(1.0, 1, text))
    assert failed([terminal], WSAECONNRESET) is found
