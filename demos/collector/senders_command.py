"""``python -m demos tick_clients``: one terminal with a tick client on a chart of each of several symbols."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from demos.collector.job_symbols import digits_of
from demos.launcher.option_types import port, whole
from demos.launcher.run_command import stopped_by_signals
from demos.registry import find_program
from demos.terminal.interfaces import SymbolSpec, TerminalError, Tick
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.export_file import check_export, ticks_of
from demos.terminal.paper.market import ReplayMarket, random_walk, speed_from_text
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.commands import start_reading
from demos.terminal.runtime.log import EventFile, Log, escaped
from demos.terminal.terminal import Terminal

if TYPE_CHECKING:
    from demos.launcher.run_command import SubParsers

_INTERRUPTED = 130


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "tick_clients",
        help="attach a tick client to each of several charts",
        description="Attach a tick client to a chart of each symbol; all charts share one market. Standard input takes "
        "`quit`.",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--bars", type=Path, metavar="FILE", help="replay a bar export, the same for each symbol")
    source.add_argument("--ticks", type=Path, metavar="FILE", help="replay a tick export, the same for each symbol")
    source.add_argument(
        "--seed", type=int, default=0, metavar="N", help="without a file: the random walk of this number"
    )
    parser.add_argument("--Host", default="127.0.0.1", metavar="NAME", help="the server (default: %(default)s)")
    parser.add_argument("--Port", type=port, default=8082, metavar="N", help="its port (default: %(default)s)")
    parser.add_argument("--sequence", action="store_true", help="number the ticks, so that losses can be told")
    parser.add_argument("--speed", default="10", metavar="SPEED", help="as for `run` (default: %(default)s)")
    parser.add_argument("--timer-ms", type=whole, metavar="MS", help="the period of the clients' timers")
    parser.add_argument("--events", type=Path, metavar="FILE", help="append what the clients tell as JSON lines there")
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="a symbol to open a chart of")


def main(args: argparse.Namespace) -> int:
    """Run the clients until they are stopped; returns the exit code."""
    try:
        return _run(args)
    except TerminalError as error:
        print(f"python -m demos tick_clients: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    clock = RealClock()
    with ExitStack() as stack:
        account = stack.enter_context(closing(PaperAccount()))
        events = stack.enter_context(closing(EventFile(clock, args.events))) if args.events else None
        log = Log(clock, sys.stderr)
        host = Terminal(clock, _market(args), account, log, events=events, timer_ms=args.timer_ms)
        inputs = {"Host": args.Host, "Port": args.Port, "sequence": args.sequence}
        for symbol in args.symbols:
            host.attach(find_program("tick_sender"), symbol, inputs=inputs)
        stack.enter_context(stopped_by_signals(host.stop))
        log.write("terminal", "info", "market", f"{len(args.symbols)} charts")
        if sys.stdin is not None:
            start_reading(host.post)
        return host.run()


def _market(args: argparse.Namespace) -> ReplayMarket:
    """Errors: MarketError when the file is malformed."""
    speed = speed_from_text(args.speed)
    path: Path | None = args.bars or args.ticks
    if path is None:
        specs = [SymbolSpec(symbol, digits_of(symbol)) for symbol in args.symbols]
        return ReplayMarket(specs, random_walk(specs, args.seed), speed)
    export = check_export(path, "bar" if args.bars else "tick")
    specs = [SymbolSpec(symbol, export.digits) for symbol in args.symbols]
    return ReplayMarket(specs, _for_each(args.symbols, ticks_of(export, "")), speed)


def _for_each(symbols: Sequence[str], ticks: Iterator[Tick]) -> Iterator[Tick]:
    """Each tick once for each symbol."""
    for tick in ticks:
        for symbol in symbols:
            yield tick._replace(symbol=symbol)
