"""Faults that rarely happen by chance: a scenario adds them to some seeds, so that each recovery path is reached."""

from __future__ import annotations

import random

from winsock.simulation.faults import Fault
from winsock.simulation.units import MILLISECOND

_RESETS = 12


def resets_on_a_bad_line(
    chance: random.Random, pair: tuple[str, str], start: float, end: float, settings: dict[str, float]
) -> list[Fault]:
    """A rule for the link of a pair for up to a minute, and resets meanwhile: some come inside a message."""
    duration = min(60.0, (end - start) / 2)
    begin = chance.uniform(start, end - duration)
    times = sorted(chance.uniform(begin, begin + duration) for _ in range(_RESETS))
    rule = Fault(_time(begin), "rule", pair, settings=tuple(settings.items()), duration=_time(duration))
    return [rule, *(Fault(_time(time), "reset", pair) for time in times)]


def freeze(chance: random.Random, target: str, start: float, end: float, seconds: float) -> list[Fault]:
    """A freeze of a host or a process for this time; none if there is not enough time."""
    if end - start <= seconds:
        return []
    return [Fault(_time(chance.uniform(start, end - seconds)), "freeze", (target,), duration=_time(seconds))]


def in_order(faults: list[Fault]) -> list[Fault]:
    """The faults in the order of their times."""
    return sorted(faults, key=lambda fault: fault.at)


def _time(seconds: float) -> int:
    return int(seconds * 1000) * MILLISECOND
