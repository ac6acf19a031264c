"""The options that several commands share: where ticks come from, how fast they are replayed, and what a job needs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from demos.launcher import option_types
from demos.launcher.progress import file_progress
from demos.terminal.interfaces import Clock
from demos.terminal.paper.export_file import Export, check_export
from demos.terminal.runtime.randomness import random_source

_SOURCES = {
    "bars": "replay a bar export of MetaTrader 5",
    "ticks": "replay a tick export of MetaTrader 5",
    "seed": "without a file the market is a random walk; the same number gives the same walk",
}
_SPEED = "20: twenty ticks a second; 60x: sixty times as fast as in the file; max: without a pause"


def add_source(group: argparse._ActionsContainer, help: Mapping[str, str] = _SOURCES, seed: int | None = None) -> None:
    """Declare --bars, --ticks and --seed, at most one of which can be given; ``help`` names those to declare."""
    source = group.add_mutually_exclusive_group()
    for name in ("bars", "ticks"):
        if name in help:
            source.add_argument(f"--{name}", type=Path, metavar="FILE", help=help[name])
    source.add_argument("--seed", type=option_types.seed, default=seed, metavar="N", help=help["seed"])


def source_help(**changed: str) -> dict[str, str]:
    """The usual help texts of --bars, --ticks and --seed, some of them changed."""
    return {**_SOURCES, **changed}


def add_symbol(group: argparse._ActionsContainer, help: str) -> None:
    """Declare --Symbol."""
    group.add_argument("--Symbol", type=option_types.symbol, metavar="NAME", help=help)


def add_digits(group: argparse._ActionsContainer) -> None:
    """Declare --digits."""
    group.add_argument(
        "--digits",
        type=option_types.digits,
        metavar="N",
        help="digits after the decimal point of a price (default: as in the file, else 5)",
    )


def add_speed(group: argparse._ActionsContainer, default: str, help: str = _SPEED) -> None:
    """Declare --speed."""
    group.add_argument(
        "--speed", type=option_types.speed, default=default, metavar="SPEED", help=f"{help} (default: {default})"
    )


def add_timer(group: argparse._ActionsContainer, default: int | None, help: str) -> None:
    """Declare --timer-ms."""
    shown = "" if default is None else f" (default: {default})"
    group.add_argument("--timer-ms", type=option_types.whole, default=default, metavar="MS", help=help + shown)


def add_job_options(parser: argparse.ArgumentParser, timer_ms: int, duration: str, *, study: bool = True) -> None:
    """Declare what every job has: --timer-ms, --Port, --duration and --json; and --study, if it has study programs."""
    add_timer(parser, timer_ms, "the timer period of the programs in milliseconds")
    parser.add_argument(
        "--Port",
        type=option_types.listening_port,
        default=0,
        metavar="N",
        help="the port that the server listens on (default: any free port)",
    )
    parser.add_argument("--duration", type=option_types.seconds, metavar="SECONDS", help=duration)
    if study:
        parser.add_argument(
            "--study",
            action="store_true",
            help="run the study programs (the article's) instead of the product programs",
        )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")


def add_copying_job_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a job in which copiers follow a provider that trades on a random walk."""
    parser.add_argument(
        "--duration",
        type=option_types.seconds,
        metavar="SECONDS",
        help="trade for this long (default: until Ctrl-C)",
    )
    parser.add_argument(
        "--every",
        type=option_types.whole,
        default=10,
        metavar="N",
        help="trade at every N-th tick (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=option_types.seed, metavar="N", help="the same number gives the same random walk"
    )
    add_speed(parser, "10", "ticks per second")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON line")


def source_arguments(options: argparse.Namespace) -> list[str]:
    """--bars or --ticks for a child process, whose working folder is another one; nothing without a file."""
    path = source_file(options)
    return [f"--{'bars' if options.bars else 'ticks'}={path.absolute()}"] if path else []


def source_file(options: argparse.Namespace) -> Path | None:
    """The file of --bars or --ticks, where one was given."""
    path: Path | None = options.bars or getattr(options, "ticks", None)
    return path


def source_files(options: argparse.Namespace) -> dict[str, Path]:
    """The option with the file of the ticks and its path, for check_outputs(); nothing without a file."""
    path = source_file(options)
    return {"--bars" if options.bars else "--ticks": path} if path else {}


def check_source(
    options: argparse.Namespace, clock: Clock, report: Callable[[str], None], digits: int | None = None
) -> Export | None:
    """Read the file of --bars or --ticks once and return its content; None without a file.

    ``report`` gets a line when the reading begins, and further lines while it continues.

    Errors: MarketError when the file cannot be read or is malformed.
    """
    path = source_file(options)
    if path is None:
        return None
    return check_export(path, "bar" if options.bars else "tick", digits, file_progress(clock, path, report))


def chosen_seed(options: argparse.Namespace) -> int:
    """The number of --seed, or a random one."""
    seed: int | None = options.seed
    return random_source().randrange(1_000_000) if seed is None else seed
