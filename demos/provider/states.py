"""States as values: what changed between two of them, a state with an update applied, and a state's digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from demos.provider.messages import Position, Snapshot, Update
from demos.provider.protocol import MOST_POSITIONS, MessageError, text_of


def by_symbol(positions: Iterable[Position]) -> dict[str, tuple[Position, ...]]:
    """The positions of each symbol, in their order."""
    found: dict[str, list[Position]] = {}
    for position in positions:
        found.setdefault(position.symbol, []).append(position)
    return {symbol: tuple(group) for symbol, group in found.items()}


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
    """The state after an update. ``old`` may have any seq from ``update.previous`` to ``update.seq``.

    Errors: MessageError when a snapshot could not carry the result.
    """
    changed = {each.symbol for each in update.positions}
    kept = [each for each in old.positions if each.symbol not in changed]
    positions = in_order((*kept, *(each for each in update.positions if each.lots)))
    if len(positions) > MOST_POSITIONS:
        raise MessageError("malformed", f"more than {MOST_POSITIONS} positions: {len(positions)}")
    return Snapshot(update.stream, update.seq, update.time, update.account, positions)


def digest(state: Snapshot) -> str:
    """A text that is equal for equal states only, also when numbers have more zeros or positions another order."""
    return hashlib.sha256(text_of(replace(state, positions=in_order(state.positions))).encode()).hexdigest()


def net_lots(state: Snapshot) -> dict[str, Decimal]:
    """The sum of each symbol's lots: what a netting account would hold, also for a hedging account."""
    return {
        symbol: sum((each.lots for each in group), Decimal(0)) for symbol, group in by_symbol(state.positions).items()
    }
