"""The pause of a symbol whose orders the broker keeps rejecting.

After MOST_IN_ROW rejections in a row the symbol is paused, for FIRST_PAUSE_MS and after each further rejection for
twice as long, up to LONGEST_PAUSE_MS. During a pause nothing increases. An order that reduces the position is still
tried, REDUCE_MS after the last such order that was rejected. An executed order, or the operator, ends the count.

Times are milliseconds since 1970, because the pause survives a restart. When the clock is set back, the pause ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from demos.copier.account_memory import AccountMemory, Rejections

MOST_IN_ROW = 3
FIRST_PAUSE_MS = 60_000
LONGEST_PAUSE_MS = 3_600_000
REDUCE_MS = 10_000


def order_rejected(memory: AccountMemory, local: str, now: int, *, reduces: bool) -> AccountMemory:
    """The broker has rejected an order in this local symbol."""
    old = memory.rejections.get(local, Rejections())
    new = Rejections(old.count + 1, now, now if reduces else old.reduced_at)
    return replace(memory, rejections={**memory.rejections, local: new})


def order_executed(memory: AccountMemory, local: str) -> AccountMemory:
    """An order in this local symbol was executed, or the operator ends its pause."""
    if local not in memory.rejections:
        return memory
    return replace(memory, rejections=_without(memory.rejections, local))


def pause_left(memory: AccountMemory, local: str, now: int) -> int:
    """How long increases still wait, in milliseconds; 0: not at all."""
    rejected = memory.rejections.get(local, Rejections())
    over = rejected.count - MOST_IN_ROW
    if over < 0:
        return 0
    return _left(rejected.at, min(FIRST_PAUSE_MS << min(over, 30), LONGEST_PAUSE_MS), now)


def reduction_left(memory: AccountMemory, local: str, now: int) -> int:
    """How long a reduction still waits, in milliseconds; 0: not at all."""
    if not pause_left(memory, local, now):
        return 0
    reduced_at = memory.rejections[local].reduced_at
    return _left(reduced_at, REDUCE_MS, now) if reduced_at else 0


def _left(since: int, pause: int, now: int) -> int:
    return max(0, since + pause - now) if now >= since else 0


def _without(rejections: Mapping[str, Rejections], local: str) -> dict[str, Rejections]:
    return {name: each for name, each in rejections.items() if name != local}
