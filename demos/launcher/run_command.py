"""``python -m demos run PROGRAM``: a terminal with one program on one chart, in the foreground."""

from __future__ import annotations

import argparse
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from demos.launcher.final_line import last_words
from demos.launcher.mt5_options import mt5_settings, terminal_problem
from demos.launcher.run_options import Lots, add_options, given_inputs
from demos.registry import PROGRAMS, find_program
from demos.terminal import mt5
from demos.terminal.charts import drawing, operations
from demos.terminal.charts.template_file import Section, TemplateError, parse, to_bytes
from demos.terminal.interfaces import (
    Account,
    Clock,
    Market,
    OutputError,
    ProgramError,
    SymbolSpec,
    TerminalError,
    Tick,
)
from demos.terminal.mql.constants import PERIOD_H1
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.export_file import TICKS_OF_A_BAR, check_export, ticks_of
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.paper.market import HeldMarket, ReplayMarket, random_walk
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.commands import start_reading
from demos.terminal.runtime.files import DataFolder, write_whole
from demos.terminal.runtime.log import EventFile, Log, escaped
from demos.terminal.runtime.programs import (
    Program,
    forget_program,
    input_variables,
    load_program,
    set_inputs,
)
from demos.terminal.terminal import Terminal

if TYPE_CHECKING:
    SubParsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

_INTERRUPTED = 130


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand; its options depend on the program and are read by main()."""
    parser = subparsers.add_parser(
        "run",
        help="attach one program to a chart and drive it",
        description="Attach one program to a chart and drive it. Its options follow its name; "
        "`python -m demos run PROGRAM --help` shows them.",
        allow_abbrev=False,
    )
    parser.add_argument("program", metavar="PROGRAM", help="a name that `python -m demos list` shows, or a .py file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the program's options")


def main(args: argparse.Namespace) -> int:
    """Run the program until Ctrl-C, SIGTERM, Ctrl-Break, `quit` or its own end; return the exit code.

    Errors: SystemExit with 2, after one clear line, for bad options.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m demos run {args.program}",
        usage="%(prog)s [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    try:
        program = find_program(args.program)
        if args.program not in PROGRAMS:
            # A file's neighbours can be imported, as when Python runs it.
            sys.path.append(str(program.path.parent))
        module = load_program(program)
        parser.add_argument("--hold", type=Path, metavar="FILE", help="a replay does not begin while this file exists")
        try:
            add_options(parser, program, input_variables(module))
            options = parser.parse_args(args.arguments)
            inputs = given_inputs(options)
            set_inputs(module, inputs)
        finally:
            forget_program(module)
        return _run(program, inputs, options)
    except ImportError as error:
        parser.error(f"{args.program} cannot be imported: {error}")
    except ProgramError as error:
        parser.error(escaped(str(error)))
    except TerminalError as error:
        last_words(f"{parser.prog}: error: {escaped(str(error))}\n")
        return error.code
    except KeyboardInterrupt:
        # The second Ctrl-C: the first one waited in vain for the program's event function to return.
        return _INTERRUPTED


def _run(program: Program, inputs: dict[str, object], options: argparse.Namespace) -> int:
    clock = RealClock()
    log = Log(clock, sys.stderr)
    trouble = drawing.problem() if options.picture else None
    if trouble:
        raise ProgramError(trouble)
    with ExitStack() as stack:
        terminal = _terminal(options, stack, clock, log)
        market, account = terminal.market, terminal.account
        symbol, period = _chart(options)
        events = stack.enter_context(closing(EventFile(clock, options.events))) if options.events else None
        # On Windows a file may still be held for a moment by whoever reads it.
        data = options.data or stack.enter_context(TemporaryDirectory(prefix="terminal-", ignore_cleanup_errors=True))
        host = Terminal(
            clock,
            market,
            account,
            log,
            events=events,
            data=DataFolder(Path(data)),
            timer_ms=options.timer_ms,
            answer=_answer,
        )
        chart = host.attach(program, symbol, period, inputs)
        for tick in terminal.past:
            host.take_quote(tick)
        if options.template:
            operations.apply_template(host, chart.id, _template(options.template))
        stack.enter_context(stopped_by_signals(host.stop))
        log.write("terminal", "alert" if options.live else "info", "market", terminal.description)
        if sys.stdin is not None:
            start_reading(host.post)
        code = host.run(options.duration)
        _keep(host, chart.id, options)
        return code


