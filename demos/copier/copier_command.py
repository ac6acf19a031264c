"""``python -m demos copier``: what a copier has decided and traded, and its continuation after an alarm."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from decimal import Context, Decimal
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from demos.copier import command_texts as texts
from demos.copier.config_check import check_copier
from demos.copier.journal import read_decisions, read_orders
from demos.copier.memory_file import RESUME, MemoryFile
from demos.copier.rules import lots_text
from demos.launcher.command_help import add_command
from demos.launcher.option_types import symbol, whole
from demos.provider.fields import decimal_text
from demos.terminal.interfaces import TerminalError
from demos.terminal.mql.constants import TRADE_RETCODES
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "copier",
        "explain a copier's decisions, show its orders, or let it continue",
        texts.DESCRIPTION,
        epilog=dedent(texts.EXAMPLES),
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    explain = add_command(
        actions, "explain", "what was decided for each state", texts.EXPLAIN, epilog=texts.EXPLAIN_EXAMPLES
    )
    explain.add_argument("symbol", type=symbol, metavar="SYMBOL", help="the provider's symbol, or its local name")
    journal = add_command(
        actions, "journal", "the orders, with lag and slippage", texts.JOURNAL, epilog=texts.JOURNAL_EXAMPLES
    )
    journal.add_argument("symbol", type=symbol, metavar="SYMBOL", nargs="?", help="only this symbol (default: all)")
    resume = add_command(
        actions, "resume", "let the copier continue after an alarm", texts.RESUME, epilog=texts.RESUME_EXAMPLES
    )
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
    check = add_command(actions, "check", "check the file of a copier's options", texts.CHECK)
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


# Digits of a price: in all, and at most after the point.
_SIGNIFICANT = 7
_MOST_DIGITS = 8
_WIDE = Context(prec=60)

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
        theirs = "unknown" if row["provider_price"] is None else _price(row["provider_price"], row["price"])
        text += f"; {_lots(row['filled'])} at {_price(row['price'], row['price'])}, provider {theirs}"
    if row["slippage"] is not None:
        text += f", slippage {_price(row['slippage'], row['price'])}"
    meaning = "no answer yet" if row["retcode"] is None else TRADE_RETCODES.get(row["retcode"], "")
    return "; ".join(filter(None, (text, meaning, row["text"])))


def _price(text: str, fill: str) -> str:
    """A price or a difference of prices, with one digit more than the price of the fill, and at least 7.

    An average of several deals has more digits than any price. Zeros at the end of a price are not in the file.
    """
    price = Decimal(fill)
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)
    digits = min(max(1 - exponent, _SIGNIFICANT - 1 - price.adjusted(), 1), _MOST_DIGITS)
    return decimal_text(Decimal(text).quantize(Decimal(1).scaleb(-digits), context=_WIDE))


def _lots(text: str) -> str:
    return lots_text(Decimal(text))


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
