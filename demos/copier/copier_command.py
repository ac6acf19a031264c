"""``python -m demos copier``: what a copier has decided and traded, and its continuation after an alarm."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from demos.copier.config_check import check_copier
from demos.copier.journal import read_decisions, read_orders
from demos.copier.memory_file import RESUME, MemoryFile
from demos.copier.rules import lots_text
from demos.launcher.command_help import add_command
from demos.launcher.option_types import symbol, whole
from demos.terminal.interfaces import TerminalError
from demos.terminal.mql.constants import TRADE_RETCODES
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

_DESCRIPTION = """
    Show what a copier that follows a provider's account has decided and traded,
    let it continue after an alarm, and check the file of its options. The copier
    may be running.
"""
_EXAMPLES = """
    examples:
      python -m demos copier explain EURUSD
          for each state of the provider: traded, reduced or skipped, and the rule
      python -m demos copier journal --last 20
          the last 20 orders with their lag in parts and their slippage
      python -m demos copier resume
          after an alarm: trust the provider's present state, and copy again
      python -m demos copier check --config copier.toml
          whether the file of a copier's options is right
"""
_CHECK = """
    Check the file of a copier's options (`python -m demos run copier --config
    FILE`) without starting it: names and values, the URL, what verifies the
    server, the login's file and the memory. Each problem is one line. The exit
    code is 2 if there is one that is not a warning, else 0.
"""


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "copier",
        help="explain a copier's decisions, show its orders, or let it continue",
        description=dedent(_DESCRIPTION),
        epilog=dedent(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    explain = actions.add_parser("explain", help="what was decided for each state", allow_abbrev=False)
    explain.add_argument("symbol", type=symbol, metavar="SYMBOL", help="the provider's symbol, or its local name")
    journal = actions.add_parser("journal", help="the orders, with lag and slippage", allow_abbrev=False)
    journal.add_argument("symbol", type=symbol, metavar="SYMBOL", nargs="?", help="only this symbol (default: all)")
    resume = actions.add_parser("resume", help="let the copier continue after an alarm", allow_abbrev=False)
    for action in (explain, journal, resume):
        action.add_argument(
            "--memory",
            type=Path,
            default=Path("copier.sqlite"),
            metavar="FILE",
            help="the copier's memory file, as given to the program copier (default: %(default)s)",
        )
        action.add_argument("--json", action="store_true", help="print JSON instead of text")
    for action in (explain, journal):
        action.add_argument(
            "--last", type=whole, default=50, metavar="N", help="at most this many records (default: %(default)s)"
        )
    check = add_command(actions, "check", "check the file of a copier's options", _CHECK)
    check.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML file")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    actions = {"explain": _explain, "journal": _journal, "resume": _resume}
    try:
        if args.action == "check":
            return check_copier(args.config)
        with closing(MemoryFile(args.memory, owner=False)) as file:
            rows, lines = actions[args.action](file, args)
        if args.json:
            print(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            for line in lines:
                print(escaped(line))
        sys.stdout.flush()
    except TerminalError as error:
        print(f"python -m demos copier: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    return 0


def _explain(file: MemoryFile, args: argparse.Namespace) -> tuple[Any, list[str]]:
    rows = read_decisions(file, args.symbol, args.last)
    return rows, [_decision_text(row) for row in rows] or [f"no state with {args.symbol} has been followed"]


def _journal(file: MemoryFile, args: argparse.Namespace) -> tuple[Any, list[str]]:
    rows = read_orders(file, args.symbol, args.last)
    return rows, [_order_text(row) for row in rows] or ["no order has been sent"]


def _resume(file: MemoryFile, args: argparse.Namespace) -> tuple[Any, list[str]]:
    file.request(RESUME)
    return {"requested": RESUME}, ["requested: the copier continues within a second, or when it starts"]


def _decision_text(row: Mapping[str, Any]) -> str:
    """``2026-… state 3: traded, provider 0.25, target 0.25, held 0.25; follow: …``."""
    first, last = row["first_seq"], row["last_seq"]
    states = f"state {first}" if first == last else f"states {first} to {last}"
    lots = ", ".join(f"{name} {_lots(row[key])}" for name, key in _AMOUNTS)
    return f"{_time(row['first_time'])} {states}: {row['outcome']}; {lots}; {row['rule']}: {row['text']}"


_AMOUNTS = (("provider", "lots"), ("target", "target"), ("held", "held"))
_LAGS = (("change", "change_ms"), ("network", "network_ms"), ("decision", "decision_ms"), ("fill", "fill_ms"))


def _order_text(row: Mapping[str, Any]) -> str:
    """``2026-… #4 buy 0.25 EURUSD …``: an order with its lag, price and answer."""
    lots = Decimal(row["lots"])
    side = "buy" if lots > 0 else "sell"
    parts: Sequence[str] = [f"{name} {row[key]}" for name, key in _LAGS if row[key] is not None]
    text = f"{_time(row['time'])} #{row['id']} {side} {lots_text(abs(lots))} {row['local']} ({row['kind']})"
    text += f", state {row['seq']}; lag in ms: {', '.join(parts) or 'unknown'}"
    if row["price"] is not None:
        text += f"; {_lots(row['filled'])} at {row['price']}, provider {row['provider_price'] or 'unknown'}"
    if row["slippage"] is not None:
        text += f", slippage {row['slippage']}"
    meaning = "no answer yet" if row["retcode"] is None else TRADE_RETCODES.get(row["retcode"], "")
    return "; ".join(filter(None, (text, meaning, row["text"])))


def _lots(text: str) -> str:
    return lots_text(Decimal(text))


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
