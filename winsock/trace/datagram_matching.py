"""Matches received datagrams with sent ones.

Datagrams can be lost, so they cannot be counted as the bytes of a stream: each received datagram is matched with the
first sent one that has the same addresses, size and content and that this socket has not received yet.

How it works: `_Index` groups the sent datagrams by all that a received one must have in common with them, so of a group
only the first one that the socket has not received is compared. A lost datagram never stands in the way of others. An
address can be unknown or a wildcard, and two traces can record different numbers of bytes of a datagram. So an index
has a table for each combination of what can be compared, made when a received datagram needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from .address_matching import host_and_port
from .calls import PREVIEW
from .events import Arrow, CanCause, Event
from .order import own_order
from .rendering import quoted

__all__ = ["Datagram", "match_datagrams"]


@dataclass
class Datagram:
    """A datagram that a call sent or received; `data` has the recorded bytes as hexadecimal digits."""

    event: Event
    socket: int
    source: str
    target: str
    size: int
    data: str
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
    index = _Index(sent)
    # The number of datagrams at the start of a list that a socket has already received: they are not read again.
    passed: dict[tuple[int, int, int], int] = {}
    for arrived in received:
        receiver = (arrived.event.lane, arrived.socket)
        found = []
        for equal in index.equal(arrived):
            key = (*receiver, id(equal))
            first = passed.get(key, 0)
            while first < len(equal) and receiver in equal[first].receivers:
                first += 1
            passed[key] = first
            # If it was sent too late, so were those after it.
            if first < len(equal) and can_cause(equal[first].event, arrived.event):
                found.append(equal[first])
        if found:
            datagram = min(found, key=lambda one: own_order(one.event))
            datagram.receivers.add(receiver)
            text = f"{arrived.size} byte{'' if arrived.size == 1 else 's'} {_preview(arrived)}"
            arrows.append(Arrow(datagram.event, arrived.event, "datagram", text, arrived.size))


def _preview(datagram: Datagram) -> str:
    raw = bytes.fromhex(datagram.data[: 2 * PREVIEW])
    return quoted(raw, len(raw) < datagram.size)
