"""``python -m demos signal``: a provider and two copiers as processes of their own; and the result."""

from __future__ import annotations

import argparse
from pathlib import Path

from demos.copier.job import SignalJob
from demos.copier.study_job import StudySignalJob
from demos.launcher import market_options, option_types
from demos.launcher.job import run_job


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "signal",
        help="copy trades from a provider to its copiers",
        description="Run a provider, whose small strategy trades on replayed ticks, and two copiers, which copy its "
        "trades over TCP on this machine; then compare the positions. The accounts are paper accounts.",
        epilog="exit codes: 0 all positions are equal, 1 they are not or nothing was traded, 2 options, 3 network, "
        "4 data or account",
        allow_abbrev=False,
    )
    market_options.add_source(parser)
    market_options.add_symbol(parser, "the symbol (default: what the file's name begins with, else EURUSD)")
    market_options.add_digits(parser)
    market_options.add_speed(parser, "20")
    parser.add_argument(
        "--every", type=option_types.whole, default=3, metavar="N", help="trade at every N ticks (default: %(default)s)"
    )
    parser.add_argument("--accounts", type=Path, metavar="DIR", help="keep the accounts there (default: not kept)")
    market_options.add_job_options(parser, 200, "trade for this long (default: to the end of the file, or Ctrl-C)")


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudySignalJob(args) if args.study else SignalJob(args))
