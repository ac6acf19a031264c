"""Multicast and broadcast datagrams, delivered as Winsock does it.

The kernel decides otherwise in three points:

- **Membership.** A Winsock socket receives the groups that it has joined itself, each from the interface on which it
  has joined it. The kernel's option IP_MULTICAST_ALL does that for IPv4 and IPv6 (see system.socket), but for IPv6 it
  ignores the interface, so a packet filter compares it.
- **The bound address.** A Winsock socket that is bound to the address of an interface receives the groups that it has
  joined, and the broadcasts of that interface. The kernel delivers to a bound descriptor only what is sent to exactly
  the bound address. Such a socket has *extra descriptors*: one for each membership, bound to the group, and one for
  each broadcast address of the interface, all with the socket's port. The socket is readable when one of its
  descriptors is; recv takes the next datagram from any of them. The accelerator leaves receiving on such a socket to
  the reference. The socket also joins each group on its own descriptor, which reports every error of a membership.
- **The loop option.** IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP belong to the receiver: a socket with 0 does not
  receive what this machine has sent to a group. The kernel's option belongs to the sender and stays 1; a packet filter
  drops the datagrams at the receiver.

A socket bound to the wildcard address has no extra descriptors. After connect the kernel delivers to it only what is
sent to the address that it has chosen, so a connected member has them too, connected to the same peer. Those that the
kernel does not connect are not needed: no datagram comes from a group or a broadcast address.

`waiters.lock` covers every change, as it covers all opening and closing of descriptors. An extra descriptor that is no
longer needed stays open while it has unread data or while a call waits on the socket; the next change closes it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from winsock.constants import (
    AF_INET6,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_LOOP,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_ADD_MEMBERSHIP,
    IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_LOOP,
    IPV6_V6ONLY,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOL_SOCKET,
)
from winsock.errors import WSAEADDRNOTAVAIL, WSAEINVAL

from ..posix import packet_filter, system
from ..posix.declarations import LINUX
from ..posix.errnos import winsock_error
from ..posix.interfaces import own_addresses
from ..posix.sockaddr_layout import address_of, ipv4_of, is_wildcard, mapped_address, scope_of, with_address
from .core import ACCELERATED, SocketCore
from .sockets import Socket
from .waiters import lock, notify_state_change

LOOP_OPTIONS = _LOOP, _LOOP6 = (IPPROTO_IP, IP_MULTICAST_LOOP), (IPPROTO_IPV6, IPV6_MULTICAST_LOOP)
_ADD = {IPPROTO_IP: IP_ADD_MEMBERSHIP, IPPROTO_IPV6: IPV6_ADD_MEMBERSHIP}
_DROP = {IPPROTO_IP: IP_DROP_MEMBERSHIP, IPPROTO_IPV6: IPV6_DROP_MEMBERSHIP}
_LIMITED_BROADCAST = b"\xff" * 4
# With more IPv6 groups, or if the kernel has no room for the filter (net.core.optmem_max), interfaces are not compared.
_MOST_GROUPS_WITH_INTERFACES = 128


class Membership(NamedTuple):
    """A group that a socket has joined: the level of the option, and the caller's ip_mreq or ipv6_mreq."""

    level: int
    request: bytes

    @property
    def group(self) -> bytes:
        return self.request[: 4 if self.level == IPPROTO_IP else 16]

    @property
    def interface(self) -> int:
        """The index of the interface in an ipv6_mreq; 0 for any interface."""
        return 0 if self.level == IPPROTO_IP else int.from_bytes(self.request[16:20], "little")


class Purpose(NamedTuple):
    """What an extra descriptor is for."""

    name: bytes  # the sockaddr that it is bound to
    membership: Membership | None
    interface: int  # the only one from which it receives, by index; 0 for all


class ExtraDescriptor(SocketCore):
    """One more descriptor at which a socket's datagrams arrive."""

    purpose: Purpose | None = None  # None until it is open, and where it is no longer needed
    filter = b""  # its packet filter


def join(sock: Socket, membership: Membership) -> int:
    """Makes the socket a member of a group; returns the error or 0."""
    with lock:
        before = sock.memberships
        if membership in before:
            return WSAEADDRNOTAVAIL
        added = result = -errno.EINTR  # if a signal handler raises
        try:
            added = _request(sock, membership, _ADD)
            if added == 0:
                sock.memberships = (*before, membership)
            result = added or update(sock)
        finally:
            if result < 0:
                sock.memberships = before
            if result < 0 and added in (0, -errno.EINTR):
                _request(sock, membership, _DROP)
    if added == -errno.EADDRINUSE:
        return WSAEADDRNOTAVAIL
    return winsock_error(-result) if result < 0 else 0


