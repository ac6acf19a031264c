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

from demos.simulation.runs import Outcome, simulate
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
    """A failing seed: its whole run, its run with the shortest script, and what is known about that."""

    whole: Outcome
    short: Outcome
    runs: int
    complete: bool
    divergences: list[Divergence]


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
    return Failure(outcome, short, shrunk.runs, shrunk.complete, _divergences(short))


def write_failure(failure: Failure, folder: Path) -> Path:
    """Write the short script into a folder; returns its file, for --script. Errors: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    run = failure.whole.run
    path = folder / f"{Path(run.scenario).stem}-{run.seed}.faults"
    path.write_text(failure.short.script, encoding="utf-8")
    return path


def _divergences(failing: Outcome) -> list[Divergence]:
    found = []
    faults = parse_script(failing.script)
    if faults:
        without = replace(failing.run, script=format_script(faults[:-1]))
        found.append(_divergence(failing, simulate(without, trace=True), "the same seed without the last fault", str))
    for seed in range(failing.run.seed + 1, failing.run.seed + 1 + _OTHER_SEEDS):
        other = simulate(replace(failing.run, seed=seed, script=failing.script), trace=True)
        if other.violation is None:
            found.append(_divergence(failing, other, f"seed {seed} with the same faults", _kind))
            break
    return [each for each in found if each]


def _divergence(failing: Outcome, passing: Outcome, name: str, key: Callable[[str], str]) -> Divergence | None:
    if passing.violation is not None:
        return None
    lines = zip_longest(failing.trace.splitlines(), passing.trace.splitlines(), fillvalue="(the trace has ended)")
    for number, (ours, theirs) in enumerate(lines, 1):
        if key(ours) != key(theirs):
            return Divergence(name, number, ours, theirs)
    return None


def _kind(line: str) -> str:
    """A line of a trace without its numbers."""
    return _NUMBER.sub("N", line)
