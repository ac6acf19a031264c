"""python -m tests.simulation.answers, see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from winsock.command_line import run_command

from . import call_programs, outcomes, report, world
from .outcomes import DIFFERS
from .reasons import reasons


def _wanted(words: Sequence[str]) -> Callable[[str], bool]:
    """Makes a function that says whether a name is wanted: it, its concern or its topic must be one of the words."""
    loaded = world.programs()
    names = [f"{one.concern}/{one.name}" for one in loaded.scenarios.values()]
    names += [f"{one.topic}/{one.name}" for one in loaded.facts.values()]
    known = {word for name in names for word in (name, *name.split("/"))}
    for word in words:
        if word not in known:
            raise SystemExit(f"unknown scenario, fact, concern or topic: {word!r}")
    return lambda name: not words or not {name, *name.split("/")}.isdisjoint(words)


def _run(words: Sequence[str]) -> int:
    """Shows the differences; 1 if one of them has no reason."""
    wanted, known, unknown = _wanted(words), reasons(), 0
    for kind, part in (("scenarios", outcomes.of_scenarios(wanted)), ("facts", outcomes.of_facts(wanted))):
        counts: Counter[str] = Counter()
        for outcome in part:
            counts[outcome.kind] += 1
            if outcome.kind == DIFFERS:
                unknown += outcome.name not in known
                print(f"{outcome.name}: {outcome.shown}; {known.get(outcome.name, 'no reason is known')}")
        print(f"{counts.total()} {kind}: {', '.join(f'{count} {word}' for word, count in counts.items()) or 'none'}")
    return 1 if unknown else 0


def _programs(first: int, last: int) -> int:
    """Compares the programs of some batches with compat, and prints the shortest one of each batch that differs."""
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
    parser.add_argument("words", nargs="*", metavar="NAME", help="a scenario, a fact, a concern or a topic")
    options = parser.parse_args(arguments)
    if options.record:
        call_programs.record()
        return 0
    if options.programs:
        first, _, last = options.programs.partition("-")
        return _programs(int(first), int(last or first))
    if options.notes:
        report.write(report.generated(list(outcomes.of_scenarios()), list(outcomes.of_facts())))
        return 0
    return _run(options.words)


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.simulation.answers", lambda: main(sys.argv[1:])))
