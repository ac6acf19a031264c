"""The options of ``python -m demos run PROGRAM``: the program's inputs, and the terminal's own options."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from demos.launcher import market_options, option_types
from demos.launcher.command_help import HELP_WIDTH, command_help
from demos.launcher.config_file import read_config
from demos.launcher.log_options import add_log_options
from demos.launcher.mt5_options import add_mt5_options
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.account_file import DEFAULT_BALANCE, DEFAULT_CURRENCY, MARGIN_MODES
from demos.terminal.runtime.programs import InputVariable, Program, input_from_text

_INPUT = "input:"


def program_parser(name: str) -> argparse.ArgumentParser:
    """The parser of a program's options, before add_options()."""
    return argparse.ArgumentParser(
        prog=f"python -m demos run {name}",
        usage="%(prog)s [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )


def add_options(
    parser: argparse.ArgumentParser,
    program: Program,
    variables: Mapping[str, InputVariable],
    command_groups: Sequence[str],
    example: str = "",
) -> None:
    """Declare all options of a program; its --help shows its inputs, the commands of these groups and an example.

    Errors: ProgramError when an input has the name of one of the terminal's options.
    """
    # The order of the groups is that of --help. An input's name is checked against the options declared before.
    inputs = parser.add_argument_group(f"inputs of {program.name}") if variables else None
    _add_terminal_options(parser.add_argument_group("the terminal"))
    add_log_options(parser.add_argument_group("the log, which is also on standard error"))
    _add_chart_options(parser.add_argument_group("the chart"))
    add_mt5_options(parser.add_argument_group("a real MetaTrader 5 on this machine, on Windows"))
    for variable in variables.values():
        assert inputs is not None
        _add_input(inputs, variable)
    parser.description = fill(program.summary, HELP_WIDTH).replace("%", "%%")
    parser.epilog = (
        f"commands on standard input, one on each line:\n{_indented(command_help(command_groups))}\n\nexample:\n"
        f"  {parser.prog} {example}"
    ).replace("%", "%%")


def given_inputs(options: argparse.Namespace, without: Collection[str] = ()) -> dict[str, object]:
    """The inputs among the parsed options, by their own names; ``without`` has the parser's names of some to omit."""
    return {
        name.removeprefix(_INPUT): value
        for name, value in vars(options).items()
        if name.startswith(_INPUT) and name not in without
    }


def parse_options(
    parser: argparse.ArgumentParser, variables: Mapping[str, InputVariable], arguments: Sequence[str]
) -> tuple[argparse.Namespace, list[str]]:
    """The options on the command line and in the file of --config, and the arguments that are not options.

    An option on the command line replaces that in the file.

    Errors: ProgramError for the first problem of the file; SystemExit with 2 for one of the command line.
    """
    options, unknown = parser.parse_known_args(arguments)
    if unknown or options.config is None:
        return options, unknown
    values, problems, _ = read_config(options.config, parser, variables_by_option(variables))
    if problems:
        raise ProgramError(problems[0])
    for group in parser._mutually_exclusive_groups:
        actions = group._group_actions
        if any(getattr(options, action.dest) != action.default for action in actions):
            values = {name: value for name, value in values.items() if name not in {action.dest for action in actions}}
    return parser.parse_known_args(arguments, argparse.Namespace(**values))


def variables_by_option(variables: Mapping[str, InputVariable]) -> dict[str, InputVariable]:
    """The inputs by the names that they have in the parsed options."""
    return {_INPUT + name: variable for name, variable in variables.items()}


def input_option(name: str) -> str:
    """The option of an input: ``--plain-host`` for ``plain_host``."""
    return f"--{name.replace('_', '-')}"


def _add_terminal_options(group: argparse._ArgumentGroup) -> None:
    bars = (
        "replay a bar export of MetaTrader 5: a bar gives its open, low, high and close, or its open, high, low and "
        "close when it closed below its open"
    )
    market_options.add_source(group, market_options.source_help(bars=bars))
    market_options.add_symbol(group, "the chart's symbol (default: what the file's name begins with, else EURUSD)")
    market_options.add_digits(group)
    speed = "10: ten ticks a second; 60x: sixty times as fast as in the file; max: without a pause"
    market_options.add_speed(group, "10", speed)
    _add_account_options(group)
    group.add_argument(
        "--lots",
        type=option_types.lots,
        default="0.01:100:0.01",
        metavar="MIN:MAX:STEP",
        help="an order's volume: minimum, maximum, step (default: %(default)s)",
    )
    period = "the period of every timer in milliseconds, instead of the one that the program sets"
    market_options.add_timer(group, None, period)
    group.add_argument(
        "--duration", type=option_types.seconds, metavar="SECONDS", help="end after this time (default: never)"
    )
    group.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="append deals and other events to this file as JSON lines, up to 1,000 MB",
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read options from this TOML file, as in: Port = 8081; the command line has priority",
    )
    group.add_argument("--hold", type=Path, metavar="FILE", help="do not start the replay while this file exists")
    group.add_argument("-h", "--help", action="help", help="show this help")


def _add_account_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--account", type=Path, metavar="FILE", help="keep the paper account in this file (default: in memory)"
    )
    group.add_argument(
        "--balance",
        type=option_types.amount,
        metavar="AMOUNT",
        help=f"what a new paper account begins with (default: {DEFAULT_BALANCE})",
    )
    group.add_argument(
        "--currency",
        type=option_types.currency,
        metavar="CODE",
        help=f"the currency of a new paper account (default: {DEFAULT_CURRENCY})",
    )
    group.add_argument(
        "--margin-mode",
        choices=list(MARGIN_MODES.values()),
        help="a new paper account has one position per symbol (netting, the default), or each order without a ticket "
        "opens a position of its own (hedging)",
    )


def _add_chart_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--chart",
        type=option_types.chart,
        metavar="SYMBOL,PERIOD",
        help="what the chart shows at the start, as in GBPUSD,M15 (default: the market's symbol, the file's period)",
    )
    group.add_argument(
        "--history",
        type=option_types.whole,
        default=0,
        metavar="N",
        help="use the first N bars or ticks as history: the chart shows them, but the program does not receive them",
    )
    group.add_argument("--template", type=Path, metavar="FILE", help="apply this template to the chart at the start")
    group.add_argument(
        "--save-template", type=Path, metavar="FILE", help="save the chart's template to this file at the end"
    )
    group.add_argument("--picture", type=Path, metavar="FILE", help="draw the chart into this PNG file at the end")
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the terminal's folder for templates and files (default: a temporary folder)",
    )


def _add_input(group: argparse._ArgumentGroup, variable: InputVariable) -> None:
    def converted(text: str) -> str | int | float | bool:
        try:
            return input_from_text(variable, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    shown = str(variable.default).lower() if variable.type is bool else str(variable.default)
    default = f" (default: {shown or 'empty'})"
    text = (variable.input.help + default).replace("%", "%%")
    # The option of a bool without a value means true.
    alone: dict[str, Any] = {"nargs": "?", "const": True} if variable.type is bool else {}
    metavar = "true|false" if variable.type is bool else variable.type.__name__.upper()
    try:
        group.add_argument(
            input_option(variable.name),
            dest=_INPUT + variable.name,
            type=converted,
            default=variable.default,
            help=text,
            metavar=metavar,
            **alone,
        )
    except argparse.ArgumentError:
        raise ProgramError(f"input {variable.name} has the name of one of the terminal's own options") from None


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
