"""Kills a program at an order: just before the account has executed it, or just after, before the program knows it.

Faults come while a program waits. This one comes in between, where a program has stored what it will do and has not
stored yet what has become of it. The program starts again after a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from demos.terminal.terminal import Terminal
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import Killed
from winsock.simulation.hosts import Host
from winsock.simulation.units import SECOND

BEFORE, AFTER = "killed before an order", "killed after an order"


class OrderKills:
    """Kills one program with this ``probability`` at each order, before ``until()``, a second of the simulation."""

    def __init__(
        self, host: Host, chance: Random, probability: float, until: Callable[[], float], counts: Counter[str]
    ) -> None:
        self._host, self._chance, self._probability = host, chance, probability
        self._until, self._counts = until, counts

    def prepare(self, terminal: Terminal) -> None:
        """Watch the orders of a terminal that starts."""
        trade = terminal.account.trade

        def watched(*args: Any, **options: Any) -> Any:
            kills = running_process().monotonic() < self._until() and self._chance.random() < self._probability
            after = kills and self._chance.random() < 0.5
            if kills and not after:
                self._kill(terminal, BEFORE)
            result = trade(*args, **options)
            if after:
                # The account knows the deal, and the program does not.
                terminal.report_trades()
                self._kill(terminal, AFTER)
            return result

        terminal.account.trade = watched  # type: ignore[method-assign]

    def _kill(self, terminal: Terminal, moment: str) -> None:
        self._counts[moment] += 1
        process = running_process()
        process.scheduler.call_later(SECOND, lambda: self._host.start_again([process.name]))
        terminal.event_loop.abandon()
        process.kill()
        raise Killed
