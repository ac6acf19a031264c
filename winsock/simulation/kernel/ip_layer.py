"""The IP layer of a host: it chooses source addresses and takes packets to their destination.

A packet to an own address arrives before `send` returns, as on Linux. Such packets wait in a queue while another one is
being delivered, so a handler never runs inside another one; the first sender delivers the whole queue. So the sender's
own state may have changed when `send` returns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .addresses import LOOPBACK, Interface, Interfaces, is_loopback, is_multicast
from .environment import Environment
from .packets import Address, Packet


class IpLayer:
    """Sends and receives the packets of all protocols."""

    def __init__(self, environment: Environment, interfaces: Interfaces) -> None:
        self.environment, self.interfaces = environment, interfaces
        self._handlers: dict[str, Callable[[Packet, Interface, bool], None]] = {}
        self._local: deque[tuple[Packet, Interface]] = deque()
        self._delivering = False
        self.down = False  # a crashed host neither sends nor receives
        # Gets a line of text for each event of a connection, and for each dropped datagram. None costs nothing.
        self.record: Callable[[str], None] | None = None

    def register(self, protocol: str, handler: Callable[[Packet, Interface, bool], None]) -> None:
        """`handler` gets each packet of a protocol, its interface, and whether this host has sent it."""
        self._handlers[protocol] = handler

    def source_for(self, ip: bytes) -> bytes | None:
        """The own address from which packets to an address leave; None without a route."""
        if self.interfaces.is_own(ip):
            return LOOPBACK[0].address if len(ip) == 4 and ip[0] == 127 else ip
        interface = self.interfaces.towards(ip)
        return interface.address if interface else None

    def is_unicast(self, ip: bytes) -> bool:
        return not is_multicast(ip) and not self.interfaces.is_broadcast(ip)

    def send(self, packet: Packet, interface: Interface | None = None) -> None:
        """Sends a packet; to a group or a broadcast address also to this host, through `interface`."""
        if self.down:
            return
        ip = packet.destination.ip
        if self.interfaces.is_own(ip):
            self._loop_back(packet, self.interfaces.with_address(ip) or LOOPBACK[0])
        elif self.is_unicast(ip):
            self.environment.transmit(packet)
        else:
            through = interface or self.interfaces.towards(ip) or LOOPBACK[len(ip) == 16]
            self._loop_back(packet, through)
            if not through.loopback and packet.ttl > 0:
                self.environment.transmit(packet)

    def _loop_back(self, packet: Packet, interface: Interface) -> None:
        self._local.append((packet, interface))
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._local:
                queued, through = self._local.popleft()
                self._handlers[queued.protocol](queued, through, True)
        finally:
            self._delivering = False

    def receive(self, packet: Packet) -> None:
        """Takes a packet from the network; drops one from a loopback address or to another net's broadcast address."""
        ip = packet.destination.ip
        if self.down or is_loopback(packet.source.ip) or (not self.interfaces.is_own(ip) and self.is_unicast(ip)):
            return
        interface = self.interfaces.with_address(ip) or self.interfaces.towards(packet.source.ip)
        self._handlers[packet.protocol](packet, interface or LOOPBACK[0], False)

    def answer(self, packet: Packet, flags: int, seq: int = 0, ack: int = 0) -> None:
        """Sends an answer without data to where a packet came from."""
        source = Address(packet.destination.ip, packet.destination.port)
        self.send(Packet(packet.protocol, source, packet.source, flags, seq, ack))
