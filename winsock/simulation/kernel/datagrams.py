"""UDP: datagram sockets, and which of them receives a datagram.

A unicast datagram goes to one socket: a connected one before one that is bound to the address, that before one that is
bound to the wildcard, IPv4 before dual-stack; of equals the one that was bound or connected last gets it. A datagram to
a group or a broadcast address goes to every socket that groups.receives accepts. If no socket has the port, the host
answers with an ICMP message; the sender's socket keeps ECONNREFUSED for the next call, and an entry in its error queue.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from . import groups
from .addresses import ANY4, Interface, is_multicast, is_wildcard
from .files import POLLERR, POLLIN, POLLOUT
from .filters import Arrival, Filter, accepts
from .ip_layer import IpLayer
from .packets import UNREACHABLE, Address, Packet
from .ports import ByPort, PortTable
from .sockets import InetSocket, mismatch

LARGEST = 65507  # bytes of a datagram of IPv4
_LONGEST = 0xFFFF  # a longer one is refused before anything else is looked at
_OVERHEAD = 64  # bytes of the receive buffer that each datagram takes besides its data


class Datagram(NamedTuple):
    payload: bytes
    source: Address


class DatagramSocket(InetSocket):
    """One UDP socket."""

    protocol = "udp"

    def __init__(self, udp: Udp, ipv6: bool) -> None:
        super().__init__(udp.ip, udp.ports, ipv6)
        self.udp = udp
        self.queue: deque[Datagram] = deque()
        self.queued = 0  # bytes of the receive buffer in use
        self.has_queued_errors = False
        self.memberships: list[groups.Membership] = []
        self.filter: Filter | None = None
        self._peer_scope = 0

    def events(self) -> int:
        # A datagram leaves at once, so there is always room for the next one.
        events = POLLOUT | (POLLIN if self.queue else 0)
        return events | (POLLERR if self.error or self.has_queued_errors else 0)

    def bind(self, local: Address) -> int:
        result = super().bind(local)
        if result == 0:
            self.udp.add(self)
        return result

    def bind_any(self) -> int:
        had_port = self.binding is not None
        result = super().bind_any()
        if result == 0 and not had_port:
            self.udp.add(self)
        return result

    def release_port(self) -> None:
        if self.binding is not None:
            self.udp.remove(self)
        super().release_port()

    def connect(self, peer: Address, scope: int = 0) -> int:
        """Sets the default peer. `scope` is the scope id of its address."""
        if not self.can_use(peer.ip):
            return -errno.ENETUNREACH
        if is_wildcard(peer.ip):
            peer = Address(self.udp.ip.interfaces.all[len(peer.ip) == 16].address, peer.port)
        result = self.bind_any()
        source = self._source(peer.ip, scope)
        if source is None:
            return -mismatch(self.local.ip)
        error = self._refusal(source, peer.ip)
        if error:
            return -error
        if result == 0:
            self.peer, self._peer_scope = peer, scope
            if is_wildcard(self.local.ip):
                self.set_local_ip(source)
            self.udp.move_to_end(self)
        return result

    def stays_here(self, ip: bytes) -> bool:
        if self.udp.ip.is_unicast(ip):
            return super().stays_here(ip)
        interface = groups.outgoing(self.udp.ip.interfaces, self.options, ip, self.local.ip)
        return interface is None or interface.loopback

    def disconnect(self) -> int:
        self.forget_association()
        return 0

    def _source(self, ip: bytes, scope: int) -> bytes | None:
        if len(self.local.ip) == 4 != len(ip):
            return None
        if not is_wildcard(self.local.ip) and not is_multicast(self.local.ip):
            if len(self.local.ip) == len(ip):
                return self.local.ip
            # A connect to an IPv6 address has chosen the local one; a later one to IPv4 leaves it, as on Linux.
            if self.address_fixed:
                return None
        if self.udp.ip.is_unicast(ip):
            return self.udp.ip.source_for(ip)
        interface = groups.outgoing(self.udp.ip.interfaces, self.options, ip, scope=scope)
        return interface.address if interface else None

    def send(self, data: bytes, to: Address | None, scope: int = 0) -> int:
        """Sends one datagram to an address with a scope id, or to the default peer: its size, or minus the errno."""
        result = self.bind_any()
        if result < 0:
            return result
        destination, scope = (to, scope) if to else (self.peer, self._peer_scope)
        if destination is None:
            return -errno.EDESTADDRREQ
        # A connection to an IPv4-mapped address sends as sendto does.
        if not destination.port and (to is not None or (self.ipv6 and len(destination.ip) == 4)):
            return -errno.EINVAL
        error = self._send_error(len(data), destination.ip)
        if error:
            return -error
        if is_wildcard(destination.ip):
            destination = Address(self.udp.ip.interfaces.all[len(destination.ip) == 16].address, destination.port)
        source = self._source(destination.ip, scope)
        if source is None:
            return -mismatch(self.local.ip)
        error = self._refusal(source, destination.ip, len(data))
        if error:
            return -error
        if self.error:
            return -self.take_error()
        self._transmit(data, Address(source, self.local.port), destination, scope)
        return len(data)

    def _send_error(self, size: int, ip: bytes) -> int:
        """The errno of a datagram for which the kernel looks for no route, or 0."""
        if size > _LONGEST:
            return errno.EMSGSIZE
        return 0 if self.can_use(ip) else errno.ENETUNREACH

    def _refusal(self, source: bytes, ip: bytes, size: int = 0) -> int:
        """The errno where the kernel does not send so many bytes from this address to that one, or 0."""
        if self.is_martian(source, ip):
            return errno.EINVAL
        if self.udp.ip.interfaces.is_broadcast(ip) and not self.options.broadcast:
            return errno.EACCES
        return errno.EMSGSIZE if size > LARGEST + 20 * (len(ip) == 16) else 0

    def _transmit(self, data: bytes, source: Address, destination: Address, scope: int) -> None:
        ip, options = destination.ip, self.options
        interface = None
        if self.udp.ip.is_unicast(ip):
            ttl = options.ttl if len(ip) == 4 else options.hops
        else:
            interface = groups.outgoing(self.udp.ip.interfaces, options, ip, self.local.ip, scope)
            ttl = options.multicast_ttl if len(ip) == 4 else options.multicast_hops
            if not is_multicast(ip):
                ttl = options.ttl
        self.udp.ip.send(Packet("udp", source, destination, payload=data, ttl=ttl), interface)

    def receive(self, peek: bool) -> Datagram | int:
        """The next datagram, or minus the errno."""
        if self.error:
            return -self.take_error()
        if not self.queue:
            return -errno.EAGAIN
        if peek:
            return self.queue[0]
        datagram = self.queue.popleft()
        self.queued -= len(datagram.payload) + _OVERHEAD
        return datagram

    def deliver(self, datagram: Datagram, arrival: Arrival) -> None:
        """Puts a datagram into the queue, unless the filter or a full queue drops it."""
        if not accepts(self.filter, arrival):
            return
        if self.queued >= self.options.receive_buffer:
            if self.udp.ip.record is not None:
                self.udp.ip.record(f"datagram is dropped, the queue is full: {self.describe()}")
            return
        self.queue.append(datagram)
        self.queued += len(datagram.payload) + _OVERHEAD
        self.notify()

    def report_unreachable(self) -> None:
        self.error = errno.ECONNREFUSED
        self.has_queued_errors = True
        self.notify()

    def clear_error_queue(self) -> None:
        if self.has_queued_errors:
            self.has_queued_errors = False
            self.error = 0

    def set_option(self, level: int, option: int, value: int) -> int:
        error = groups.interface_error(self.udp.ip.interfaces, level, option, value)
        return -error if error else super().set_option(level, option, value)

    def set_membership(self, level: int, join: bool, request: bytes) -> int:
        return groups.change(self.udp.ip.interfaces, self.memberships, level, join, request)

    def bytes_available(self) -> int:
        return len(self.queue[0].payload) if self.queue else 0

    def queued_bytes(self) -> int:
        return sum(len(datagram.payload) for datagram in self.queue)

    def close(self) -> None:
        self.release_port()
        self.queue.clear()


class Udp:
    """All datagram sockets of a host."""

    def __init__(self, ip: IpLayer, start: int) -> None:
        self.ip = ip
        self.ports = PortTable(start)
        self._sockets: ByPort[DatagramSocket] = ByPort()
        ip.register("udp", self.receive)

    def add(self, socket: DatagramSocket) -> None:
        self._sockets.add(socket)

    def remove(self, socket: DatagramSocket) -> None:
        self._sockets.remove(socket)

    def move_to_end(self, socket: DatagramSocket) -> None:
        """Makes a socket the first of equals that receives."""
        self.remove(socket)
        self.add(socket)

    def sockets(self) -> list[DatagramSocket]:
        return self._sockets.all()

    def receive(self, packet: Packet, interface: Interface, local: bool) -> None:
        """Gives a datagram to its socket or sockets."""
        if packet.flags & UNREACHABLE:
            self._report_unreachable(packet)
            return
        candidates = self._sockets.on(packet.destination.port)
        datagram = Datagram(packet.payload, packet.source)
        arrival = Arrival(packet.destination.ip, interface.index, local, interface.loopback)
        if not self.ip.is_unicast(packet.destination.ip):
            for socket in list(candidates):
                if groups.receives(socket.local, socket.peer, socket.memberships, packet, arrival) and socket.can_use(
                    packet.destination.ip
                ):
                    socket.deliver(datagram, arrival)
            return
        best = _best(candidates, packet)
        if best is not None:
            best.deliver(datagram, arrival)
        else:
            self.ip.answer(packet, UNREACHABLE)

    def _report_unreachable(self, packet: Packet) -> None:
        """The packet's source is the port that was closed, and its destination the socket that sent to it."""
        best = _best(self._sockets.on(packet.destination.port), packet)
        if best is not None:
            best.report_unreachable()


def _best(sockets: Sequence[DatagramSocket], packet: Packet) -> DatagramSocket | None:
    """The socket that receives a unicast datagram; of equal ones the one that was bound last."""
    best, most = None, -1
    for socket in sockets:
        score = _score(socket, packet)
        if score >= most and score >= 0:
            best, most = socket, score
    return best


def _score(socket: DatagramSocket, packet: Packet) -> int:
    """How well a socket matches a datagram; -1 where it does not."""
    ip = packet.destination.ip
    score = 0
    if is_wildcard(socket.local.ip):
        if len(socket.local.ip) == len(ANY4) != len(ip) or not socket.can_use(ip):
            return -1
    elif socket.local.ip != ip:
        return -1
    else:
        score = 4
    if socket.peer is not None:
        if not groups.is_from(packet, socket.peer):
            return -1
        score += 16 if socket.peer.port else 8
    return score + (not socket.ipv6)
