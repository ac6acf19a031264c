"""Measures all configurations and writes their figures to the notes and notes/performance.svg.

    python -m tests.benchmarks.report                             everything
    python -m tests.benchmarks.report --measure accelerator       one configuration; writes no page
    python -m tests.benchmarks.report --measure subscribers       10,000 subscribers; needs 10,200 file descriptors
    python -m tests.benchmarks.report --measure broker            1,000 subscribers, also of a proxy and mosquitto
    python -m tests.benchmarks.report --measure tree              20 subscribers behind levels of proxies
    python -m tests.benchmarks.report --write                     the pages, from the figures that are kept

The figures are kept in tests/benchmarks/results, a file for each configuration, one for the chart and three for the
subscribers. `accelerator` measures this installation; `reference-api` and `reference-abi` are installed from a clone of
what is committed; `wine` needs tests/wine/build.py. All sockets are on loopback. Everything takes about half an hour.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import picture, tables
from .configurations import CONFIGURATIONS, keep, kept, measure
from .measuring import CHECKOUT, Unavailable
from .subscribers.figures import BROKER, EXPERTS, PROXY, WEBSOCKETS, Plan, title

CHART = CHECKOUT / "notes" / "performance.svg"
NOT_BUILT = 125
# The servers that are compared with each other, by the name of their comparison.
COMPARISONS = {
    "subscribers": (Plan(10_000), [*map(str, EXPERTS), WEBSOCKETS]),
    "broker": (Plan(1_000), ["1", PROXY, BROKER]),
}


def measured_subscribers(comparison: str) -> dict[str, Any]:
    # It needs the packages of the provider, the rest of the report does not.
    from .subscribers.comparing import measured_servers

    def show(name: str, figures: dict[str, float]) -> None:
        print(f"{comparison}: {title(name)}: the last one after {figures['update-last']:g} ms", flush=True)

    plan, servers = COMPARISONS[comparison]
    return measured_servers(plan, servers, show)


def measured_tree() -> dict[str, Any]:
    from .subscribers.tree import SETTLED, measured_trees

    return measured_trees(Plan(20, updates=50, settled=SETTLED))


def measure_one(name: str, clones: Path, runs: int) -> None:
    try:
        if name == "tree":
            keep(name, measured_tree())
        elif name in COMPARISONS:
            keep(name, measured_subscribers(name))
        else:
            keep(name, picture.measured_figures() if name == "chart" else measure(CONFIGURATIONS[name], clones, runs))
    except Unavailable as reason:
        print(f"{name}: not measured: {reason}", flush=True)
    except subprocess.CalledProcessError as error:
        if name != "wine" or error.returncode != NOT_BUILT:
            raise
        print("wine: not measured, because the Windows Python is not built (tests/wine/build.py)", flush=True)


def write() -> None:
    tables.write()
    figures = kept("chart")
    if figures:
        picture.draw(CHART, figures)


def main(arguments: list[str] | None = None) -> int:
    names = [*CONFIGURATIONS, "chart", *COMPARISONS, "tree"]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--measure", nargs="+", metavar="NAME", choices=names, help=f"some of: {', '.join(names)}")
    parser.add_argument("--write", action="store_true", help="write the pages from the kept figures")
    parser.add_argument("--runs", type=int, default=2, help="runs of each configuration (default 2)")
    parser.add_argument("--clones", type=Path, metavar="FOLDER", help="make the clones here and keep them")
    options = parser.parse_args(arguments)
    everything = not options.measure and not options.write
    with tempfile.TemporaryDirectory() as temporary:
        for name in names if everything else options.measure or ():
            measure_one(name, options.clones or Path(temporary), options.runs)
    if everything or options.write:
        write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
