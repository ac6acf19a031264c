"""The interfaces of the host and their addresses."""

from __future__ import annotations

from typing import NamedTuple

from ..kernel.stack import Stack


class InterfaceAddress(NamedTuple):
    """One address of an interface that is up."""

    interface_name: bytes
    address: bytes  # 4 or 16 bytes
    broadcast: bytes  # the net's broadcast address; b"" for IPv6, for loopback and where there are no broadcasts
    loopback: bool
    interface: int  # its index


def own_addresses(stack: Stack) -> list[InterfaceAddress]:
    """Every IPv4 address of the host, then every IPv6 address."""
    return [
        InterfaceAddress(
            one.name.encode(), one.address, b"" if one.loopback else one.broadcast, one.loopback, one.index
        )
        for one in sorted(stack.interfaces.all, key=lambda one: len(one.address))
    ]
