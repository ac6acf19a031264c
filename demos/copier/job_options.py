"""The options of ``python -m demos signal``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from demos.launcher.option_types import port, seconds, whole
from demos.terminal.paper.export_file import MOST_DIGITS
from demos.terminal.paper.market import speed_from_text
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.launcher.run_command import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "signal",
        help="copy trades from a signal server to its clients",
        description="Run a signal server, whose small strategy trades on replayed ticks, and two clients that copy its "
        "trades over TCP on this machine; then compare the positions. The accounts are paper.",
        epilog="exit codes: 0 all positions are equal, 1 they are not or nothing was traded, 2 options, 3 network, "
        "4 data or account",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--bars", type=Path, metavar="FILE", help="replay a bar export of MetaTrader 5")
    source.add_argument("--ticks", type=Path, metavar="FILE", help="replay a tick export of MetaTrader 5")
    source.add_argument("--seed", type=int, metavar="N", help="without a file: the random walk of this number")
    parser.add_argument(
        "--Symbol",
        type=_symbol,
        metavar="NAME",
        help="the symbol (default: as the file's name begins, else EURUSD)",
    )
    parser.add_argument("--digits", type=_digits, metavar="N", help="digits after the point of a price")
    parser.add_argument(
        "--speed",
        type=_checked(speed_from_text),
        default="20",
        metavar="SPEED",
        help="20: twenty ticks a second; 60x: sixty times as fast as in the file; max (default: %(default)s)",
    )
    parser.add_argument(
        "--every", type=whole, default=3, metavar="N", help="trade at every N ticks (default: %(default)s)"
    )
    parser.add_argument("--timer-ms", type=whole, default=200, metavar="MS", help="timer period (default: %(default)s)")
    parser.add_argument("--Port", type=port, default=0, metavar="N", help="the server's port (default: any free one)")
    parser.add_argument("--accounts", type=Path, metavar="DIR", help="keep the accounts there (default: nowhere)")
    parser.add_argument("--duration", type=seconds, metavar="SECONDS", help="trade for so long (default: until Ctrl-C)")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")


def _checked(convert: Callable[[str], object]) -> Callable[[str], str]:
    """The text itself, once it is known to be right."""

    def checked(text: str) -> str:
        try:
            convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return checked


def _digits(text: str) -> int:
    return whole(text, 0, MOST_DIGITS)


def _symbol(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{escaped(text)!r} is no symbol")
    return text