def leave(sock: Socket, membership: Membership) -> int:
    """Ends a membership; returns the error or 0."""
    with lock:
        result = _request(sock, membership, _DROP)
        if result < 0:
            return WSAEINVAL if result == -errno.EADDRNOTAVAIL else winsock_error(-result)
        ended = membership if membership in sock.memberships else _find_ended(sock, membership.group)
        sock.memberships = tuple(other for other in sock.memberships if other != ended)
        update(sock)
    return 0


def _find_ended(sock: Socket, group: bytes) -> Membership | None:
    """The membership of a group that the kernel has just ended, for a request that names the interface differently.

    The kernel does not report it, but only a membership that has ended can be joined again.
    """
    memberships: tuple[Membership, ...] = sock.memberships
    for other in memberships:
        if other.group == group and _request(sock, other, _ADD) == 0:
            _request(sock, other, _DROP)
            return other
    return None


def _request(descriptor: SocketCore, membership: Membership, options: Mapping[int, int]) -> int:
    return system.set_membership(descriptor.fd, membership.level, options[membership.level], membership.request)


def update(sock: Socket, name: bytes | None = None) -> int:
    """Opens the extra descriptors that the socket needs, and closes the others; 0 or minus the errno.

    `name` is the address that the socket will be bound to; without it, its address is asked from the kernel. When it
    fails, the socket has the descriptors that it had before.
    """
    if sock.type != SOCK_DGRAM or not LINUX:
        return 0
    if not (sock.memberships or sock.extra or sock.filter or _receives_broadcasts(name or sock.local)):
        return 0
    unknown = 0
    with lock:
        try:
            wanted = set(_purposes(sock, name))
        except OSError as error:
            # The addresses of the interfaces cannot be read: what is open and still needed stays.
            unknown = -(error.errno or errno.EMFILE)
            members = (None, *sock.memberships)
            wanted = {extra.purpose for extra in sock.extra if extra.purpose and extra.purpose.membership in members}
        result = set_filters(sock, sock.options)
        if result == 0 and (wanted or sock.extra):
            result = _replace(sock, wanted)
    return unknown or result


def _replace(sock: Socket, wanted: set[Purpose]) -> int:
    kept = [extra for extra in sock.extra if extra.purpose in wanted]
    missing = wanted - {extra.purpose for extra in kept}
    opened = [ExtraDescriptor() for _ in missing]
    # The socket owns them before they are open, so that none is lost if a signal handler raises.
    sock.extra = (*sock.extra, *opened)
    result = -errno.EINTR
    try:
        result = 0
        for extra, purpose in zip(opened, missing, strict=True):
            result = result or _open(sock, extra, purpose)
    finally:
        if result < 0:
            for extra in opened:
                extra.close_descriptor()
            sock.extra = tuple(extra for extra in sock.extra if extra not in opened)
    if result == 0:
        # The kernel may refuse to connect one to a group or a broadcast address, from which no datagram comes.
        needed = [extra for extra in (*kept, *opened) if _associate(extra, sock.peer) == 0]
        sock.extra = tuple(extra for extra in sock.extra if extra in needed or not _retire(sock, extra))
    sock.update_capabilities()
    notify_state_change(sock)
    return result


def close_extra(sock: Socket) -> None:
    """Closes all extra descriptors of a socket whose bind has failed."""
    with lock:
        extras, sock.extra = sock.extra, ()
        for extra in extras:
            extra.close_descriptor()
        sock.update_capabilities()


def _retire(sock: Socket, extra: ExtraDescriptor) -> bool:
    """Ends what a descriptor receives; closes it and returns True if nobody needs it any more."""
    if extra.purpose is not None and extra.purpose.membership is not None:
        _request(extra, extra.purpose.membership, _DROP)
    extra.purpose = None
    if sock.waiters or system.bytes_available(extra.fd) > 0:
        return False
    if not ACCELERATED:  # else the last reference closes it
        extra.close_descriptor()
    return True


def _open(sock: Socket, extra: ExtraDescriptor, purpose: Purpose) -> int:
    """Opens and binds an extra descriptor, with the options of its socket; 0 or minus the errno."""
    result = next((result for result in _steps_to_open(sock, extra, purpose) if result < 0), 0)
    if result == 0:
        extra.purpose = purpose
    return result


