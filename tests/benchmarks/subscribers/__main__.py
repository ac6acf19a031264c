"""python -m tests.benchmarks.subscribers: measures all servers and prints a table; see the package's docstring."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.__main__ import environment
from tests.benchmarks.configurations import load_average, processor
from tests.benchmarks.connections import descriptors
from tests.benchmarks.measuring import Unavailable
from winsock.command_line import run_command

from . import __doc__ as explanation
from .measure import FIGURES, Plan, measured
from .servers import ServerProcess, create_certificate_file, create_users, provider_server, websockets_server

WEBSOCKETS = "websockets"
EXPERTS = (1, 2, 4)
COLUMN = 16


def measured_servers(plan: Plan, names: list[str], show: Any = lambda name, figures: None) -> dict[str, Any]:
    """The figures of each server's turns. ``names`` are numbers of experts, or WEBSOCKETS.

    Errors: Unavailable if the system does not allow so many file descriptors.
    """
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    load = load_average()
    # The limit is inherited by the processes, each of which has one end of each connection.
    with descriptors(plan.count), TemporaryDirectory(prefix="subscribers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        create_certificate_file(folder)
        create_users(folder, plan.count)
        for server in [*names, *reversed(names)]:
            with ExitStack() as stack:
                figures = measured(_start(stack, server, folder, plan.count), plan, folder / "users.json")
            turns[server].append({name: float(f"{figure:.4g}") for name, figure in figures.items()})
            show(server, turns[server][-1])
    return {
        "environment": environment() | {"processor": processor()},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_average_before": load,
        "plan": asdict(plan),
        "servers": turns,
    }


def _start(stack: ExitStack, name: str, folder: Path, count: int) -> ServerProcess:
    if name == WEBSOCKETS:
        return websockets_server(stack, folder, count)
    return provider_server(stack, folder, count, int(name))


def title(server: str) -> str:
    return server if server == WEBSOCKETS else f"{server} expert{'s' * (server != '1')}"


def rows(kept: dict[str, Any]) -> list[list[str]]:
    """The head of the table and a row for each figure: the medians of the turns."""
    servers = kept["servers"]
    table = [["", *map(title, servers)]]
    for name, (text, unit, digits) in FIGURES.items():
        amounts = [median(turn[name] for turn in turns) for turns in servers.values()]
        table.append([text, *(f"{amount:.{digits}f} {unit}".strip() for amount in amounts)])
    return table


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
