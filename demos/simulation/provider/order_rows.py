"""Whether a copier's journal has each of its orders: also those at which it was killed.

An order is written before it is sent, and its answer afterwards. So each deal has a row, and a row with filled lots has
a deal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from demos.simulation.scenario import Violation
from demos.simulation.terminals import SimulatedTerminal


def check_orders(copier: SimulatedTerminal, memory: Path) -> Iterator[Violation]:
    """Compare the orders in the copier's file with its deals; call it when the copier has ended."""
    deals = [Decimal(str(event.fields["volume"])) for event in copier.of_kind("deal")]
    with closing(sqlite3.connect(memory)) as db:
        rows = db.execute("SELECT lots, filled FROM orders ORDER BY id").fetchall()
    sent = [Decimal(lots) for lots, _ in rows]
    # The filled lots have no sign.
    filled = [Decimal(text).copy_sign(Decimal(lots)) for lots, text in rows if text is not None and Decimal(text)]
    for name, parts, whole in (("deal", deals, sent), ("filled order", filled, deals)):
        missing = first_missing(parts, whole)
        if missing is not None:
            where = "order in its journal" if name == "deal" else "deal in its account"
            yield Violation(
                "each order is in the journal",
                f"{copier.name} has no {where} for {name} {missing + 1} of {parts[missing]} lots",
            )


def first_missing(parts: Sequence[Decimal], whole: Sequence[Decimal]) -> int | None:
    """The place of the first part that ``whole`` does not have in the same order, or None."""
    position = 0
    for number, part in enumerate(parts):
        while position < len(whole) and whole[position] != part:
            position += 1
        if position == len(whole):
            return number
        position += 1
    return None
