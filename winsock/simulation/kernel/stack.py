"""The network stack of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..units import MILLISECOND
from .addresses import Interface, Interfaces
from .connections import Connection
from .datagrams import DatagramSocket, Udp
from .environment import Environment
from .files import Files
from .ip_layer import IpLayer
from .listeners import Listener
from .packets import Address, Packet
from .ports import EPHEMERAL_PORTS
from .sockets import InetSocket
from .streams import StreamSocket
from .tcp_tables import TcpTables


class SocketInfo(NamedTuple):
    """A line of netstat."""

    protocol: str
    local: Address
    peer: Address | None
    state: str  # "" for UDP
    receive_queue: int  # bytes; the clients that wait, for a listener
    send_queue: int
    owner: str  # the process; "" for a connection that its program has closed or not accepted


class Stack:
    """A host's sockets, from its start to its crash.

    `resolve` gives the IP addresses of a name, `name_of` the name of an IP address.
    """

    def __init__(
        self,
        environment: Environment,
        host_name: str,
        addresses: Sequence[Interface],
        resolve: Callable[[str], Sequence[bytes]],
        name_of: Callable[[bytes], str | None],
    ) -> None:
        self.environment, self.host_name = environment, host_name
        self.resolve, self.name_of = resolve, name_of
        self.interfaces = Interfaces(addresses)
        self.ip = IpLayer(environment, self.interfaces)
        # A host that has crashed and starts again does not begin with the ports that its old connections have.
        start = environment.now // MILLISECOND
        # UDP takes other ports than TCP, so that a TCP socket does not connect to itself where a program has mistaken
        # the one for the other.
        self.udp = Udp(self.ip, start + EPHEMERAL_PORTS // 2)
        self.tcp = TcpTables(environment, self.ip, start)

    def set_record(self, record: Callable[[str], None] | None) -> None:
        """Sets the function that gets a line of text for each event of a connection, and for each dropped datagram."""
        self.ip.record = record

    def receive(self, packet: Packet) -> None:
        """Takes a packet from the network."""
        self.ip.receive(packet)

    def open_files(self, wake: Callable[[], None], owner: str = "") -> Files:
        """The descriptor table of a new process; `wake` is called when something may be ready that it polls."""
        return Files(wake, owner)

    def open_socket(self, stream: bool, ipv6: bool) -> InetSocket:
        return StreamSocket(self.tcp, ipv6) if stream else DatagramSocket(self.udp, ipv6)

    def crash(self) -> None:
        """Loses all connections without a packet, as when the power fails."""
        self.ip.down = True
        for connection in list(self.tcp.connections.values()):
            connection.forget()

    def reset(self, local: Address, peer: Address) -> bool:
        """Resets one end of a connection, as if the peer had done it; whether there is such a connection."""
        connection = self.tcp.connections.get((local, peer))
        if connection is None:
            return False
        connection.reset()
        return True

    def sockets(self) -> list[SocketInfo]:
        """All sockets that have a port, in the order in which they got it."""
        listeners = [self._listener_info(one) for one in self.tcp.listeners() if isinstance(one, Listener)]
        connections = [
            self._connection_info(one) for one in self.tcp.connections.values() if isinstance(one, Connection)
        ]
        datagrams = [
            SocketInfo("udp", one.local, one.peer, "", one.queued_bytes(), 0, one.table.owner)
            for one in self.udp.sockets()
        ]
        return [*listeners, *connections, *datagrams]

    @staticmethod
    def _listener_info(listener: Listener) -> SocketInfo:
        return SocketInfo("tcp", listener.local, None, "LISTEN", len(listener.queue), 0, listener.owner)

    @staticmethod
    def _connection_info(connection: Connection) -> SocketInfo:
        owner = connection.socket.table.owner if connection.socket is not None else ""
        received, unsent = len(connection.receiving.data), len(connection.sending.data)
        return SocketInfo("tcp", connection.local, connection.peer, connection.state.value, received, unsent, owner)
