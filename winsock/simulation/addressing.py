"""The names and addresses of the hosts of a network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TypeAlias

from .errors import SimulationError
from .kernel.addresses import Interface

__all__ = ["AddressBook"]

_NET4, _NET6 = ipaddress.IPv4Network("10.0.0.0/16"), ipaddress.IPv6Network("fd00::/64")
_Net: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_LAST_BYTES = 254  # 1 to 254: no address that some systems take for a network's or a broadcast's
_FIRST_INDEX = 2  # after that of loopback
_SMALLEST_NET = 31  # the prefix length of two hosts


class AddressBook:
    """Gives addresses to hosts and resolves names, also in the other direction."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[str, list[bytes]]] = {}  # by the name in lower case
        self._names: dict[bytes, str] = {}
        self._number = 0

    def add(self, name: str, addresses: Iterable[str]) -> tuple[Interface, ...]:
        """The interfaces of a new host.

        Errors: SimulationError if the name or an address is invalid, or another host has it.
        """
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", name) or _is_address(name):
            raise SimulationError(f"invalid host name: {name!r}; give letters, digits, hyphens and dots")
        if name.lower() == "localhost":
            raise SimulationError(
                f"invalid host name: {name!r}; it has a meaning of its own: each host is its localhost"
            )
        if name.lower() in self._hosts:
            raise SimulationError(f"host {self._hosts[name.lower()][0]} exists: give {name!r} another name")
        interfaces = _interfaces(addresses) or self._next()
        for interface in interfaces:
            if interface.address in self._names:
                taken = ipaddress.ip_address(interface.address)
                raise SimulationError(f"host {self._names[interface.address]} has the address {taken}")
        self._hosts[name.lower()] = name, [interface.address for interface in interfaces]
        self._names.update((interface.address, name) for interface in interfaces)
        return interfaces

    def addresses_of(self, name: str) -> list[bytes]:
        """The addresses of a host name; an empty list if there is no such host."""
        return list(self._hosts.get(name.lower().rstrip("."), ("", []))[1])

    def name_of(self, ip: bytes) -> str | None:
        return self._names.get(ip)

    def _next(self) -> tuple[Interface, ...]:
        """The next address of each family that no host has."""
        while True:
            third, last = divmod(self._number, _LAST_BYTES)
            self._number += 1
            suffix = third << 8 | last + 1
            found = tuple(_numbered(0, (net.network_address + suffix).packed, net.prefixlen) for net in (_NET4, _NET6))
            if not any(interface.address in self._names for interface in found):
                return found


def _interfaces(addresses: Iterable[str]) -> tuple[Interface, ...]:
    """The addresses with their interfaces. A host has an interface for each net of a family; the first nets of both
    families, and link-local addresses, belong to the first one."""
    nets: dict[int, list[_Net]] = {4: [], 6: []}
    found = []
    for text in addresses:
        given = _parse(text)
        known = nets[given.version]
        if given.network not in known and not given.is_link_local:
            known.append(given.network)
        number = 0 if given.is_link_local else known.index(given.network)
        found.append(_numbered(number, given.ip.packed, given.network.prefixlen))
    return tuple(found)


def _numbered(number: int, address: bytes, prefix: int) -> Interface:
    """An address of the interface eth0, eth1 and so on."""
    return Interface(f"eth{number}", _FIRST_INDEX + number, address, prefix)


def _parse(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        given = ipaddress.ip_interface(text)
    except ValueError:
        raise SimulationError(f"invalid address: {text!r}; give one such as 10.0.0.7 or fd00::7") from None
    default = _NET4 if given.version == 4 else _NET6
    interface = given if "/" in text else ipaddress.ip_interface(f"{text}/{default.prefixlen}")
    if problem := _problem(interface):
        raise SimulationError(f"invalid address: {text!r} is {problem}; give the address of one host, such as 10.0.0.7")
    return interface


def _problem(interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> str:
    """Why no host can have the address; an empty text if one can."""
    address, net = interface.ip, interface.network
    if address.is_loopback:
        return "a loopback address"
    if address.is_unspecified:
        return "the address of no host"
    if address.is_multicast:
        return "a multicast address"
    if address.version == 6:
        return "an IPv4 address in IPv6" if address.ipv4_mapped is not None else ""
    if address == ipaddress.IPv4Address("255.255.255.255") or _is_end(address, net.broadcast_address, net.prefixlen):
        return "a broadcast address"
    return f"the address of the net {net}" if _is_end(address, net.network_address, net.prefixlen) else ""


def _is_end(address: object, end: object, prefix: int) -> bool:
    """Whether it is the first or last address of a net. Both are those of hosts where the net has one or two."""
    return address == end and prefix < _SMALLEST_NET


def _is_address(name: str) -> bool:
    return re.fullmatch(r"[0-9.]+", name) is not None
