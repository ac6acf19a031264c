"""Measures the cost of winsock's calls over the number of clients, and draws it.

    python -m tests.benchmarks.picture FILE.svg

It takes about a minute. Drawing needs matplotlib (the extra `charts`). The extension of the file selects the format. In
SVG and PNG files, the figures are in the metadata field Description. tests.benchmarks.report draws the chart of the
notes from figures that were measured before.
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

from . import fan_out, many_clients, waiting
from .__main__ import environment
from .measuring import Benchmark, Unavailable, Variants, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By the number of clients.
Line: TypeAlias = "dict[int, float]"
# Nanoseconds for one call, or for one message to all clients, in each round.
Costs: TypeAlias = "dict[int, list[float]]"
Prepared: TypeAlias = "Callable[[int], Callable[[], AbstractContextManager[Variants]]]"

# With more clients, the contents of the CPU caches would decide which variant is faster.
ANNOUNCED = (1, 3, 10, 30, 100, 300, 1000)
WAITED = (10, 30, 100, 300, 1000)
# With so many clients, the standard server needs a process of its own.
MANY_CLIENTS = (3000, 10_000)
ROUNDS = 51


def measure(prepared: Prepared, counts: tuple[int, ...], ours: str, rounds: int) -> dict[str, Costs]:
    """The costs of each variant; the first one gets the name `ours`."""
    costs: dict[str, Costs] = {}
    for count in counts:
        number = max(1, 100 // count)
        try:
            compared = measured(Benchmark(str(count), prepared(count), number=number), rounds)
        except Unavailable as reason:
            print(f"{ours}, {count} clients: not measured: {reason}", file=sys.stderr)
            continue
        costs.setdefault(ours, {})[count] = compared[0].costs
        for one in compared:
            costs.setdefault(one.against, {})[count] = one.other_costs
    return costs


def announcing(counts: tuple[int, ...], rounds: int) -> dict[str, Costs]:
    names = ("send_many", "send", "socket", "asyncio", "C loop")
    return measure(lambda count: fan_out.announcing(count, *names), counts, "send_many", rounds)


def polling(counts: tuple[int, ...], many: tuple[int, ...], rounds: int) -> dict[str, Costs]:
    costs = measure(waiting.poll, counts, "WSAPoll", rounds)
    for name, more in measure(many_clients.poll, many, "WSAPoll", rounds).items():
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


def draw_lines(axes: Axes, lines: dict[str, dict[str, float]], title: str, legend: bool = True) -> None:
    for name, line in lines.items():
        colour, style = STYLES.get(name, ("tab:grey", "--"))
        axes.plot(
            [int(count) for count in line],
            list(line.values()),
            style,
            color=colour,
            marker="o",
            markersize=3,
            label=name,
        )
    axes.set_xscale("log")
    axes.set_xlabel("clients")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title, fontsize="medium")
    axes.grid(which="both", alpha=0.25)
    if legend:
        axes.legend()


def each(costs: dict[str, Costs]) -> dict[str, Line]:
    """Microseconds per client."""
    return {
        name: {count: median(some) / count / 1000 for count, some in by_count.items()}
        for name, by_count in costs.items()
    }


def ratios(costs: dict[str, Costs], to: str) -> dict[str, Line]:
    """The medians of the rounds' ratios to the variant `to`."""
    return {
        name: {count: median(map(truediv, some, costs[to][count])) for count, some in by_count.items()}
        for name, by_count in costs.items()
    }


def figures_of(announced: dict[str, Costs], polled: dict[str, Costs]) -> dict[str, Any]:
    """The lines of the three parts of the picture, and where they were measured. The numbers of clients are text, as in
    JSON, and the figures have four digits.
    """
    lines = {"announced": each(announced), "relative": ratios(announced, "socket"), "polled": each(polled)}
    return {"environment": environment()} | {
        part: {
            name: {str(count): float(f"{cost:.4g}") for count, cost in line.items()} for name, line in by_name.items()
        }
        for part, by_name in lines.items()
    }


def measured_figures(quick: bool = False) -> dict[str, Any]:
    if quick:
        return figures_of(announcing(ANNOUNCED[:4], 3), polling(WAITED[:3], (150,), 3))
    return figures_of(announcing(ANNOUNCED, ROUNDS), polling(WAITED, MANY_CLIENTS, ROUNDS))


def draw(file: Path, figures: dict[str, Any]) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Without a fixed salt, the ids inside an SVG differ from run to run.
    with rc_context({"svg.hashsalt": "winsock"}):
        figure = Figure(figsize=(14, 5), layout="constrained")
        message, ratio, ready = figure.subplots(1, 3)
        draw_lines(message, figures["announced"], "send 64 bytes to every client: µs per client")
        draw_lines(ratio, figures["relative"], "the same, relative to socket", legend=False)
        draw_lines(ready, figures["polled"], "find the client that has sent data: µs per client")
        for axes in (message, ready):
            axes.set_ylim(bottom=0)
        title = "winsock {winsock} ({backend}), {python}, {cpus} CPUs".format(**figures["environment"])
        figure.suptitle(title, fontsize="medium")
        kind = file.suffix.removeprefix(".")
        metadata: dict[str, Any] = {"Description": json.dumps(figures)} if kind in ("svg", "png") else {}
        if kind == "svg":
            metadata["Date"] = None
        figure.savefig(file, format=kind, metadata=metadata, dpi=100)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.picture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer clients and rounds")
    options = parser.parse_args(arguments)
    draw(options.file, measured_figures(options.quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
