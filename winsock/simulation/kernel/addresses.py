"""Classes of IP addresses, and the addresses of a host's interfaces. IP addresses are 4 or 16 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ANY4, ANY6 = bytes(4), bytes(16)
LIMITED_BROADCAST = b"\xff" * 4
_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK6 = bytes(15) + b"\1"


@dataclass(frozen=True)
class Interface:
    """One address of an interface. `prefix` is the number of bits that all addresses of its net share."""

    name: str
    index: int
    address: bytes
    prefix: int

    @property
    def loopback(self) -> bool:
        return is_loopback(self.address)

    @property
    def broadcast(self) -> bytes:
        """The broadcast address of the net; b"" where there is none."""
        hosts = (1 << 32 - self.prefix) - 1 if len(self.address) == 4 else 0
        if hosts < 2:
            return b""
        return (int.from_bytes(self.address, "big") | hosts).to_bytes(4, "big")

    def reaches(self, ip: bytes) -> bool:
        """Whether the address is in the interface's net."""
        if len(ip) != len(self.address):
            return False
        shift = 8 * len(ip) - self.prefix
        return int.from_bytes(ip, "big") >> shift == int.from_bytes(self.address, "big") >> shift


LOOPBACK = (Interface("lo", 1, b"\x7f\0\0\1", 8), Interface("lo", 1, _LOOPBACK6, 128))


def is_loopback(ip: bytes) -> bool:
    return ip[0] == 127 if len(ip) == 4 else ip == _LOOPBACK6


def is_multicast(ip: bytes) -> bool:
    return ip[0] >> 4 == 14 if len(ip) == 4 else ip[0] == 0xFF


def is_link_local(ip: bytes) -> bool:
    """Whether an IPv6 address is in fe80::/10."""
    return len(ip) == 16 and ip[0] == 0xFE and ip[1] >> 6 == 2


def stays_on_link(ip: bytes) -> bool:
    """Whether no router passes packets to an IPv6 address on: it, or the group, is link-local."""
    return is_link_local(ip) or (len(ip) == 16 and ip[0] == 0xFF and ip[1] & 15 <= 2)


def is_wildcard(ip: bytes) -> bool:
    return ip in (ANY4, ANY6)


def without_mapping(ip: bytes) -> bytes:
    """The IPv4 address of an IPv4-mapped one, else the same address."""
    return ip[12:] if len(ip) == 16 and ip.startswith(_MAPPED) else ip


def mapped(ip: bytes) -> bytes:
    """The IPv4-mapped IPv6 address of an IPv4 one."""
    return _MAPPED + ip if len(ip) == 4 else ip


class Interfaces:
    """The addresses of a host, with those of loopback."""

    def __init__(self, addresses: Iterable[Interface]) -> None:
        self.all: Sequence[Interface] = (*LOOPBACK, *addresses)
        self._by_address = {one.address: one for one in reversed(self.all)}
        self._broadcasts = {LIMITED_BROADCAST, *(one.broadcast for one in self.all)} - {b""}

    def is_own(self, ip: bytes) -> bool:
        return ip in self._by_address or (len(ip) == 4 and ip[0] == 127 and not self.is_broadcast(ip))

    def is_broadcast(self, ip: bytes) -> bool:
        return ip in self._broadcasts

    def exists(self, index: int) -> bool:
        return any(one.index == index for one in self.all)

    def leads_to(self, index: int, ip: bytes) -> bool:
        """Whether packets to an IPv6 address that needs a scope id can leave through the interface."""
        return any(
            one.index == index and len(one.address) == 16 and (is_multicast(ip) or one.reaches(ip)) for one in self.all
        )

    def with_index(self, index: int, ip: bytes) -> Interface | None:
        """The address of an interface from which packets to an address leave."""
        return _for_scope(ip, [one for one in self.all if one.index == index and len(one.address) == len(ip)])

    def with_address(self, ip: bytes) -> Interface | None:
        return self._by_address.get(ip)

    def towards(self, ip: bytes) -> Interface | None:
        """The interface through which packets to an address leave; None without a route."""
        if is_loopback(ip):
            return LOOPBACK[len(ip) == 16]
        own = self.with_address(ip)
        if own:
            return own
        outside = [one for one in self.all if not one.loopback and len(one.address) == len(ip)]
        return next((one for one in outside if one.reaches(ip)), _for_scope(ip, outside))


def _for_scope(ip: bytes, addresses: Sequence[Interface]) -> Interface | None:
    """The first address that is link-local if the destination is, and only then; else the first one."""
    fitting = (one for one in addresses if is_link_local(one.address) == stays_on_link(ip))
    return next(fitting, addresses[0] if addresses else None)
