"""A file of bars without a real market: a random walk, the same for the same number."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

_BARS = 5_000
_FIRST = datetime(2024, 1, 1)
_DIGITS = 5


def write_random_bars(folder: Path, seed: int) -> Path:
    """Write hourly bars in MetaTrader's bar format; returns the file.

    Errors: OSError.
    """
    choose = random.Random(seed)
    rows = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    price = 110_000
    for number in range(_BARS):
        steps = [price]
        for _ in range(4):
            steps.append(max(steps[-1] + round(choose.gauss(0, 40)), 1_000))
        prices = [f"{each / 10**_DIGITS:.{_DIGITS}f}" for each in (price, max(steps), min(steps), steps[-1])]
        time = (_FIRST + timedelta(hours=number)).strftime("%Y.%m.%d\t%H:%M:%S")
        rows.append("\t".join([time, *prices, "4", "0", "2"]))
        price = steps[-1]
    path = folder / "EURUSD_H1.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
