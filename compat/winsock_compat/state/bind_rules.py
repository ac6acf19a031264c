"""Which TCP socket may bind which port: Winsock's rules for SO_REUSEADDR, SO_EXCLUSIVEADDRUSE and the default.

Every TCP descriptor has the kernel's SO_REUSEADDR, so that the port of a closed listener can be bound again, as on
Windows. The kernel then permits more than Winsock does. For the sockets of this process the difference is refused here;
a conflict with another process is found by the kernel, for listeners only.

On the port of a listener the kernel refuses what Winsock permits: the wildcard and a specific address, and two sockets
with SO_REUSEADDR. Sockets with SO_REUSEADDR always have the kernel's SO_REUSEPORT; the others have it only during the
bind or listen that needs it (call_with_shared_port), because with it sockets of other processes could take their
connections. A connection goes to the more specific address; of two listeners on one address the first gets it
(system.prefer_first_listener).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from enum import Enum

from winsock.constants import AF_INET, AF_INET6, SO_EXCLUSIVEADDRUSE, SO_REUSEADDR, SOL_SOCKET
from winsock.errors import WSAEACCES, WSAEADDRINUSE

from ..posix import system
from ..posix.port_sharing import forget_sharing
from ..posix.sockaddr_layout import address_of, family_of, is_mapped, is_wildcard, port_of
from .sockets import LISTENING, Socket
from .waiters import lock, table


class Sharing(Enum):
    """How a socket shares its port: as the options of the same names say."""

    DEFAULT = "default"
    REUSE = "reuse"
    EXCLUSIVE = "exclusive"


_DEFAULT, _REUSE, _EXCLUSIVE = Sharing
_ANY, _ONE = True, False  # whether the address is the wildcard

# Microsoft's table in "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE": the first bind, then the second bind and its error.
# A pair that is absent succeeds.
_CONFLICTS = {
    (_DEFAULT, _ANY): {
        (_DEFAULT, _ANY): WSAEADDRINUSE,
        (_REUSE, _ANY): WSAEACCES,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
    },
    (_DEFAULT, _ONE): {
        (_DEFAULT, _ONE): WSAEADDRINUSE,
        (_REUSE, _ONE): WSAEACCES,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
        (_EXCLUSIVE, _ONE): WSAEADDRINUSE,
    },
    (_REUSE, _ANY): {
        (_DEFAULT, _ANY): WSAEADDRINUSE,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
    },
    (_REUSE, _ONE): {
        (_DEFAULT, _ONE): WSAEADDRINUSE,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
        (_EXCLUSIVE, _ONE): WSAEADDRINUSE,
    },
    (_EXCLUSIVE, _ANY): {
        (_DEFAULT, _ANY): WSAEADDRINUSE,
        (_DEFAULT, _ONE): WSAEACCES,
        (_REUSE, _ANY): WSAEACCES,
        (_REUSE, _ONE): WSAEACCES,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
        (_EXCLUSIVE, _ONE): WSAEACCES,
    },
    (_EXCLUSIVE, _ONE): {
        (_DEFAULT, _ONE): WSAEADDRINUSE,
        (_REUSE, _ONE): WSAEACCES,
        (_EXCLUSIVE, _ANY): WSAEADDRINUSE,
        (_EXCLUSIVE, _ONE): WSAEADDRINUSE,
    },
}


def bind_conflict(sock: Socket, name: bytes) -> int:
    """The error of binding `sock` to `name`, because of another TCP socket of this process; 0 where there is none."""
    port = port_of(name)
    if not port:
        return 0
    for other in _sockets_on(port, sock):
        error = _conflict_between(other, other.local or b"", sock, name)
        if error:
            return error
    return 0


def call_with_shared_port(sock: Socket, name: bytes, call: Callable[[], int]) -> int:
    """Makes a system call that needs the port of listeners of this process, as bind_conflict permits: its result.

    -EADDRINUSE if none of them is in the way: then the kernel has found a socket of another process.
    """
    port = port_of(name)
    with lock:  # another thread must not end the sharing before the call
        others = [one for one in _sockets_on(port, sock) if one.state == LISTENING and _overlap(one, sock, name)]
        if not others:
            return -errno.EADDRINUSE
        sharing = [one for one in (*others, sock) if _sharing(one) is not _REUSE]
        try:
            for one in sharing:
                system.set_port_sharing(one.fd, True)
            return call()
        finally:
            for one in sharing:
                system.set_port_sharing(one.fd, False)
            forget_sharing(port)


def _overlap(first: Socket, second: Socket, name: bytes) -> bool:
    """Whether one address of `first` is one of those that `name` covers."""
    return any(
        space == other_space and (not address or not other_address or address == other_address)
        for space, address in _spaces(first, first.local or b"")
        for other_space, other_address in _spaces(second, name)
    )


def _sockets_on(port: int, sock: Socket) -> list[Socket]:
    """The other TCP sockets of this process that are bound to the port."""
    return [
        other
        for other in table.sockets()
        if other.stream and other is not sock and other.local is not None and port_of(other.local) == port
    ]


def _conflict_between(first: Socket, first_name: bytes, second: Socket, name: bytes) -> int:
    for space, address in _spaces(first, first_name):
        for other_space, other_address in _spaces(second, name):
            if space != other_space or (address and other_address and address != other_address):
                continue
            first_mode, second_mode = _sharing(first), _sharing(second)
            specific = address or other_address or is_mapped(first_name) or is_mapped(name)
            if first.family != second.family and not specific:
                # A dual-stack wildcard and IPv4's: the first one refuses if it is exclusive. An exclusive second one is
                # refused if it is the dual-stack one.
                if first_mode is _EXCLUSIVE:
                    return WSAEACCES
                if second_mode is not _EXCLUSIVE or first.family == AF_INET6:
                    continue
            error = _CONFLICTS[first_mode, not address].get((second_mode, not other_address))
            if error:
                return error
    return 0


def _spaces(sock: Socket, name: bytes) -> Iterator[tuple[int, bytes]]:
    """The families that a name covers, each with its address; empty bytes are the wildcard."""
    address = address_of(name)
    if family_of(name) == AF_INET:
        yield 4, b"" if is_wildcard(name) else address
    elif is_mapped(name):
        yield 4, address[12:].strip(b"\0") and address[12:]
    elif not is_wildcard(name):
        yield 6, address
    else:
        yield 6, b""
        if not sock.is_ipv6_only:
            yield 4, b""


def _sharing(sock: Socket) -> Sharing:
    if sock.options.get((SOL_SOCKET, SO_EXCLUSIVEADDRUSE)):
        return _EXCLUSIVE
    return _REUSE if sock.options.get((SOL_SOCKET, SO_REUSEADDR)) else _DEFAULT
