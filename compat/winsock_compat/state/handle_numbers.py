"""The numbers of handles: a place and a generation, see handles."""

from __future__ import annotations

import itertools

from winsock.constants import INVALID_SOCKET

PLACES = 1 << 20

_places = itertools.count(0x40)
_free_places: list[int] = []
_generations: dict[int, int] = {}


def allocate() -> int:
    """A number that no socket has had before."""
    place = _free_places.pop() if _free_places else next(_places)
    _generations[place] = generation = _generations.get(place, -1) + 1
    return (generation * PLACES + place) << 2 & INVALID_SOCKET


def free(handle: int) -> None:
    """Makes a handle's place free again, when nothing uses its descriptor any more."""
    _free_places.append(handle >> 2 & PLACES - 1)
