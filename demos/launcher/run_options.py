"""The options of ``python -m demos run PROGRAM``: the terminal's own, and one for each input variable."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from demos.launcher.mt5_options import add_mt5_options
from demos.terminal.charts.commands import CHART_COMMANDS
from demos.terminal.interfaces import ProgramError, SymbolSpec
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.paper.export_file import MOST_DIGITS
from demos.terminal.paper.market import speed_from_text
from demos.terminal.points import volume_steps
from demos.terminal.runtime.commands import help_lines
from demos.terminal.runtime.log import escaped
from demos.terminal.runtime.programs import InputVariable, Program, input_from_text
from demos.terminal.trade_commands import TRADE_COMMANDS

_T = TypeVar("_T")
_INPUT = "input:"
_LOTS = re.compile(r"(\d{1,9}(?:\.\d{1,8})?)" + r":(\d{1,9}(?:\.\d{1,8})?)" * 2, re.ASCII)


class Lots(NamedTuple):
    """A symbol's volume limits: minimum and maximum in steps, the step in lots."""

    minimum: int
    maximum: int
    step: Decimal


def add_options(parser: argparse.ArgumentParser, program: Program, variables: Mapping[str, InputVariable]) -> None:
    """Declare all options of a program.

    Errors: ProgramError when an input bears the name of one of the terminal's options.
    """
    terminal = parser.add_argument_group("the terminal")
    _add_market_options(terminal)
    terminal.add_argument("--account", type=Path, metavar="FILE", help="keep the paper account there (default: memory)")
    terminal.add_argument(
        "--lots",
        type=_typed(lots_from_text),
        default="0.01:100:0.01",
        metavar="MIN:MAX:STEP",
        help="an order's volume: minimum, maximum, step (default: %(default)s)",
    )
    terminal.add_argument(
        "--timer-ms",
        type=_typed(_positive_whole),
        metavar="MS",
        help="the period of every timer in milliseconds, in place of the one that the program sets",
    )
    terminal.add_argument("--duration", type=_typed(_positive), metavar="SECONDS", help="end after so many seconds")
    terminal.add_argument("--events", type=Path, metavar="FILE", help="append deals and the like as JSON lines there")
    _add_chart_options(parser.add_argument_group("the chart"))
    add_mt5_options(parser.add_argument_group("a real MetaTrader 5 on this machine, on Windows"))
    group = parser.add_argument_group(f"inputs of {program.name}")
    for variable in variables.values():
        _add_input(group, variable)
    first = next(iter(variables.values()), None)
    example = f" --{first.name} {first.default}" if first else ""
    parser.description = program.summary.replace("%", "%%")
    commands = _indented(help_lines([*TRADE_COMMANDS, *CHART_COMMANDS]))
    parser.epilog = (
        f"commands on standard input, one a line:\n{commands}\n\nexample:\n"
        f"  {parser.prog}{example} --bars tests/data/EURUSD_H1.tsv --speed 100"
    ).replace("%", "%%")


def given_inputs(options: argparse.Namespace) -> dict[str, object]:
    """The inputs among the parsed options, by their own names."""
    return {name.removeprefix(_INPUT): value for name, value in vars(options).items() if name.startswith(_INPUT)}


def _add_market_options(group: argparse._ArgumentGroup) -> None:
    source = group.add_mutually_exclusive_group()
    source.add_argument(
        "--bars",
        type=Path,
        metavar="FILE",
        help="replay a bar export of MetaTrader 5: a bar gives its open, low, high and close, "
        "or its open, high, low and close when it closed below its open",
    )
    source.add_argument("--ticks", type=Path, metavar="FILE", help="replay a tick export of MetaTrader 5")
    source.add_argument(
        "--seed",
        type=_typed(_whole),
        metavar="N",
        help="without a file the market is a random walk; the same number gives the same one",
    )
    group.add_argument(
        "--Symbol",
        type=_typed(_symbol),
        metavar="NAME",
        help="the chart's symbol (default: what the file's name begins with, else EURUSD)",
    )
    group.add_argument(
        "--digits",
        type=_typed(_digits),
        metavar="N",
        help="digits after the point of a price (default: those of the file's longest fraction, else 5)",
    )
    group.add_argument(
        "--speed",
        type=_typed(speed_from_text),
        default="10",
        metavar="SPEED",
        help="10: ten ticks a second; 60x: sixty times as fast as in the file; max: without a pause "
        "(default: %(default)s)",
    )


