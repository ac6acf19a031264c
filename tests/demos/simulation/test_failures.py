"""A failing seed: a program that is broken on purpose is found, its script is shrunk, and the command repeats it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from trace_kit import python

from demos.launcher.study_options import shell_text
from demos.simulation import failures
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
    shown = command(failure.short.run, write_failure(failure, tmp_path))
    assert shown.startswith("python -m demos simulate ")
    line = shown.replace("python", shell_text([sys.executable]), 1)
    arguments = line if sys.platform == "win32" else shlex.split(line)
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1, done.stderr
    invariant, text = failure.short.violation or ("", "")
    assert f"broken at {failure.short.at:g} s: {invariant}: {text[:20]}" in done.stdout


def test_the_shown_command_draws_the_failure(failure: Failure, tmp_path: Path) -> None:
    shown = failure_text(failure, Path("signal-1.faults")).splitlines()
    at = shown.index("draw it with")
    simulation, picture = (shlex.split(line) for line in shown[at + 1 : at + 3])
    simulate(failure.short.run, folder=tmp_path / simulation[simulation.index("--trace") + 1])
    python(*picture[1:], cwd=tmp_path, check=True)
    assert "<title>" in (tmp_path / "signal-1.html").read_text(encoding="utf-8")


def test_the_first_divergence_from_a_run_without_the_fault_is_shown(failure: Failure) -> None:
    divergence = failure.divergences[0]
    assert divergence.passing == "the same seed without the last fault"
    assert parse_script(failure.short.script)[0].kind in divergence.failing_text


def test_the_texts_fit_into_80_columns(failure: Failure) -> None:
    texts = run_text(failure.whole) + failure_text(failure, Path("signal-1.faults"))
    # The commands are one line each, so that they can be copied.
    lines = [line for line in texts.splitlines() if "python -m" not in line]
    assert max(map(len, lines)) < 80


def test_a_comparison_that_is_missing_has_a_reason(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "simulate", lambda run, **options: replace(failure.short, run=run))
    reasons = [failures._without_last_fault(failure.short), failures._other_seed(failure.short)]
    assert reasons[0] == "the same seed without the last fault breaks an invariant too: positions agree"
    assert str(reasons[1]).endswith("break an invariant too with the same faults")
    text = failure_text(replace(failure, divergences=[], not_compared=list(map(str, reasons))), Path("signal-1.faults"))
    assert text.count("not compared:") == 2


def test_every_run_of_a_seed_is_compared_or_has_a_reason(failure: Failure) -> None:
    assert len(failure.divergences) + len(failure.not_compared) == 2


def test_a_long_script_is_summed_up_by_kind(failure: Failure) -> None:
    script = "at 10 reset provider copier1\n" * 60 + "at 20 crash provider for 1\n" * 7
    text = run_text(replace(failure.whole, script=script))
    assert "… 67 faults; --trace writes them all\n  in all: crash 7, reset 60\n" in text


def test_a_script_without_faults_leaves_the_short_sends_as_they_were() -> None:
    parts = "a message is sent in parts"
    runs = [Run(scenario="signal", seed=seed, seconds=200) for seed in range(1, 6)]
    with_faults = [run for run in runs if parts in simulate(run).paths]
    assert with_faults
    assert all(parts in simulate(replace(run, script="")).paths for run in with_faults)
