"""A picture of what a tick server has collected: bids over the time of receipt, and how many ticks came in when."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from demos.collector.store import SymbolRow, TickStore
from demos.terminal.charts import drawing
from demos.terminal.interfaces import OutputError, ProgramError
from demos.terminal.mql.conversion import time_of
from demos.terminal.points import price_float
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More would not be told apart by their colours; nor do more points than so many a symbol show.
MOST_SYMBOLS = 10
MOST_POINTS = 5000

_INTERVALS = 200


def draw_ticks(store: TickStore, path: Path, symbols: Sequence[SymbolRow]) -> None:
    """Draw these symbols into a PNG file.

    Errors: ProgramError without matplotlib; OutputError when there is nothing to draw, or no file to be written;
    StoreError when the ticks cannot be read.
    """
    trouble = drawing.problem()
    if trouble:
        raise ProgramError(trouble)
    from matplotlib import rc_context

    # A symbol's name is no mathematical formula, and may have letters that the font lacks.
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = figure_of(store, symbols)
        try:
            figure.savefig(path, format="png")
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error


def figure_of(store: TickStore, symbols: Sequence[SymbolRow]) -> Figure:
    """Above the bids, of several symbols as change since the first tick; below the ticks in each interval.

    Errors: as for draw_ticks.
    """
    from matplotlib.figure import Figure

    if not symbols:
        raise OutputError("there are no ticks to draw")
    shown = sorted(symbols, key=lambda symbol: -symbol.ticks)[:MOST_SYMBOLS]
    figure = Figure(figsize=(12, 8), layout="constrained")
    bids, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for symbol in shown:
        step = symbol.ticks // MOST_POINTS + 1
        times, prices = [], []
        for number, tick in enumerate(store.ticks(symbol.name)):
            if number % step == 0:
                times.append(time_of(tick.time))
                prices.append(price_float(tick.bid, tick.digits))
        if len(shown) > 1:
            prices = [100 * (price / prices[0] - 1) for price in prices]
        label = f"{escaped(symbol.name)}: {symbol.ticks} ticks"
        bids.plot(times, prices, drawstyle="steps-post", linewidth=1, label=label)
    bids.legend(loc="upper left", fontsize="small")
    several = f"{len(shown)} of {len(symbols)} symbols, change of the bid since its first tick"
    bids.set_title(several if len(shown) > 1 else f"bid of {escaped(shown[0].name)}")
    bids.set_ylabel("%" if len(shown) > 1 else "price")
    begin, width, counts = store.rates(_INTERVALS)
    starts = [time_of(begin + number * width) for number in range(len(counts))]
    rate.bar(starts, [count * 1000 / width for count in counts], timedelta(milliseconds=width), align="edge")
    rate.set_ylabel("ticks a second")
    senders = store.senders()
    lost = sum(sender.lost for sender in senders)
    rate.set_xlabel(
        f"time of receipt (Greenwich); {sum(sender.ticks for sender in senders)} ticks of {len(senders)} senders, "
        f"{lost} known to be lost"
    )
    return figure