def _add_chart_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--chart",
        type=_typed(chart_from_text),
        metavar="SYMBOL,PERIOD",
        help="what the chart shows at first, as in GBPUSD,M15 (default: the market's symbol, the file's period)",
    )
    group.add_argument(
        "--history",
        type=_typed(_positive_whole),
        default=0,
        metavar="N",
        help="take the first N bars, or ticks, as past: the chart shows them, the program does not see them",
    )
    group.add_argument("--template", type=Path, metavar="FILE", help="apply this template to the chart at first")
    group.add_argument("--save-template", type=Path, metavar="FILE", help="save the chart's template there at the end")
    group.add_argument("--picture", type=Path, metavar="FILE", help="draw the chart as a PNG there at the end")
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="the terminal's folder for templates and files (default: nowhere)"
    )


def _add_input(group: argparse._ArgumentGroup, variable: InputVariable) -> None:
    shown = str(variable.default).lower() if variable.type is bool else str(variable.default)
    default = f" (default: {shown or 'empty'})"
    text = (variable.input.help + default).replace("%", "%%")
    convert = _typed(lambda value: input_from_text(variable, value))
    # A bool is also true when its option stands alone.
    alone: dict[str, Any] = {"nargs": "?", "const": True} if variable.type is bool else {}
    metavar = "true|false" if variable.type is bool else variable.type.__name__.upper()
    try:
        group.add_argument(
            f"--{variable.name}",
            dest=_INPUT + variable.name,
            type=convert,
            default=variable.default,
            help=text,
            metavar=metavar,
            **alone,
        )
    except argparse.ArgumentError:
        raise ProgramError(f"input {variable.name} bears the name of one of the terminal's own options") from None


def _typed(convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Have argparse show what a ValueError says."""

    def converted(text: str) -> _T:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return converted


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _positive_whole(text: str) -> int:
    if (value := _whole(text)) <= 0:
        raise ValueError(f"{text!r} is not above 0")
    return value


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{text!r} is not a number above 0")
    return value


def _digits(text: str) -> int:
    if not 0 <= (value := _whole(text)) <= MOST_DIGITS:
        raise ValueError(f"{text!r} is not between 0 and {MOST_DIGITS}")
    return value


def _symbol(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise ValueError(f"{escaped(text)!r} is no symbol")
    return text


def chart_from_text(text: str) -> tuple[str, int]:
    """``GBPUSD,M15``: a symbol and a PERIOD_*.

    Errors: ValueError with what was expected.
    """
    symbol, _, period = text.partition(",")
    if period not in TIMEFRAMES:
        raise ValueError(f"{escaped(text)!r} is not SYMBOL,PERIOD; periods: {', '.join(TIMEFRAMES)}")
    return _symbol(symbol), TIMEFRAMES[period]


def lots_from_text(text: str) -> Lots:
    """``0.01:100:0.01``: minimum, maximum and step in lots.

    Errors: ValueError with what was expected.
    """
    match = _LOTS.fullmatch(text)
    if match:
        minimum, maximum, step = (Decimal(part) for part in match.groups())
        if step > 0:
            spec = SymbolSpec("", volume_step=step)
            least, most = volume_steps(minimum, spec), volume_steps(maximum, spec)
            if least is not None and most is not None and 0 < least <= most:
                return Lots(least, most, step)
    raise ValueError(f"{text!r} is not MIN:MAX:STEP in lots, as in 0.01:100:0.01")
