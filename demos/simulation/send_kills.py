"""Kills a program in a send, after a part of the message: the peer receives the part, and then the end of the stream.

A reset by a fault rarely comes there. The program starts again after a second.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from demos.terminal.terminal import Terminal
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import Killed
from winsock.simulation.hosts import Host
from winsock.simulation.units import SECOND


class SendKills:
    """Kills with this ``probability`` at each send whose bytes ``positions`` names places for, until ``allowed`` ends.

    ``positions`` returns the numbers of bytes after which the message may be cut.
    """

    def __init__(
        self,
        host: Host,
        chance: Random,
        probability: float,
        positions: Callable[[bytes], range],
        allowed: Callable[[], bool],
    ) -> None:
        self._host, self._chance, self._probability = host, chance, probability
        self._positions, self._allowed = positions, allowed

    def prepare(self, terminal: Terminal) -> None:
        """Watch the sends of a terminal that starts: for Setup.prepare."""
        process = running_process()
        winsock: Any = process.winsock
        send = winsock.send

        def cut_send(s: int, buf: Any, length: int, flags: int) -> int:
            positions = self._positions(bytes(buf[:length])) if self._allowed() else range(0)
            if not positions or self._chance.random() >= self._probability:
                result: int = send(s, buf, length, flags)
                return result
            send(s, buf, self._chance.choice(positions), flags)
            process.scheduler.call_later(SECOND, lambda: self._host.start_again([process.name]))
            terminal.event_loop.abandon()
            process.kill()
            raise Killed

        winsock.send = cut_send
