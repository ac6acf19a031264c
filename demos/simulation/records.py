"""What scenarios look for in the logs and events of terminals."""

from __future__ import annotations

from collections.abc import Iterable

from demos.simulation.calls import PARTIAL_SEND
from demos.simulation.terminals import SimulatedTerminal
from demos.simulation.world import World


def logged(terminals: Iterable[SimulatedTerminal], *parts: str) -> bool:
    """Whether a terminal has logged a line with all these texts."""
    return any(all(part in line.text for part in parts) for each in terminals for line in each.log)


def failed(terminals: Iterable[SimulatedTerminal], error: int, *parts: str) -> bool:
    """Whether a terminal has logged a line about this error of Winsock, with all these texts.

    The number alone may also be a price.
    """
    return logged(terminals, f"(#{error})", *parts)


def recorded(terminals: Iterable[SimulatedTerminal], kind: str, **fields: object) -> bool:
    """Whether a terminal has recorded an event of this kind with these fields."""
    return any(fields.items() <= dict(event.fields).items() for each in terminals for event in each.of_kind(kind))


def connected_again(terminals: Iterable[SimulatedTerminal]) -> bool:
    """Whether a program has connected twice within one start."""
    for each in terminals:
        starts = [event.start for event in each.of_kind("connected")]
        if len(starts) > len(set(starts)):
            return True
    return False


def started_again(terminals: Iterable[SimulatedTerminal]) -> bool:
    """Whether a terminal was started more than once."""
    return any(each.starts > 1 for each in terminals)


def counted(world: World, name: str) -> bool:
    """Whether a terminal has counted something under this name: see calls.py."""
    return any(each.counts[name] for each in world.terminals.values())


def sent_in_parts(world: World) -> bool:
    """Whether a send has taken only a part of its bytes."""
    return counted(world, PARTIAL_SEND)
