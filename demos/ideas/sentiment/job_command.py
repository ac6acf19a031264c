"""``python -m demos sentiment``: runs a sentiment server and several clients as processes and compares the totals."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from demos.ideas.sentiment.job import SentimentJob
from demos.ideas.sentiment.totals import FEWEST
from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.job import run_job


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "sentiment",
        help="run a sentiment server and several clients and compare the totals",
        description=fill(
            "Run a sentiment server and several clients on this machine. Each client trades a small strategy on a "
            "paper account and sends the volumes of its positions. The server sends all clients the totals. At the "
            "end every client buys 2 lots, so that all are long, and must receive the sum of all accounts.",
            HELP_WIDTH,
        ),
        epilog="exit codes:\n"
        "  0  all clients have received the sum of the accounts\n"
        "  1  they have not\n"
        "  2  invalid options\n"
        "  3  network error\n"
        "  4  invalid data or account\n\n"
        "example:\n"
        "  python -m demos sentiment --bars tests/data/EURUSD_H1.tsv --duration 20 \\\n"
        "    --picture sentiment.png",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    seed = "without a file each client's market is a random walk, with the seeds N, N+1 and so on"
    market_options.add_source(parser, market_options.source_help(seed=seed))
    market_options.add_symbol(parser, "the symbol (default: what the file's name begins with, else EURUSD)")
    market_options.add_speed(parser, "20")
    parser.add_argument(
        "--clients",
        type=lambda text: option_types.whole(text, FEWEST, 64),
        default=4,
        metavar="N",
        help=f"the number of client processes, at least {FEWEST} (default: %(default)s)",
    )
    parser.add_argument(
        "--every",
        type=option_types.whole,
        default=3,
        metavar="N",
        help="the first client trades at every N-th tick, the others less often (default: %(default)s)",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the chart of the first client into this PNG file"
    )
    duration = "trade for this long (default: to the end of the file, or Ctrl-C)"
    market_options.add_job_options(parser, 200, duration, study=False)


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    return run_job(SentimentJob(args))
