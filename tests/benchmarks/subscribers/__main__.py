"""python -m tests.benchmarks.subscribers: measures all servers and prints a table; see the package's docstring."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.measuring import Unavailable
from winsock.command_line import run_command

from . import __doc__ as explanation
from .comparing import measured_servers
from .figures import EXPERTS, WEBSOCKETS, Plan, rows, title

COLUMN = 26


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.subscribers",
        description=explanation,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plan = Plan()
    parser.add_argument("--count", type=int, default=plan.count, help=f"subscribers (default {plan.count})")
    parser.add_argument("--updates", type=int, default=plan.updates, help=f"updates (default {plan.updates})")
    parser.add_argument("--processes", type=int, default=plan.processes, help="processes of subscribers (default 2)")
    parser.add_argument(
        "--experts", type=int, nargs="*", default=list(EXPERTS), help="the provider's threads (default 1 2 4)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    options = parser.parse_args(arguments)
    plan = replace(plan, count=options.count, updates=options.updates, processes=options.processes)

    def show(name: str, figures: dict[str, float]) -> None:
        print(f"{title(name)}: " + ", ".join(f"{key} {figure:g}" for key, figure in figures.items()), flush=True)

    try:
        kept = measured_servers(plan, [*map(str, options.experts), WEBSOCKETS], show)
    except Unavailable as reason:
        print(f"not run: {reason}", file=sys.stderr)
        return 1
    for first, *others in rows(kept):
        print(f"{first:80}" + "".join(f"{each:>{COLUMN}}" for each in others))
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.benchmarks.subscribers", main))
