"""Matches received datagrams with sent ones.

Datagrams can be lost, so they cannot be counted as the bytes of a stream: each received datagram is matched with the
first sent one that has the same addresses, size and content and that this socket has not received yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .address_matching import same_address
from .calls import PREVIEW
from .events import Arrow, CanCause, Event
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


def match_datagrams(sent: list[Datagram], received: list[Datagram], can_cause: CanCause, arrows: list[Arrow]) -> None:
    """Add the arrows from sent datagrams to received ones."""
    by_port: dict[str, list[Datagram]] = {}
    by_port_and_size: dict[tuple[str, int], list[Datagram]] = {}
    for datagram in sent:
        port = datagram.target.rpartition(":")[2]
        by_port.setdefault(port, []).append(datagram)
        by_port_and_size.setdefault((port, datagram.size), []).append(datagram)
    # The number of datagrams at the start of a list that a socket has already received: they are not read again.
    passed: dict[tuple[tuple[int, int], str, int], int] = {}
    for arrived in received:
        receiver = (arrived.event.lane, arrived.socket)
        port = arrived.target.rpartition(":")[2]
        # A datagram that was truncated was longer.
        whole = not arrived.event.error
        candidates = by_port_and_size.get((port, arrived.size), []) if whole else by_port.get(port, [])
        key = (receiver, port, arrived.size if whole else -1)
        first = passed.get(key, 0)
        while first < len(candidates) and receiver in candidates[first].receivers:
            first += 1
        passed[key] = first
        for number in range(first, len(candidates)):
            datagram = candidates[number]
            if receiver not in datagram.receivers and _same_datagram(datagram, arrived, can_cause):
                datagram.receivers.add(receiver)
                text = f"{arrived.size} bytes {_preview(arrived)}"
                arrows.append(Arrow(datagram.event, arrived.event, "datagram", text, arrived.size))
                break


def _same_datagram(sent: Datagram, received: Datagram, can_cause: CanCause) -> bool:
    shown = min(len(sent.data), len(received.data))
    truncated = bool(received.event.error)
    return (
        can_cause(sent.event, received.event)
        and (not received.source or same_address(sent.source, received.source))
        and same_address(sent.target, received.target)
        and (sent.size == received.size or (truncated and sent.size > received.size))
        and sent.data[:shown] == received.data[:shown]
    )


def _preview(datagram: Datagram) -> str:
    raw = bytes.fromhex(datagram.data[: 2 * PREVIEW])
    return quoted(raw, len(raw) < datagram.size)
