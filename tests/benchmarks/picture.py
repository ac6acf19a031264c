"""Draws what winsock's calls cost against the number of clients: python -m tests.benchmarks.picture FILE.svg

It takes about a minute and needs matplotlib (the extra `charts`). The ending of the file's name says what kind of
picture it is; the figures themselves are in its description, where the format has one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from operator import truediv
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from . import crowd, fan_out, waiting
from .__main__ import environment
from .measuring import Benchmark, Contestants, NotHere, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By the number of clients.
Line: TypeAlias = "dict[int, float]"
# Nanoseconds of one call, or of one announcement, in each round.
Costs: TypeAlias = "dict[int, list[float]]"
Prepared: TypeAlias = "Callable[[int], Callable[[], AbstractContextManager[Contestants]]]"

# With more, what one server leaves in the machine's caches decides how fast the next one is.
ANNOUNCED = (1, 3, 10, 30, 100, 300, 1000)
WAITED = (10, 30, 100, 300, 1000)
# Beyond, the standard server must have a process of its own.
CROWDS = (3000, 10_000)
ROUNDS = 26


def measure(prepared: Prepared, counts: tuple[int, ...], ours: str, rounds: int) -> dict[str, Costs]:
    """What each contestant needed; the first is called `ours`."""
    costs: dict[str, Costs] = {}
    for count in counts:
        number = max(1, 300 // count)
        try:
            compared = measured(Benchmark(str(count), prepared(count), number=number), rounds)
        except NotHere as reason:
            print(f"{ours}, {count} clients: not measured: {reason}", file=sys.stderr)
            continue
        costs.setdefault(ours, {})[count] = compared[0].costs
        for one in compared:
            costs.setdefault(one.against, {})[count] = one.other_costs
    return costs


def announcing(counts: tuple[int, ...], rounds: int) -> dict[str, Costs]:
    names = ("send_many", "send", "socket", "asyncio", "C loop")
    return measure(lambda count: fan_out.announcing(count, *names), counts, "send_many", rounds)


def looking(counts: tuple[int, ...], crowds: tuple[int, ...], rounds: int) -> dict[str, Costs]:
    costs = measure(waiting.poll, counts, "WSAPoll", rounds)
    for name, more in measure(crowd.poll, crowds, "WSAPoll", rounds).items():
        costs.setdefault(name, {}).update(more)
    return costs


STYLES = {
    "send": ("tab:orange", "-"),
    "send_many": ("tab:red", "-"),
    "WSAPoll": ("tab:red", "-"),
    "socket": ("tab:blue", "--"),
    "asyncio": ("tab:green", "--"),
    "C loop": ("black", ":"),
    "select.poll": ("tab:blue", "--"),
}


def draw_lines(axes: Axes, lines: dict[str, Line], title: str, legend: bool = True) -> None:
    for name, line in lines.items():
        colour, style = STYLES.get(name, ("tab:grey", "--"))
        axes.plot(list(line), list(line.values()), style, color=colour, marker="o", markersize=3, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("clients")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title, fontsize="medium")
    axes.grid(which="both", alpha=0.25)
    if legend:
        axes.legend()


def each(costs: dict[str, Costs]) -> dict[str, Line]:
    """Microseconds for one client."""
    return {
        name: {count: median(some) / count / 1000 for count, some in by_count.items()}
        for name, by_count in costs.items()
    }


def ratios(costs: dict[str, Costs], to: str) -> dict[str, Line]:
    """The medians of the rounds' ratios."""
    return {
        name: {count: median(map(truediv, some, costs[to][count])) for count, some in by_count.items()}
        for name, by_count in costs.items()
    }


def draw(file: Path, announced: dict[str, Costs], looked: dict[str, Costs]) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    here = environment()
    figures = {"environment": here, "announced": each(announced), "looked": each(looked)}
    # Without a salt the names inside an SVG differ each time, and so the file.
    with rc_context({"svg.hashsalt": "winsock"}):
        figure = Figure(figsize=(14, 5), layout="constrained")
        message, ratio, ready = figure.subplots(1, 3)
        draw_lines(message, each(announced), "a message of 64 bytes to every client: µs for each")
        draw_lines(ratio, ratios(announced, "socket"), "the same as a ratio to socket", legend=False)
        draw_lines(ready, each(looked), "which client has said something: µs for each")
        for axes in (message, ready):
            axes.set_ylim(bottom=0)
        figure.suptitle("winsock {winsock} ({backend}), {python}, {cpus} CPUs".format(**here), fontsize="medium")
        kind = file.suffix.removeprefix(".")
        metadata: dict[str, Any] = {"Description": json.dumps(figures)} if kind in ("svg", "png") else {}
        if kind == "svg":
            metadata["Date"] = None
        figure.savefig(file, format=kind, metadata=metadata, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.picture", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer clients and rounds")
    options = parser.parse_args(arguments)
    if options.quick:
        draw(options.file, announcing(ANNOUNCED[:4], 3), looking(WAITED[:3], (150,), 3))
    else:
        draw(options.file, announcing(ANNOUNCED, ROUNDS), looking(WAITED, CROWDS, ROUNDS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
