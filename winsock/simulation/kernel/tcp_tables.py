"""What all TCP sockets of a host share: connections, listeners, ports and limits of time."""

from __future__ import annotations

from typing import Protocol

from ..units import SECOND
from .addresses import Interface, is_wildcard
from .environment import Environment
from .ip_layer import IpLayer
from .packets import ACK, FIN, RST, SYN, Address, Packet
from .ports import ByPort, PortTable


class PacketReceiver(Protocol):
    """A connection."""

    def receive(self, packet: Packet) -> None: ...
    def gives_way_to(self, packet: Packet) -> bool:
        """Whether it has ended, so that the packet may open the next connection between the same addresses."""
        ...

    def reset(self) -> None:
        """Ends as if the peer had reset it."""
        ...

    def forget(self) -> None:
        """Ends without a packet and without an error."""
        ...


class SynReceiver(Protocol):
    """A listener."""

    @property
    def local(self) -> Address: ...
    @property
    def ipv6(self) -> bool: ...
    def can_use(self, ip: bytes) -> bool: ...
    def receive_syn(self, packet: Packet) -> None: ...


class TcpTables:
    """The TCP of a host; it takes the packets of the IP layer."""

    def __init__(self, environment: Environment, ip: IpLayer, start: int) -> None:
        self.environment, self.ip = environment, ip
        self.ports = PortTable(start)
        self.connections: dict[tuple[Address, Address], PacketReceiver] = {}
        self._listeners: ByPort[SynReceiver] = ByPort()
        # In nanoseconds: when a connect ends without an answer, and a connection without an acknowledgement. Windows
        # repeats a SYN for 21 seconds, and data five times.
        self.connect_timeout, self.user_timeout = 21 * SECOND, 20 * SECOND
        ip.register("tcp", self.receive)

    def add_listener(self, listener: SynReceiver) -> None:
        self._listeners.add(listener)

    def remove_listener(self, listener: SynReceiver) -> None:
        self._listeners.remove(listener)

    def listeners(self) -> list[SynReceiver]:
        return self._listeners.all()

    def find_listener(self, to: Address) -> SynReceiver | None:
        """The listener that a client reaches at an address: a specific address, then IPv4, then the oldest one."""
        best, most = None, -1
        for listener in self._listeners.on(to.port):
            score = int(not listener.ipv6)
            if listener.local.ip == to.ip:
                score += 2
            elif not is_wildcard(listener.local.ip) or not _covers(listener, to.ip):
                continue
            if score > most:
                best, most = listener, score
        return best

    def receive(self, packet: Packet, interface: Interface, local: bool) -> None:
        """Gives a packet to its connection or listener; answers others with a reset, unless they go to many hosts."""
        key = (packet.destination, packet.source)
        connection = self.connections.get(key)
        if connection is not None and not connection.gives_way_to(packet):
            connection.receive(packet)
            return
        if not self.ip.is_unicast(packet.destination.ip):
            return
        listener = self.find_listener(packet.destination) if packet.opens_flow else None
        if listener is not None:
            listener.receive_syn(packet)
        else:
            self.reject(packet)

    def reject(self, packet: Packet) -> None:
        """Answers a packet that belongs to no connection with a reset."""
        if packet.flags & RST:
            return
        if packet.flags & ACK:
            self.ip.answer(packet, RST, packet.ack)
        else:
            length = len(packet.payload) + bool(packet.flags & SYN) + bool(packet.flags & FIN)
            self.ip.answer(packet, RST | ACK, 0, packet.seq + length)


def _covers(listener: SynReceiver, ip: bytes) -> bool:
    """Whether a listener at the wildcard covers an address of this family."""
    return len(listener.local.ip) >= len(ip) and listener.can_use(ip)
