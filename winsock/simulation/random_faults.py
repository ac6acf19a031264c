"""Faults by seed: a random fault script for the hosts, links and processes that exist."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from .errors import SimulationError
from .faults import KINDS, Fault
from .units import MILLISECOND, SECOND

__all__ = ["RANDOM_KINDS", "random_faults"]

# "heal" and the like are no faults of their own: every random fault that lasts has a duration.
RANDOM_KINDS = tuple(name for name, kind in KINDS.items() if kind.lasting or name in ("reset", "clock_jump"))

_SHORTEST = 10 * MILLISECOND

# A clock is corrected by some seconds, or changed by an hour at the end of summer time.
_CLOCK_JUMPS = (-3600, -30, -1, 1, 30, 3600)
_NAT_LIMITS = (2, 5, 15, 30)


def random_faults(  # noqa: PLR0913 - what exists, when, and how many
    random: Random,
    *,
    hosts: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    processes: Sequence[str] = (),
    start: float,
    end: float,
    budget: int,
    longest: float = 30.0,
    kinds: Collection[str] = RANDOM_KINDS,
) -> list[Fault]:
    """At most `budget` random faults between the times `start` and `end`, in order of time.

    `hosts` are the hosts that may fail, `pairs` the pairs of hosts whose link may fail, `processes` ("host/process")
    the processes that may be killed. Every fault ends at `end` at the latest. A kind without a target is left out.

    Errors: SimulationError for an unknown kind, or if the time is too short for a fault.
    """
    for name in kinds:
        if name not in RANDOM_KINDS:
            raise SimulationError(f"unknown kind of random fault: {name!r}; the kinds are {', '.join(RANDOM_KINDS)}")
    first, last = round(start * SECOND), round(end * SECOND)
    if last - first <= _SHORTEST:
        raise SimulationError(f"no time for faults: from {start} s to {end} s")
    # In the order of RANDOM_KINDS, because the order of a set depends on PYTHONHASHSEED.
    candidates = [name for name in RANDOM_KINDS if name in kinds and _targets(name, hosts, pairs, processes)]
    faults = []
    for _ in range(budget if candidates else 0):
        name = random.choice(candidates)
        targets = random.choice(_targets(name, hosts, pairs, processes))
        at = _rounded(random.randrange(first, last - _SHORTEST))
        faults.append(_fault(random, name, targets, at, min(round(longest * SECOND), last - at)))
    return sorted(faults, key=lambda fault: fault.at)


def _targets(
    name: str, hosts: Sequence[str], pairs: Sequence[tuple[str, str]], processes: Sequence[str]
) -> list[tuple[str, ...]]:
    if name == "kill":
        return [(process,) for process in processes]
    if KINDS[name].targets == 1:
        return [(host,) for host in hosts]
    return list(pairs)


def _fault(random: Random, name: str, targets: tuple[str, ...], at: int, longest: int) -> Fault:
    value = settings = None
    if name == "clock_jump":
        value = random.choice(_CLOCK_JUMPS) * SECOND
    elif name == "nat_timeout":
        value = random.choice(_NAT_LIMITS) * SECOND
    elif KINDS[name].settings:
        settings = _settings(random)
    if name.endswith("_one_way") and random.random() < 0.5:
        targets = targets[::-1]
    duration = _duration(random, longest) if KINDS[name].lasting else None
    return Fault(at, name, targets, value, settings or (), duration)


def _settings(random: Random) -> tuple[tuple[str, float], ...]:
    choices: tuple[tuple[tuple[str, float], ...], ...] = (
        (("loss", round(random.uniform(0.05, 0.6), 2)),),
        (("latency", round(random.uniform(0.05, 3), 2)), ("jitter", round(random.uniform(0, 0.5), 2))),
        (("bandwidth", random.choice((300, 2_000, 20_000))), ("queue", random.choice((2_000, 16_000)))),
        (("duplicate", 0.3), ("reorder", 0.3), ("jitter", 0.05)),
    )
    return random.choice(choices)


def _duration(random: Random, longest: int) -> int:
    """Short faults are as frequent as long ones: the logarithm of the duration is evenly distributed."""
    # Powers of two without math.log, whose last bit differs between C libraries.
    duration = random.randrange(_SHORTEST, 2 * _SHORTEST)
    steps = max((longest // _SHORTEST).bit_length() - 1, 0)
    return max(_rounded(min(duration << random.randint(0, steps), longest)), MILLISECOND)


def _rounded(time: int) -> int:
    return time // MILLISECOND * MILLISECOND
