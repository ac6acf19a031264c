"""``python -m demos indicator``: runs an indicator server and clients as processes and compares their charts."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from demos.ideas.indicator.indicators import indicators_problem
from demos.ideas.indicator.job import IndicatorJob
from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job

_INDICATORS = "sma:20,ema:50,rsi:14,atr:14"
_DURATION = 20.0


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "indicator",
        help="run an indicator server and clients and compare their values and charts",
        description=fill(
            "Run an indicator server and clients on this machine. The server calculates indicators on its chart; the "
            "clients get the values of each closed bar over WebSockets and draw them on their own charts. At the end "
            "the clients' values and pictures are compared with the server's. Kill any of the processes meanwhile: "
            "it is started again, and the result is the same.",
            HELP_WIDTH,
        ),
        epilog="exit codes:\n"
        "  0  all values and pictures are equal\n"
        "  1  they are not, or there was no value\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data, or a file that cannot be written\n\n"
        "example:\n"
        "  python -m demos indicator --bars tests/data/EURUSD_H1.tsv --replay 40",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    help = market_options.source_help(bars="replay this bar export of MetaTrader 5 (default: 400 random bars)")
    market_options.add_source(parser, {name: help[name] for name in ("bars", "seed")})
    parser.add_argument(
        "--indicators",
        type=_indicators,
        default=_INDICATORS,
        metavar="LIST",
        help="what the server calculates, as in sma:20,rsi:14,talib:CCI:14,FILE.py:FUNCTION (default: %(default)s)",
    )
    parser.add_argument(
        "--clients",
        type=lambda text: option_types.whole(text, 1, 16),
        default=2,
        metavar="N",
        help="the number of clients (default: %(default)s)",
    )
    parser.add_argument(
        "--replay",
        type=lambda text: option_types.whole(text, 1, 100_000),
        default=100,
        metavar="N",
        help="replay this many bars; those before are the history of the charts (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("indicator-charts"),
        metavar="DIR",
        help="save values and pictures in this folder (default: %(default)s)",
    )
    parser.add_argument("--no-pictures", action="store_true", help="compare the values only, without matplotlib")
    market_options.add_job_options(parser, 100, f"replay the bars in this time (default: {_DURATION:g})", study=False)
    parser.set_defaults(duration=_DURATION)


def _indicators(text: str) -> str:
    if problem := indicators_problem(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(IndicatorJob(args))
