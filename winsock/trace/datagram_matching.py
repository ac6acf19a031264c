"""Matches received datagrams with sent ones.

Datagrams can be lost, so they cannot be counted as the bytes of a stream: each received datagram is matched with the
first sent one that has the same addresses, size and content and that this socket has not received yet. If it has
received all of them, the network has made a duplicate of the last one. A datagram that was sent before the socket was
bound is usually lost, so it is matched only if no other one is left.

How it works: `_Index` groups the sent datagrams by all that a received one must have in common with them, so of a group
only the first one that the socket has not received is compared. A lost datagram never stands in the way of others. An
address can be unknown or a wildcard, and two traces can record different numbers of bytes of a datagram. So an index
has a table for each combination of what can be compared, made when a received datagram needs it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from .address_matching import host_and_port
from .calls import PREVIEW
from .events import Arrow, CanCause, Event
from .order import own_order
from .rendering import byte_count, quoted

__all__ = ["Datagram", "match_datagrams"]


@dataclass
class Datagram:
    """A datagram that a call sent or received; `data` has the recorded bytes as hexadecimal digits.

    `bound` is the call that bound or created its socket; None if the trace does not have it.
    """

    event: Event
    socket: int
    source: str
    target: str
    size: int
    data: str
    bound: Event | None = None
    receivers: set[tuple[int, int]] = field(default_factory=set)


# The target port, and the size; of a received datagram that was truncated, the size is negative.
_Kind: TypeAlias = "tuple[str, int]"
# Recorded bytes, the source and the target host; "" and None are not compared.
_Content: TypeAlias = "tuple[str, tuple[str, str] | None, str | None]"
# The sent datagrams of one content, by lane, each lane's in order of time.
_Table: TypeAlias = "dict[_Content, dict[int, list[Datagram]]]"


class _Index:
    """The sent datagrams, by what a received one has in common with them."""

    def __init__(self, sent: list[Datagram]) -> None:
        self._by_port: dict[str, list[Datagram]] = {}
        for datagram in sent:
            self._by_port.setdefault(host_and_port(datagram.target)[1], []).append(datagram)
        self._by_kind: dict[_Kind, list[Datagram]] = {}
        for port, datagrams in self._by_port.items():
            for datagram in datagrams:
                self._by_kind.setdefault((port, datagram.size), []).append(datagram)
        self._lengths: dict[_Kind, set[int]] = {}
        self._tables: dict[tuple[_Kind, int, int, bool, bool], _Table] = {}

    def equal(self, received: Datagram) -> Iterator[list[Datagram]]:
        """Lists of the sent datagrams that are equal to a received one, each of one lane and in order of time."""
        host, port = host_and_port(received.target)
        if port in ("", "0"):
            return
        kind = port, -received.size if received.event.error else received.size
        source = host_and_port(received.source) if received.source else None
        # A host "" can be any one.
        sources = {source, ("", source[1])} if source else {None}
        targets = {host, ""} if host else {None}
        if kind not in self._lengths:
            self._lengths[kind] = {len(datagram.data) for datagram in self._of_kind(kind)}
        for length in self._lengths[kind]:
            shown = min(length, len(received.data))
            table = self._table(kind, length, shown, source is not None, bool(host))
            for one in sources:
                for other in targets:
                    yield from table.get((received.data[:shown], one, other), {}).values()

    def _of_kind(self, kind: _Kind) -> list[Datagram]:
        port, size = kind
        if size >= 0:
            return self._by_kind.get(kind, [])
        # A datagram that was truncated was longer.
        return [datagram for datagram in self._by_port.get(port, []) if datagram.size >= -size]

    def _table(self, kind: _Kind, length: int, shown: int, with_source: bool, with_target: bool) -> _Table:
        key = kind, length, shown, with_source, with_target
        if key not in self._tables:
            table = self._tables[key] = {}
            for datagram in self._of_kind(kind):
                if len(datagram.data) == length:
                    source = host_and_port(datagram.source) if with_source else None
                    target = host_and_port(datagram.target)[0] if with_target else None
                    lanes = table.setdefault((datagram.data[:shown], source, target), {})
                    lanes.setdefault(datagram.event.lane, []).append(datagram)
        return self._tables[key]


def match_datagrams(sent: list[Datagram], received: list[Datagram], can_cause: CanCause, arrows: list[Arrow]) -> None:
    """Add the arrows from sent datagrams to received ones; both lists are in order of time."""
    index, search = _Index(sent), _Search(can_cause)
    for arrived in received:
        parts = [search.parts(equal, arrived) for equal in index.equal(arrived)]
        found = search.unreceived(arrived, [late for _, late in parts])
        found = found or search.unreceived(arrived, [early for early, _ in parts])
        text = f"{byte_count(arrived.size)} {_preview(arrived)}"
        if found:
            found.receivers.add(_receiver(arrived))
            arrows.append(Arrow(found.event, arrived.event, "datagram", text, arrived.size))
        elif last := search.last_received(arrived, [part for both in parts for part in both]):
            arrows.append(Arrow(last.event, arrived.event, "datagram", f"{text}, a duplicate", arrived.size))


class _Part(NamedTuple):
    """The sent datagrams of a list from number `begin` up to, not including, `end`."""

    equal: list[Datagram]
    begin: int
    end: int


class _Search:
    """Finds the datagram that a socket has received, among equal ones."""

    def __init__(self, can_cause: CanCause) -> None:
        self._can_cause = can_cause
        # For a socket and a part, the first datagram that the socket has not received: those before it are not read
        # again.
        self._first: dict[tuple[int, int, int, int], int] = {}

    def parts(self, equal: list[Datagram], arrived: Datagram) -> tuple[_Part, _Part]:
        """The datagrams that were sent before the receiving socket was bound, and those after it."""
        begin, bound = 0, arrived.bound
        if bound is not None:
            begin = bisect_left(equal, True, key=lambda datagram: self._can_cause(bound, datagram.event))
        return _Part(equal, 0, begin), _Part(equal, begin, len(equal))

    def unreceived(self, arrived: Datagram, parts: list[_Part]) -> Datagram | None:
        """The first datagram of these parts that the socket has not received."""
        found = []
        for part in parts:
            first = self._position(arrived, part)
            # If it was sent too late, so were those after it.
            if first < part.end and self._can_cause(part.equal[first].event, arrived.event):
                found.append(part.equal[first])
        return min(found, key=_order, default=None)

    def last_received(self, arrived: Datagram, parts: list[_Part]) -> Datagram | None:
        """The last datagram of these parts that the socket has received."""
        found = [
            part.equal[self._position(arrived, part) - 1]
            for part in parts
            if self._position(arrived, part) > part.begin
        ]
        return max(found, key=_order, default=None)

    def _position(self, arrived: Datagram, part: _Part) -> int:
        receiver = _receiver(arrived)
        key = (*receiver, id(part.equal), part.begin)
        first = self._first.get(key, part.begin)
        while first < part.end and receiver in part.equal[first].receivers:
            first += 1
        self._first[key] = first
        return first


def _receiver(arrived: Datagram) -> tuple[int, int]:
    """The lane and the socket that received a datagram."""
    return arrived.event.lane, arrived.socket


def _order(datagram: Datagram) -> tuple[int, int, int]:
    return own_order(datagram.event)


def _preview(datagram: Datagram) -> str:
    raw = bytes.fromhex(datagram.data[: 2 * PREVIEW])
    return quoted(raw, len(raw) < datagram.size)
