"""Which totals are published, so that they reveal no single participant's volumes. No sockets, no clock.

A participant is what counts once; see participants.py. Two rules decide about each symbol, with ``least`` at least 3:

1. A total is published only if at least ``least`` participants have positions in the symbol. Of two participants, each
   would know the other's volumes: the total without its own.
2. A published total is replaced only by one that differs in at least ``least`` participants, those that have left
   included. If one participant alone has changed, the difference of the two totals would be its change. Until enough
   have changed, the last total stays. If a participant of the last total has left since, the total must not stay
   either: then none is published.

So a participant that knows its own volumes knows of each total, and of each difference of two successive totals, only
the sum over at least two others.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import TypeAlias

from demos.ideas.sentiment.protocol import Total, Volume

# Volumes that are not 0, by participant.
Contributions: TypeAlias = Mapping[str, Volume]

# The symbols whose last total is remembered: clients can invent names without end. The one that has not been published
# for the longest time is forgotten first.
MOST_REMEMBERED = 5000

# With fewer, a participant can subtract its own volumes and knows the other's.
FEWEST = 3


class PublishedTotals:
    """The totals that were published last; see the head of this module."""

    def __init__(self, least: int = FEWEST) -> None:
        """Errors: ValueError for fewer than FEWEST participants."""
        if least < FEWEST:
            raise ValueError(f"invalid number of participants: {least}; use {FEWEST} or more")
        self._least = least
        # By symbol; also while a total is not published, and when all have left, which may be for a moment only.
        self._last: dict[str, dict[str, Volume]] = {}

    def update(self, present: Mapping[str, Contributions], counting: Set[str]) -> dict[str, Total]:
        """The totals to publish now, by symbol.

        ``present`` has the contributions of each symbol, and ``counting`` all participants that count at present, also
        those without a position.
        """
        published = {}
        for name in present.keys() | self._last.keys():
            shown = self._shown(name, present.get(name, {}), counting)
            if shown is not None:
                published[name] = total_of(shown)
                # The names that are published come last.
                self._last[name] = self._last.pop(name)
        while len(self._last) > MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        return published

    def _shown(self, name: str, now: Contributions, counting: Set[str]) -> Contributions | None:
        """The contributions whose total is published, or None."""
        last = self._last.get(name)
        if last is not None:
            changed = sum(now.get(each) != last.get(each) for each in now.keys() | last.keys())
            if changed < self._least:
                return last if last.keys() <= counting else None
        if len(now) < self._least:
            return None
        self._last[name] = dict(now)
        return now


def total_of(contributions: Contributions) -> Total:
    """The sum of the contributions."""
    volumes = contributions.values()
    return Total(
        sum((each.long for each in volumes), Decimal(0)),
        sum((each.short for each in volumes), Decimal(0)),
        len(contributions),
    )
