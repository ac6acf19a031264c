"""Which addresses bind, connect and sendto accept: one table for all calls, families and types of sockets.

Windows checks the class of an address before it looks for a route, and it refuses classes that the kernel accepts:
Linux binds a socket to a multicast or broadcast address, and connects 0.0.0.0 to loopback. For other classes Linux has
another error. `classify` gives the class of an address for a socket, and the class has the result of each call. The
kernel gets an address only where the table has KERNEL.

An IPv4-mapped address on a dual-stack socket has the class of its IPv4 address. A class comes before port 0, and on a
stream sendto ignores the address. notes/addresses.md has the whole matrix, with what is known of Windows.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from winsock.constants import AF_INET, AF_INET6, AF_UNSPEC, SO_BROADCAST, SOCK_DGRAM, SOL_SOCKET
from winsock.errors import WSAEACCES, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEFAULT

from ..posix import system
from ..posix.errnos import winsock_error
from ..posix.sockaddr_layout import address_of, family_of, ipv4_of, is_link_local, is_mapped, port_of, scope_of
from ..state.sockets import Socket

KERNEL = 0
# The call succeeds: connect ends the association of a datagram socket, sendto discards the datagram.
DISCONNECT, DISCARD = -1, -2
# WSAEACCES without the option SO_BROADCAST, else KERNEL.
NEEDS_SO_BROADCAST = -3


class AddressClass(NamedTuple):
    """What each call does with the addresses of a class: it fails with an error, or one of the constants above."""

    bind: int
    connect_stream: int
    connect_datagram: int
    sendto: int
    # Winsock itself checks families, the wildcard and port 0. The transport below it finds the other errors, after
    # connect of a nonblocking socket has returned WSAEWOULDBLOCK: exceptfds and SO_ERROR report them.
    found_by_transport: bool = False


_NOT_AVAILABLE = WSAEADDRNOTAVAIL

UNKNOWN_FAMILY = AddressClass(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT)
UNSPECIFIED_FAMILY = AddressClass(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, DISCONNECT, WSAEAFNOSUPPORT)
IPV6_ON_IPV4 = AddressClass(WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT, WSAEAFNOSUPPORT)
IPV4_ON_IPV6 = AddressClass(WSAEFAULT, WSAEFAULT, WSAEFAULT, WSAEFAULT)
MAPPED_ON_IPV6_ONLY = AddressClass(_NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE, True)
# The wildcard and port 0, with zeros to the end of the name.
ZEROS = AddressClass(KERNEL, _NOT_AVAILABLE, DISCONNECT, _NOT_AVAILABLE)
WILDCARD = AddressClass(KERNEL, _NOT_AVAILABLE, _NOT_AVAILABLE, _NOT_AVAILABLE)
UNICAST = AddressClass(KERNEL, KERNEL, KERNEL, KERNEL)
# Without a scope id. The kernel connects it only from a socket that is bound to an interface.
LINK_LOCAL = AddressClass(_NOT_AVAILABLE, KERNEL, KERNEL, KERNEL, True)
MULTICAST = AddressClass(_NOT_AVAILABLE, _NOT_AVAILABLE, KERNEL, KERNEL, True)
# 255.255.255.255, that of loopback, and those of the interfaces' networks.
BROADCAST = AddressClass(_NOT_AVAILABLE, _NOT_AVAILABLE, NEEDS_SO_BROADCAST, NEEDS_SO_BROADCAST, True)
# With an address for which the kernel would be asked. Raw sockets have no ports, and send to such a name.
PORT_0 = AddressClass(KERNEL, _NOT_AVAILABLE, KERNEL, DISCARD)

_OTHER_FAMILY = {(AF_INET, AF_INET6): IPV6_ON_IPV4, (AF_INET6, AF_INET): IPV4_ON_IPV6}
_BROADCASTS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")


def classify(sock: Socket, name: bytes) -> AddressClass:
    """The class of a name that is long enough for the socket. The port and the interfaces' networks are not checked."""
    family = family_of(name)
    if family != sock.family:
        unknown = UNSPECIFIED_FAMILY if family == AF_UNSPEC else UNKNOWN_FAMILY
        return _OTHER_FAMILY.get((sock.family, family), unknown)
    if not any(name[2:]):
        return ZEROS
    address = address_of(name)
    if family == AF_INET:
        return _classify_ipv4(address)
    if is_mapped(name):
        return MAPPED_ON_IPV6_ONLY if sock.is_ipv6_only else _classify_ipv4(address[12:])
    return _classify_ipv6(address, scope_of(name))


def _classify_ipv4(address: bytes) -> AddressClass:
    first = address[0]
    if not first and not any(address):
        return WILDCARD
    if first >> 4 == 14:
        return MULTICAST
    return BROADCAST if address in _BROADCASTS else UNICAST


def _classify_ipv6(address: bytes, scope: int) -> AddressClass:
    if not any(address):
        return WILDCARD
    if address[0] == 0xFF:
        return MULTICAST
    return LINK_LOCAL if is_link_local(address) and not scope else UNICAST


def rule_of_bind(sock: Socket, name: bytes) -> int:
    """The error of binding the socket to the name, or KERNEL."""
    error = classify(sock, name).bind
    if error:
        return error
    result = _is_net_broadcast(name)
    if result < 0:
        return winsock_error(-result)
    return BROADCAST.bind if result else KERNEL


def rule_of_connect(sock: Socket, name: bytes) -> int:
    """The error of connecting the socket to the name, or KERNEL, or DISCONNECT."""
    kind = classify(sock, name)
    if sock.stream:
        return kind.connect_stream or (KERNEL if port_of(name) else PORT_0.connect_stream)
    return _permitted(sock, kind.connect_datagram)


def rule_of_sendto(sock: Socket, name: bytes) -> int:
    """The error of sending a datagram to the name, or KERNEL, or DISCARD."""
    rule = _permitted(sock, classify(sock, name).sendto)
    return rule or (PORT_0.sendto if sock.type == SOCK_DGRAM and not port_of(name) else KERNEL)


def is_found_by_transport(sock: Socket, name: bytes) -> bool:
    """Whether connect of a nonblocking stream returns WSAEWOULDBLOCK before it reports the error of the name."""
    return bool(port_of(name)) and (classify(sock, name).found_by_transport or _is_net_broadcast(name) > 0)


def connect_error(sock: Socket, name: bytes, number: int) -> int:
    """The Winsock error of a connect that the kernel has refused with an errno."""
    if number == errno.EINVAL and classify(sock, name).found_by_transport:
        return WSAEADDRNOTAVAIL  # a link-local address, unicast or multicast, without a scope id
    if number == errno.ENETUNREACH and _is_net_broadcast(name) > 0:
        return BROADCAST.connect_stream
    return winsock_error(number)


def _permitted(sock: Socket, rule: int) -> int:
    if rule != NEEDS_SO_BROADCAST:
        return rule
    return KERNEL if sock.options.get((SOL_SOCKET, SO_BROADCAST)) else WSAEACCES


def _is_net_broadcast(name: bytes) -> int:
    """1 if the address, IPv4 or mapped, is the broadcast address of an interface's network; else 0, or minus the errno.

    The kernel is asked, because it knows the broadcast address also where an interface was configured without one.
    """
    address = ipv4_of(name)
    return 0 if address is None or address[0] == 127 else system.is_net_broadcast(address)
