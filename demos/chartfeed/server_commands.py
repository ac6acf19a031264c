"""The bars and the chart changes of ``python -m demos tpl``: commands for the server's terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

from demos.terminal.charts.history import Bar
from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mql.conversion import EPOCH
from demos.terminal.paper.market import random_walk
from demos.terminal.points import price_text

_RANDOM_BARS = 400
_HOUR = 3600
_HEADERS = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"


def random_bars(folder: Path, seed: int) -> Path:
    """Write a bar export of a random walk with sixty ticks an hour; returns the file."""
    spec = SymbolSpec("EURUSD")
    path = folder / "EURUSD_H1.tsv"
    lines = [_HEADERS]
    ticks = random_walk([spec], seed)
    for number in range(_RANDOM_BARS):
        bids = [tick.bid for tick in islice(ticks, 60)]
        time = EPOCH + timedelta(days=19_000, seconds=number * _HOUR)
        prices = (price_text(each, spec.digits) for each in (bids[0], max(bids), min(bids), bids[-1]))
        lines.append("\t".join((f"{time:%Y.%m.%d}", f"{time:%H:%M:%S}", *prices, str(len(bids)), "0", "10")))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def opening_commands(bars: Sequence[Bar], digits: int) -> list[str]:
    """Commands that put averages, levels, lines and texts on a chart of these bars."""
    backs = {bar.time: len(bars) - 1 - number for number, bar in enumerate(bars)}
    highest, lowest = max(bars, key=lambda bar: bar.high), min(bars, key=lambda bar: bar.low)
    high, low = price_text(highest.high, digits), price_text(lowest.low, digits)
    first, last = sorted(((backs[highest.time], high), (backs[lowest.time], low)), reverse=True)
    return [
        "average 20 exponential red",
        "average 50 simple yellow",
        f"line {high} lime",
        f"line {low} orange",
        f"trend {first[0]} {first[1]} {last[0]} {last[1]}",
        f"fibo {first[0]} {first[1]} {last[0]} {last[1]}",
        f"text {backs[highest.time]} {high} resistance",
        f"text {backs[lowest.time]} {low} support",
    ]


def change_command(number: int, symbol: str, period: str, price: str) -> str:
    """The command for the change with this number, from 1 on."""
    if number % 4 == 0:
        other = "H4" if period != "H4" else "D1"
        return f"chart {symbol} {other if number % 8 == 4 else period}"
    if number % 4 == 3:
        return f"average {10 + number} weighted aqua"
    return f"text {5 * number % 90} {price} step {number}"


def change_count(command: str) -> int:
    """How many changes the server counts after a command: another symbol or period also restarts the program."""
    return 2 if command.startswith("chart ") else 1
