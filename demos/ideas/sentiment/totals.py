"""Which totals are published, so that they reveal no single participant's volumes. No sockets, no clock.

A participant is what counts once; see participants.py. The long and the short positions of each symbol are a side each,
with totals of their own. One rule decides, with ``least`` at least 3:

    A new total of a side is published only if at least ``least`` participants have a volume in it that is not 0 and
    that no earlier total of this side had of them.

Until then the last total stays while fewer than ``least`` participants differ from it and all of its participants are
still here. Otherwise none is published.

Why this is enough: let an observer add and subtract totals of a side as it likes, each as often as it likes. In the
newest of these totals at least ``least`` participants have volumes that none of the others has. So nothing cancels
these volumes: every result concerns at least ``least`` participants. The single total and the difference of two totals,
however far apart, are special cases. A comparison with the last total alone would not be enough: if two of three
participants return to earlier volumes, the first and the third total differ in one participant.

A participant that leaves and returns with the same volume, or that closes a position and opens an equal one, has
brought nothing new. So the memory is what limits the guarantee: volumes are forgotten MEMORY_MS after the last time
that their total was published, at the earliest.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal

from demos.ideas.sentiment.protocol import SideTotal, Total
from demos.ideas.sentiment.published_volumes import Contributions, PublishedVolumes, Side

# With fewer, a participant can subtract its own volumes and knows the other's.
FEWEST = 3

MEMORY_MS = 24 * 3_600_000


class PublishedTotals:
    """The totals that were published last; see the head of this module."""

    def __init__(self, least: int = FEWEST) -> None:
        """Errors: ValueError for fewer than FEWEST participants."""
        if least < FEWEST:
            raise ValueError(f"invalid number of participants: {least}; use {FEWEST} or more")
        self._least = least
        self._volumes = PublishedVolumes()
        # Also while a total is not published, and when all have left, which may be for a moment only.
        self._last: dict[Side, Contributions] = {}
        # The sides of which a total was published since the memory was rotated, at this time.
        self._shown_since: set[Side] = set()
        self._rotated_at: int | None = None

    def update(self, present: Mapping[Side, Contributions], counting: Set[str], now: int) -> dict[str, Total]:
        """The totals to publish now, by symbol.

        ``present`` has the contributions of each side, and ``counting`` all participants that count at present, also
        those without a position. ``now`` is in milliseconds and never falls.
        """
        self._forget(now)
        totals: dict[str, dict[str, SideTotal]] = {}
        for side in present.keys() | self._last.keys():
            shown = self._shown(side, present.get(side, {}), counting)
            if shown is not None:
                self._shown_since.add(side)
                name, direction = side
                totals.setdefault(name, {})[direction] = total_of(shown)
        return {name: Total(**sides) for name, sides in totals.items()}

    def _shown(self, side: Side, present: Contributions, counting: Set[str]) -> Contributions | None:
        """The contributions whose total is published, or None."""
        volumes = self._volumes
        new = {each: lots for each, lots in present.items() if volumes.has_room(each)}
        if volumes.unpublished(side, new) >= self._least and not volumes.is_full():
            volumes.add(side, new)
            self._last[side] = new
            return new
        last = self._last.get(side, {})
        changed = sum(present.get(each) != last.get(each) for each in present.keys() | last.keys())
        return last if last and last.keys() <= counting and changed < self._least else None

    def _forget(self, now: int) -> None:
        """Rotate the memory when it is time. Totals that were published since the last time stay in it."""
        if self._rotated_at is None:
            self._rotated_at = now
        if now - self._rotated_at < MEMORY_MS:
            return
        self._rotated_at = now
        self._volumes.rotate()
        self._last = {side: last for side, last in self._last.items() if side in self._shown_since}
        for side, last in self._last.items():
            self._volumes.add(side, last)
        self._shown_since = set()


def total_of(contributions: Contributions) -> SideTotal:
    """The sum of the contributions."""
    return SideTotal(sum(contributions.values(), Decimal(0)), len(contributions))