def _steps_to_open(sock: Socket, extra: ExtraDescriptor, purpose: Purpose) -> Iterator[int]:
    yield system.socket(extra, sock.family, sock.type, sock.protocol)
    # Other sockets, also of other processes, receive the same group at the same port.
    yield system.set_option(extra.fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if sock.family == AF_INET6:
        yield system.set_option(extra.fd, IPPROTO_IPV6, IPV6_V6ONLY, int(sock.is_ipv6_only))
    if (SOL_SOCKET, SO_RCVBUF) in sock.options:
        yield system.set_option(extra.fd, SOL_SOCKET, SO_RCVBUF, sock.options[SOL_SOCKET, SO_RCVBUF])
    yield _set_filter(extra, _program(sock.options, purpose.membership, purpose.interface))
    yield system.bind(extra.fd, purpose.name)
    if _associate(extra, sock.peer) == 0 and purpose.membership is not None:
        yield _request(extra, purpose.membership, _ADD)


def _associate(extra: ExtraDescriptor, peer: bytes | None) -> int:
    """Gives an extra descriptor the default peer of its socket; 0 or minus the errno."""
    if extra.peer == peer:
        return 0
    result = system.connect(extra.fd, peer) if peer else system.disconnect(extra.fd)
    if result == 0:
        extra.peer = peer
    return result


def _purposes(sock: Socket, name: bytes | None) -> Iterator[Purpose]:
    """The extra descriptors that a socket needs."""
    broadcasts = _receives_broadcasts(name or sock.local)
    if name is None and sock.bound and (sock.memberships or broadcasts):
        _, name = system.getsockname(sock.fd)
    if not name or is_wildcard(name):
        return
    for membership in sock.memberships:
        if (membership.level == IPPROTO_IP) == (ipv4_of(name) is not None):
            yield Purpose(_group_name(name, membership), membership, 0)
    if broadcasts:
        yield from _broadcast_purposes(name)


def _group_name(local: bytes, membership: Membership) -> bytes:
    group = membership.group
    if membership.level == IPPROTO_IP:
        return _ipv4_name(local, group)
    index = membership.interface or scope_of(local)
    if not index:
        own = address_of(local)
        index = next((one.interface for one in own_addresses() if one.address == own), 0)
    return with_address(local, group, index)


def _ipv4_name(local: bytes, address: bytes) -> bytes:
    return with_address(local, address if len(address_of(local)) == 4 else mapped_address(address), 0)


def _receives_broadcasts(bound_to: bytes | None) -> bool:
    """Whether a socket that bind has bound to this address receives the broadcasts of an interface."""
    own = ipv4_of(bound_to) if bound_to else None
    return own is not None and any(own) and own[0] != 127


def _broadcast_purposes(local: bytes) -> Iterator[Purpose]:
    own = ipv4_of(local)
    for one in own_addresses():
        if one.address == own and one.broadcast:
            interface = one.interface
            for broadcast in (_LIMITED_BROADCAST, one.broadcast):
                yield Purpose(_ipv4_name(local, broadcast), None, interface)


def set_filters(sock: Socket, options: Mapping[tuple[int, int], Any]) -> int:
    """Gives all descriptors the packet filters for these options; 0 or minus the errno."""
    with lock:
        result = _set_filter(sock, _program(options, None, 0, sock.memberships))
        if result == -errno.ENOMEM:
            result = _set_filter(sock, _program(options, None, 0))  # without groups
        if result < 0:
            return result
        for extra in sock.extra:
            purpose = extra.purpose or Purpose(b"", None, 0)
            _set_filter(extra, _program(options, purpose.membership, purpose.interface))
    return 0


def _set_filter(descriptor: Socket | ExtraDescriptor, program: bytes) -> int:
    """Gives one descriptor a packet filter, unless it has this one; 0 or minus the errno."""
    if program == descriptor.filter:
        return 0
    result = system.set_filter(descriptor.fd, program)
    if result == 0:
        descriptor.filter = program
    return result


def _program(
    options: Mapping[tuple[int, int], Any],
    membership: Membership | None,
    interface: int,
    memberships: tuple[Membership, ...] = (),
) -> bytes:
    loop, loop6 = options.get(_LOOP, 1), options.get(_LOOP6, 1)
    members = memberships if membership is None else (membership,)
    groups6 = [(member.group, member.interface) for member in members if member.level == IPPROTO_IPV6]
    if len(groups6) > _MOST_GROUPS_WITH_INTERFACES:
        groups6 = []
    return packet_filter.program(bool(loop), bool(loop6), groups6, interface)
