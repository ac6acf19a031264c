"""python -m tests.simulation.answers, see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from winsock.command_line import run_command

from . import call_programs, outcomes, report
from .outcomes import DIFFERS


def _wanted(words: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name with its concern or topic is one of the words, or both are, or one of them."""
    return lambda name: not words or not {name, *name.split("/")}.isdisjoint(words)


def _run(words: Sequence[str], notes: bool) -> int:
    wanted = _wanted(words)
    scenarios, facts = list(outcomes.of_scenarios(wanted)), list(outcomes.of_facts(wanted))
    if notes:
        report.write(report.generated(scenarios, facts))
        return 0
    for kind, part in (("scenarios", scenarios), ("facts", facts)):
        for outcome in part:
            if outcome.kind == DIFFERS:
                print(f"{outcome.name}: {outcome.shown}")
        counts = Counter(outcome.kind for outcome in part)
        print(f"{len(part)} {kind}: {', '.join(f'{count} {word}' for word, count in counts.items())}")
    return 0


def _programs(first: int, last: int) -> int:
    """Compare the programs of some batches with compat, and show the shortest that differs in each batch."""
    from tests.properties.generating import smallest
    from tests.properties.wine import stop_all

    stop_all()
    count = different = 0

    def differs(program: call_programs.Program) -> str | None:
        nonlocal count
        count += 1
        return "differs" if call_programs.compared(program, call_programs.on_compat(program)) else None

    for number in range(first, last + 1):
        found = smallest(differs, number)
        if found is not None:
            different += 1
            print(f"batch {number}: {call_programs.compared(found[1], call_programs.on_compat(found[1]))}", flush=True)
    print(f"{count} programs, {different} batches with a difference")
    return 1 if different else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.answers", description=__doc__)
    parser.add_argument("--notes", action="store_true", help="update notes/differences.md")
    parser.add_argument("--programs", metavar="FIRST-LAST", help="compare these batches of random programs with compat")
    parser.add_argument("--record", action="store_true", help="record call_programs.jsonl on compat")
    parser.add_argument("words", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    if options.record:
        call_programs.record()
        return 0
    if options.programs:
        first, _, last = options.programs.partition("-")
        return _programs(int(first), int(last or first))
    return _run(options.words, options.notes)


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.simulation.answers", lambda: main(sys.argv[1:])))
