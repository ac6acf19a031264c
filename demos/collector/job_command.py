"""``python -m demos ticks``: runs a tick collector and several clients as processes and counts lost ticks."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from demos.collector.job import TicksJob
from demos.collector.study_job import StudyTicksJob
from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "ticks",
        help="run a tick collector and several senders and count lost ticks",
        description=fill(
            "Run a tick collector and several clients on this machine. The clients send ticks over UDP. Show what "
            "the collector receives, and compare it with what was sent.",
            HELP_WIDTH,
        ),
        epilog="exit codes:\n"
        "  0  no tick was lost\n"
        "  1  ticks were lost, or there was nothing to send\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data, or a file that cannot be written",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    seed = "without a file each client's market is a random walk, with the seeds N, N+1 and so on"
    market_options.add_source(parser, market_options.source_help(seed=seed))
    parser.add_argument(
        "--clients",
        type=lambda text: option_types.whole(text, 1, 64),
        default=3,
        metavar="N",
        help="the number of client processes (default: %(default)s)",
    )
    parser.add_argument(
        "--symbols",
        type=lambda text: option_types.whole(text, 1, 1000),
        default=8,
        metavar="N",
        help="divide this many symbols among the clients; with a file all have the same prices (default: %(default)s)",
    )
    market_options.add_symbol(parser, "the first symbol's name (default: what the file's name begins with)")
    speed = "50: each client has fifty ticks a second; 60x: sixty times as fast as in the file"
    market_options.add_speed(parser, "50", speed)
    parser.add_argument(
        "--database", type=Path, metavar="FILE", help="store the ticks in this SQLite file (default: not kept)"
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write each symbol's ticks to this folder, in MetaTrader's tick format",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the collected ticks into this PNG file")
    duration = "collect for this long (default: until Ctrl-C, or the end of the file)"
    market_options.add_job_options(parser, 100, duration)


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudyTicksJob(args) if args.study else TicksJob(args))
