"""``python -m demos run PROGRAM``: a terminal with one program on one chart, in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from demos.launcher.log_lines import FIRST_TICK
from demos.launcher.log_options import opened_log
from demos.launcher.market_options import check_source, chosen_seed, source_file
from demos.launcher.mt5_options import checked_only_text, mt5_settings, terminal_problem
from demos.launcher.option_types import Lots, SubParsers
from demos.launcher.progress import with_progress
from demos.launcher.run_files import check_files
from demos.launcher.run_options import add_options, given_inputs, parse_options, program_parser
from demos.launcher.study_options import product_option_problem
from demos.registry import MARKET_EXAMPLE, Kind, entry_of, find_program
from demos.terminal import mt5
from demos.terminal.charts import drawing, operations
from demos.terminal.charts.template import Document, TemplateError, parse, to_bytes
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
from demos.terminal.paper.account_file import MARGIN_MODES, AccountTerms
from demos.terminal.paper.export_file import TICKS_OF_A_BAR, ticks_of
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.paper.market import HeldMarket, ReplayMarket, random_walk, speed_from_text
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.commands import start_reading
from demos.terminal.runtime.files import DataFolder, write_whole
from demos.terminal.runtime.log import Log, escaped, event_file
from demos.terminal.runtime.programs import (
    InputVariable,
    Program,
    forget_program,
    input_variables,
    load_program,
    set_inputs,
)
from demos.terminal.symbols import symbol_problem
from demos.terminal.terminal import COMMAND_GROUPS, Terminal
from winsock.command_line import INTERRUPTED, write_final_line
from winsock.interrupts import stopped_by_signals

# The longest history of a random walk, which has no end of its own: it takes a second or two to compute.
_MOST_WALKED = 1_000_000


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand; its options depend on the program and are read by main()."""
    parser = subparsers.add_parser(
        "run",
        help="run one program on a chart",
        description="Run one program on a chart. Its options follow its name; "
        "`python -m demos run PROGRAM --help` shows them.",
        allow_abbrev=False,
    )
    parser.add_argument("program", metavar="PROGRAM", help="a name that `python -m demos list` shows, or a .py file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the program's options")


def main(args: argparse.Namespace) -> int:
    """Run the program until Ctrl-C, SIGTERM, Ctrl-Break, `quit` or the end of the program itself; return the exit code.

    Errors: SystemExit with 2, after one clear line, for bad options.
    """
    parser = program_parser(args.program)
    try:
        program = find_program(args.program)
        entry = entry_of(args.program)
        if entry is None:
            # A file can import the modules next to it, as when Python runs it.
            sys.path.append(str(program.path.parent))
        # A file is not registered: it gets all commands.
        command_groups = entry.commands if entry else tuple(COMMAND_GROUPS)
        module = load_program(program)
        try:
            variables = input_variables(module)
            add_options(parser, program, variables, command_groups, entry.example if entry else MARKET_EXAMPLE)
            options = _parse(parser, args.program, variables, args.arguments)
            inputs = given_inputs(options)
            set_inputs(module, inputs)
        finally:
            forget_program(module)
        check_files(program.path, variables, inputs, options)
        return _run(program, inputs, options, command_groups)
    except ImportError as error:
        parser.error(f"{args.program} cannot be imported: {error}")
    except ProgramError as error:
        parser.error(escaped(str(error)))
    except TerminalError as error:
        write_final_line(f"{parser.prog}: error: {escaped(str(error))}\n")
        return error.code
    except KeyboardInterrupt:
        # The second Ctrl-C: after the first one the program's event function did not return. Or the program is loaded.
        write_final_line(f"{parser.prog}: interrupted\n")
        return INTERRUPTED


