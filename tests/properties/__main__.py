"""python -m tests.properties hunt | export | run | compare, see the package's docstring."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from winsock import BACKEND
from winsock.command_line import run_command

from .comparing import Program, difference, shown
from .known import known
from .running import run
from .wine import Wine, examined, serve, stop_all


def export(count: int, path: Path) -> int:
    """Writes `count` programs, which are the same each time."""
    from .generating import batch

    found: list[Program] = []
    number = 0
    while len(found) < count:
        found += batch(number)
        number += 1
    path.write_text("".join(json.dumps(program) + "\n" for program in found[:count]), encoding="ascii")
    return 0


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def run_file(path: Path, out: Path) -> int:
    """Runs the programs of a file on this backend and writes their outcomes."""
    stop_all()
    broken = 0
    with out.open("w", encoding="ascii", newline="\n") as stream:
        for program in _lines(path):
            outcome = run(program)
            stream.write(json.dumps(outcome._asdict()) + "\n")
            for breach in outcome.breaches:
                broken += 1
                print(f"violates a rule: {breach}")
    print(f"{BACKEND}: {broken} violations")
    return 1 if broken else 0


def compare(first: Path, second: Path, programs: Path) -> int:
    """Prints where the outcomes of the same programs differ; `first` is compat's file, `second` Wine's."""
    counts = {"agree": 0, "known": 0, "unknown": 0}
    for program, ours, theirs in zip(_lines(programs), _lines(first), _lines(second), strict=True):
        found = difference(program, ours["trace"], theirs["trace"])
        kind = "agree" if found is None else "known" if known(found) else "unknown"
        counts[kind] += 1
        if kind == "unknown":
            print(shown(program, ours["trace"], theirs["trace"]))
    print(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return 1 if counts["unknown"] else 0


def hunt(seconds: float, number: int) -> int:
    """Runs batch after batch and prints the smallest program for each unknown kind of difference."""
    from .generating import smallest

    stop_all()
    reported: set[str] = set()
    counts = {"agree": 0, "known": 0, "unknown": 0}
    deadline = time.monotonic() + seconds
    with Wine() as wine:

        def differs(program: Program) -> str | None:
            found, _ = examined(wine, program)
            counts["agree" if found is None else "known" if known(found) else "unknown"] += 1
            if found is None or known(found) or found.kind() in reported:
                return None
            return found.kind()

        while time.monotonic() < deadline:
            number += 1
            least = smallest(differs, number)
            if least is None:
                continue
            kind, program = least
            reported.add(kind)
            _, (ours, theirs) = examined(wine, program)
            print(f"\n{kind}\n{shown(program, ours.trace, theirs.trace)}", flush=True)
    print(f"{counts}, {len(reported)} unknown kinds, up to batch {number}")
    return 1 if reported else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.properties", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("hunt")
    part.add_argument("seconds", type=float)
    part.add_argument("--batch", type=int, default=0)
    part = parts.add_parser("export")
    part.add_argument("count", type=int)
    part.add_argument("file", type=Path)
    part = parts.add_parser("run")
    part.add_argument("file", type=Path)
    part.add_argument("out", type=Path)
    part = parts.add_parser("compare")
    for name in ("compat", "wine", "programs"):
        part.add_argument(name, type=Path)
    parts.add_parser("serve")
    given = parser.parse_args(arguments)
    if given.part == "hunt":
        return hunt(given.seconds, given.batch)
    if given.part == "export":
        return export(given.count, given.file)
    if given.part == "run":
        return run_file(given.file, given.out)
    if given.part == "compare":
        return compare(given.compat, given.wine, given.programs)
    return serve()


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.properties", lambda: main(sys.argv[1:])))
