"""The addresses of this machine's network interfaces."""

from __future__ import annotations

from typing import Any, NamedTuple

from winsock.constants import AF_INET, AF_INET6

from . import declarations as kernel
from .loading import ffi, lib
from .sockaddr_layout import SIZE, family_of, from_kernel


class InterfaceAddress(NamedTuple):
    """Winsock's sockaddr with port 0, and whether the interface is a loopback one."""

    name: bytes
    is_loopback: bool


def addresses() -> list[InterfaceAddress] | None:
    """The IPv4 and IPv6 addresses of all interfaces that are up; None if the kernel does not report them at present."""
    entries = ffi.new("struct ifaddrs **")
    if lib.getifaddrs(entries) < 0:
        return None
    found, entry = [], entries[0]
    while entry:
        if entry.ifa_addr and entry.ifa_flags & kernel.IFF_UP:
            name = _sockaddr(ffi.cast("char *", entry.ifa_addr))
            if name:
                found.append(InterfaceAddress(name, bool(entry.ifa_flags & kernel.IFF_LOOPBACK)))
        entry = entry.ifa_next
    lib.freeifaddrs(entries[0])
    return found


def _sockaddr(raw: Any) -> bytes:
    # The shorter size first: it may be the address of another family.
    name = from_kernel(ffi.buffer(raw, SIZE[AF_INET])[:])
    is_longer = name and family_of(name) == AF_INET6
    return from_kernel(ffi.buffer(raw, SIZE[AF_INET6])[:]) if is_longer else name
