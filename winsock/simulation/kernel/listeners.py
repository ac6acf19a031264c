"""Listening: clients that have sent a SYN, and the queue of those that accept can take.

The queue has one place more than the backlog. While it is full, SYNs are dropped without an answer, and so is the last
packet of a handshake; the client repeats them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from .connections import Connection, Opener
from .options import Options
from .packets import Address, Packet
from .ports import Binding, Sharing
from .sockets import InetSocket
from .tcp_tables import TcpTables


class Listener(Opener):
    """A listening socket's queue."""

    def __init__(self, tcp: TcpTables, socket: InetSocket, backlog: int) -> None:
        self._tcp, self._socket, self.backlog = tcp, socket, backlog
        self.queue: deque[Connection] = deque()
        self._opening: dict[Connection, None] = {}
        tcp.add_listener(self)

    @property
    def local(self) -> Address:
        return self._socket.local

    @property
    def ipv6(self) -> bool:
        return self._socket.ipv6

    @property
    def owner(self) -> str:
        return self._socket.table.owner

    def can_use(self, ip: bytes) -> bool:
        return self._socket.can_use(ip)

    def is_full(self) -> bool:
        return len(self.queue) > self.backlog

    def receive_syn(self, packet: Packet) -> None:
        if self.is_full():
            if self._tcp.ip.record is not None:
                self._tcp.ip.record(f"SYN is dropped, the queue is full: {packet}")
            return
        options: Options = replace(self._socket.options)
        connection = Connection(self._tcp, packet.destination, packet.source, options)
        sharing = Sharing(bool(options.reuse_address), bool(options.reuse_port), bool(options.v6only))
        connection.binding = Binding(packet.destination, sharing)
        self._tcp.ports.add(connection.binding)
        connection.opener = self
        self._opening[connection] = None
        connection.open_passively(packet)

    def established(self, connection: Connection) -> bool:
        if self.is_full():
            return False
        self._opening.pop(connection, None)
        self.queue.append(connection)
        self._socket.notify()
        return True

    def failed(self, connection: Connection) -> None:
        self._opening.pop(connection, None)

    def close(self) -> None:
        """Resets the clients that nobody has accepted."""
        self._tcp.remove_listener(self)
        for connection in (*self._opening, *self.queue):
            connection.abort()
        self.queue.clear()
