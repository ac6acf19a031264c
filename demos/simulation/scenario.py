"""The form of a scenario: which programs run on which hosts, what must hold, and what the faults must reach.

A scenario is a module in scenarios/ with one class, a subclass of Scenario, and a line in scenarios/registry.py. One
instance serves one run:

1. build() makes the hosts, the links and the terminals of its world.
2. Faults happen, by a script or by seed: see faults(), which uses ``fault_kinds`` and targets().
3. check() is called once in each simulated second. It yields each Violation of an invariant.
4. ``settling`` seconds after the last fault everything must have recovered: from then on settled() is called too, once
   in each simulated second. With a script this is also not before the faults of the seed would be over.
5. When every terminal has ended, ended() is called once.

The first violation ends the run. A violation names its invariant: a script that breaks the same invariant is the same
failure, which is how a script is shrunk.

A sweep runs many seeds. It also fails if a kind of fault was never used, or if one of the recovery ``paths`` was never
reached: then the scenario proves less than it says.

The methods run in the simulation's main thread, while every program waits. They may read what the terminals have
recorded and the globals of the programs, but must not call Winsock.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar, NamedTuple

from demos.simulation.world import Violation as Violation
from demos.simulation.world import World
from winsock.simulation.faults import Fault
from winsock.simulation.random_faults import RANDOM_KINDS, random_faults

# At most one fault by seed in this many seconds, on average half of them.
SECONDS_PER_FAULT = 25.0


class RecoveryPath(NamedTuple):
    """Something that programs do about a fault: its name, and whether it has happened before the terminals end."""

    name: str
    reached: Callable[[World], bool]


class Targets(NamedTuple):
    """What faults may concern: hosts, the pairs of hosts whose link fails, and the terminals that are killed."""

    hosts: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    terminals: Sequence[str] = ()


class Scenario(ABC):
    """See the head of this module."""

    # Seconds after the last fault within which everything recovers; say in a comment how they add up.
    settling: ClassVar[float]

    # The kinds of faults by seed, and the longest one, in seconds.
    fault_kinds: ClassVar[Collection[str]] = RANDOM_KINDS
    longest_fault: ClassVar[float] = 30.0

    # What a sweep must reach.
    paths: ClassVar[Sequence[RecoveryPath]]

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def build(self) -> None:
        """Make hosts, links and terminals. Choose what differs between seeds with ``world.random``."""

    @abstractmethod
    def targets(self) -> Targets:
        """What faults by seed may concern."""

    def faults(self, chance: random.Random, start: float, end: float) -> list[Fault]:
        """The faults of a seed, all over at the second ``end``. A scenario may add some that are rare by chance."""
        targets = self.targets()
        return random_faults(
            chance,
            hosts=targets.hosts,
            pairs=targets.links,
            processes=[f"{self.world.terminals[name].host.name}/{name}" for name in targets.terminals],
            start=start,
            end=end,
            budget=chance.randint(1, max(2, round((end - start) / SECONDS_PER_FAULT))),
            longest=self.longest_fault,
            kinds=self.fault_kinds,
        )

    def check(self) -> Iterator[Violation]:
        """What must hold in each second."""
        return iter(())

    def settled(self) -> Iterator[Violation]:
        """What must hold in each second from ``settling`` seconds after the last fault on."""
        return iter(())

    def ended(self) -> Iterator[Violation]:
        """What must hold when every terminal has ended."""
        return iter(())
