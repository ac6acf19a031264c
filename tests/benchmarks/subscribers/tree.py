"""python -m tests.benchmarks.subscribers.tree: lag and CPU time of a tree of proxies, compared with one provider.

    python -m tests.benchmarks.subscribers.tree                      20 subscribers, behind 0, 1 and 2 levels of proxies
    python -m tests.benchmarks.subscribers.tree --count 1000 --levels 0 1 --leaves 2 4

A tree has a provider, chains of proxies of this many levels, one for each leaf, and subscribers at the last proxies.
The subscribers, the trades and the times of delivery are those of the package's other measurement. Each server is a
process with one expert, and all are on this machine, so they share its processors. ``cpu`` is the CPU time of an
update, with the acknowledgements: of the provider, and of all proxies together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.__main__ import environment
from tests.benchmarks.configurations import load_average, processor
from tests.benchmarks.connections import descriptors
from tests.benchmarks.latency import percentile_99
from winsock.command_line import run_command

from .figures import Plan
from .measure import LOT, Subscribers
from .servers import ServerProcess, create_certificate_file, create_users, provider_server, proxy_below

# The trees of the report: levels of proxies, and proxies of the last level.
TREES = ((0, 1), (1, 1), (2, 1))
# Seconds after an update until the acknowledgements are read.
SETTLED = 0.2


class Tree:
    """The servers of a tree; subscribers are shared out to the last proxies, or all get the provider."""

    def __init__(self, stack: ExitStack, folder: Path, count: int, levels: int, leaves: int) -> None:
        self.provider = provider_server(stack, folder, count, 1)
        self.proxies: list[ServerProcess] = []
        self.leaves = [self.provider]
        if levels:
            self.leaves = []
            for _ in range(leaves):
                above = self.provider
                for _ in range(levels):
                    above = proxy_below(stack, folder, above)
                    self.proxies.append(above)
                self.leaves.append(above)

    def cpu_times(self) -> tuple[int, int]:
        """The CPU time of the provider, and of all proxies, in nanoseconds."""
        return self.provider.cpu_time(), sum(each.cpu_time() for each in self.proxies)


def measured_tree(folder: Path, plan: Plan, levels: int, leaves: int) -> dict[str, float]:
    """The figures of a tree: times in milliseconds from a trade until a subscriber has received it, CPU times in ms."""
    with ExitStack() as stack:
        tree = Tree(stack, folder, plan.count, levels, leaves)
        share = replace(plan, count=plan.count // len(tree.leaves), processes=1)
        crowds = [Subscribers(stack, share, leaf.port, folder / "users.json") for leaf in tree.leaves]
        for crowd in crowds:
            crowd.connect()
        held, times, lasts, spent = 0.0, [], [], []
        for number in range(plan.updates + 1):
            time.sleep(plan.settled)
            before = tree.cpu_times()
            lots = LOT if number % 2 == 0 else -LOT
            held = round(held + lots, 2)
            began = time.perf_counter_ns()
            tree.provider.trade(lots)
            arrived = [(each - began) / 1e6 for crowd in crowds for each in crowd.wait_for(held)]
            time.sleep(plan.settled)
            # The first update is not measured: it creates what the next ones find.
            if number:
                times += arrived
                lasts.append(max(arrived))
                spent.append([(b - a) / 1e6 for a, b in zip(before, tree.cpu_times(), strict=True)])
    provider, proxies = (median(column) for column in zip(*spent, strict=True))
    figures = {"median": median(times), "p99": percentile_99(times), "last": median(lasts), "worst": max(lasts)}
    return figures | {"provider-cpu": provider, "proxies-cpu": proxies}


def measured_trees(plan: Plan, trees: Sequence[tuple[int, int]] = TREES, turns: int = 2) -> dict[str, Any]:
    """The figures of each turn of each tree, by levels and leaves; every second turn has the reverse order."""
    load = load_average()
    found: dict[tuple[int, int], list[dict[str, float]]] = {tree: [] for tree in trees}
    with descriptors(plan.count), TemporaryDirectory(prefix="tree-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        create_certificate_file(folder)
        create_users(folder, plan.count)
        for turn in range(turns):
            for levels, leaves in trees if turn % 2 == 0 else reversed(trees):
                figures = measured_tree(folder, plan, levels, leaves)
                shown = {key: float(f"{figure:.3g}") for key, figure in figures.items()}
                print(json.dumps({"levels": levels, "leaves": leaves, **shown}), flush=True)
                found[levels, leaves].append(shown)
    return {
        "environment": environment() | {"processor": processor()},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_average_before": load,
        "plan": asdict(plan),
        "trees": [{"levels": levels, "leaves": leaves, "turns": each} for (levels, leaves), each in found.items()],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.subscribers.tree",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=20, help="subscribers (default 20)")
    parser.add_argument("--updates", type=int, default=50, help="updates (default 50)")
    parser.add_argument("--levels", type=int, nargs="*", default=[0, 1, 2], help="levels of proxies (default 0 1 2)")
    parser.add_argument("--leaves", type=int, nargs="*", default=[1], help="proxies of the last level (default 1)")
    parser.add_argument("--turns", type=int, default=2, help="how often each tree is measured (default 2)")
    options = parser.parse_args(arguments)
    plan = Plan(count=options.count, updates=options.updates, settled=SETTLED)
    trees = [(levels, leaves) for levels in options.levels for leaves in (options.leaves if levels else [1])]
    print(f"load average before: {load_average()}; {options.count} subscribers, {options.updates} updates", flush=True)
    measured_trees(plan, trees, options.turns)
    print(f"load average after: {load_average()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.benchmarks.subscribers.tree", main))
