"""``python -m demos signal``: runs a provider and two copiers as processes and compares their positions."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from demos.copier.job import SignalJob
from demos.copier.study_job import StudySignalJob
from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "signal",
        help="run a provider and two copiers and compare their positions",
        description=fill(
            "Run a provider and two copiers on this machine and compare their positions at the end. The provider "
            "trades a small strategy on replayed ticks; the copiers copy its trades over TCP. All accounts are paper "
            "accounts.",
            HELP_WIDTH,
        ),
        epilog="exit codes:\n"
        "  0  all positions are equal\n"
        "  1  they are not, or nothing was traded\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data or account",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    market_options.add_source(parser)
    market_options.add_symbol(parser, "the symbol (default: what the file's name begins with, else EURUSD)")
    market_options.add_digits(parser)
    market_options.add_speed(parser, "20")
    parser.add_argument(
        "--every",
        type=option_types.whole,
        default=3,
        metavar="N",
        help="trade at every N-th tick (default: %(default)s)",
    )
    parser.add_argument(
        "--accounts", type=Path, metavar="DIR", help="keep the paper accounts in this folder (default: not kept)"
    )
    market_options.add_job_options(parser, 200, "trade for this long (default: to the end of the file, or Ctrl-C)")


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudySignalJob(args) if args.study else SignalJob(args))
