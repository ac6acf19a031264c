"""python -m tests.benchmarks: runs the benchmarks, prints a table, and optionally writes the figures as JSON."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from winsock import BACKEND, __version__, calls
from winsock.command_line import run_command

from . import __doc__ as explanation
from .measuring import Benchmark, Comparison, Unavailable, measured

if importlib.util.find_spec("_socket") is None:
    sys.exit("the benchmarks need Python's own socket module for comparison, which this Python lacks")

from .suite import BENCHMARKS

COLUMNS = "{:21} {:13} {:>10} {:>10} {:>7}  {:13} {:>6}"


def backend() -> str:
    """BACKEND, with the mode of cffi if it has one."""
    mode = getattr(calls, "MODE", None)
    accelerated = "with" if getattr(calls, "ACCELERATED", False) else "without"
    return f"{BACKEND}, cffi {mode.upper()} mode, {accelerated} the accelerator" if mode else BACKEND


def environment() -> dict[str, Any]:
    return {
        "winsock": __version__,
        "backend": backend(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


def shown(amount: float, unit: str) -> str:
    if unit == "%":
        return f"{amount:.2f} %"
    if unit != "ns":
        return f"{amount:.0f} {unit}"
    if amount < 1e4:
        return f"{amount:.0f} ns"
    return f"{amount / 1e3:.1f} us" if amount < 1e6 else f"{amount / 1e6:.1f} ms"


def row(one: Comparison) -> str:
    low, high = one.quartiles
    ours, other = shown(one.cost, one.unit), shown(one.other_cost, one.unit)
    spread = f"{low:.2f} - {high:.2f}"
    return COLUMNS.format(one.name, one.against, ours, other, f"{one.ratio:.2f}", spread, len(one.costs)).rstrip()


def rounds_of(benchmark: Benchmark, quick: bool) -> int:
    return max(3, benchmark.rounds // 10) if quick else benchmark.rounds


def main(arguments: list[str] | None = None) -> int:
    by_name = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=explanation,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="run a tenth of the rounds")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=by_name, help="run only this one of: " + ", ".join(by_name)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    options = parser.parse_args(arguments)

    here = environment()
    print("winsock {winsock} ({backend}), {python}, {platform}, {cpus} CPUs".format(**here))
    print(COLUMNS.format("benchmark", "against", "winsock", "other", "ratio", "quartiles", "rounds"), flush=True)
    comparisons: list[Comparison] = []
    missing: dict[str, str] = {}
    for name in options.only or by_name:
        try:
            compared = measured(by_name[name], rounds_of(by_name[name], options.quick))
        except Unavailable as reason:
            missing[name] = str(reason)
            print(f"{name:16} not run: {reason}", flush=True)
            continue
        comparisons += compared
        for one in compared:
            print(row(one), flush=True)
    if options.json:
        kept = {"environment": here, "results": [one.as_json() for one in comparisons], "not_run": missing}
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.benchmarks", main))
