"""The options of ``python -m demos tpl``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from demos.launcher.option_types import port, seconds, whole

if TYPE_CHECKING:
    from demos.launcher.run_command import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "tpl",
        help="send a chart's template to a subscriber and compare both charts' pictures",
        description="Run a template server, whose chart gets averages, levels, lines and texts, and a client that "
        "fetches the chart over TCP on this machine; leave a picture and a template of each, and compare them.",
        epilog="exit codes: 0 both charts are equal, 1 they are not, 2 options, 3 network, 4 data or files",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--bars", type=Path, metavar="FILE", help="show the bars of this export of MetaTrader 5")
    source.add_argument("--seed", type=int, metavar="N", help="without a file: the random walk of this number")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("tpl-charts"),
        metavar="DIR",
        help="leave the files there (default: %(default)s)",
    )
    parser.add_argument(
        "--duration",
        type=seconds,
        metavar="SECONDS",
        help="stay connected and send each change of the chart for so long (default: one transfer)",
    )
    parser.add_argument("--timer-ms", type=whole, default=100, metavar="MS", help="timer period (default: %(default)s)")
    parser.add_argument("--Port", type=port, default=0, metavar="N", help="the server's port (default: any free one)")
    parser.add_argument("--no-pictures", action="store_true", help="compare the templates alone, without matplotlib")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")
