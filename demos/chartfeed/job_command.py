"""``python -m demos tpl``: runs a template server and a client as processes and compares their charts."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from demos.chartfeed.job import TplJob
from demos.chartfeed.study_job import StudyTplJob
from demos.launcher import market_options
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job
from demos.launcher.option_types import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "tpl",
        help="send a chart's template to a client and compare both charts",
        description=fill(
            "Run a template server and a client on this machine, and compare their charts. The server's chart gets "
            "averages, levels, lines and texts; the client gets its template over TCP. A picture and a template of "
            "each chart are saved.",
            HELP_WIDTH,
        ),
        epilog="exit codes:\n"
        "  0  both charts are equal\n"
        "  1  they are not\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data, or a file that cannot be written",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        help="save the files in this folder (default: %(default)s)",
    )
    duration = "stay connected and send each change of the chart for this long (default: one transfer)"
    market_options.add_job_options(parser, 100, duration)
    parser.add_argument("--no-pictures", action="store_true", help="compare the templates only, without matplotlib")


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(StudyTplJob(args) if args.study else TplJob(args))
