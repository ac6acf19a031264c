"""Which socket may bind which port, by Linux's rules; one table for TCP, one for UDP.

A Binding stands for a socket, also for a connection that outlives its socket. Two of them on one port conflict if they
overlap in an address, unless both have SO_REUSEPORT, or both have SO_REUSEADDR and the one that was there does not
listen. A dual-stack wildcard covers IPv4 too. A dual-stack socket whose IPv6 address a connect has chosen has an IPv4
address as well, 127.0.0.6, as in Linux: nobody else can bind 0.0.0.0.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from .addresses import ANY4, is_wildcard
from .packets import Address

_OF_CONNECTED = bytes((127, 0, 0, 6))
_FIRST_EPHEMERAL, EPHEMERAL_PORTS = 49152, 16384


class HasLocal(Protocol):
    """A socket with a bound address."""

    @property
    def local(self) -> Address: ...


Bound = TypeVar("Bound", bound=HasLocal)


class ByPort(Generic[Bound]):
    """Sockets by their local ports, the oldest first. A port without sockets takes no memory."""

    def __init__(self) -> None:
        self._by_port: dict[int, list[Bound]] = {}

    def add(self, socket: Bound) -> None:
        self._by_port.setdefault(socket.local.port, []).append(socket)

    def remove(self, socket: Bound) -> None:
        sockets = self._by_port[socket.local.port]
        sockets.remove(socket)
        if not sockets:
            del self._by_port[socket.local.port]

    def on(self, port: int) -> Sequence[Bound]:
        return self._by_port.get(port, ())

    def all(self) -> list[Bound]:
        return [socket for sockets in self._by_port.values() for socket in sockets]


class Sharing(NamedTuple):
    """What decides whether two sockets may share a port."""

    reuse_address: bool
    reuse_port: bool
    v6only: bool


class Binding:
    """A bound port."""

    __slots__ = ("listening", "local", "sharing")

    def __init__(self, local: Address, sharing: Sharing) -> None:
        self.local, self.sharing = local, sharing
        self.listening = False

    def spaces(self) -> Iterator[tuple[int, bytes]]:
        """The size of the addresses that it covers, with the address; b"" is the wildcard."""
        ip = self.local.ip
        if not is_wildcard(ip):
            yield len(ip), ip
            if len(ip) == 16 and not self.sharing.v6only:
                yield len(_OF_CONNECTED), _OF_CONNECTED
            return
        yield len(ip), b""
        if len(ip) == 16 and not self.sharing.v6only:
            yield len(ANY4), b""

    def overlaps(self, other: Binding) -> bool:
        return any(
            size == other_size and (not ip or not other_ip or ip == other_ip)
            for size, ip in self.spaces()
            for other_size, other_ip in other.spaces()
        )

    def conflicts(self, new: Binding) -> bool:
        """Whether it refuses the new one, whose place in the table it would share."""
        mine, other = self.sharing, new.sharing
        if mine.reuse_port and other.reuse_port:
            return False
        if mine.reuse_address and other.reuse_address and not self.listening:
            return False
        return self.overlaps(new)


class PortTable:
    """The bindings of one protocol."""

    def __init__(self, start: int) -> None:
        """`start` is where the sequence of ephemeral ports begins."""
        self._bindings: dict[int, list[Binding]] = {}
        self._next = start % EPHEMERAL_PORTS

    def bind(self, local: Address, sharing: Sharing) -> Binding | int:
        """Binds an address; port 0 takes a free one. Minus the errno where that is refused."""
        if not local.port:
            port = self._free_port()
            if not port:
                return -errno.EADDRINUSE
            local = Address(local.ip, port)
        binding = Binding(local, sharing)
        if self.is_refused(binding):
            return -errno.EADDRINUSE
        self.add(binding)
        return binding

    def is_refused(self, binding: Binding) -> bool:
        """Whether another one on its port conflicts with it."""
        others = self._bindings.get(binding.local.port, ())
        return any(other is not binding and other.conflicts(binding) for other in others)

    def add(self, binding: Binding) -> None:
        """Adds a binding that may conflict, as that of an accepted connection."""
        self._bindings.setdefault(binding.local.port, []).append(binding)

    def remove(self, binding: Binding) -> None:
        """Frees a port; does nothing if that was done."""
        others = self._bindings.get(binding.local.port, [])
        if binding in others:
            others.remove(binding)
            if not others:
                del self._bindings[binding.local.port]

    def _free_port(self) -> int:
        """The next free port of the sequence; 0 if all are in use."""
        for _ in range(EPHEMERAL_PORTS):
            port = _FIRST_EPHEMERAL + self._next
            self._next = (self._next + 1) % EPHEMERAL_PORTS
            if port not in self._bindings:
                return port
        return 0
