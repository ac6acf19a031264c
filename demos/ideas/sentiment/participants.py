"""Who counts as one participant, however many connections there are. No sockets, no clock.

The volumes of all connections of one IP address count as one participant's, and so do those of one IPv6 network of 64
bits, which one customer has. Otherwise a person could open several connections and learn the volumes of the last
participant, or move the totals without limit. On this computer, where every address may be used, the client's name
distinguishes the participants, unless a proxy may run there: all clients behind it would have a loopback address, and
could invent names. Then the server gives no names, and all connections from this computer are one participant.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NETWORK_BITS = 64


def participant(address: str, name: str) -> str:
    """The participant that a connection from this IP address belongs to; ``name`` is the client's, or ""."""
    host = ip_address(address.partition("%")[0])
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    if host.is_loopback:
        return f"this computer: {name}"
    return str(host if isinstance(host, IPv4Address) else ip_network((host, _NETWORK_BITS), strict=False))
