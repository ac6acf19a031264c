"""Addresses of the kernel, and Winsock's sockaddr bytes."""

from __future__ import annotations

from winsock.constants import AF_INET, AF_INET6

from ..kernel.addresses import mapped, stays_on_link, without_mapping
from ..kernel.packets import Address

_HEAD4, _HEAD6 = AF_INET.to_bytes(2, "little"), AF_INET6.to_bytes(2, "little")


def address_of(name: bytes) -> Address:
    """The address of a sockaddr of 16 or 28 bytes."""
    port = name[2] << 8 | name[3]
    if name[:2] == _HEAD4:
        return Address(bytes(name[4:8]), port)
    return Address(without_mapping(bytes(name[8:24])), port)


def scope_of(name: bytes) -> int:
    """The scope id of an IPv6 sockaddr; 0 for IPv4."""
    return int.from_bytes(name[24:28], "little")


def needed_scope_of(name: bytes) -> int:
    """The scope id of an IPv6 sockaddr whose address is link-local; 0 for others, as Linux ignores it."""
    return scope_of(name) if stays_on_link(address_of(name).ip) else 0


def name_of(address: Address, ipv6: bool, scope: int = 0) -> bytes:
    """The sockaddr that a socket of a family has for an address; IPv4 has no scope id."""
    port = address.port.to_bytes(2, "big")
    if not ipv6:
        return _HEAD4 + port + address.ip + bytes(8)
    return _HEAD6 + port + bytes(4) + mapped(address.ip) + scope.to_bytes(4, "little")
