"""The options of ``python -m demos run`` for a real MetaTrader 5."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from demos.launcher import option_types
from demos.terminal.mt5 import Settings
from demos.terminal.mt5.requests import FILLINGS

# The value of --magic any: all positions, whatever their magic number.
ANY_MAGIC = -1

# Options that have no meaning with a real market and account, and those that have none with the embedded ones.
_EMBEDDED_ONLY = ("bars", "ticks", "seed", "digits", "account", "balance", "currency", "margin_mode", "history")
_MT5_ONLY = ("mt5_path", "magic", "deviation", "live", "filling")


def add_mt5_options(group: argparse._ArgumentGroup) -> None:
    """Declare the options."""
    group.add_argument(
        "--terminal",
        choices=("embedded", "mt5"),
        default="embedded",
        help="mt5: ticks, positions and orders are those of the MetaTrader 5 on this machine (default: %(default)s)",
    )
    group.add_argument("--mt5-path", type=Path, metavar="FILE", help="its terminal64.exe, if several are installed")
    group.add_argument(
        "--magic",
        type=_magic,
        metavar="N|any",
        help="the magic number of the program's own positions, 0 for those opened by hand; the program ignores all "
        "other positions (default: any)",
    )
    group.add_argument(
        "--deviation",
        type=option_types.count,
        metavar="POINTS",
        help=f"the largest difference between an order's price and its deal's price (default: {Settings.deviation})",
    )
    group.add_argument(
        "--live",
        action="store_true",
        help="send orders; needs --magic. Without --live an order is checked and logged, but not sent",
    )
    group.add_argument(
        "--filling",
        choices=[name.lower() for name in FILLINGS.values()],
        help="the only filling mode of orders (default: those that the symbol's flags name; if the broker rejects one, "
        "the terminal tries the next one)",
    )


def terminal_problem(options: argparse.Namespace) -> str | None:
    """Why these options cannot be used with the chosen terminal, or None when they can."""
    given = {name for name, value in vars(options).items() if value is not None and value is not False}
    if not options.history:
        given.discard("history")
    for name in _EMBEDDED_ONLY if options.terminal == "mt5" else _MT5_ONLY:
        if name in given:
            return f"--{name.replace('_', '-')} is not for --terminal {options.terminal}"
    if options.live and getattr(options, "input:dry", False):
        return "--live sends orders and --dry does not: give one of them"
    if options.live and options.magic is None:
        return "--live needs --magic: the number of the program's own positions, or any for all of the account's"
    return None


def checked_only_text(options: argparse.Namespace, command_groups: Sequence[str], dry: object) -> str:
    """What the user must know about a program that trades while a real terminal only checks its orders, or "".

    ``dry`` is the program's input of that name, None when it has none.
    """
    if options.terminal != "mt5" or options.live or dry or "trade" not in command_groups:
        return ""
    virtual = "" if dry is None else "; --dry trades on a virtual account instead"
    return (
        "without --live the terminal only checks each order: none is executed, and the positions stay as they are; "
        f"--live --magic N sends orders{virtual}"
    )


def mt5_settings(options: argparse.Namespace) -> Settings:
    """The settings of the real terminal."""
    return Settings(
        path=options.mt5_path,
        magic=None if options.magic in (None, ANY_MAGIC) else options.magic,
        deviation=Settings.deviation if options.deviation is None else options.deviation,
        live=options.live,
        filling=next((mode for mode, name in FILLINGS.items() if name.lower() == options.filling), None),
    )


def _magic(text: str) -> int:
    return ANY_MAGIC if text == "any" else option_types.count(text)
