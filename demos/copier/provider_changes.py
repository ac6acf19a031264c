"""What has changed in the provider's positions of one symbol, and which part of them is not copied yet.

The provider's position is the net of all its positions in the symbol. When the net grows, the added lots are missed
lots until the own account has the whole target. Their price is derived, because a position states only an average:

    added price = (new lots * new average - old lots * old average) / added lots

over the positions on the side of the net. An average that is rounded to a point makes the result inexact by up to
(new lots + old lots) / 2 / added lots points; this error is kept with the price. The positions of a hedging account
have exact prices. There the price is unknown when a part of the growth comes from closed positions of the other side,
because nothing states the prices at which they were closed, and when the result is not between the prices of the open
positions, because then some of the old ones were closed as well.
When the net shrinks, the missed lots shrink in proportion: their price stays the same.

The time of a change is the newest time of the positions. If no position is newer than before, positions of the other
side were closed: the change is as old as the state, provided that the state directly follows the one before it in its
stream. Otherwise the time is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from demos.copier.account_memory import Followed, Side, tidy
from demos.copier.account_values import WAIT, ProviderView
from demos.provider.messages import Position

_ZERO = Decimal(0)
# A derived price differs from the exact one by the rounding of averages, not by more.
_ROUNDING = Decimal("1e-8")


class Sight(NamedTuple):
    """How a new state is seen: its time, whether it directly follows the last one, whether it is the first of all."""

    provider: ProviderView
    time: int
    consecutive: bool
    first: bool
    join: str
    maxage_ms: int

    def is_late(self, changed: int) -> bool:
        """Whether a change is too old, or of unknown age."""
        age = self.provider.age(changed)
        return age is None or age > self.maxage_ms


def observe(before: Followed | None, positions: Sequence[Position], sight: Sight) -> Followed:
    """What is followed in a symbol after a new state with these positions of it."""
    old = before or Followed()
    lots = sum((each.lots for each in positions), _ZERO)
    new = replace(
        old,
        lots=lots,
        buys=_side(each for each in positions if each.lots > 0),
        sells=_side(each for each in positions if each.lots < 0),
        newest=max((each.time for each in positions), default=0),
        contract=positions[0].contract if positions else old.contract,
        stop=whole_stop(lots, positions),
    )
    if lots == 0:
        cleared = replace(new, missed=_ZERO, missed_price=None, missed_error=_ZERO, changed=0, since=0)
        return replace(cleared, join="", ours=True, ratio=None)
    if old.lots * lots <= 0:
        return _opened(before, new, sight)
    if abs(lots) > abs(old.lots):
        tickets = [each.price for each in positions if each.ticket is not None and each.lots * lots > 0]
        return _grown(old, new, sight, tickets)
    if abs(lots) < abs(old.lots):
        part = abs(lots) / abs(old.lots)
        return replace(new, missed=tidy(old.missed * part), missed_error=tidy(old.missed_error * part))
    return new


def whole_stop(lots: Decimal, positions: Iterable[Position]) -> Decimal | None:
    """The nearest stop loss at which all positions on the side of the net are closed; None: there is none.

    Of several stop losses it is the farthest: at a nearer one the provider still has a part of its position. A position
    without a stop loss is never closed by one, so then the whole has none.
    """
    stops = [each.sl for each in positions if each.lots * lots > 0]
    known = [stop for stop in stops if stop is not None]
    if not known or len(known) < len(stops):
        return None
    return min(known) if lots > 0 else max(known)


def _opened(before: Followed | None, new: Followed, sight: Sight) -> Followed:
    """A position from flat, reversed, or at the first contact. One that is late when first seen is a first contact."""
    changed = _time_of_change(before or Followed(), new, sight)
    join = sight.join if sight.first or sight.is_late(changed) else ""
    ours = not join or (before.ours if before else join != WAIT)
    return replace(
        new,
        missed=abs(new.lots),
        missed_price=new.average,
        missed_error=_ZERO,
        changed=changed,
        since=changed,
        join=join,
        ours=ours,
        ratio=None,
    )


def _grown(old: Followed, new: Followed, sight: Sight, tickets: Sequence[Decimal]) -> Followed:
    """A larger position; ``tickets`` are the prices of a hedging account's positions on its side."""
    grown = abs(new.lots) - abs(old.lots)
    price, error = _added_price(old, new, grown, tickets)
    if old.missed and price is not None:
        known = old.missed_price
        price = None if known is None else (known * old.missed + price * grown) / (old.missed + grown)
    return replace(
        new,
        missed=old.missed + grown,
        missed_price=None if price is None else tidy(price),
        missed_error=old.missed_error + error,
        changed=_time_of_change(old, new, sight),
    )


def _added_price(
    old: Followed, new: Followed, grown: Decimal, tickets: Sequence[Decimal]
) -> tuple[Decimal | None, Decimal]:
    """The price of the added lots, or None, and its error in points times lots."""
    before, after = (old.buys, new.buys) if new.lots > 0 else (old.sells, new.sells)
    added = after.lots - before.lots
    if added < grown:
        return None, _ZERO
    price = (after.lots * after.price - before.lots * before.price) / added
    if tickets:
        within = min(max(price, min(tickets)), max(tickets))
        return (within, _ZERO) if abs(within - price) <= _ROUNDING else (None, _ZERO)
    error = (after.lots + before.lots) / 2 if before.lots else _ZERO
    return (price, error) if price > 0 else (None, _ZERO)


def _time_of_change(old: Followed, new: Followed, sight: Sight) -> int:
    if new.newest > old.newest:
        return new.newest
    return sight.time if sight.consecutive else 0


def _side(positions: Iterable[Position]) -> Side:
    group = [(abs(each.lots), each.price) for each in positions]
    lots = sum((each for each, _ in group), _ZERO)
    if not lots:
        return Side()
    if len(group) == 1:
        return Side(lots, group[0][1])
    return Side(lots, tidy(sum((each * price for each, price in group), _ZERO) / lots))
