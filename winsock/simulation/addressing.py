"""The names and addresses of the hosts of a network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from .errors import SimulationError
from .kernel.addresses import Interface

__all__ = ["AddressBook"]

_NET4, _NET6 = ipaddress.IPv4Network("10.0.0.0/16"), ipaddress.IPv6Network("fd00::/64")
_LAST_BYTES = 254  # 1 to 254: no address that some systems take for a network's or a broadcast's
_INTERFACE = ("eth0", 2)


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
        if name.lower() in self._hosts:
            raise SimulationError(f"host {self._hosts[name.lower()][0]} exists: give {name!r} another name")
        interfaces = tuple(_interface(text) for text in addresses) or self._next()
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
            found = tuple(
                Interface(*_INTERFACE, (net.network_address + suffix).packed, net.prefixlen) for net in (_NET4, _NET6)
            )
            if not any(interface.address in self._names for interface in found):
                return found


def _interface(text: str) -> Interface:
    try:
        given = ipaddress.ip_interface(text)
    except ValueError:
        raise SimulationError(f"invalid address: {text!r}; give one such as 10.0.0.7 or fd00::7") from None
    default = _NET4 if given.version == 4 else _NET6
    prefix = given.network.prefixlen if "/" in text else default.prefixlen
    return Interface(*_INTERFACE, given.ip.packed, prefix)


def _is_address(name: str) -> bool:
    return re.fullmatch(r"[0-9.]+", name) is not None
