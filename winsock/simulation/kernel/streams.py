"""TCP sockets, as calls see them: fresh, connecting or connected (`connection`), or listening (`listener`)."""

from __future__ import annotations

import errno

from .addresses import is_wildcard
from .connections import Connection
from .files import POLLERR, POLLHUP, POLLIN, POLLOUT
from .listeners import Listener
from .packets import Address
from .sockets import InetSocket, mismatch
from .tcp_tables import TcpTables
from .transmission import OPENING, State


class StreamSocket(InetSocket):
    """One TCP socket."""

    protocol = "tcp"

    def __init__(self, tcp: TcpTables, ipv6: bool) -> None:
        super().__init__(tcp.ip, tcp.ports, ipv6)
        self.tcp = tcp
        self.connection: Connection | None = None
        self.listener: Listener | None = None
        self._connecting = False  # until connect has returned 0 or the error

    def events(self) -> int:
        if self.connection is not None:
            return self.connection.events()
        if self.listener is not None:
            return POLLIN if self.listener.queue else 0
        return POLLOUT | POLLHUP | (POLLERR if self.error else 0)

    @property
    def state(self) -> State:
        if self.listener is not None:
            return State.LISTEN
        return self.connection.state if self.connection is not None else State.CLOSED

    def connect(self, peer: Address) -> int:
        """Sends a SYN: 0 where the peer has answered, -EINPROGRESS, or minus another errno."""
        if self.connection is not None or self.listener is not None:
            return self._connect_again()
        if not self.can_use(peer.ip) or not self.ip.is_unicast(peer.ip):
            return -errno.ENETUNREACH
        if is_wildcard(peer.ip):
            peer = Address(self.ip.interfaces.all[len(peer.ip) == 16].address, peer.port)
        source = self._source(peer.ip)
        if source is None:
            return -mismatch(self.local.ip if self.address_fixed else None)
        if self.is_martian(source, peer.ip):
            return -errno.EINVAL
        result = self.bind_any()
        if result < 0:
            return -errno.EADDRNOTAVAIL
        if (Address(source, self.local.port), peer) in self.tcp.connections:
            return -errno.EADDRNOTAVAIL
        self.set_local_ip(source)
        self.peer, self.error, self._connecting = peer, 0, True
        self.connection = Connection(self.tcp, self.local, peer, self.options)
        self.connection.socket = self
        self.connection.open()
        if self.connection.state is not State.ESTABLISHED:
            return -errno.EINPROGRESS
        self._connecting = False
        return 0

    def _source(self, ip: bytes) -> bytes | None:
        """The own address from which packets to an address leave; None where there is none."""
        if self.address_fixed and len(self.local.ip) != len(ip):
            return None
        return self.local.ip if self.address_fixed and not is_wildcard(self.local.ip) else self.ip.source_for(ip)

    def _connect_again(self) -> int:
        """The result of a connect after an earlier one: that of the earlier one, until connect has reported it."""
        if not self._connecting or self.connection is None:
            return -errno.EISCONN
        if self.connection.state in OPENING:
            return -errno.EALREADY
        self._connecting = False
        if self.connection.state is not State.CLOSED:
            return 0
        error = self.connection.take_error() or errno.ECONNABORTED
        self.disconnect()
        return -error

    def disconnect(self) -> int:
        """Ends a connection or a failed connect at once; the socket can connect again."""
        if self.connection is not None:
            self.error = self.connection.error
            if self.connection.state not in (State.CLOSED, State.TIME_WAIT):
                self.error = errno.ECONNRESET
            self.connection.socket = None
            self.connection.abort()
            self.connection, self._connecting = None, False
        elif self.listener is not None:
            self._stop_listening()
        self.forget_association()
        self.notify()
        return 0

    def listen(self, backlog: int) -> int:
        if self.connection is not None:
            return -errno.EINVAL
        if self.listener is not None:
            self.listener.backlog = backlog
            return 0
        result = self.bind_any()
        if result < 0 or self.binding is None:
            return result
        self.binding.listening = True
        # The other sockets on the port count as the new ones: none of them may be a listener.
        if self.ports.is_refused(self.binding):
            self.binding.listening = False
            return -errno.EADDRINUSE
        self.listener = Listener(self.tcp, self, backlog)
        return 0

    def _stop_listening(self) -> None:
        if self.listener is not None:
            listener, self.listener = self.listener, None
            listener.close()
        if self.binding is not None:
            self.binding.listening = False

    def accept(self) -> StreamSocket | int:
        """The next client of the queue, or minus the errno."""
        if self.listener is None:
            return -errno.EINVAL
        if not self.listener.queue:
            return -errno.EAGAIN
        connection = self.listener.queue.popleft()
        accepted = StreamSocket(self.tcp, self.ipv6)
        accepted.connection, connection.socket = connection, accepted
        accepted.options = connection.options
        accepted.local, accepted.peer = connection.local, connection.peer
        accepted.binding, connection.binding = connection.binding, None
        accepted.address_fixed = True
        if connection.state is State.CLOSED:
            accepted.release_port()
        return accepted

    def send(self, data: bytes | bytearray | memoryview, urgent: bool) -> int:
        if self.connection is None:
            return -(super().take_error() or errno.EPIPE)
        return self.connection.send(data, urgent)

    def receive(self, size: int, peek: bool) -> bytes | int:
        """Up to `size` bytes, b"" at the end of the stream, or minus the errno."""
        if self.connection is None:
            return -(super().take_error() or errno.ENOTCONN)
        return self.connection.read(size, peek)

    def receive_urgent(self, peek: bool) -> bytes | int:
        if self.listener is not None:
            return -errno.ENOTCONN
        return -errno.EINVAL if self.connection is None else self.connection.read_urgent(peek)

    def bytes_available(self) -> int:
        if self.listener is not None:
            return -errno.EINVAL
        return self.connection.receiving.available() if self.connection is not None else 0

    def shutdown_send(self) -> int:
        if self.listener is not None:
            return 0
        if self.connection is None or self.state in (State.CLOSED, State.SYN_SENT):
            return -errno.ENOTCONN
        self.connection.end()
        return 0

    def has_peer(self) -> bool:
        return self.connection is not None and self.state not in (State.CLOSED, State.SYN_SENT)

    def take_error(self) -> int:
        return self.connection.take_error() if self.connection is not None else super().take_error()

    def notify(self) -> None:
        if self.connection is not None and self.connection.state is State.CLOSED and not self.port_fixed:
            self.release_port()
        super().notify()

    def set_option(self, level: int, option: int, value: int) -> int:
        keepalive = self.options.keepalive, self.options.keep_idle
        result = super().set_option(level, option, value)
        if self.connection is not None:
            if keepalive != (self.options.keepalive, self.options.keep_idle):
                self.connection.update_keepalive()
            if self.options.no_delay:
                self.connection.push()
        return result

    def close(self) -> None:
        """Ends the stream, or resets it: a connection with unsent data continues without the socket."""
        connection = self.connection
        if connection is not None and connection.state is not State.CLOSED:
            connection.binding, self.binding = self.binding, None
            connection.close()
        elif self.listener is not None:
            self._stop_listening()
        self.release_port()
