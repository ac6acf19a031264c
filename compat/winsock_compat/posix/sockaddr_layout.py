"""sockaddr: reading Winsock's bytes, and converting them to the kernel's and back.

Winsock's and Linux's layouts differ only in the number of AF_INET6; BSD systems put a length before the family.
"""

from __future__ import annotations

from winsock.constants import AF_INET, AF_INET6

from .declarations import AF_INET6 as KERNEL_AF_INET6
from .declarations import LINUX

SIZE = {AF_INET: 16, AF_INET6: 28}
KERNEL_FAMILY = {AF_INET: AF_INET, AF_INET6: KERNEL_AF_INET6}

# How the kernel's sockaddr begins.
_KERNEL_HEAD = {
    AF_INET: AF_INET.to_bytes(2, "little") if LINUX else bytes([16, AF_INET]),
    AF_INET6: KERNEL_AF_INET6.to_bytes(2, "little") if LINUX else bytes([28, KERNEL_AF_INET6]),
}
_WINSOCK_HEAD = {family: family.to_bytes(2, "little") for family in SIZE}
# It is zero on Winsock; the kernel leaves it unchanged.
_SIN_ZERO = bytes(8)
_FAMILY_OF_HEAD = {head: family for family, head in _KERNEL_HEAD.items()}
_MAPPED = bytes(10) + b"\xff\xff"
# The kernel's AF_UNSPEC, which ends an association.
UNSPEC = bytes(16)
LARGEST = 28


def to_kernel(name: bytes) -> bytes:
    """The kernel's sockaddr for Winsock's, of a family in SIZE."""
    family = name[0] | name[1] << 8
    return _KERNEL_HEAD[family] + name[2 : SIZE[family]]


def from_kernel(name: bytes) -> bytes:
    """Winsock's sockaddr for the kernel's, cut to its family's size; b"" for a family that is not in SIZE."""
    family = _FAMILY_OF_HEAD.get(name[:2])
    if family is None:
        return b""
    if family == AF_INET:
        return _WINSOCK_HEAD[family] + name[2:8] + _SIN_ZERO
    return _WINSOCK_HEAD[family] + name[2 : SIZE[family]]


def is_same_layout(family: int) -> bool:
    """Whether the kernel's sockaddr of this family is Winsock's, byte for byte: IPv4 on Linux."""
    return LINUX and family == AF_INET


def family_of(name: bytes) -> int:
    return name[0] | name[1] << 8


def port_of(name: bytes) -> int:
    return name[2] << 8 | name[3]


def address_of(name: bytes) -> bytes:
    """The 4 or 16 bytes of the address."""
    return name[4:8] if family_of(name) == AF_INET else name[8:24]


def sockaddr_of(address: bytes, port: int, scope: int = 0) -> bytes:
    """Winsock's sockaddr for an address of 4 or 16 bytes."""
    if len(address) == 4:
        return _WINSOCK_HEAD[AF_INET] + port.to_bytes(2, "big") + address + _SIN_ZERO
    return _WINSOCK_HEAD[AF_INET6] + port.to_bytes(2, "big") + bytes(4) + address + scope.to_bytes(4, "little")


def mapped_address(address: bytes) -> bytes:
    """The IPv4-mapped IPv6 address of the four bytes of an IPv4 address."""
    return _MAPPED + address


def scope_of(name: bytes) -> int:
    """The scope id of an IPv6 address; 0 for IPv4."""
    return int.from_bytes(name[24:28], "little")


def with_address(name: bytes, address: bytes, scope: int) -> bytes:
    """A sockaddr of the same family and port with another address, and for IPv6 with this scope id."""
    if family_of(name) == AF_INET:
        return name[:4] + address + _SIN_ZERO
    return name[:4] + bytes(4) + address + scope.to_bytes(4, "little")


def is_wildcard(name: bytes) -> bool:
    return not any(address_of(name))


def is_mapped(name: bytes) -> bool:
    """Whether an IPv6 address is an IPv4-mapped one: ::ffff:a.b.c.d."""
    return family_of(name) == AF_INET6 and address_of(name).startswith(_MAPPED)


def ipv4_of(name: bytes) -> bytes | None:
    """The four bytes of an IPv4 address, which may be a mapped one; None for another IPv6 address."""
    return address_of(name)[-4:] if family_of(name) == AF_INET or is_mapped(name) else None


def is_link_local(address: bytes) -> bool:
    """Whether the 16 bytes are a link-local address: fe80::/10."""
    return address[0] == 0xFE and address[1] >> 6 == 2
