"""Looking up hosts and services by Windows's rules.

The C library's resolver reads texts differently: it accepts an IPv4 address of one to three numbers and the name of an
interface as a scope, refuses port numbers above 65535, and looks up this machine's own name like any other name. So
this module decides what a text is: a numeric address, a port number, a name of this machine, or a host name. Only the
last two of these need files, interfaces or name servers:

- A numeric address goes to the C library with the flag that prevents a name look-up.
- This machine's name, the empty name and "..localmachine" give the addresses of the network interfaces.
- A text that cannot be a host name fails at once, because no name server could know it.
- Every other host name goes to the C library, always with a port number: a service's name is looked up first, and
  alone, because it also decides the type of socket in the results.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ctypes import c_int, sizeof
from typing import NamedTuple

from winsock import constants as c
from winsock.errors import (
    WSAEAFNOSUPPORT,
    WSAEINVAL,
    WSAESOCKTNOSUPPORT,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSATYPE_NOT_FOUND,
)
from winsock.structures import addrinfo

from ..posix import interfaces, resolver
from ..posix.interfaces import InterfaceAddress
from ..posix.resolver import Found
from ..posix.sockaddr_layout import SIZE, family_of, is_link_local, mapped_address, sockaddr_of

CANONICAL_NAME = c.AI_CANONNAME | c.AI_FQDN
# ai_flags, ai_family, ai_socktype and ai_protocol; the other fields of hints are zero.
_HINTS_SIZE = 4 * sizeof(c_int)
_TYPES = (0, c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW, c.SOCK_RDM, c.SOCK_SEQPACKET)
_LOCAL_MACHINE, _LOCALHOST = b"..localmachine", b"localhost"
_LONGEST_NAME, _LONGEST_LABEL = 255, 63

# Texts are as long as the caller makes them. Each expression below reads every character in one way only, because one
# that can divide a text in several ways tries them all.
_NUMBER = rb"(?:0[xX][0-9A-Fa-f]*|[0-9]+)"
_IPV4 = re.compile(rb"(?:%b\.){3}%b" % (_NUMBER, _NUMBER))
_IPV6 = re.compile(rb"([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?:%[0-9]+)?")
_BRACKETED = re.compile(rb"\[([^\]:]*:[^\]]*)\](?::[0-9]+)?")
# What no host name has, or consists of.
_NOT_IN_NAMES = re.compile(rb"[\s:%\[\]]")
_ONLY_NUMBERS = re.compile(rb"(?=.)%b?(?:\.%b?)*" % (_NUMBER, _NUMBER))
# As strtoul reads it.
_PORT = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_LARGEST_NUMBER, _LONGEST_NUMBER = 0xFFFFFFFF, 10

_NOT_FOUND = Found(WSAHOST_NOT_FOUND, [], None)


class Answer(NamedTuple):
    """What getaddrinfo found: the Winsock error or 0, the canonical name if requested, and what the entries have."""

    error: int
    addresses: Sequence[bytes] = ()
    canonical_name: bytes | None = None
    flags: int = 0
    socktype: int = 0


def look_up(node: bytes | None, service: bytes | None, hints: addrinfo) -> Answer:
    error = _hints_error(node, service, hints)
    if error:
        return Answer(error)
    error, port, socktype = _find_service(service, hints)
    if error:
        return Answer(error)
    literal = None if node is None else _literal(node)
    if node is None or literal:
        flags = hints.ai_flags | (c.AI_NUMERICHOST if literal else 0)
        found = resolver.getaddrinfo(literal, port, flags, hints.ai_family, c.SOCK_STREAM)
    else:
        found = _find_host(node, port, hints)
    return Answer(*found, c.AI_NUMERICHOST if literal else 0, socktype)


def look_up_ipv4(node: bytes) -> Found:
    """The IPv4 addresses of a host, by the rules of gethostbyname."""
    if len(node) > _LONGEST_NAME:
        return _NOT_FOUND
    if _ONLY_NUMBERS.fullmatch(node):
        found = resolver.getaddrinfo(node, None, c.AI_NUMERICHOST | c.AI_CANONNAME, c.AF_INET, c.SOCK_STREAM)
    elif _is_ipv6(node):
        found = _NOT_FOUND
    else:
        return _find_host(node, None, addrinfo(c.AI_CANONNAME, c.AF_INET, c.SOCK_STREAM))
    return found._replace(error=WSANO_DATA) if found.error == WSAHOST_NOT_FOUND else found


def _hints_error(node: bytes | None, service: bytes | None, hints: addrinfo) -> int:
    """The error of arguments that Winsock refuses before it looks anything up, or 0."""
    if node is None and service is None:
        return WSAHOST_NOT_FOUND
    if any(bytes(hints)[_HINTS_SIZE:]):
        return WSANO_RECOVERY
    if hints.ai_family != c.AF_UNSPEC and hints.ai_family not in SIZE:
        return WSAEAFNOSUPPORT
    if hints.ai_socktype not in _TYPES:
        return WSAESOCKTNOSUPPORT
    if hints.ai_flags & CANONICAL_NAME == CANONICAL_NAME:
        return WSAEINVAL
    return WSAEINVAL if hints.ai_flags & CANONICAL_NAME and node is None else 0


def _find_service(service: bytes | None, hints: addrinfo) -> tuple[int, bytes | None, int]:
    """The Winsock error or 0, the port as the C library takes it, and the type of socket for the results."""
    if service is None:
        return 0, None, hints.ai_socktype
    number = _PORT.fullmatch(service or b"0")
    if number:
        return 0, b"%d" % _low_word(*number.groups()), hints.ai_socktype
    if hints.ai_flags & c.AI_NUMERICSERV:
        return WSAHOST_NOT_FOUND, None, 0
    # Other types than these two have no services of their own.
    types: tuple[int, ...] = (c.SOCK_STREAM, c.SOCK_DGRAM)
    if hints.ai_socktype:
        types = (c.SOCK_DGRAM if hints.ai_socktype == c.SOCK_DGRAM else c.SOCK_STREAM,)
    answers = {type: resolver.service_port(service, type) for type in types}
    known = {type: port for type, (error, port) in answers.items() if error == 0}
    if not known:
        error = next((error for error, _ in answers.values() if error != WSATYPE_NOT_FOUND), WSATYPE_NOT_FOUND)
        return error, None, 0
    # A service of both types leaves the type open.
    only = next(iter(known)) if len(known) == 1 else 0
    return 0, b"%d" % next(iter(known.values())), hints.ai_socktype or only


def _low_word(sign: bytes, digits: bytes) -> int:
    """The low 16 bits of a number that strtoul reads: of 32 bits, the largest if it does not fit."""
    significant = digits.lstrip(b"0")
    # Python refuses to convert a text of thousands of digits.
    value = int(significant or b"0") if len(significant) <= _LONGEST_NUMBER else _LARGEST_NUMBER + 1
    if value > _LARGEST_NUMBER:
        return _LARGEST_NUMBER & 0xFFFF
    return (-value if sign == b"-" else value) & 0xFFFF


def _literal(node: bytes) -> bytes | None:
    """The address that a text states, as the C library takes it; None if it states none."""
    if len(node) > _LONGEST_NAME:
        return None
    if _IPV4.fullmatch(node):
        return node
    bracketed = _BRACKETED.fullmatch(node)
    text = bracketed[1] if bracketed else node
    return text if _is_ipv6(text) else None


def _is_ipv6(text: bytes) -> bool:
    # A scope is a number: Winsock does not know the names of interfaces.
    number = _IPV6.fullmatch(text)
    return number is not None and resolver.inet_pton(c.AF_INET6, number[1]) is not None


def _find_host(node: bytes, port: bytes | None, hints: addrinfo) -> Found:
    flags, family = hints.ai_flags, hints.ai_family
    if flags & c.AI_NUMERICHOST:
        return _NOT_FOUND
    if _IPV4.fullmatch(node.rstrip()):
        # With blanks after it, an address is found like a name.
        flags |= c.AI_NUMERICHOST
        return resolver.getaddrinfo(node.rstrip(), port, flags, family, c.SOCK_STREAM)
    own_name, lower = resolver.gethostname(), node.lower()
    if lower in (b"", _LOCAL_MACHINE, own_name.lower()):
        return _find_this_machine(own_name, port, flags, family)
    if not _is_host_name(node):
        return _NOT_FOUND
    if flags & c.AI_FQDN:
        flags |= c.AI_CANONNAME
    if lower.removesuffix(b".") != _LOCALHOST:
        return resolver.getaddrinfo(node, port, flags, family, c.SOCK_STREAM)
    return _find_localhost(port, flags, family)


def _is_host_name(node: bytes) -> bool:
    labels = node.removesuffix(b".").split(b".")
    return (
        len(node) <= _LONGEST_NAME
        and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
        and not _NOT_IN_NAMES.search(node)
        and not _ONLY_NUMBERS.fullmatch(node)
    )


def _find_this_machine(own_name: bytes, port: bytes | None, flags: int, family: int) -> Found:
    """The addresses of the network interfaces; those of loopback only if there are no others."""
    known = _own_addresses()
    return _found(own_name, [one for one in known if not one.loopback] or known, port, flags, family)


def _find_localhost(port: bytes | None, flags: int, family: int) -> Found:
    """All loopback addresses: the file of hosts may lack one family."""
    # With AI_ADDRCONFIG the C library knows which families to omit.
    known = [] if flags & c.AI_ADDRCONFIG else _own_addresses()
    return _found(_LOCALHOST, [one for one in known if one.loopback], port, flags, family)


def _own_addresses() -> list[InterfaceAddress]:
    """The addresses of the interfaces; empty where the system does not list them."""
    try:
        return interfaces.own_addresses()
    except OSError:
        return []


def _found(name: bytes, known: list[InterfaceAddress], port: bytes | None, flags: int, family: int) -> Found:
    if not known:
        # The system does not list them, or the process can open no descriptor.
        return resolver.getaddrinfo(name, port, flags, family, c.SOCK_STREAM)
    addresses = _of_family(known, port, flags, family)
    return Found(0 if addresses else WSANO_DATA, addresses, name)


def _of_family(known: list[InterfaceAddress], port: bytes | None, flags: int, family: int) -> list[bytes]:
    """The sockaddrs of a family; IPv4 addresses are mapped where the flags request it."""
    number = int(port or 0)
    names = [sockaddr_of(one.address, number, one.interface if _is_link_local(one) else 0) for one in known]
    chosen = [name for name in names if family in (c.AF_UNSPEC, family_of(name))]
    if family == c.AF_INET6 and flags & c.AI_V4MAPPED and (flags & c.AI_ALL or not chosen):
        chosen += [sockaddr_of(mapped_address(one.address), number) for one in known if len(one.address) == 4]
    return chosen


def _is_link_local(one: InterfaceAddress) -> bool:
    return len(one.address) == 16 and is_link_local(one.address)
