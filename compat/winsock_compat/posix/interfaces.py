"""The interfaces of this machine and their addresses."""

from __future__ import annotations

from typing import Any, NamedTuple

from .declarations import LINUX
from .loading import ffi, get_errno, lib
from .sockaddr_layout import LARGEST, address_of, from_kernel

_IFF_UP, _IFF_BROADCAST, _IFF_LOOPBACK = 1, 2, 8


class InterfaceAddress(NamedTuple):
    """One address of an interface that is up."""

    interface_name: bytes
    address: bytes  # 4 or 16 bytes
    broadcast: bytes  # the net's broadcast address; b"" for IPv6 and where there are no broadcasts
    loopback: bool

    @property
    def interface(self) -> int:
        """The index of the interface; 0 if it no longer exists. It costs a system call."""
        index: int = lib.if_nametoindex(self.interface_name)
        return index


def own_addresses() -> list[InterfaceAddress]:
    """Every IPv4 and IPv6 address of this machine; empty where the system does not list them.

    Raises OSError if the list cannot be read, as without a free descriptor.
    """
    if not LINUX:
        return []
    first = ffi.new("struct ifaddrs **")
    if lib.getifaddrs(first) < 0:
        raise OSError(get_errno(), "the addresses of the interfaces cannot be read")
    found = []
    entry = first[0]
    while entry:
        address = _address(entry.ifa_addr)
        if address and entry.ifa_flags & _IFF_UP:
            loopback = bool(entry.ifa_flags & _IFF_LOOPBACK)
            found.append(InterfaceAddress(ffi.string(entry.ifa_name), address, _broadcast(entry, address), loopback))
        entry = entry.ifa_next
    lib.freeifaddrs(first[0])
    return found


def _broadcast(entry: Any, own: bytes) -> bytes:
    """The broadcast address of an IPv4 address's net; b"" where there is none, as in a net of one or two addresses."""
    if len(own) != 4 or not entry.ifa_flags & _IFF_BROADCAST:
        return b""
    explicit = _address(entry.ifa_ifu.ifu_broadaddr)
    if explicit not in (b"", bytes(4), own):
        return explicit
    # The system stores the own address for a net whose broadcast address was not set.
    hosts = 0xFFFFFFFF - int.from_bytes(_address(entry.ifa_netmask), "big")
    return (int.from_bytes(own, "big") | hosts).to_bytes(4, "big") if hosts > 1 else b""


def _address(name: object) -> bytes:
    """The bytes of the address in a sockaddr of the kernel; b"" for NULL and for other families."""
    if not name:
        return b""
    # An interface's sockaddr is part of a larger structure, so LARGEST bytes of it can be read.
    converted = from_kernel(ffi.buffer(ffi.cast("char *", name), LARGEST)[:])
    return address_of(converted) if converted else b""
