"""``python -m demos tick_clients``: one terminal with a tick sender on a chart of each of several symbols."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from demos.collector.job_symbols import digits_of
from demos.launcher import market_options, option_types
from demos.launcher.views import counted
from demos.registry import find_program
from demos.terminal.interfaces import ProgramError, SymbolSpec, TerminalError, Tick
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.export_file import ticks_of
from demos.terminal.paper.market import ReplayMarket, random_walk, speed_from_text
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.commands import start_reading
from demos.terminal.runtime.log import Log, escaped, event_file
from demos.terminal.terminal import Terminal
from winsock.command_line import INTERRUPTED, write_final_line
from winsock.interrupts import stopped_by_signals


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "tick_clients",
        help="run a tick sender for each of several symbols",
        description="Run one tick_sender for each symbol, all in one process with one market. The command `quit` on "
        "standard input ends them all.",
        allow_abbrev=False,
    )
    parser.add_argument("--Host", default="127.0.0.1", metavar="NAME", help="the server (default: %(default)s)")
    parser.add_argument(
        "--Port", type=option_types.port, default=8082, metavar="N", help="the server's port (default: %(default)s)"
    )
    parser.add_argument("--sequence", action="store_true", help="number the ticks, so that the server can count losses")
    parser.add_argument(
        "--study", action="store_true", help="run the article's program, tick_client, instead of tick_sender"
    )
    bars, ticks = (f"replay a {kind} export, the same for each symbol" for kind in ("bar", "tick"))
    market_options.add_source(parser, market_options.source_help(bars=bars, ticks=ticks), seed=0)
    market_options.add_speed(parser, "10")
    market_options.add_timer(parser, None, "the period of the programs' timers in milliseconds")
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="append the programs' events to this file as JSON lines, up to 1,000 MB",
    )
    parser.add_argument(
        "symbols", type=option_types.symbol, nargs="+", metavar="SYMBOL", help="a symbol whose ticks are sent"
    )


def main(args: argparse.Namespace) -> int:
    """Run the senders until they are stopped; returns the exit code."""
    try:
        return _run(args)
    except TerminalError as error:
        write_final_line(f"python -m demos tick_clients: error: {escaped(str(error))}\n")
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    inputs = {"Host": args.Host, "Port": args.Port}
    if not args.study:
        inputs["sequence"] = args.sequence
    elif args.sequence:
        raise ProgramError("--sequence needs the product program: the article's client does not number ticks (--study)")
    program = find_program("tick_client" if args.study else "tick_sender")
    clock = RealClock()
    with ExitStack() as stack:
        log = Log(clock, sys.stderr)
        account = stack.enter_context(closing(PaperAccount()))
        events = stack.enter_context(closing(event_file(clock, args.events, log))) if args.events else None
        terminal = Terminal(
            clock, _market(args, clock, log), account, log, events=events, timer_ms=args.timer_ms, command_groups=()
        )
        for symbol in args.symbols:
            terminal.attach(program, symbol, inputs=inputs)
        stack.enter_context(stopped_by_signals(terminal.stop))
        log.write("terminal", "info", "market", counted(len(args.symbols), "chart"))
        if sys.stdin is not None:
            start_reading(terminal.post)
        return terminal.run()


def _market(args: argparse.Namespace, clock: RealClock, log: Log) -> ReplayMarket:
    """The market of the senders; the log gets lines about the reading of a file.

    Errors: MarketError when the file is malformed."""
    speed = speed_from_text(args.speed)
    export = market_options.check_source(args, clock, partial(log.write, "terminal", "info", "market"))
    if export is None:
        specs = [SymbolSpec(symbol, digits_of(symbol)) for symbol in args.symbols]
        return ReplayMarket(specs, random_walk(specs, args.seed), speed)
    specs = [SymbolSpec(symbol, export.digits) for symbol in args.symbols]
    return ReplayMarket(specs, _for_each(args.symbols, ticks_of(export, "")), speed)


def _for_each(symbols: Sequence[str], ticks: Iterator[Tick]) -> Iterator[Tick]:
    """Each tick once for each symbol."""
    for tick in ticks:
        for symbol in symbols:
            yield tick._replace(symbol=symbol)
