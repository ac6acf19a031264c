"""Whether copiers have what the provider has published and the broker has stored, soon after they have subscribed.

What a copier receives while the provider trades would hide that a stored message was lost, until the connection is
quiet. So this looks at each time in which the connections of the copier and of the provider work: then the copier must
have the provider's position within some seconds, from stored messages if there are no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from demos.copier.broker_connection import BrokerConnection
from demos.simulation.copiers import PROVIDER
from demos.simulation.joined_connections import connections_of, is_frozen
from demos.simulation.provider.copied_positions import SYMBOL, account_copier, lots_since
from demos.simulation.scenario import Violation
from demos.simulation.world import World

# Seconds: a copier whose question is answered has the stored messages at once, and what it reports as missing after
# ten seconds would have arrived in these.
_FOLLOWED_S = 8


class StoredStates:
    """Looks at one copier once in each second."""

    def __init__(self, copier: str, broker: str) -> None:
        self._copier, self._broker = copier, broker
        # The connections and the answer of the provider, since when they are the same, and when all had arrived.
        self._same: tuple[object, ...] = ()
        self._since = self._arrived_at = 0.0
        self._events = 0

    def check(self, world: World) -> Iterator[Violation]:
        """The copier has the provider's position, and misses nothing."""
        terminal = world.terminals[self._copier]
        alarms = [event for event in terminal.events[self._events :] if event.kind == "alarm"]
        self._events = len(terminal.events)
        copier = account_copier(terminal)
        same, has_arrived = self._connections(world)
        self._arrived_at = world.now if has_arrived else self._arrived_at
        # At one look a message may be on its way.
        if copier is None or same != self._same or world.now > self._arrived_at + 1.0:
            self._same, self._since = same, world.now
            return
        follower = copier.connection.follower
        if world.now - self._since < _FOLLOWED_S or follower.waits or follower.stopped:
            return
        if any(event.fields["name"] == "missing" for event in alarms):
            yield Violation("no stored message is lost", f"{self._copier} reports a missing one: {alarms[0].fields}")
        if not copier.connection.is_live:
            status = follower.status.value
            yield Violation("no stored message is lost", f"{self._copier} follows since {self._since} s: {status}")
        state = follower.state
        held = None if state is None else sum((p.lots for p in state.positions if p.symbol == SYMBOL), Decimal(0))
        if held not in lots_since(world.terminals[PROVIDER], world.now - _FOLLOWED_S):
            yield Violation(
                "no stored message is lost",
                f"{self._copier} follows since {self._since} s and has {held} lots, which the provider had not for "
                f"{_FOLLOWED_S} s",
            )

    def _connections(self, world: World) -> tuple[tuple[object, ...], bool]:
        """The connections of the copier and the provider to the broker with the answer that the copier follows.

        Also whether all that was sent has arrived.
        """
        names = (self._copier, PROVIDER)
        broker, copier = world.hosts[self._broker], account_copier(world.terminals[self._copier])
        if copier is None or not isinstance(copier.connection, BrokerConnection):
            return (), False
        answer = copier.connection._broker_states.answer
        connections = [connections_of(world.hosts[name], broker) for name in names]
        works = answer is not None and all(connections)
        if not works or any(is_frozen(world.hosts[name], name) for name in (*names, self._broker)):
            return (), False
        return (*map(frozenset, connections), answer), not any(map(sum, (each.values() for each in connections)))
