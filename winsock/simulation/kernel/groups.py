"""Multicast groups and broadcasts: memberships, the interface for sending, and who receives."""

from __future__ import annotations

import errno
from typing import NamedTuple

from winsock import constants as c

from .addresses import Interface, Interfaces, is_multicast, is_wildcard
from .filters import Arrival
from .options import Options
from .packets import Address, Packet

_MOST_IPV4 = 20  # memberships of a socket, as on Linux


class Membership(NamedTuple):
    """A group that a socket has joined on an interface."""

    group: bytes
    interface: int


def change(interfaces: Interfaces, memberships: list[Membership], level: int, join: bool, request: bytes) -> int:
    """Joins or leaves the group of an ip_mreq or ipv6_mreq: 0, or minus the errno."""
    size = 4 if level == c.IPPROTO_IP else 16
    group = request[:size]
    if not is_multicast(group):
        return -errno.EINVAL
    index = _requested_interface(interfaces, group, request[size:])
    membership = Membership(group, index)
    if not join:
        return _leave(memberships, membership, size == 16 and not any(request[size:]))
    if not index:
        return -errno.ENODEV
    if membership in memberships:
        return -errno.EADDRINUSE
    if size == 4 and sum(len(one.group) == 4 for one in memberships) >= _MOST_IPV4:
        return -errno.ENOBUFS
    memberships.append(membership)
    return 0


def _leave(memberships: list[Membership], membership: Membership, any_interface: bool) -> int:
    """Ends a membership: 0, or minus the errno. Without an interface IPv6 ends the latest one of the group."""
    for one in reversed(memberships):
        if one == membership or (any_interface and one.group == membership.group):
            memberships.remove(one)
            return 0
    return -errno.EADDRNOTAVAIL


def _requested_interface(interfaces: Interfaces, group: bytes, request: bytes) -> int:
    """The index of the interface in a request; 0 where there is none like that."""
    index = int.from_bytes(request[:4], "big" if len(group) == 4 else "little")
    if not index:
        chosen = interfaces.towards(group)
        return chosen.index if chosen else 0
    if len(group) == 16 or index < 1 << 24:
        return index if interfaces.exists(index) else 0
    own = interfaces.with_address(request[:4])
    return own.index if own else 0


def interface_error(interfaces: Interfaces, level: int, option: int, value: int) -> int:
    """The errno of an IP_MULTICAST_IF or IPV6_MULTICAST_IF that names no interface; 0 for other options."""
    if (level, option) == (c.IPPROTO_IP, c.IP_MULTICAST_IF):
        ip = (value & 0xFFFFFFFF).to_bytes(4, "little")
        return 0 if _is_interface4(interfaces, ip) else errno.EADDRNOTAVAIL
    if (level, option) == (c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF):
        return 0 if not value or interfaces.exists(value) else errno.ENODEV
    return 0


def _is_interface4(interfaces: Interfaces, ip: bytes) -> bool:
    index = int.from_bytes(ip, "big")
    return not index or (interfaces.exists(index) if index < 1 << 24 else interfaces.with_address(ip) is not None)


def outgoing(
    interfaces: Interfaces, options: Options, ip: bytes, local: bytes = b"", scope: int = 0
) -> Interface | None:
    """The interface through which a datagram to a group or a broadcast address leaves.

    `local` is what bind has set, `scope` the scope id of the group's address.
    """
    of_local = interfaces.towards(local) if local and not is_wildcard(local) else None
    if not is_multicast(ip):
        return next((one for one in interfaces.all if one.broadcast == ip), of_local or interfaces.towards(ip))
    if len(ip) == 16:
        chosen = interfaces.with_index(scope or options.multicast_interface6, ip)
    else:
        wanted = (options.multicast_interface & 0xFFFFFFFF).to_bytes(4, "little")
        chosen = interfaces.with_address(wanted) or interfaces.with_index(int.from_bytes(wanted, "big"), ip)
    return chosen or of_local or interfaces.towards(ip)


def is_from(packet: Packet, peer: Address) -> bool:
    """Whether a datagram comes from the peer of a socket; port 0 is any port, as on Linux."""
    return packet.source.ip == peer.ip and peer.port in (0, packet.source.port)


def receives(
    local: Address, peer: Address | None, memberships: list[Membership], packet: Packet, arrival: Arrival
) -> bool:
    """Whether a socket receives a datagram to a group or a broadcast address."""
    ip = packet.destination.ip
    if not is_wildcard(local.ip) and local.ip != ip:
        return False
    if len(local.ip) == 4 != len(ip):
        return False
    if peer is not None and not is_from(packet, peer):
        return False
    # IPv6 ignores the interface of a membership; a packet filter compares it.
    return not is_multicast(ip) or any(
        one.group == ip and (len(ip) == 16 or one.interface == arrival.interface) for one in memberships
    )
