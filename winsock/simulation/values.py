"""Checks of the numbers that a test passes to a network."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import TypeGuard

from .errors import SimulationError
from .units import SECOND

__all__ = ["is_number", "is_time", "nanoseconds"]

# Seconds: more than a script can write, and few enough to calculate with.
_LONGEST = 10**12


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float can have, and finite."""
    try:
        return isinstance(value, Real) and isfinite(value)
    except OverflowError:  # an int that is too large
        return False


def is_time(value: object) -> TypeGuard[float]:
    """Whether it is a number of seconds, which may be negative."""
    return is_number(value) and abs(value) < _LONGEST


def nanoseconds(name: str, seconds: object, *, negative: bool = False) -> int:
    """A time in seconds as nanoseconds. Errors: SimulationError if it is no number, or below 0 without `negative`."""
    if not is_time(seconds) or (seconds < 0 and not negative):
        allowed = "a number of seconds" if negative else "a number of seconds of at least 0"
        raise SimulationError(f"invalid {name}: {seconds!r}; give {allowed}")
    return round(seconds * SECOND)
