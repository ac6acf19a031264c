"""The interfaces of this machine and their addresses."""

from __future__ import annotations

from typing import NamedTuple

from .declarations import LINUX
from .loading import ffi, lib
from .sockaddr_layout import LARGEST, address_of, from_kernel

_IFF_UP, _IFF_BROADCAST, _IFF_LOOPBACK = 1, 2, 8


class InterfaceAddress(NamedTuple):
    """One address of an interface that is up."""

    interface: int  # its index
    address: bytes  # 4 or 16 bytes
    broadcast: bytes  # the net's broadcast address; b"" for IPv6 and for an interface without broadcasts
    loopback: bool


def own_addresses() -> list[InterfaceAddress]:
    """Every IPv4 and IPv6 address of this machine; empty where the system does not list them."""
    first = ffi.new("struct ifaddrs **") if LINUX else None
    if first is None or lib.getifaddrs(first) < 0:
        return []
    found = []
    entry = first[0]
    while entry:
        address = _address(entry.ifa_addr)
        if address and entry.ifa_flags & _IFF_UP:
            broadcast = _address(entry.ifa_ifu.ifu_broadaddr) if entry.ifa_flags & _IFF_BROADCAST else b""
            loopback = bool(entry.ifa_flags & _IFF_LOOPBACK)
            found.append(InterfaceAddress(lib.if_nametoindex(entry.ifa_name), address, broadcast, loopback))
        entry = entry.ifa_next
    lib.freeifaddrs(first[0])
    return found


def is_broadcast(address: bytes) -> bool:
    """Whether four bytes are the broadcast address of an interface's net."""
    return any(address == known.broadcast for known in own_addresses())


def _address(name: object) -> bytes:
    """The bytes of the address in a sockaddr of the kernel; b"" for NULL and for other families."""
    if not name:
        return b""
    # An interface's sockaddr is part of a larger structure, so LARGEST bytes of it can be read.
    converted = from_kernel(ffi.buffer(ffi.cast("char *", name), LARGEST)[:])
    return address_of(converted) if converted else b""
