"""What is done about a failing seed: the shortest fault script, the command that repeats it, and where it diverges.

The script is shrunk: faults are removed and shortened as long as the run breaks the same invariant. Two traces are then
compared with that of the short script. The trace of the same seed without the script's last fault passes, and shows
what that fault has changed. The trace of another seed that passes with the same script shows what the seed has changed;
there only the kinds of the events are compared, because times and numbers of two seeds always differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from demos.simulation.runs import Outcome, Run, simulate
from demos.terminal.interfaces import OutputError
from winsock.simulation.faults import Fault, format_script, parse_script
from winsock.simulation.shrink import shrink

# The seeds that are tried after the failing one, to find one that passes with the same script.
_OTHER_SEEDS = 5

_NUMBER = re.compile(r"-?\d+(\.\d+)*")


@dataclass(frozen=True)
class Divergence:
    """The first line in which the trace of a passing run differs; ``passing`` says which run that is."""

    passing: str
    line: int
    failing_text: str
    passing_text: str


@dataclass(frozen=True)
class Failure:
    """A failing seed: its whole run, its run with the shortest script, and what is known about that.

    ``not_compared`` says why a comparison with a passing run is missing.
    """

    whole: Outcome
    short: Outcome
    runs: int
    complete: bool
    divergences: list[Divergence]
    not_compared: list[str]


def explain(outcome: Outcome, budget: int, progress: Callable[[str], None]) -> Failure:
    """Shrink the script of a failing run with at most ``budget`` runs, and compare traces.

    Errors: as for simulate().
    """
    run = outcome.run

    def invariant_of(script: tuple[Fault, ...]) -> str | None:
        progress(f"seed {run.seed}: trying {len(script)} of {len(parse_script(outcome.script))} faults")
        return simulate(replace(run, script=format_script(script))).invariant

    shrunk = shrink(parse_script(outcome.script), invariant_of, budget=budget)
    short = simulate(replace(run, script=format_script(shrunk.script)), trace=True)
    compared = [_without_last_fault(short), _other_seed(short)]
    divergences = [each for each in compared if isinstance(each, Divergence)]
    reasons = [each for each in compared if isinstance(each, str)]
    return Failure(outcome, short, shrunk.runs, shrunk.complete, divergences, reasons)


def script_path(run: Run, folder: Path) -> Path:
    """The file for the short script of a failing run."""
    return folder / f"{Path(run.scenario).stem}-{run.seed}.faults"


def write_failure(failure: Failure, folder: Path) -> Path:
    """Write the short script into a folder; returns its file, for --script. Errors: OSError; OutputError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = script_path(failure.whole.run, folder)
    write_file(path, failure.short.script)
    return path


def write_file(path: Path, text: str) -> None:
    """Write a text. Errors: OutputError that names the file, which the error of a full disk does not."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _without_last_fault(failing: Outcome) -> Divergence | str:
    """Compare with the run without the last fault; or why that is impossible."""
    name = "the same seed without the last fault"
    faults = parse_script(failing.script)
    if not faults:
        return "the script has no fault that could be left out"
    passing = simulate(replace(failing.run, script=format_script(faults[:-1])), trace=True)
    if passing.violation is not None:
        return f"{name} breaks an invariant too: {passing.invariant}"
    return _divergence(failing, passing, name, str)


def _other_seed(failing: Outcome) -> Divergence | str:
    """Compare with another seed that passes with the same script; or why that is impossible."""
    first = failing.run.seed + 1
    for seed in range(first, first + _OTHER_SEEDS):
        other = simulate(replace(failing.run, seed=seed, script=failing.script), trace=True)
        if other.violation is None:
            return _divergence(failing, other, f"seed {seed} with the same faults", _kind)
    return f"the seeds {first} to {first + _OTHER_SEEDS - 1} break an invariant too with the same faults"


def _divergence(failing: Outcome, passing: Outcome, name: str, key: Callable[[str], str]) -> Divergence | str:
    lines = zip_longest(failing.trace.splitlines(), passing.trace.splitlines(), fillvalue="(the trace has ended)")
    for number, (ours, theirs) in enumerate(lines, 1):
        if key(ours) != key(theirs):
            return Divergence(name, number, ours, theirs)
    return f"{name} has the same trace"


def _kind(line: str) -> str:
    """A line of a trace without its numbers."""
    return _NUMBER.sub("N", line)
