"""Host names, and addresses as text: the C library's resolver, with Winsock's numbers and errors."""

from __future__ import annotations

import errno
from typing import NamedTuple

from winsock import constants as c
from winsock.errors import (
    WSA_NOT_ENOUGH_MEMORY,
    WSAEAFNOSUPPORT,
    WSAEFAULT,
    WSAEINVAL,
    WSAESOCKTNOSUPPORT,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSATRY_AGAIN,
    WSATYPE_NOT_FOUND,
)

from . import declarations as kernel
from .loading import ffi, get_errno, lib
from .sockaddr_layout import KERNEL_FAMILY, from_kernel, port_of, scope_of, to_kernel
from .system import has_free_descriptor

_ERRORS = {
    0: 0,
    kernel.EAI_AGAIN: WSATRY_AGAIN,
    kernel.EAI_BADFLAGS: WSAEINVAL,
    kernel.EAI_FAIL: WSANO_RECOVERY,
    kernel.EAI_FAMILY: WSAEAFNOSUPPORT,
    kernel.EAI_MEMORY: WSA_NOT_ENOUGH_MEMORY,
    kernel.EAI_NONAME: WSAHOST_NOT_FOUND,
    kernel.EAI_NODATA: WSANO_DATA,
    kernel.EAI_ADDRFAMILY: WSAHOST_NOT_FOUND,
    kernel.EAI_SERVICE: WSATYPE_NOT_FOUND,
    kernel.EAI_SOCKTYPE: WSAESOCKTNOSUPPORT,
    kernel.EAI_OVERFLOW: WSAEFAULT,
}
_AI_FLAGS = {
    c.AI_PASSIVE: c.AI_PASSIVE,
    c.AI_CANONNAME: c.AI_CANONNAME,
    c.AI_NUMERICHOST: c.AI_NUMERICHOST,
    c.AI_NUMERICSERV: kernel.AI_NUMERICSERV,
    c.AI_ALL: kernel.AI_ALL,
    c.AI_ADDRCONFIG: kernel.AI_ADDRCONFIG,
    c.AI_V4MAPPED: kernel.AI_V4MAPPED,
}
_NI_FLAGS = {
    c.NI_NOFQDN: kernel.NI_NOFQDN,
    c.NI_NUMERICHOST: kernel.NI_NUMERICHOST,
    c.NI_NAMEREQD: kernel.NI_NAMEREQD,
    c.NI_NUMERICSERV: kernel.NI_NUMERICSERV,
    c.NI_DGRAM: kernel.NI_DGRAM,
}
_FAMILIES = {c.AF_UNSPEC: 0, **KERNEL_FAMILY}
_NODE_SIZE, _SERVICE_SIZE = 1025, 64  # NI_MAXHOST, and room for any service


class Found(NamedTuple):
    """What getaddrinfo found: the Winsock error or 0, the addresses, and the canonical name if it was requested."""

    error: int
    addresses: list[bytes]
    canonical_name: bytes | None


def _kernel_flags(flags: int, numbers: dict[int, int]) -> int:
    converted = 0
    for flag, number in numbers.items():
        if flags & flag:
            converted |= number
    return converted


def _winsock_error(code: int) -> int:
    """The Winsock error of a look-up, before which ffi.errno was set to 0; or 0."""
    # The C library reads its files and asks name servers through descriptors. If it cannot open any, it reports various
    # errors, also that the name or the service does not exist; or gives an address or a port without its name.
    if get_errno() in (errno.EMFILE, errno.ENFILE) or not has_free_descriptor():
        return WSATRY_AGAIN
    return _ERRORS.get(code, WSANO_RECOVERY)


def getaddrinfo(node: bytes | None, service: bytes | None, flags: int, family: int, type: int) -> Found:
    """Looks up a host name, a service or both; the addresses are Winsock's sockaddr."""
    hints, answers = ffi.new("struct addrinfo *"), ffi.new("struct addrinfo **")
    hints.ai_flags, hints.ai_family, hints.ai_socktype = _kernel_flags(flags, _AI_FLAGS), _FAMILIES[family], type
    ffi.errno = 0
    code = lib.getaddrinfo(ffi.NULL if node is None else node, ffi.NULL if service is None else service, hints, answers)
    if code:
        return Found(_winsock_error(code), [], None)
    addresses, canonical, entry = [], None, answers[0]
    while entry:
        name = from_kernel(ffi.buffer(entry.ai_addr, entry.ai_addrlen)[:])
        if name:
            addresses.append(name)
        if entry.ai_canonname:
            canonical = ffi.string(entry.ai_canonname)
        entry = entry.ai_next
    lib.freeaddrinfo(answers[0])
    return Found(0, addresses, canonical)


def service_port(service: bytes, type: int) -> tuple[int, int]:
    """The Winsock error or 0, and the port of a service that is known by this name for this type of socket."""
    found = getaddrinfo(None, service, 0, c.AF_INET, type)
    return found.error, port_of(found.addresses[0]) if found.addresses else 0


def getnameinfo(name: bytes, flags: int) -> tuple[int, bytes, bytes]:
    """The Winsock error or 0, the host name and the service name of an address."""
    error, node, service = _names(name, flags)
    if error == WSATRY_AGAIN and not flags & (c.NI_NAMEREQD | c.NI_NUMERICHOST) and has_free_descriptor():
        # Winsock gives the address where no name server answers.
        return _names(name, flags | c.NI_NUMERICHOST)
    return error, node, service


def _names(name: bytes, flags: int) -> tuple[int, bytes, bytes]:
    raw, node, service = to_kernel(name), ffi.new("char[]", _NODE_SIZE), ffi.new("char[]", _SERVICE_SIZE)
    ffi.errno = 0
    code = lib.getnameinfo(raw, len(raw), node, _NODE_SIZE, service, _SERVICE_SIZE, _kernel_flags(flags, _NI_FLAGS))
    numbers = c.NI_NUMERICHOST | c.NI_NUMERICSERV
    error = _winsock_error(code) if code or flags & numbers != numbers else 0
    if error:
        return error, b"", b""
    host, scope, _ = ffi.string(node).partition(b"%")
    if scope:
        # The C library writes the interface's name, Winsock its number.
        host += b"%%%d" % scope_of(name)
    return 0, host, ffi.string(service)


def gethostname() -> bytes:
    name = ffi.new("char[256]")
    lib.gethostname(name, 255)
    known: bytes = ffi.string(name)
    return known


def inet_addr(text: bytes) -> int:
    """The IPv4 address of a text, as the number that its four bytes are in memory; INADDR_NONE if it is none."""
    address: int = lib.inet_addr(text)
    return address


def inet_ntop(family: int, address: bytes) -> bytes:
    """The text of an address of 4 or 16 bytes."""
    text = ffi.new("char[64]")
    lib.inet_ntop(KERNEL_FAMILY[family], address, text, 64)
    shown: bytes = ffi.string(text)
    return shown


def inet_pton(family: int, text: bytes) -> bytes | None:
    """The 4 or 16 bytes of an address, None if the text is not an address."""
    address = ffi.new("char[16]")
    if lib.inet_pton(KERNEL_FAMILY[family], text, address) != 1:
        return None
    packed: bytes = ffi.buffer(address)[: 4 if family == c.AF_INET else 16]
    return packed
