"""Which addresses bind, connect and sendto accept: one table for all calls, families and types of sockets.

Windows checks the class of an address before it looks for a route, and it refuses classes that the kernel accepts:
Linux binds a socket to a multicast or broadcast address, and connects 0.0.0.0 to loopback. For other classes Linux has
another error. `classify` gives the class of an address for a socket, and `RULES` has the result of each call for each
class. The kernel gets an address only where the table has KERNEL.

An IPv4-mapped address on a dual-stack socket has the class of its IPv4 address. A class comes before port 0, and on a
stream sendto ignores the address. notes/addresses.md has the whole matrix, with what is known of Windows.
"""

from __future__ import annotations

import errno
from enum import Enum
from typing import NamedTuple

from winsock.constants import AF_INET, AF_INET6, AF_UNSPEC, SO_BROADCAST, SOL_SOCKET
from winsock.errors import WSAEACCES, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEFAULT

from ..posix import system
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import address_of, family_of, is_mapped, port_of, scope_of
from ..state.sockets import Socket


class AddressClass(Enum):
    UNKNOWN_FAMILY = "an unknown family"
    UNSPECIFIED_FAMILY = "AF_UNSPEC"
    IPV6_ON_IPV4 = "an IPv6 address on an IPv4 socket"
    IPV4_ON_IPV6 = "an IPv4 address on an IPv6 socket"
    MAPPED_ON_IPV6_ONLY = "an IPv4-mapped address on an IPv6-only socket"
    ZEROS = "the wildcard with port 0, and zeros to the end"
    WILDCARD = "the wildcard"
    LOOPBACK = "loopback"
    UNICAST = "another unicast address"
    LINK_LOCAL = "a link-local address without a scope id"
    MULTICAST = "multicast"
    BROADCAST = "broadcast: 255.255.255.255, or of loopback"
    NET_BROADCAST = "the broadcast address of an interface's network"
    PORT_0 = "port 0, with an address of loopback or another unicast one"


_C = AddressClass

KERNEL = 0
# The call succeeds: connect ends the association of a datagram socket, sendto discards the datagram.
DISCONNECT, DISCARD = -1, -2
# WSAEACCES without the option SO_BROADCAST, else KERNEL.
NEEDS_SO_BROADCAST = -3


class Rule(NamedTuple):
    """What each call does with the addresses of a class: it fails with an error, or one of the constants above."""

    bind: int
    connect_stream: int
    connect_datagram: int
    sendto: int


_NOT_AVAILABLE = WSAEADDRNOTAVAIL

RULES = {
    _C.UNKNOWN_FAMILY: Rule(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT),
    _C.UNSPECIFIED_FAMILY: Rule(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, DISCONNECT, WSAEAFNOSUPPORT),
    _C.IPV6_ON_IPV4: Rule(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT),
    _C.IPV4_ON_IPV6: Rule(WSAEFAULT, WSAEFAULT, WSAEFAULT, WSAEFAULT),
    _C.MAPPED_ON_IPV6_ONLY: Rule(_NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE),
    _C.ZEROS: Rule(KERNEL, _NOT_AVAILABLE, DISCONNECT, _NOT_AVAILABLE),
    _C.WILDCARD: Rule(KERNEL, _NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE),
    _C.LOOPBACK: Rule(KERNEL, KERNEL, KERNEL, KERNEL),
    _C.UNICAST: Rule(KERNEL, KERNEL, KERNEL, KERNEL),
    # The kernel can connect it only from a socket that is bound to an interface.
    _C.LINK_LOCAL: Rule(_NOT_AVAILABLE, KERNEL, KERNEL, KERNEL),
    _C.MULTICAST: Rule(_NOT_AVAILABLE, _NOT_AVAILABLE, KERNEL, KERNEL),
    _C.BROADCAST: Rule(_NOT_AVAILABLE, _NOT_AVAILABLE, NEEDS_SO_BROADCAST, NEEDS_SO_BROADCAST),
    _C.NET_BROADCAST: Rule(_NOT_AVAILABLE, _NOT_AVAILABLE, NEEDS_SO_BROADCAST, NEEDS_SO_BROADCAST),
    _C.PORT_0: Rule(KERNEL, _NOT_AVAILABLE, KERNEL, DISCARD),
}
# Winsock itself checks families, the wildcard and port 0. The transport below it finds the other errors, after connect
# of a nonblocking socket has returned WSAEWOULDBLOCK: exceptfds and SO_ERROR report them.
_FOUND_BY_TRANSPORT = {_C.MAPPED_ON_IPV6_ONLY, _C.LINK_LOCAL, _C.MULTICAST, _C.BROADCAST, _C.NET_BROADCAST}

