"""States as values: what changed between two of them, a state with an update applied, and a state's digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from demos.provider.messages import Position, Snapshot, Update
from demos.provider.protocol import MOST_POSITIONS, encode


def by_symbol(positions: Iterable[Position]) -> dict[str, tuple[Position, ...]]:
    """The positions of each symbol, in their order."""
    found: dict[str, tuple[Position, ...]] = {}
    for position in positions:
        found[position.symbol] = (*found.get(position.symbol, ()), position)
    return found


def in_order(positions: Iterable[Position]) -> tuple[Position, ...]:
    """The positions by symbol and ticket: equal states have equal positions."""
    return tuple(sorted(positions, key=lambda each: (each.symbol, each.ticket or 0)))


def difference(old: Snapshot, new: Snapshot) -> Update | None:
    """The update from an older state of a stream to a newer one; None when it would have too many positions."""
    before, after = by_symbol(old.positions), by_symbol(new.positions)
    changed: list[Position] = []
    for symbol in sorted(before.keys() | after.keys()):
        if symbol not in after:
            closed = before[symbol][0]
            changed.append(replace(closed, lots=Decimal(0), time=new.time, sl=None, tp=None, ticket=None))
        elif after[symbol] != before.get(symbol):
            changed += after[symbol]
    if len(changed) > MOST_POSITIONS:
        return None
    return Update(new.stream, new.seq, old.seq, new.time, new.account, tuple(changed))


def merge(old: Snapshot, update: Update) -> Snapshot:
    """The state after an update. ``old`` may have any seq from ``update.previous`` to ``update.seq``."""
    positions = by_symbol(old.positions)
    for symbol, changed in by_symbol(update.positions).items():
        positions[symbol] = tuple(each for each in changed if each.lots)
    return Snapshot(
        update.stream,
        update.seq,
        update.time,
        update.account,
        in_order(each for group in positions.values() for each in group),
    )


def digest(state: Snapshot) -> str:
    """A text that is equal for equal states only, also when numbers have more zeros or positions another order."""
    return hashlib.sha256(encode(replace(state, positions=in_order(state.positions))).encode()).hexdigest()


def net_lots(state: Snapshot) -> dict[str, Decimal]:
    """The sum of each symbol's lots: what a netting account would hold, also for a hedging account."""
    return {
        symbol: sum((each.lots for each in group), Decimal(0)) for symbol, group in by_symbol(state.positions).items()
    }
