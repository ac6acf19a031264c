"""``python -m demos collected FILE``: shows, exports and draws collected ticks."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from demos.collector.export import export_ticks
from demos.collector.picture import draw_ticks
from demos.collector.store import TickStore
from demos.launcher.output_files import check_folders, check_no_folders, check_outputs, database_files
from demos.terminal.interfaces import OutputError, TerminalError
from demos.terminal.points import price_text
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "collected",
        help="show, export and draw the ticks in a collector's database",
        description="Show the symbols and senders in a database of tick_collector, which may be running.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "database", type=Path, metavar="FILE", help="the database file, as given to tick_collector --database"
    )
    parser.add_argument("--Symbol", metavar="NAME", help="only this symbol (default: all)")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write each symbol's ticks to this folder, in MetaTrader's tick format",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the ticks into this PNG file")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    try:
        check_no_folders({"the database": args.database})
        inputs = database_files(args.database, "the database")
        check_outputs({"--picture": args.picture}, inputs)
        check_folders({"--picture": args.picture})
        with closing(TickStore(args.database, reading=True)) as store:
            symbols = [symbol for symbol in store.symbols() if args.Symbol in (None, symbol.name)]
            if not symbols:
                raise OutputError(f"{args.database} has no ticks" + (f" of {args.Symbol}" if args.Symbol else ""))
            for symbol in symbols:
                last = price_text(symbol.bid, symbol.digits)
                print(f"symbol {escaped(symbol.name)}: {symbol.ticks} ticks, the last {last}")
            for sender in store.senders():
                print(
                    f"sender {escaped(sender.address)}: {sender.ticks} ticks, {sender.lost} lost, "
                    f"{sender.repeated} repeated; {sender.refused} invalid datagrams, {sender.oversized} oversized"
                )
            if args.export:
                for path in export_ticks(store, args.export, symbols, list(inputs.values())):
                    print(f"wrote {path}")
            if args.picture:
                draw_ticks(store, args.picture, symbols)
                print(f"wrote {args.picture}")
    except TerminalError as error:
        print(f"python -m demos collected: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    return 0
