"""TCP connections: the state machine of RFC 9293.

A connection is created by connect or by a listener's SYN. It sends through its SendBuffer, receives through its
ReceiveBuffer, and notifies its socket when something has changed. When the program closes the socket, the connection
continues without it until the peer has acknowledged everything, or until a time limit. `error` is the error that ended
it; calls report it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ..units import SECOND
from .files import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, File
from .handshake import Handshake
from .options import Options
from .packets import ACK, FIN, RST, SYN, URG, Address, Packet
from .ports import Binding
from .tcp_tables import TcpTables
from .transmission import OPENING, SENDING, State

_TIME_WAIT, _FIN_WAIT = 60 * SECOND, 60 * SECOND
_RESET_AT_CLOSE = (State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.FIN_WAIT_2, State.SYN_RECEIVED)


class Opener:
    """Receives the results of handshakes: the listener of the connections."""

    def established(self, connection: Connection) -> bool:
        """Whether the queue has taken it."""
        raise NotImplementedError

    def failed(self, connection: Connection) -> None:
        """It has ended before that."""


class Connection(Handshake):
    """One end of a connection."""

    def __init__(self, tcp: TcpTables, local: Address, peer: Address, options: Options) -> None:
        super().__init__(tcp, local, peer, options)
        self.error = 0
        self.socket: File | None = None
        self.opener: Opener | None = None
        self.binding: Binding | None = None  # the port, where it has no socket that owns it
        # Called when something has changed, where the program waits in close for the acknowledgement of everything.
        self.wake_closer: Callable[[], object] | None = None
        self.receive_ended = self.closed_by_program = False

    # Opening.

    def register(self) -> None:
        self.tcp.connections[self.local, self.peer] = self

    def is_taken(self) -> bool:
        if self.opener is not None and not self.opener.established(self):
            return False
        self.opener = None
        return True

    # Sending.

    def send(self, data: bytes | bytearray | memoryview, urgent: bool) -> int:
        """Sends what fits into the buffer: its size, or minus the errno."""
        if self.state in OPENING:
            return -errno.EAGAIN
        if self.error or self.sending.ended or self.state is State.CLOSED:
            return -(self.take_error() or errno.EPIPE)
        count = min(len(data), self.sending.room())
        if not count:
            return -errno.EAGAIN if data else 0
        if not self.sending.in_flight() and not self.probing:
            self.progress = self.tcp.environment.now
        self.sending.append(data[:count], urgent and count == len(data))
        self.push()
        return count

    def end(self) -> None:
        """Sends the end of the stream, after the data."""
        if self.sending.ended or self.state in (State.CLOSED, State.SYN_SENT):
            return
        self.sending.ended = True
        if self.state is State.ESTABLISHED:
            self.state = State.FIN_WAIT_1
        elif self.state is State.CLOSE_WAIT:
            self.state = State.LAST_ACK
        self.progress = self.tcp.environment.now
        self.push()
        self.notify()

    # Receiving.

    def gives_way_to(self, packet: Packet) -> bool:
        if self.state is not State.TIME_WAIT or not packet.opens_flow or packet.seq <= self.receiving.next:
            return False
        self.finish()
        return True

    def receive(self, packet: Packet) -> None:
        """Takes a packet of this connection."""
        self.heard = self.tcp.environment.now
        self.keepalive_probes = 0
        if self.state is State.SYN_SENT:
            self.receive_answer(packet)
        elif packet.flags & RST:
            if self.receiving.next <= packet.seq <= max(self.receiving.promised, self.receiving.next):
                self.reset()
        elif packet.flags & SYN:
            self.receive_syn_again(packet)
        elif packet.flags & ACK:
            if self.state is State.SYN_RECEIVED and not self.receive_third(packet):
                return
            self._receive_segment(packet)

    def _receive_segment(self, packet: Packet) -> None:
        sending = self.sending
        if packet.ack > sending.sent:
            self.acknowledge()
            return
        had_data = bool(packet.payload) or bool(packet.flags & FIN)
        if packet.ack >= sending.oldest:
            self._receive_acknowledgement(packet, had_data)
        if self.state is State.CLOSED:
            return
        if packet.flags & URG and not self.receive_ended:
            self.receiving.announce_urgent(packet.urgent)
        if had_data:
            self._receive_data(packet)
        elif packet.seq < self.receiving.next:
            self.acknowledge()  # a probe
        self.push()

    def _receive_acknowledgement(self, packet: Packet, had_data: bool) -> None:
        sending = self.sending
        same = packet.ack == sending.oldest and packet.ack + packet.window == sending.window_end
        if sending.acknowledge(packet.ack, packet.window, self.heard):
            self.progress = self.heard
            self.probing = False
            self.timer.clear()
            if sending.is_done():
                self._end_acknowledged()
            self.notify()
        elif same and not had_data and sending.in_flight():
            if sending.repeat_acknowledged():
                self.record("data are repeated after three equal acknowledgements")
        elif not sending.in_flight() and self.state in SENDING:
            self.probing = False
            self.timer.clear()

    def _end_acknowledged(self) -> None:
        if self.state is State.FIN_WAIT_1:
            self.state = State.FIN_WAIT_2
            if self.closed_by_program:
                self.timer.set(self.heard + _FIN_WAIT)
        elif self.state is State.CLOSING:
            self._wait_for_late_packets()
        elif self.state is State.LAST_ACK:
            self.finish()

    def _receive_data(self, packet: Packet) -> None:
        if self.closed_by_program and packet.payload and packet.seq + len(packet.payload) > self.receiving.next:
            self.transmit(RST, self.sending.sent)  # no program can receive it
            self.finish()
            return
        is_new = self.receiving.arrive(packet.seq, packet.payload, bool(packet.flags & FIN))
        if is_new and self.receiving.ended and not self.receive_ended:
            self._receive_end()
        self.acknowledge()
        if is_new:
            self.notify()

    def _receive_end(self) -> None:
        self.receive_ended = True
        if self.state is State.ESTABLISHED:
            self.state = State.CLOSE_WAIT
        elif self.state is State.FIN_WAIT_1:
            self.state = State.CLOSING
        elif self.state is State.FIN_WAIT_2:
            self._wait_for_late_packets()

    def read(self, size: int, peek: bool) -> bytes | int:
        """What has arrived, b"" at the end of the stream, or minus the errno."""
        receiving = self.receiving
        data = receiving.read(size, peek)
        if data or (not size and receiving.data):
            if not peek and receiving.needs_update() and self.state is not State.CLOSED:
                self.acknowledge()
            return data
        if receiving.ended:
            return b""
        if self.error:
            return -self.take_error()
        if self.receive_ended:
            return b""
        return -errno.ENOTCONN if self.state is State.CLOSED else -errno.EAGAIN

    def read_urgent(self, peek: bool) -> bytes | int:
        """The urgent byte, or minus the errno."""
        result = self.receiving.read_urgent(peek=True)
        if result != -errno.EINVAL and self.state is State.CLOSED and not self.receiving.ended:
            return -errno.ENOTCONN
        return result if peek else self.receiving.read_urgent(peek=False)

    # Ending.

    def take_error(self) -> int:
        error, self.error = self.error, 0
        return error

    def close(self) -> None:
        """The program has closed the socket: ends the stream, or resets the connection if it has unread data."""
        self.socket = None
        self.closed_by_program = True
        if self.receiving.data or self.options.linger == 0:
            self.abort()
        elif self.state in OPENING:
            self.finish()
        else:
            self.end()
            if self.state is State.FIN_WAIT_2:
                self.timer.set(self.tcp.environment.now + _FIN_WAIT)

    def abort(self) -> None:
        """Resets the connection and discards its data."""
        if self.state in _RESET_AT_CLOSE or (self.sending.data and self.state is not State.CLOSED):
            self.transmit(RST | ACK, self.sending.sent)
        self.receiving.data.clear()
        self.finish()

    def fail(self, error: int) -> None:
        """Ends the connection with an error."""
        self.error = error
        self.record(f"connection fails with {errno.errorcode[error]}")
        self.finish()

    def reset(self) -> None:
        self.fail(errno.EPIPE if self.state is State.CLOSE_WAIT else errno.ECONNRESET)

    def forget(self) -> None:
        self.socket = None
        self.finish()

    def _wait_for_late_packets(self) -> None:
        self.state = State.TIME_WAIT
        self.timer.set(self.tcp.environment.now + _TIME_WAIT)

    def finish(self) -> None:
        """Leaves the tables."""
        if self.state is State.CLOSED:
            return
        self.record("connection is closed")
        self.state = State.CLOSED
        self.sending.ended = self.receive_ended = True
        self.sending.data.clear()
        self.timer.cancel()
        if self._keepalive is not None:
            self._keepalive.cancel()
        self.tcp.connections.pop((self.local, self.peer), None)
        if self.binding is not None:
            self.tcp.ports.remove(self.binding)
        if self.opener is not None:
            self.opener.failed(self)
        self.notify()

    # What poll sees.

    def notify(self) -> None:
        if self.socket is not None:
            self.socket.notify()
        elif self.wake_closer is not None:
            self.wake_closer()

    def events(self) -> int:
        """All current events, as Linux reports them."""
        state, ended = self.state, self.sending.ended
        events = POLLERR if self.error else 0
        if state is State.CLOSED or (self.receive_ended and ended):
            events |= POLLHUP
        if self.receive_ended:
            events |= POLLIN | POLLRDHUP
        if state in OPENING:
            return events
        if self.receiving.data and self.receiving.has_data():
            events |= POLLIN
        if ended or self.sending.is_writable():
            events |= POLLOUT
        return events | (POLLPRI if self.receiving.has_urgent() else 0)
