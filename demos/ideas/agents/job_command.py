"""``python -m demos agents``: optimizes a strategy's parameters with agents, or on a cluster of dask."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from textwrap import fill

from demos.ideas.agents.dask_job import run_on_dask
from demos.ideas.agents.grid import MOST_IN_TASK
from demos.ideas.agents.inputs import EXAMPLE
from demos.ideas.agents.job import AgentsJob
from demos.ideas.agents.protocol import LONGEST_POINT_S
from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job

EXAMPLE_GRID = ("fast=5:50:5", "slow=60:300:20")


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "agents",
        help="optimize a strategy's parameters with agents, or on a cluster of dask",
        description=fill(
            "Calculate a strategy at every combination of its parameters' values and show the best. A coordinator "
            "splits the combinations into tasks, and several agents on this machine calculate them. Without options "
            "it optimizes the example, two moving averages that cross, on a random walk.",
            HELP_WIDTH,
        ),
        epilog="example:\n"
        "  python -m demos agents --bars EURUSD_H1.tsv fast=5:50:5 slow=60:300:20\n"
        "    --table table.csv --picture picture.png\n"
        "\n"
        "A strategy is one function in a file, such as demos/ideas/agents/crossing.py.\n"
        "notes/agents.md describes agents on other computers, and when to use dask.\n"
        "\n"
        "exit codes:\n"
        "  0  every point is calculated\n"
        "  1  not every point, or the strategy failed at all of them\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data or strategy, or a file that cannot be written",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parameters",
        nargs="*",
        metavar="NAME=VALUES",
        help="a parameter of the strategy: NAME=FIRST:LAST:STEP, or NAME=VALUE,VALUE (default for the example: "
        f"{' '.join(EXAMPLE_GRID)})",
    )
    parser.add_argument(
        "--strategy",
        default=EXAMPLE,
        metavar="FILE[:FUNCTION]",
        help="the strategy's file (default: an example)",
    )
    source = {"bars": "a bar export of MetaTrader 5", "ticks": "a tick export of MetaTrader 5"}
    source["seed"] = "without a file the bars are a random walk with this number (default: 1)"
    market_options.add_source(parser, source, seed=1)
    parser.add_argument(
        "--agents",
        type=lambda text: option_types.whole(text, 1, 64),
        default=2,
        metavar="N",
        help="the number of agents (default: %(default)s)",
    )
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="calculate on the cluster of this dask scheduler instead, as tcp://HOST:8786"
    )
    parser.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        help="store the results in this SQLite file, and continue from it (default: not kept)",
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="write all points into this CSV file")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the results into this PNG file")
    _add_limits(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    numbers = (
        ("check", 0, 100, 10, "PERCENT", "the part of the tasks that two agents calculate"),
        ("task-points", 0, MOST_IN_TASK, 0, "N", "the points of a task; 0: a hundredth of all"),
        (
            "point-seconds",
            1,
            LONGEST_POINT_S,
            60,
            "SECONDS",
            "how long the strategy may take for a point; not with --dask",
        ),
        ("lease", 1, 86_400, 60, "SECONDS", "the time after which a task is given to another agent"),
    )
    for name, least, most, default, unit, help in numbers:
        parser.add_argument(
            f"--{name}",
            type=partial(option_types.whole, least=least, most=most),
            default=default,
            metavar=unit,
            help=f"{help} (default: %(default)s)",
        )
    parser.add_argument(
        "--Port",
        type=option_types.listening_port,
        default=0,
        metavar="N",
        help="the port that the coordinator listens on (default: any free port)",
    )
    parser.add_argument(
        "--duration",
        type=option_types.seconds,
        metavar="SECONDS",
        help="end after this time (default: at the end)",
    )


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    if not args.parameters:
        if args.strategy != EXAMPLE:
            args.usage_error("give the values of the strategy's parameters, as in fast=5:50:5")
        args.parameters = list(EXAMPLE_GRID)
    return run_on_dask(args) if args.dask is not None else run_job(AgentsJob(args))
