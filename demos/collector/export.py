"""Exports collected ticks in MetaTrader's tick format: one tab-separated file for each symbol.

The demos' terminal can replay these files (``--ticks``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

from demos.collector.rows import SymbolRow
from demos.collector.store import TickStore
from demos.terminal.interfaces import OutputError
from demos.terminal.mql.conversion import time_of
from demos.terminal.points import price_text
from winsock.command_line import is_same_file

HEADER = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"

# MetaTrader's flags for a changed bid and a changed ask. A datagram has no ask; the file has the bid in its place. An
# empty field would mean "unchanged", and an unchanged ask could be below the new bid.
TICK_FLAG_BID = 2
TICK_FLAG_ASK = 4

# File systems allow 255 bytes for a name, and Windows 260 characters for a path.
MAX_NAME = 100

_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


def export_ticks(
    store: TickStore, folder: Path, symbols: Sequence[SymbolRow], inputs: Sequence[Path] = ()
) -> list[Path]:
    """Write each symbol's ticks to a file in the folder, with MetaTrader's file name, and return the files.

    A file of ``inputs`` is never replaced: another name is used.

    Times are times of receipt in UTC. They never decrease: after the computer's clock was set back, ticks get the last
    time until the clock has passed it.

    Errors: OutputError when a file cannot be written or a symbol has no ticks; StoreError when reading fails.
    """
    files: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for symbol in symbols:
            unfinished = folder / f"unfinished-{os.getpid()}.csv"
            try:
                first, last = _write(store, unfinished, symbol.name)
                path = _unused(_path(folder, symbol.name, first, last), files, inputs)
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            files[path.name.casefold()] = path
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error
    return list(files.values())


def _write(store: TickStore, path: Path, symbol: str) -> tuple[datetime, datetime]:
    """Write one file; returns the times of the first and the last tick."""
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
            print(date, time, bid, bid, "", "", TICK_FLAG_BID | TICK_FLAG_ASK, sep="\t", file=file)
    return time_of(first.time), time_of(last)


def _path(folder: Path, symbol: str, first: datetime, last: datetime) -> Path:
    """EURUSD_202401010900_202401011730.csv; characters that a file name cannot contain are written as %XX.

    A long name is cut and gets a checksum of the symbol. Windows reserves names such as CON.x, which are devices.
    """
    name = quote(symbol, safe=" #+!&()")
    if len(name) > MAX_NAME:
        name = f"{_CUT_ESCAPE.sub('', name[:MAX_NAME])}~{crc32(symbol.encode()):08x}"
    name = f"{name}_{first:%Y%m%d%H%M}_{last:%Y%m%d%H%M}.csv"
    if name.partition(".")[0].rstrip(" ").upper() in _RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return folder / name


def _unused(path: Path, files: Mapping[str, Path], inputs: Sequence[Path]) -> Path:
    """The path, or one with a number where another symbol's file or an input has the name.

    On Windows case does not count.
    """
    stem, number = path.stem, len(files)
    while path.name.casefold() in files or any(is_same_file(path, each) for each in inputs):
        path = path.with_stem(f"{stem}_{number}")
        number += 1
    return path
