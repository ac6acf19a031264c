"""Random streams: one seed, one independent stream of random numbers for each name.

The schedule, each direction of a link, each host, the faults and each program draw from streams of their own. So a
program that draws one number more changes neither the network nor the faults of the same seed.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random

__all__ = ["random_stream"]


def random_stream(seed: int | str, name: str) -> Random:
    """The stream `name` of `seed`: the same numbers in every process, on every platform and Python version."""
    # Not Random(text): that depends on Python's own conversion of text. Not hash(): that depends on PYTHONHASHSEED.
    return Random(int.from_bytes(sha256(f"{seed}/{name}".encode()).digest(), "big"))
