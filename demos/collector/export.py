"""Collected ticks as MetaTrader's own tick export: one tab-separated file a symbol, which this terminal replays too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from demos.collector.store import SymbolRow, TickStore
from demos.terminal.interfaces import OutputError
from demos.terminal.mql.conversion import time_of
from demos.terminal.points import price_text

HEADER = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"

# The bid and the ask have changed. A datagram brings no ask: the bid stands in its place, so that no line, and no blank
# that means "as before", shows an ask below the bid.
FLAGS = 2 | 4


def export_ticks(store: TickStore, folder: Path, symbols: Sequence[SymbolRow]) -> list[Path]:
    """Write each symbol's ticks into a file of the folder, named as MetaTrader does, and return the files.

    Times are those of receipt at Greenwich; where the computer's clock was set back they stand still until it has
    caught up, since an export's times never go back.

    Errors: OutputError when a file cannot be written; StoreError when the ticks cannot be read.
    """
    files: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for symbol in symbols:
            unfinished = folder / f"unfinished-{os.getpid()}.csv"
            try:
                first, last = _write(store, unfinished, symbol.name)
                path = _path(folder, symbol.name, first, last)
                # Names that differ in case alone are one on Windows.
                if path.name.casefold() in files:
                    path = path.with_stem(f"{path.stem}_{len(files)}")
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            files[path.name.casefold()] = path
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error
    return list(files.values())


def _write(store: TickStore, path: Path, symbol: str) -> tuple[datetime, datetime]:
    """Write one file; returns the first tick's time and the last one's."""
    ticks = store.ticks(symbol)
    first = next(ticks, None)
    if first is None:
        raise OutputError(f"there are no ticks of {symbol} to export")
    last = first.time
    with path.open("w", encoding="utf-8", newline="\r\n") as file:
        print(HEADER, file=file)
        for tick in chain([first], ticks):
            last = max(last, tick.time)
            date, time = f"{time_of(last):%Y.%m.%d %H:%M:%S.%f}"[:-3].split()
            bid = price_text(tick.bid, tick.digits)
            print(date, time, bid, bid, "", "", FLAGS, sep="\t", file=file)
    return time_of(first.time), time_of(last)


def _path(folder: Path, symbol: str, first: datetime, last: datetime) -> Path:
    """EURUSD_202401010900_202401011730.csv; what a file's name cannot hold is written as %XX."""
    return folder / f"{quote(symbol, safe=' #+!&()')}_{first:%Y%m%d%H%M}_{last:%Y%m%d%H%M}.csv"
