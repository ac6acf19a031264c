"""The file names of MetaTrader's exports: SYMBOL_PERIOD_FROM_TO.csv for bars, SYMBOL_FROM_TO.csv for ticks.

A symbol may itself contain underscores and blanks, so a name is split from the right. FROM and TO are times of twelve
digits, or shorter dates in names that a user made: 20170419, 201704 or 2017. Each part after the symbol may be missing.
"""

from __future__ import annotations

import re
from pathlib import Path

from demos.terminal.mql.constants import PERIOD_D1, PERIOD_H1, PERIOD_MN1, PERIOD_W1, TIMEFRAMES

# In file names MetaTrader writes three periods as words.
_PERIODS = {**TIMEFRAMES, "Daily": PERIOD_D1, "Weekly": PERIOD_W1, "Monthly": PERIOD_MN1}

_NAME = re.compile(
    rf"(?P<symbol>.+?)(?:_(?P<period>{'|'.join(_PERIODS)}))?(?:_(?:\d{{12}}|\d{{8}}|\d{{6}}|\d{{4}})){{0,2}}",
    re.ASCII | re.DOTALL,
)


def symbol_and_period(path: Path) -> tuple[str, int]:
    """The symbol and the PERIOD_* in the name of an export file; PERIOD_H1 when the name has no period."""
    match = _NAME.fullmatch(path.stem if path.suffix.lower() in (".csv", ".tsv", ".txt") else path.name)
    assert match is not None
    return match["symbol"], _PERIODS.get(match["period"] or "", PERIOD_H1)
