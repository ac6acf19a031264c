"""Remembers which volumes of each participant were part of a published total. No sockets, no clock.

The memory has two parts: rotate() begins a new one and forgets the older one. So what was published after a rotation
is remembered until the rotation after the next. The memory is bounded, in all and for each participant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

# A symbol and "long" or "short".
Side: TypeAlias = tuple[str, str]

# Volumes that are not 0, by participant.
Contributions: TypeAlias = Mapping[str, Decimal]

# The volumes that are remembered, and those of one participant. A volume takes about 250 bytes. Three participants can
# publish new volumes of invented symbols all the time: they must not use up the memory for all.
MOST_REMEMBERED = 250_000
MOST_OF_ONE = 5_000


class PublishedVolumes:
    """See the head of this module."""

    def __init__(self) -> None:
        self._recent: set[tuple[Side, str, Decimal]] = set()
        self._earlier: set[tuple[Side, str, Decimal]] = set()
        # By participant, over both parts.
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def is_full(self) -> bool:
        """Whether no further total may be published."""
        return len(self) >= MOST_REMEMBERED

    def has_room(self, participant: str) -> bool:
        """Whether a further volume of this participant may be published."""
        return self._counts[participant] < MOST_OF_ONE

    def unpublished(self, side: Side, contributions: Contributions) -> int:
        """The number of participants whose volume was in no published total of this side."""
        keys = ((side, *item) for item in contributions.items())
        return sum(key not in self._recent and key not in self._earlier for key in keys)

    def add(self, side: Side, contributions: Contributions) -> None:
        """Remember the volumes of a total that is published."""
        for participant, lots in contributions.items():
            key = (side, participant, lots)
            if key not in self._recent:
                self._recent.add(key)
                self._counts[participant] += 1

    def rotate(self) -> None:
        """Begin a new part of the memory, and forget the older of the two."""
        self._earlier, self._recent = self._recent, set()
        self._counts = Counter(participant for _, participant, _ in self._earlier)
