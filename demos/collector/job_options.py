"""The options of ``python -m demos ticks``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from demos.launcher.option_types import port, seconds, whole
from demos.terminal.paper.market import speed_from_text

if TYPE_CHECKING:
    from demos.launcher.run_command import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "ticks",
        help="collect the ticks of several clients in a tick server",
        description="Run a tick server and several clients, which send it their ticks over UDP on this machine; show "
        "what is collected, and compare it with what was sent.",
        epilog="exit codes: 0 nothing was lost, 1 something was or there was nothing to send, 2 options, 3 network, "
        "4 data or files",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--bars", type=Path, metavar="FILE", help="replay a bar export of MetaTrader 5")
    source.add_argument("--ticks", type=Path, metavar="FILE", help="replay a tick export of MetaTrader 5")
    source.add_argument("--seed", type=int, metavar="N", help="without a file: the random walks from this number on")
    parser.add_argument(
        "--clients", type=lambda text: whole(text, 1, 64), default=3, metavar="N", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--symbols",
        type=lambda text: whole(text, 1, 1000),
        default=8,
        metavar="N",
        help="divide so many symbols among the clients (default: %(default)s); with a file all have the same prices",
    )
    parser.add_argument("--Symbol", metavar="NAME", help="the first symbol's name (default: as the file's name begins)")
    parser.add_argument(
        "--speed",
        type=_speed,
        default="50",
        metavar="SPEED",
        help="50: each client has fifty ticks a second; 60x: sixty times as fast as in the file (default: %(default)s)",
    )
    parser.add_argument(
        "--timer-ms", type=whole, default=100, metavar="MS", help="the server's timer period (default: %(default)s)"
    )
    parser.add_argument("--Port", type=port, default=0, metavar="N", help="the server's port (default: any free one)")
    parser.add_argument("--database", type=Path, metavar="FILE", help="keep the ticks there (default: nowhere)")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write a tick export as MetaTrader's of each symbol")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what was collected into this PNG file")
    parser.add_argument(
        "--duration", type=seconds, metavar="SECONDS", help="collect for so long (default: until Ctrl-C, or the end)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")


def _speed(text: str) -> str:
    try:
        speed_from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