_OTHER_FAMILY = {(AF_INET, AF_INET6): _C.IPV6_ON_IPV4, (AF_INET6, AF_INET): _C.IPV4_ON_IPV6}
_BROADCASTS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")
_LOOPBACK6 = bytes(15) + b"\1"


def classify(sock: Socket, name: bytes) -> AddressClass:
    """The class of a name that is long enough for the socket; UNICAST also for NET_BROADCAST, whatever the port."""
    family = family_of(name)
    if family == AF_UNSPEC:
        return _C.UNSPECIFIED_FAMILY
    if family != sock.family:
        return _OTHER_FAMILY.get((sock.family, family), _C.UNKNOWN_FAMILY)
    if not any(name[2:]):
        return _C.ZEROS
    address = address_of(name)
    if family == AF_INET:
        return _classify_ipv4(address)
    if is_mapped(name):
        return _C.MAPPED_ON_IPV6_ONLY if sock.is_ipv6_only else _classify_ipv4(address[12:])
    return _classify_ipv6(address, scope_of(name))


def _classify_ipv4(address: bytes) -> AddressClass:
    if not any(address):
        return _C.WILDCARD
    if address[0] >> 4 == 14:
        return _C.MULTICAST
    if address in _BROADCASTS:
        return _C.BROADCAST
    return _C.LOOPBACK if address[0] == 127 else _C.UNICAST


def _classify_ipv6(address: bytes, scope: int) -> AddressClass:
    if not any(address):
        return _C.WILDCARD
    if address[0] == 0xFF:
        return _C.MULTICAST
    if address[0] == 0xFE and address[1] >> 6 == 2 and not scope:
        return _C.LINK_LOCAL
    return _C.LOOPBACK if address == _LOOPBACK6 else _C.UNICAST


def rule_of_bind(sock: Socket, name: bytes) -> int:
    """The error of binding the socket to the name, or KERNEL."""
    kind = classify(sock, name)
    if kind is _C.UNICAST and _is_net_broadcast(name):
        kind = _C.NET_BROADCAST
    return RULES[kind].bind


def rule_of_connect(sock: Socket, name: bytes) -> int:
    """The error of connecting the socket to the name, or KERNEL, or DISCONNECT."""
    rule, port_0 = RULES[classify(sock, name)], RULES[_C.PORT_0]
    if sock.stream:
        return rule.connect_stream or (KERNEL if port_of(name) else port_0.connect_stream)
    return _permitted(sock, rule.connect_datagram)


def rule_of_sendto(sock: Socket, name: bytes) -> int:
    """The error of sending a datagram to the name, or KERNEL, or DISCARD."""
    rule = _permitted(sock, RULES[classify(sock, name)].sendto)
    return rule or (KERNEL if port_of(name) else RULES[_C.PORT_0].sendto)


def is_found_by_transport(sock: Socket, name: bytes) -> bool:
    """Whether connect of a nonblocking stream returns WSAEWOULDBLOCK before it reports the error of the name."""
    return bool(port_of(name)) and (classify(sock, name) in _FOUND_BY_TRANSPORT or _is_net_broadcast(name))


def connect_error(sock: Socket, name: bytes, number: int) -> int:
    """The Winsock error of a connect that the kernel has refused with an errno."""
    if number == errno.EINVAL and classify(sock, name) in (_C.LINK_LOCAL, _C.MULTICAST):
        return WSAEADDRNOTAVAIL  # the scope id is missing
    if number == errno.ENETUNREACH and _is_net_broadcast(name):
        return RULES[_C.NET_BROADCAST].connect_stream
    return winsock_error(number)


def _permitted(sock: Socket, rule: int) -> int:
    if rule != NEEDS_SO_BROADCAST:
        return rule
    return KERNEL if sock.options.get((SOL_SOCKET, SO_BROADCAST)) else WSAEACCES


def _is_net_broadcast(name: bytes) -> bool:
    """Whether the address, IPv4 or mapped, is the broadcast address of an interface's network."""
    return (family_of(name) == AF_INET or is_mapped(name)) and system.is_broadcast(address_of(name)[-4:])
