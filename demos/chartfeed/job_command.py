"""``python -m demos tpl``: a template server and its client as processes of their own, and two charts to compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from demos.chartfeed.job import TplJob
from demos.chartfeed.study_job import StudyTplJob
from demos.launcher import market_options
from demos.launcher.job import run_job
from demos.launcher.option_types import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "tpl",
        help="send a chart's template to a subscriber and compare both charts",
        description="Run a template server, whose chart gets averages, levels, lines and texts, and a client that "
        "fetches the chart over TCP on this machine; leave a picture and a template of each, and compare them.",
        epilog="exit codes: 0 both charts are equal, 1 they are not, 2 options, 3 network, 4 data or files",
        allow_abbrev=False,
    )
    bars = "show the bars of this export of MetaTrader 5"
    help = market_options.source_help(bars=bars)
    market_options.add_source(parser, {name: help[name] for name in ("bars", "seed")})
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("tpl-charts"),
        metavar="DIR",
        help="leave the files there (default: %(default)s)",
    )
    duration = "stay connected and send each change of the chart for this long (default: one transfer)"
    market_options.add_job_options(parser, 100, duration)
    parser.add_argument("--no-pictures", action="store_true", help="compare the templates only, without matplotlib")


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudyTplJob(args) if args.study else TplJob(args))
