"""``python -m demos ticks``: a tick collector and several clients as processes of their own; and the result."""

from __future__ import annotations

import argparse
from pathlib import Path

from demos.collector.job import TicksJob
from demos.collector.study_job import StudyTicksJob
from demos.launcher import market_options, option_types
from demos.launcher.job import run_job


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "ticks",
        help="collect the ticks of several senders in a collector",
        description="Run a tick collector and several clients, which send it their ticks over UDP on this machine; "
        "show what is collected, and compare it with what was sent.",
        epilog="exit codes: 0 nothing was lost, 1 ticks were lost or there was nothing to send, 2 options, 3 network, "
        "4 data or files",
        allow_abbrev=False,
    )
    seed = "without a file each client has a random walk, numbered from N on"
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
    parser.add_argument("--database", type=Path, metavar="FILE", help="keep the ticks there (default: not kept)")
    parser.add_argument(
        "--export", type=Path, metavar="DIR", help="write a tick export of each symbol, as MetaTrader's"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what was collected into this PNG file")
    duration = "collect for this long (default: until Ctrl-C, or the end of the file)"
    market_options.add_job_options(parser, 100, duration)


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudyTicksJob(args) if args.study else TicksJob(args))
