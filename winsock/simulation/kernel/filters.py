"""Packet filters: which datagrams a socket receives, besides those of its address and its groups.

A filter comes across the seam as bytes, from posix.packet_filter; `unpack` reads them. It sees where a datagram came
from and where it was sent to. A datagram that it drops makes no socket readable and takes no room in a queue.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from .addresses import is_multicast

_HEAD, _GROUP = struct.Struct("<BBI"), struct.Struct("<16sI")


class Arrival(NamedTuple):
    """How a datagram has arrived."""

    ip: bytes  # the address to which it was sent
    interface: int
    from_this_host: bool
    loopback: bool  # whether its interface is that of loopback


class Filter(NamedTuple):
    """What posix.packet_filter.program describes."""

    loop: bool
    loop6: bool
    groups6: Sequence[tuple[bytes, int]]
    interface: int


def pack(filter: Filter) -> bytes:
    head = _HEAD.pack(filter.loop, filter.loop6, filter.interface)
    return head + b"".join(_GROUP.pack(*one) for one in filter.groups6)


def unpack(program: bytes) -> Filter | None:
    if not program:
        return None
    loop, loop6, interface = _HEAD.unpack_from(program)
    return Filter(bool(loop), bool(loop6), list(_GROUP.iter_unpack(program[_HEAD.size :])), interface)


def accepts(filter: Filter | None, arrival: Arrival) -> bool:
    """Whether the filter accepts a datagram."""
    if filter is None:
        return True
    if filter.interface and filter.interface != arrival.interface:
        return False
    if not is_multicast(arrival.ip):
        return True
    if len(arrival.ip) == 4:
        return filter.loop or not arrival.from_this_host
    if any(index for _, index in filter.groups6):
        matches = any(ip == arrival.ip and index in (0, arrival.interface) for ip, index in filter.groups6)
        if not matches:
            return False
    return filter.loop6 or not arrival.from_this_host
