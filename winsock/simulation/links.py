"""Links: what happens to a packet between two hosts.

A link has two directions, each with its own settings and queue. A NAT belongs to both. A packet passes a direction in
this order:

1. A blocked direction (a partition) drops it. So does a NAT that has forgotten the packet's flow.
2. The transmitter sends one packet after the other. With a bandwidth, a packet takes size / bandwidth seconds, and the
   packets behind it wait in a queue. A packet that finds the queue full is dropped ("tail drop"). A queue that has room
   for one byte takes a whole packet, because one packet of the simulation may stand for many segments of a stream.
3. The line drops it with the probability `loss`. A lost packet has used its part of the bandwidth.
4. It arrives after the latency and a random part of the jitter. Without `reorder`, packets of one flow (protocol,
   source and destination) arrive in the order in which they were sent: jitter delays, it does not reorder. With the
   probability `reorder` a datagram arrives later, so that those behind it overtake it; with the probability `duplicate`
   it arrives twice. Packets of TCP are neither reordered nor duplicated.

All times are integers of nanoseconds. A direction remembers only the flows that have packets on the way, and those
that a NAT knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, NamedTuple, Protocol

from .errors import SimulationError
from .units import MILLISECOND, SECOND
from .values import is_number, is_time

__all__ = ["Direction", "LinkSettings", "Nat", "Passage", "Transported", "checked_settings"]

# Where neither the latency nor the jitter says how much later a reordered or duplicated datagram arrives.
_SHORT_DELAY = MILLISECOND
# A smaller bandwidth would give times that nobody can calculate with.
_SMALLEST = 1 / SECOND
# How long a NAT remembers a flow that it has forgotten.
_LONGEST_MEMORY = 3600 * SECOND
# The flows of a NAT among which it looks for old ones.
_MANY_FLOWS = 1000


class Transported(Protocol):
    """What a link must know of a packet."""

    @property
    def protocol(self) -> str: ...  # "tcp" or "udp"
    @property
    def source(self) -> object: ...  # address and port, hashable
    @property
    def destination(self) -> object: ...
    @property
    def size(self) -> int: ...  # bytes on the wire
    @property
    def opens_flow(self) -> bool: ...  # the first packet of a connection: SYN without ACK


@dataclass(frozen=True)
class LinkSettings:
    """The settings of a link: seconds, bytes, bytes per second and probabilities from 0 to 1.

    latency: the time of every packet from host to host; jitter: a packet takes up to this much longer; bandwidth: None
    is unlimited; queue: the bytes that wait for the transmitter at most; loss, duplicate, reorder: probabilities for
    each packet, the last two for datagrams; nat_timeout: a flow that is idle for longer is forgotten, and its packets
    are then dropped; blocked: every packet is dropped.
    """

    latency: float = 0.001
    jitter: float = 0.0
    bandwidth: float | None = None
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    queue: int = 64_000
    nat_timeout: float | None = None
    blocked: bool = False

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value <= 1:
                raise SimulationError(f"invalid {name}: {value!r}; give a probability from 0 to 1")
        for name in ("latency", "jitter"):
            value = getattr(self, name)
            if not is_time(value) or value < 0:
                raise SimulationError(f"invalid {name}: {value!r}; give a time of at least 0 seconds")
        for name in ("bandwidth", "nat_timeout", "queue"):
            value = getattr(self, name)
            unlimited = value is None and name != "queue"
            if not unlimited and not (is_number(value) and value >= _SMALLEST):
                raise SimulationError(f"invalid {name}: {value!r}; give a number above 0")
        if not is_time(self.nat_timeout or 0):
            raise SimulationError(f"invalid nat_timeout: {self.nat_timeout!r}; give a time")
        if not isinstance(self.blocked, bool):
            raise SimulationError(f"invalid blocked: {self.blocked!r}; give True or False")


SETTING_NAMES = tuple(field.name for field in fields(LinkSettings))


def checked_settings(base: LinkSettings, changes: Mapping[str, float | int | bool | None]) -> LinkSettings:
    """`base` with `changes`. Errors: SimulationError for an unknown setting or an invalid value."""
    for name in changes:
        if name not in SETTING_NAMES:
            raise SimulationError(f"unknown setting of a link: {name!r}; the settings are {', '.join(SETTING_NAMES)}")
    valid: Mapping[str, Any] = changes  # __post_init__ checks the values
    return replace(base, **valid)


class Passage(NamedTuple):
    """What a direction does with a packet: the times at which it arrives, or why it is dropped."""

    arrivals: tuple[int, ...] = ()
    dropped: str = ""


class Nat:
    """The flows that a network address translation between two hosts knows; both directions of a link share it.

    A flow is forgotten when no packet has used it for the timeout; if the directions have different ones, the shorter
    one holds. The packets of a forgotten connection are dropped in both directions, without an answer, until a SYN
    opens it again. A forgotten flow of datagrams is opened again by the side that sent its first datagram; datagrams of
    the other side are dropped. An hour after it was forgotten, nothing is known of a flow. The NAT still drops the
    packets of a connection that it does not know.
    """

    def __init__(self) -> None:
        self._flows: dict[frozenset[object], tuple[int, object]] = {}  # the time of its last packet, and who opened it
        self._forgotten: dict[frozenset[object], tuple[int, object]] = {}  # when, and who opened it
        self._timeouts: dict[object, int] = {}  # of the directions that have one
        self._timeout: int | None = None
        self._started = 0
        self._purge_at = _MANY_FLOWS

    @property
    def flows_known(self) -> int:
        return len(self._flows) + len(self._forgotten)

    def set_timeout(self, direction: object, timeout: int | None, now: int) -> None:
        """Starts or ends forgetting. Flows that are already forgotten stay forgotten."""
        if timeout is None:
            self._timeouts.pop(direction, None)
        else:
            self._timeouts[direction] = timeout
        timeout = min(self._timeouts.values(), default=None)
        if timeout == self._timeout:
            return
        for flow in list(self._flows):
            self._forget_if_idle(flow, now)
        if timeout is None:
            self._flows.clear()
        elif self._timeout is None:
            self._started = now
        self._timeout = timeout

    def passes(self, packet: Transported, now: int) -> bool:
        if self._timeout is None and not self._forgotten:
            return True
        flow = frozenset((packet.protocol, packet.source, packet.destination))
        self._forget_if_idle(flow, now)
        if self._is_older_than_the_nat(flow, packet, now):
            self._forgotten[flow] = now, packet.source
        if flow in self._forgotten:
            opens = packet.opens_flow if packet.protocol == "tcp" else packet.source == self._forgotten[flow][1]
            if not opens:
                return False
            del self._forgotten[flow]
        if self._timeout is not None:
            opener = self._flows[flow][1] if flow in self._flows else packet.source
            self._flows[flow] = (now, opener)
            self._purge(now)
        return True

    def _is_older_than_the_nat(self, flow: frozenset[object], packet: Transported, now: int) -> bool:
        """Whether this is a connection that has been idle since before the NAT began, and for too long."""
        if self._timeout is None or flow in self._flows or flow in self._forgotten or packet.protocol != "tcp":
            return False
        return not packet.opens_flow and now - self._started > self._timeout

    def _forget_if_idle(self, flow: frozenset[object], now: int) -> None:
        if self._timeout is not None and flow in self._flows and now - self._flows[flow][0] > self._timeout:
            last, opener = self._flows.pop(flow)
            self._forgotten[flow] = last + self._timeout, opener
        if flow in self._forgotten and now - self._forgotten[flow][0] > _LONGEST_MEMORY:
            del self._forgotten[flow]

    def _purge(self, now: int) -> None:
        """Of many short flows that never come again, only those of the last time take memory."""
        if self.flows_known >= self._purge_at:
            for flow in [*self._flows, *self._forgotten]:
                self._forget_if_idle(flow, now)
            self._purge_at = max(_MANY_FLOWS, 2 * self.flows_known)


class Direction:
    """One direction of a link."""

    def __init__(self, random: Random, nat: Nat, settings: LinkSettings, now: int = 0) -> None:
        self._random = random
        self._nat = nat
        self._transmitter_free = 0  # when the last byte that was accepted has been sent
        self._last_arrivals: dict[tuple[str, object, object], int] = {}
        self.apply(settings, now)

    def apply(self, settings: LinkSettings, now: int) -> None:
        """Uses `settings` for the packets that are sent from now on."""
        self.settings = settings
        self._latency = _nanoseconds(settings.latency)
        self._jitter = _nanoseconds(settings.jitter)
        timeout = None if settings.nat_timeout is None else _nanoseconds(settings.nat_timeout)
        self._nat.set_timeout(self, timeout, now)

    @property
    def flows_on_the_way(self) -> int:
        return len(self._last_arrivals)

    def send(self, packet: Transported, now: int) -> Passage:
        """Decides what happens to a packet that a host sends now."""
        settings = self.settings
        if settings.blocked:
            return Passage(dropped="partition")
        if not self._nat.passes(packet, now):
            return Passage(dropped="forgotten by the NAT")
        sent = now
        if settings.bandwidth is not None:
            start = max(now, self._transmitter_free)
            if (start - now) * settings.bandwidth >= settings.queue * SECOND:
                return Passage(dropped="queue full")
            self._transmitter_free = sent = start + round(packet.size * SECOND / settings.bandwidth)
        if settings.loss and self._random.random() < settings.loss:
            return Passage(dropped="loss")
        arrival = sent + self._latency
        if self._jitter:
            arrival += self._random.randrange(self._jitter + 1)
        return Passage(self._arrivals(packet, arrival))

    def _arrivals(self, packet: Transported, arrival: int) -> tuple[int, ...]:
        settings = self.settings
        datagram = packet.protocol != "tcp"
        if datagram and settings.reorder and self._random.random() < settings.reorder:
            arrivals: tuple[int, ...] = (arrival + self._extra_delay(),)  # later datagrams do not wait for this one
        else:
            flow = (packet.protocol, packet.source, packet.destination)
            arrival = max(arrival, self._last_arrivals.get(flow, 0))
            self._last_arrivals[flow] = arrival
            arrivals = (arrival,)
        if datagram and settings.duplicate and self._random.random() < settings.duplicate:
            arrivals += (arrivals[0] + self._extra_delay(),)
        return arrivals

    def _extra_delay(self) -> int:
        return self._random.randrange(1, max(self._latency, self._jitter, _SHORT_DELAY) + 1)

    def arrived(self, packet: Transported, now: int) -> None:
        """Forgets the flow of a packet that arrives now, if no other packet of it is on the way."""
        flow = (packet.protocol, packet.source, packet.destination)
        if self._last_arrivals.get(flow, now + 1) <= now:
            del self._last_arrivals[flow]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * SECOND)
