"""Draws collected ticks: the bids over the time of receipt, and the number of ticks per second."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demos.collector.rows import SymbolRow
from demos.collector.store import TickStore
from demos.terminal.charts import drawing
from demos.terminal.interfaces import OutputError, ProgramError
from demos.terminal.mql.conversion import time_of
from demos.terminal.points import price_float
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More lines would repeat colours; more points would not be visible.
MAX_SYMBOLS = 10
MAX_POINTS = 5000

_INTERVALS = 200


def draw_ticks(store: TickStore, path: Path, symbols: Sequence[SymbolRow]) -> None:
    """Draw these symbols into a PNG file.

    Errors: ProgramError without matplotlib; OutputError when there are no ticks or the file cannot be written;
    StoreError when the ticks cannot be read.
    """
    problem = drawing.problem()
    if problem:
        raise ProgramError(problem)
    from matplotlib import rc_context

    # Dollar signs in a symbol's name are not a formula, and the font may lack some of its letters.
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = figure_of(store, symbols)
        try:
            figure.savefig(path, format="png")
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error


def figure_of(store: TickStore, symbols: Sequence[SymbolRow]) -> Figure:
    """Above: the bids, of several symbols as change since the first tick. Below: the ticks in each interval.

    Errors: as for draw_ticks.
    """
    from matplotlib.figure import Figure

    if not symbols:
        raise OutputError("there are no ticks to draw")
    figure = Figure(figsize=(12, 8), layout="constrained")
    bids, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw_bids(bids, store, symbols)
    _draw_rate(rate, store)
    return figure


def _draw_bids(axes: Any, store: TickStore, symbols: Sequence[SymbolRow]) -> None:
    shown = sorted(symbols, key=lambda symbol: -symbol.ticks)[:MAX_SYMBOLS]
    for symbol in shown:
        step = symbol.ticks // MAX_POINTS + 1
        times, prices = [], []
        for number, tick in enumerate(store.ticks(symbol.name)):
            if number % step == 0:
                times.append(time_of(tick.time))
                prices.append(price_float(tick.bid, tick.digits))
        if len(shown) > 1:
            prices = [100 * (price / prices[0] - 1) for price in prices]
        label = f"{escaped(symbol.name)}: {symbol.ticks} ticks"
        # matplotlib omits labels that begin with an underscore from the legend.
        label = f" {label}" if label.startswith("_") else label
        axes.plot(times, prices, drawstyle="steps-post", linewidth=1, label=label)
    axes.legend(loc="upper left", fontsize="small")
    several = f"{len(shown)} of {len(symbols)} symbols, change of the bid since its first tick"
    axes.set_title(several if len(shown) > 1 else f"bid of {escaped(shown[0].name)}")
    axes.set_ylabel("%" if len(shown) > 1 else "price")


def _draw_rate(axes: Any, store: TickStore) -> None:
    begin, width, counts = store.rates(_INTERVALS)
    starts = [time_of(begin + number * width) for number in range(len(counts))]
    rates = [count * 1000 / width for count in counts]
    axes.bar(starts, rates, timedelta(milliseconds=width), align="edge")
    axes.set_ylabel("ticks per second")
    senders = store.senders()
    ticks, lost = sum(sender.ticks for sender in senders), sum(sender.lost for sender in senders)
    axes.set_xlabel(f"time of receipt (UTC); {ticks} ticks from {len(senders)} senders, {lost} known to be lost")