def _parse(
    parser: argparse.ArgumentParser, program: str, variables: Mapping[str, InputVariable], arguments: Sequence[str]
) -> argparse.Namespace:
    options, unknown = parse_options(parser, variables, arguments)
    if unknown:
        problem = product_option_problem(parser, program, arguments, unknown)
        parser.error(problem or f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _run(
    program: Program, inputs: dict[str, object], options: argparse.Namespace, command_groups: Sequence[str]
) -> int:
    clock = RealClock()
    if trouble := drawing.problem() if options.picture else None:
        raise ProgramError(trouble)
    with ExitStack() as stack:
        log = opened_log(clock, sys.stderr, options, stack, limited=_is_limited(program))
        sources = _sources(options, stack, clock, log)
        events = stack.enter_context(closing(event_file(clock, options.events, log))) if options.events else None
        # On Windows a process that has read a file may keep it open for a moment.
        data = options.data or stack.enter_context(TemporaryDirectory(prefix="terminal-", ignore_cleanup_errors=True))
        terminal = Terminal(
            clock,
            sources.market,
            sources.account,
            log,
            events=events,
            data=DataFolder(Path(data)),
            timer_ms=options.timer_ms,
            answer=_answer,
            command_groups=command_groups,
        )
        chart = terminal.attach(program, *_chart(options), inputs)
        for tick in with_progress(sources.past, clock, partial(log.write, "terminal", "info", "market")):
            terminal.take_quote(tick)
        if options.template:
            operations.apply_template(terminal, chart.id, _template(options.template))
        stack.enter_context(stopped_by_signals(terminal.stop))
        if options.live or _uses_prices(program):
            log.write("terminal", "alert" if options.live else "info", "market", sources.description)
        if text := checked_only_text(options, command_groups, inputs.get("dry")):
            log.write("terminal", "alert", "market", text)
        if sys.stdin is not None:
            start_reading(terminal.post)
        code = terminal.run(options.duration)
        _save(terminal, chart.id, options)
        return code


def _is_limited(program: Program) -> bool:
    """Whether the log has limits: peers must not be able to fill the disk.

    The article's programs log each message, and jobs count those lines.
    """
    entry = entry_of(program.name)
    return entry is None or entry.kind is not Kind.STUDY


def _uses_prices(program: Program) -> bool:
    entry = entry_of(program.name)
    return entry is None or entry.prices


class _Sources(NamedTuple):
    """A market and an account, the ticks of the history, and a line about them."""

    market: Market
    account: Account
    past: Iterator[Tick]
    description: str


def _sources(options: argparse.Namespace, stack: ExitStack, clock: Clock, log: Log) -> _Sources:
    """The market and the account that the options ask for; ``stack`` closes them.

    Errors: ProgramError for options that do not go together; MarketError, AccountError or Mt5Error.
    """
    problem = terminal_problem(options)
    if problem:
        raise ProgramError(problem)
    if options.terminal == "mt5":
        market, account, description = stack.enter_context(mt5.connected(mt5_settings(options), clock, log))
        return _Sources(market, account, iter(()), description)
    replay, past, description = _market(options, clock, partial(log.write, "terminal", "info", "market"))
    paper = stack.enter_context(closing(PaperAccount(options.account, _terms(options))))
    paper.check(replay.symbols()[_chart(options)[0]])
    for name in paper.unconverted():
        text = f"{name}: the account has deals whose profit could not be converted; the balance leaves it out"
        log.write("terminal", "alert", "account", text)
    replayed: Market = replay
    if options.hold:
        replayed = HeldMarket(replay, options.hold, lambda: log.write("terminal", "info", "market", FIRST_TICK))
    return _Sources(replayed, paper, past, description)


def _terms(options: argparse.Namespace) -> AccountTerms:
    """What a new account begins with; an existing one must have these terms."""
    mode = next((mode for mode, name in MARGIN_MODES.items() if name == options.margin_mode), None)
    return AccountTerms(options.balance, options.currency, mode)


def _market(
    options: argparse.Namespace, clock: Clock, report: Callable[[str], None]
) -> tuple[ReplayMarket, Iterator[Tick], str]:
    """The market that the options ask for, the ticks of its history, and a line about it.

    ``report`` gets lines about the reading of a file.

    Errors: ProgramError when the history is too long; MarketError.
    """
    export = check_source(options, clock, report, options.digits)
    lots: Lots = options.lots
    ticks: Iterator[Tick]
    walked: list[SymbolSpec] = []
    if export is None:
        if options.history > _MOST_WALKED:
            raise ProgramError(
                f"--history {options.history} is too long: a random walk has at most {_MOST_WALKED} ticks"
            )
        seed = chosen_seed(options)
        spec = _spec(options.Symbol or "EURUSD", 5 if options.digits is None else options.digits, lots)
        walked.append(spec)
        ticks = random_walk(walked, seed)
        past = islice(ticks, options.history)
        description = f"random walk of {spec.name}, --seed {seed}"
    else:
        spec = _spec(options.Symbol or symbol_and_period(export.path)[0], export.digits, lots)
        ticks = ticks_of(export, spec.name)
        past = islice(ticks, options.history * (TICKS_OF_A_BAR if options.bars else 1))
        description = f"{export.path}: {export.rows} {export.kind}s of {spec.name}, {spec.digits} digits"
    specs = [spec]
    if options.chart and options.chart[0] != spec.name:
        # The terminal knows this symbol as well, but the market has no ticks of it.
        specs.append(_spec(options.chart[0], spec.digits, lots))

    def add(name: str) -> SymbolSpec | None:
        if not walked or symbol_problem(name):
            return None
        walked.append(_spec(name, spec.digits, lots))
        return walked[-1]

    return ReplayMarket(specs, ticks, speed_from_text(options.speed), add), past, description


def _chart(options: argparse.Namespace) -> tuple[str, int]:
    """The symbol and the period that the chart shows at the start."""
    path = source_file(options)
    symbol, period = symbol_and_period(path) if path else ("EURUSD", PERIOD_H1)
    return options.chart or (options.Symbol or symbol, period)


def _template(path: Path) -> Document:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from error
    except TemplateError as error:
        raise TemplateError(f"{path}: {error}") from error


def _save(terminal: Terminal, chart: int, options: argparse.Namespace) -> None:
    """Save the chart's template and its picture, if the options request them."""
    if options.save_template:
        try:
            write_whole(options.save_template, to_bytes(operations.template_of(terminal, chart)))
        except OSError as error:
            raise OutputError(f"{options.save_template}: {error.strerror}") from error
    if options.picture:
        drawing.draw_chart(terminal, chart, options.picture)


def _spec(symbol: str, digits: int, lots: Lots) -> SymbolSpec:
    return SymbolSpec(symbol, digits, lots.step, lots.minimum, lots.maximum)


def _answer(line: str) -> None:
    try:
        print(escaped(line), flush=True)
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error
