"""Carries packets between hosts: the links of all pairs, the rules that change them for a while, and the routing.

Each pair of hosts has a link of its own, with the network's default settings until somebody sets others. A rule changes
some settings of some links while it is active; where rules overlap, the one that began last decides. A direction of a
link is made when its first packet is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from .kernel.addresses import LIMITED_BROADCAST, Interface, is_multicast
from .kernel.packets import Packet
from .links import Direction, LinkSettings, Nat, checked_settings
from .random_streams import random_stream
from .scheduler import Scheduler

__all__ = ["Endpoint", "Rule", "Wires"]


class Endpoint(Protocol):
    """What the wires need of a host."""

    name: str
    interfaces: tuple[Interface, ...]

    @property
    def reachable(self) -> bool:
        """Whether packets come in and go out: the host runs and has not vanished."""
        ...

    def receive(self, packet: Packet) -> None: ...


class Rule:
    """Other settings for some links. `first` or `second` None means any host."""

    def __init__(
        self,
        first: str | None,
        second: str | None,
        one_way: bool,
        settings: Mapping[str, float | int | bool | None],
    ) -> None:
        self.first, self.second, self.one_way, self.settings = first, second, one_way, settings

    def concerns(self, source: str, target: str) -> bool:
        return self._matches(source, target) or (not self.one_way and self._matches(target, source))

    def _matches(self, source: str, target: str) -> bool:
        return self.first in (None, source) and self.second in (None, target)

    def same_pair(self, first: str, second: str) -> bool:
        return {self.first, self.second} == {first, second}


class Wires:
    """See the head of this module."""

    def __init__(self, seed: int | str, scheduler: Scheduler, default: LinkSettings) -> None:
        self.default = default
        # Gets the name of a host and what happens to a packet there. None costs nothing.
        self.record: Callable[[str, str], None] | None = None
        self.counters: Counter[str] = Counter()
        self._seed, self._scheduler = seed, scheduler
        self._endpoints: dict[str, Endpoint] = {}
        self._by_address: dict[bytes, Endpoint] = {}
        self._broadcasts = {LIMITED_BROADCAST}
        self._settings: dict[tuple[str, str], LinkSettings] = {}
        self._rules: list[Rule] = []
        self._directions: dict[tuple[str, str], Direction] = {}
        self._nats: dict[frozenset[str], Nat] = {}

    def attach(self, endpoint: Endpoint) -> None:
        self._endpoints[endpoint.name] = endpoint
        for interface in endpoint.interfaces:
            self._by_address[interface.address] = endpoint
            self._broadcasts |= {interface.broadcast} - {b""}

    def host_of(self, ip: bytes) -> str | None:
        """The name of the host that has an address."""
        endpoint = self._by_address.get(ip)
        return endpoint.name if endpoint else None

    def set_default(self, settings: LinkSettings) -> None:
        self.default = settings
        self._refresh()

    def set_link(self, source: str, target: str, changes: dict[str, float | int | bool | None]) -> None:
        """Sets the link in one direction; settings that are not given are the default's."""
        self._settings[source, target] = checked_settings(self.default, changes)
        self._refresh()

    def linked_pairs(self) -> list[tuple[str, str]]:
        """The pairs of hosts whose link was set, in the order of setting."""
        pairs: dict[frozenset[str], tuple[str, str]] = {}
        for pair in self._settings:
            pairs.setdefault(frozenset(pair), pair)
        return list(pairs.values())

    def add_rule(self, rule: Rule) -> None:
        checked_settings(self.default, rule.settings)
        self._rules.append(rule)
        self._refresh()

    def remove_rules(self, ended: Callable[[Rule], bool]) -> None:
        self._rules = [rule for rule in self._rules if not ended(rule)]
        self._refresh()

    def _refresh(self) -> None:
        """Changed settings hold from now on."""
        for (source, target), direction in self._directions.items():
            settings = self.settings_of(source, target)
            if settings != direction.settings:
                direction.apply(settings, self._scheduler.now)

    def settings_of(self, source: str, target: str) -> LinkSettings:
        """What holds now for packets from `source` to `target`."""
        settings = self._settings.get((source, target), self.default)
        changes: dict[str, float | int | bool | None] = {}
        for rule in self._rules:
            if rule.concerns(source, target):
                changes.update(rule.settings)
        return checked_settings(settings, changes)

    def transmit(self, source: Endpoint, packet: Packet) -> None:
        """Sends a packet of `source` to the host that has its destination, or to all for broadcasts and multicasts."""
        ip = packet.destination.ip
        target = self._by_address.get(ip)
        if target is not None:
            self._send(source, target, packet)
        elif ip in self._broadcasts or is_multicast(ip):
            for other in self._endpoints.values():
                if other is not source:
                    self._send(source, other, packet)
        else:
            self._drop(source.name, packet, "no route")

    def _send(self, source: Endpoint, target: Endpoint, packet: Packet) -> None:
        now = self._scheduler.now
        self.counters["sent"] += 1
        if not source.reachable:
            self._drop(source.name, packet, "host vanished")
            return
        direction = self._direction(source.name, target.name)
        passage = direction.send(packet, now)
        if passage.dropped:
            self._drop(source.name, packet, passage.dropped)
            return
        if self.record:
            self.record(source.name, f"send {packet}")
        self.counters["duplicated"] += len(passage.arrivals) - 1
        for arrival in passage.arrivals:
            self._scheduler.call_at(arrival, partial(self._deliver, direction, target, packet), background=True)

    def _deliver(self, direction: Direction, target: Endpoint, packet: Packet) -> None:
        direction.arrived(packet, self._scheduler.now)
        if not target.reachable:
            self._drop(target.name, packet, "host down or vanished")
            return
        self.counters["delivered"] += 1
        if self.record:
            self.record(target.name, f"receive {packet}")
        target.receive(packet)

    def _drop(self, host: str, packet: Packet, reason: str) -> None:
        self.counters[f"dropped: {reason}"] += 1
        if self.record:
            self.record(host, f"drop ({reason}) {packet}")

    def _direction(self, source: str, target: str) -> Direction:
        direction = self._directions.get((source, target))
        if direction is None:
            nat = self._nats.setdefault(frozenset((source, target)), Nat())
            # A stream for each direction: the packets of one do not change what happens to those of another.
            random = random_stream(self._seed, f"network/{source}/{target}")
            direction = Direction(random, nat, self.settings_of(source, target), self._scheduler.now)
            self._directions[source, target] = direction
        return direction
