"""sockaddr: Winsock's bytes and the host's. Only the family number differs on Linux (and its place on BSD systems)."""

from __future__ import annotations

from winsock.constants import AF_INET, AF_INET6

from .declarations import AF_INET6 as HOST_AF_INET6
from .declarations import LINUX
from .libc import ffi

SIZE = {AF_INET: 16, AF_INET6: 28}
HOST_FAMILY = {AF_INET: AF_INET, AF_INET6: HOST_AF_INET6}

_HEAD = {  # how the host's sockaddr begins
    AF_INET: AF_INET.to_bytes(2, "little") if LINUX else bytes([16, AF_INET]),
    AF_INET6: HOST_AF_INET6.to_bytes(2, "little") if LINUX else bytes([28, HOST_AF_INET6]),
}
_WINSOCK_HEAD = {family: family.to_bytes(2, "little") for family in SIZE}
# The host's AF_UNSPEC, which dissolves an association.
UNSPEC = bytes(16)


def to_host(name: bytes) -> bytes:
    """The host's sockaddr for Winsock's, of a family in SIZE."""
    family = name[0] | name[1] << 8
    return _HEAD[family] + name[2 : SIZE[family]]


def from_host(family: int, name: bytes) -> bytes:
    """Winsock's sockaddr for the host's, of `family` by Winsock's number."""
    raw = _WINSOCK_HEAD[family] + name[2 : SIZE[family]]
    # sin_zero is zero on Winsock; the kernel leaves it as it is.
    return raw[:8] + bytes(8) if family == AF_INET else raw


def family_of(name: bytes) -> int:
    return name[0] | name[1] << 8


def port_of(name: bytes) -> int:
    return name[2] << 8 | name[3]


def address_of(name: bytes) -> bytes:
    """The 4 or 16 bytes of the address."""
    return name[4:8] if family_of(name) == AF_INET else name[8:24]


def is_wildcard(name: bytes) -> bool:
    return not any(address_of(name))


def asked(function: ffi.Function, fd: int, family: int) -> bytes | None:
    """What the host's getsockname or getpeername answers, as Winsock's bytes; None where it fails."""
    name, length = ffi.new("char[28]"), ffi.new("unsigned int *", 28)
    if function(fd, name, length) != 0:
        return None
    return from_host(family, ffi.buffer(name)[:])
