"""python -m tests.windows_facts [FACT or TOPIC …]: checks facts on this backend, lists them, or updates the notes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from winsock import BACKEND
from winsock.command_line import run_command

from . import report
from .facts import Fact, collect
from .runner import holds, reason_to_skip


def chosen(words: Sequence[str]) -> list[Fact]:
    known = collect()
    names = {*known, *(fact.topic for fact in known.values())}
    for word in words:
        if word not in names:
            raise SystemExit(f"unknown fact or topic: {word!r}")
    return [fact for fact in known.values() if not words or {fact.name, fact.topic} & {*words}]


def show(fact: Fact) -> None:
    print(f"{fact.topic}/{fact.name}")
    print(f"    {fact.call}: {fact.situation}")
    print(f"    Windows: {' or '.join(map(str, fact.windows))}")
    print(f"    {fact.certainty.value}: {fact.source}")


def check(facts: Sequence[Fact]) -> int:
    counts = {"as on Windows": 0, "different": 0, "different, as documented": 0, "not checked here": 0}
    for fact in facts:
        reason = reason_to_skip(fact)
        same, seen = (False, None) if reason else holds(fact)
        outcome = "not checked here" if reason else "as on Windows" if same else "different"
        if outcome == "different" and fact.compat and BACKEND == "compat":
            outcome = "different, as documented"
        counts[outcome] += 1
        if outcome == "different":
            print(f"{fact.topic}/{fact.name}: Windows {' or '.join(map(str, fact.windows))}, here {seen}")
    print(f"{BACKEND}: {len(facts)} facts: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["different"] else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.windows_facts", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the facts instead of checking them")
    parser.add_argument("--notes", action="store_true", help="update notes/figures.md and notes/differences.md instead")
    parser.add_argument("words", nargs="*", metavar="FACT | TOPIC")
    options = parser.parse_args(arguments)
    if options.notes:
        report.write()
        return 0
    facts = chosen(options.words)
    if options.list:
        for fact in facts:
            show(fact)
        return 0
    return check(facts)


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.windows_facts", lambda: main(sys.argv[1:])))