class _Terminal(NamedTuple):
    """A market and an account, the ticks that are past already, and a line about them."""

    market: Market
    account: Account
    past: Iterator[Tick]
    description: str


def _terminal(options: argparse.Namespace, stack: ExitStack, clock: Clock, log: Log) -> _Terminal:
    """What the options ask for; ``stack`` closes it.

    Errors: ProgramError for options that do not go together; MarketError, AccountError or Mt5Error.
    """
    problem = terminal_problem(options)
    if problem:
        raise ProgramError(problem)
    if options.terminal == "mt5":
        market, account, description = stack.enter_context(mt5.connected(mt5_settings(options), clock, log))
        return _Terminal(market, account, iter(()), description)
    replay, past, description = _market(options)
    paper = stack.enter_context(closing(PaperAccount(options.account)))
    paper.check(replay.symbols()[_chart(options)[0]])
    return _Terminal(HeldMarket(replay, options.hold) if options.hold else replay, paper, past, description)


def _market(options: argparse.Namespace) -> tuple[ReplayMarket, Iterator[Tick], str]:
    """The market that the options ask for, its ticks that are past already, and a line about it."""
    path: Path | None = options.bars or options.ticks
    lots: Lots = options.lots
    ticks: Iterator[Tick]
    if path is None:
        seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
        spec = _spec(options.Symbol or "EURUSD", 5 if options.digits is None else options.digits, lots)
        ticks = random_walk([spec], seed)
        past = islice(ticks, options.history)
        description = f"random walk of {spec.name}, --seed {seed}"
    else:
        export = check_export(path, "bar" if options.bars else "tick", options.digits)
        spec = _spec(options.Symbol or symbol_and_period(path)[0], export.digits, lots)
        ticks = ticks_of(export, spec.name)
        past = islice(ticks, options.history * (TICKS_OF_A_BAR if options.bars else 1))
        description = f"{path}: {export.rows} {export.kind}s of {spec.name}, {spec.digits} digits"
    specs = [spec]
    if options.chart and options.chart[0] != spec.name:
        # The terminal knows the symbol, and the market is silent about it.
        specs.append(_spec(options.chart[0], spec.digits, lots))
    return ReplayMarket(specs, ticks, options.speed), past, description


def _chart(options: argparse.Namespace) -> tuple[str, int]:
    """The symbol and the period that the chart shows at first."""
    path: Path | None = options.bars or options.ticks
    symbol, period = symbol_and_period(path) if path else ("EURUSD", PERIOD_H1)
    return options.chart or (options.Symbol or symbol, period)


def _template(path: Path) -> Section:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from error
    except TemplateError as error:
        raise TemplateError(f"{path}: {error}") from error


def _keep(host: Terminal, chart: int, options: argparse.Namespace) -> None:
    """What is to be left of the chart when the program has ended."""
    if options.save_template:
        try:
            write_whole(options.save_template, to_bytes(operations.template_of(host, chart)))
        except OSError as error:
            raise OutputError(f"{options.save_template}: {error.strerror}") from error
    if options.picture:
        drawing.draw_chart(host, chart, options.picture)


def _spec(symbol: str, digits: int, lots: Lots) -> SymbolSpec:
    return SymbolSpec(symbol, digits, lots.step, lots.minimum, lots.maximum)


def _answer(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first Ctrl-C, SIGTERM or Ctrl-Break; the next one does what it did before."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    previous = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def stop_once(number: int, frame: FrameType | None) -> None:
        restore()
        stop()

    for number in numbers:
        signal.signal(number, stop_once)
    try:
        yield
    finally:
        restore()
