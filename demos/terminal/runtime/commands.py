"""Commands on standard input: trades by hand, positions, what is on the chart, help and quit."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from demos.terminal.charts import commands as chart_commands
from demos.terminal.mql.constants import TRADE_RETCODE_DONE, TRADE_RETCODES
from demos.terminal.points import price_text, volume_problem, volume_steps, volume_text
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.terminal.runtime.host import Host

HELP = f"""\
buy LOTS                         buy at the market, as in: buy 0.25
sell LOTS                        sell at the market, as in: sell 0.10
close                            close the position in the chart's symbol
positions                        show each position, as in: EURUSD -0.10
{chart_commands.HELP}
help                             show this
quit                             end the program"""

_LOTS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_LONGEST_LINE = 4096


def execute(host: Host, symbol: str, line: str) -> list[str]:
    """Carry out one command on the chart of ``symbol`` and return the answer's lines; a bad one begins ``error:``."""
    words = line.split()
    if not words:
        return []
    name, arguments = words[0].lower(), words[1:]
    if name in chart_commands.COMMANDS:
        return [chart_commands.execute(host, name, arguments)]
    if name in ("buy", "sell"):
        return [_order(host, symbol, name, arguments)]
    known: dict[str, Callable[[Host, str], list[str]]] = {
        "close": _close,
        "positions": _positions,
        "help": lambda host, symbol: HELP.splitlines(),
        "quit": _quit,
    }
    if name not in known:
        return [f"error: unknown command '{escaped(words[0][:40])}'; help lists the commands"]
    if arguments:
        return [f"error: {name} stands alone on its line"]
    return known[name](host, symbol)


def _order(host: Host, symbol: str, name: str, arguments: Sequence[str]) -> str:
    if len(arguments) != 1 or not _LOTS.fullmatch(arguments[0]):
        return f"error: {name} needs one volume in lots, as in: {name} 0.25"
    spec = host.market.symbols()[symbol]
    lots = Decimal(arguments[0])
    problem = volume_problem(lots, spec)
    steps = volume_steps(lots, spec)
    if problem or steps is None:
        return f"error: {problem}"
    return _trade(host, symbol, steps if name == "buy" else -steps, 0)


def _trade(host: Host, symbol: str, steps: int, ticket: int) -> str:
    result = host.trade(symbol, steps, ticket)
    deal = result.deal
    if result.retcode == TRADE_RETCODE_DONE and deal is None:
        return f"done: {result.text}"
    if result.retcode != TRADE_RETCODE_DONE or deal is None:
        return f"error: {TRADE_RETCODES.get(result.retcode, result.retcode)}: {result.text}"
    action = "buy" if deal.volume > 0 else "sell"
    volume = volume_text(abs(deal.volume), deal.spec)
    return f"done: {action} {volume} {symbol} at {price_text(deal.price, deal.spec.digits)}, deal {deal.ticket}"


def _close(host: Host, symbol: str) -> list[str]:
    mine = [position for position in host.account.positions() if position.spec.name == symbol]
    if not mine:
        return [f"error: there is no position in {symbol}"]
    return [_trade(host, symbol, -position.volume, position.ticket) for position in mine]


def _positions(host: Host, symbol: str) -> list[str]:
    """One line for each symbol with a position; the chart's symbol is shown even when it has none."""
    specs = {symbol: host.market.symbols()[symbol]}
    volumes = {symbol: 0}
    for position in host.account.positions():
        name = position.spec.name
        specs[name] = position.spec
        volumes[name] = volumes.get(name, 0) + position.volume
    return [f"{name} {volume_text(volume, specs[name])}" for name, volume in volumes.items()]


def _quit(host: Host, symbol: str) -> list[str]:
    host.stop()
    return []


def read_commands(descriptor: int, post: Callable[[str], None]) -> None:
    """Post each line that comes from a descriptor, until its end; the end itself means nothing."""
    rest = b""
    while True:
        try:
            chunk = os.read(descriptor, _LONGEST_LINE)
        except OSError:
            # There is no standard input, or its terminal has gone: the same as its end.
            chunk = b""
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: _LONGEST_LINE + 1]
        if not chunk:
            lines = [rest]
        for line in lines:
            post(line[: _LONGEST_LINE + 1].decode("utf-8", "replace").rstrip("\r"))
        if not chunk:
            return


def start_reading(post: Callable[[str], None], descriptor: int = 0) -> threading.Thread:
    """Read commands in a thread of their own.

    It reads the descriptor itself: a daemon thread inside sys.stdin would hold a lock that the interpreter's end needs.
    """
    thread = threading.Thread(target=read_commands, args=(descriptor, post), name="commands", daemon=True)
    thread.start()
    return thread
