"""What a stack needs of the simulation around it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from .packets import Packet


class Timer(Protocol):
    def cancel(self) -> None: ...


class Environment(Protocol):
    """The clock, the timers and the network of a host."""

    @property
    def now(self) -> int:
        """Nanoseconds since the start of the simulation."""
        ...

    @property
    def random(self) -> Random:
        """The random stream of the network."""
        ...

    def call_at(self, time: int, action: Callable[[], None], /) -> Timer: ...

    def transmit(self, packet: Packet, /) -> None:
        """Sends a packet to another host, or to all hosts of the net."""
        ...
