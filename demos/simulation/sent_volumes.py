"""What clients of the sentiment server have sent, and which totals of it are possible if each host counts once.

A host is a participant, however many clients run on it and however many connections each of them has: a connection
that the server has not yet found dead counts together with the new one. So what a host contributes to a total is a sum
of volumes that its clients have sent within the last time, at most two of each client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from demos.simulation.scenario import Violation
from demos.simulation.terminals import SimulatedTerminal

SIDES = ("long", "short")


class PossibleTotals:
    """Checks each new total of the server against what the clients have sent; each total once.

    ``hosts`` names the clients of each host. What was sent longer than ``window`` seconds ago does not count any more.
    """

    def __init__(self, server: str, hosts: Mapping[str, Sequence[str]], symbol: str, window: float) -> None:
        self._server, self._hosts, self._symbol, self._window = server, hosts, symbol, window
        self._next = 0
        self._last: dict[tuple[int, str], tuple[Decimal, int]] = {}

    def check(self, terminals: Mapping[str, SimulatedTerminal]) -> Iterator[Violation]:
        """Take the server's new events."""
        server = terminals[self._server]
        new = server.events[self._next :]
        self._next = len(server.events)
        for event in new:
            if event.kind != "published":
                continue
            published: Any = event.fields["totals"]
            for side, fields in zip(SIDES, published.get(self._symbol, (None, None)), strict=True):
                # A total that was published before is shown as long as all of its participants are there.
                if fields is None or self._last.get((event.start, side)) == (total := (Decimal(fields[0]), fields[1])):
                    continue
                self._last[event.start, side] = total
                yield from self._check(side, *total, self._contributions(terminals, side, event.time))

    def _check(
        self, side: str, lots: Decimal, count: int, contributions: Mapping[str, set[Decimal]]
    ) -> Iterator[Violation]:
        # By number of participants, the sums that they can have.
        sums: dict[int, set[Decimal]] = {0: {Decimal(0)}}
        for own in contributions.values():
            for number in sorted(sums, reverse=True):
                more = {earlier + each for earlier, each in product(sums[number], own)}
                sums[number + 1] = sums.get(number + 1, set()) | more
        if lots not in sums.get(count, ()):
            yield Violation(
                "a participant counts once",
                f"the {side} total of {lots} lots and {count} participants is impossible: {contributions}",
            )

    def _contributions(
        self, terminals: Mapping[str, SimulatedTerminal], side: str, time: float
    ) -> dict[str, set[Decimal]]:
        """By host, what it may contribute to a side; hosts that have no volume on it are not in it."""
        found = {}
        for host, clients in self._hosts.items():
            sums = {Decimal(0)}
            for client in clients:
                own = self._sent(terminals[client], side, time)
                pairs = {Decimal(0), *own, *map(sum, product(own, own))}
                sums = {earlier + each for earlier, each in product(sums, pairs)}
            if sums := sums - {Decimal(0)}:
                found[host] = sums
        return found

    def _sent(self, client: SimulatedTerminal, side: str, time: float) -> set[Decimal]:
        """The volumes that a client has sent within the window before this time, except 0."""
        found = set()
        for event in reversed(client.of_kind("sent")):
            if event.time < time - self._window:
                break
            volumes: Any = event.fields["volumes"]
            if event.time <= time and self._symbol in volumes:
                found.add(Decimal(volumes[self._symbol][SIDES.index(side)]))
        return found - {Decimal(0)}
