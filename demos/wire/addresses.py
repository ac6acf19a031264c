"""Host names to the addresses that the calls take, and addresses to text."""

from __future__ import annotations

import ctypes
import re
from ctypes import POINTER
from ipaddress import ip_address
from typing import TypeAlias

from demos.wire.host_names import ascii_name
from winsock import (
    AF_INET,
    AF_INET6,
    INET6_ADDRSTRLEN,
    WSA_NOT_ENOUGH_MEMORY,
    WSAEMFILE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSASYSNOTREADY,
    WSATRY_AGAIN,
    WSAErrorDescript,
    addrinfo,
    freeaddrinfo,
    getaddrinfo,
    inet_ntop,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
)

Address: TypeAlias = sockaddr_in | sockaddr_in6

_STRUCTURES: dict[int, type[sockaddr_in] | type[sockaddr_in6]] = {AF_INET: sockaddr_in, AF_INET6: sockaddr_in6}

# The resolver's errors for a name without an address.
_UNKNOWN = (WSAHOST_NOT_FOUND, WSANO_DATA)

# The resolver's errors after which the same name may have an address later. Systems report a network or a name server
# that has not started yet as an unknown name or as WSATRY_AGAIN. A name server that fails is
# WSANO_RECOVERY, and so is a lack of descriptors on Linux; the others are a lack of memory, descriptors or network.
_TEMPORARY = (
    *_UNKNOWN,
    WSATRY_AGAIN,
    WSANO_RECOVERY,
    WSA_NOT_ENOUGH_MEMORY,
    WSAENOBUFS,
    WSAEMFILE,
    WSAENETDOWN,
    WSASYSNOTREADY,
)

# A blank or a control character is never part of a name or an address; no resolver needs to be asked.
_INVALID = re.compile(rb"[\0- \x7f]")


class AddressError(Exception):
    """A host has no address; the text is the reason.

    ``temporary``: the same name may have an address later. ``unknown``: the resolver knows no such name.
    """

    def __init__(self, text: str, *, temporary: bool = False, unknown: bool = False) -> None:
        super().__init__(text)
        self.temporary = temporary
        self.unknown = unknown


def find_address(host: str, port: int, kind: int) -> Address:
    """The address of a host, given by name or address, for a SOCK_* ``kind``; Winsock must have been started.

    Of a name with IPv4 and IPv6 addresses it returns an IPv4 one, because the original programs use IPv4 only. It
    blocks until the resolver has answered.

    Errors: AddressError when the name is invalid, ambiguous or unknown, or cannot be resolved at present.
    """
    try:
        name = ascii_name(host).encode("ascii")
    except ValueError as error:
        raise AddressError(str(error)) from None
    if not name or _INVALID.search(name):
        raise AddressError(f"invalid host name: {host!r}")
    found = POINTER(addrinfo)()
    code = getaddrinfo(name, str(port), addrinfo(ai_socktype=kind), found)
    if code != 0:
        text = f"the host name {host!r} cannot be resolved: {WSAErrorDescript(code)}"
        raise AddressError(text, temporary=code in _TEMPORARY, unknown=code in _UNKNOWN)
    try:
        addresses = []
        entry = found
        while entry:
            structure = _STRUCTURES.get(entry.contents.ai_family)
            if structure:
                data = ctypes.string_at(entry.contents.ai_addr, ctypes.sizeof(structure))
                addresses.append(structure.from_buffer_copy(data))
            entry = entry.contents.ai_next
    finally:
        freeaddrinfo(found)
    if not addresses:
        raise AddressError(f"{host} has neither an IPv4 nor an IPv6 address")
    return next((address for address in addresses if isinstance(address, sockaddr_in)), addresses[0])


def family_of(address: Address) -> int:
    """The address family: AF_INET or AF_INET6."""
    return AF_INET if isinstance(address, sockaddr_in) else AF_INET6


def port_of(address: Address) -> int:
    """The port of the address."""
    return ntohs(address.sin_port if isinstance(address, sockaddr_in) else address.sin6_port)


def empty_address(family: int) -> Address:
    """An empty structure for a call to fill in; the family is AF_INET or AF_INET6."""
    return _STRUCTURES[family]()


def is_any(address: Address) -> bool:
    """Whether the address means every interface of this machine: 0.0.0.0 or ::."""
    return not any(bytes(address.sin_addr if isinstance(address, sockaddr_in) else address.sin6_addr))


def is_loopback(address: Address) -> bool:
    """Whether only programs on this machine can reach the address."""
    host = ip_address(host_text(address).partition("%")[0])
    mapped = getattr(host, "ipv4_mapped", None)
    return bool((mapped or host).is_loopback)


def host_text(address: Address) -> str:
    """``127.0.0.1`` or ``::1``, with the scope where there is one: ``fe80::1%2``."""
    number = address.sin_addr if isinstance(address, sockaddr_in) else address.sin6_addr
    text = inet_ntop(family_of(address), number, bytearray(INET6_ADDRSTRLEN), INET6_ADDRSTRLEN)
    if isinstance(address, sockaddr_in) or not address.sin6_scope_id:
        return f"{text}"
    return f"{text}%{address.sin6_scope_id}"


def address_text(address: Address) -> str:
    """``127.0.0.1:8082`` or ``[::1]:8082``, with the scope where there is one: ``[fe80::1%2]:8082``."""
    host = host_text(address)
    return f"{host}:{port_of(address)}" if isinstance(address, sockaddr_in) else f"[{host}]:{port_of(address)}"
