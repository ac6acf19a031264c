"""A failing seed: a program that is broken on purpose is found, its script is shrunk, and the command repeats it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from demos.simulation.failures import Failure, explain, write_failure
from demos.simulation.report import command, failure_text, run_text
from demos.simulation.runs import Run, simulate
from winsock.simulation.faults import parse_script

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = str(Path(__file__).with_name("broken_scenario.py"))
SECONDS = 240


@pytest.fixture(scope="module")
def failure() -> Failure:
    """The first seed whose faults the broken copier does not survive."""
    for seed in range(1, 10):
        outcome = simulate(Run(scenario=SCENARIO, seed=seed, seconds=SECONDS))
        if outcome.violation and len(parse_script(outcome.script)) > 2:
            return explain(outcome, 60, lambda text: None)
    raise AssertionError("no seed has found the broken program")


def test_a_broken_program_breaks_an_invariant(failure: Failure) -> None:
    assert failure.whole.invariant == "positions agree"


def test_the_script_is_shrunk_to_the_faults_that_break_the_invariant(failure: Failure) -> None:
    assert failure.complete
    assert len(parse_script(failure.short.script)) == 1
    assert failure.short.invariant == failure.whole.invariant


def test_the_shown_command_repeats_the_failure(failure: Failure, tmp_path: Path) -> None:
    shown = shlex.split(command(failure.short.run, write_failure(failure, tmp_path)))
    assert shown[:4] == ["python", "-m", "demos", "simulate"]
    arguments = [sys.executable, *shown[1:]]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1, done.stderr
    invariant, text = failure.short.violation or ("", "")
    assert f"broken at {failure.short.at:g} s: {invariant}: {text[:20]}" in done.stdout


def test_the_first_divergence_from_a_run_without_the_fault_is_shown(failure: Failure) -> None:
    divergence = failure.divergences[0]
    assert divergence.passing == "the same seed without the last fault"
    assert parse_script(failure.short.script)[0].kind in divergence.failing_text


def test_the_texts_fit_into_80_columns(failure: Failure) -> None:
    texts = run_text(failure.whole) + failure_text(failure, Path("signal-1.faults"))
    # The commands are one line each, so that they can be copied.
    lines = [line for line in texts.splitlines() if "python -m" not in line]
    assert max(map(len, lines)) < 80
