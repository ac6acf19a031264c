"""How a TCP connection opens: the packets with SYN, and the one that answers them."""

from __future__ import annotations

import errno

from .packets import ACK, RST, SYN, Packet
from .receiving import ReceiveBuffer
from .transmission import State, Transmission


class Handshake(Transmission):
    """The opening part of a connection: by its own SYN, by that of a client, or by both at once."""

    def register(self) -> None:
        """Enters the tables."""
        raise NotImplementedError

    def is_taken(self) -> bool:
        """Whether the program can have the connection: the listener's queue has taken it, or connect opened it."""
        raise NotImplementedError

    def notify(self) -> None:
        """Wakes who waits for the connection."""
        raise NotImplementedError

    def open(self) -> None:
        """Sends a SYN."""
        self.register()
        self.state = State.SYN_SENT
        self.send_syn()

    def open_passively(self, packet: Packet) -> None:
        """Answers the SYN of a client."""
        self.register()
        self.receiving = ReceiveBuffer(self.options, packet.seq + 1)
        self.state = State.SYN_RECEIVED
        self.send_syn()

    def _establish(self, packet: Packet) -> None:
        self.sending.window_end = packet.ack + packet.window
        if not self.is_taken():
            return  # the queue is full; the client repeats its acknowledgement
        self.state = State.ESTABLISHED
        self.timer.clear()
        now = self.tcp.environment.now
        self.sending.establish(now - self.progress)
        self.progress = now
        self.record("connection is established")
        self.update_keepalive()
        self.notify()

    def receive_answer(self, packet: Packet) -> None:
        """The answer to a SYN."""
        acceptable = packet.flags & ACK and packet.ack == self.first + 1
        if packet.flags & RST:
            if acceptable:
                self.fail(errno.ECONNREFUSED)
        elif packet.flags & ACK and not acceptable:
            self.tcp.reject(packet)  # it belongs to an earlier connection
        elif packet.flags & SYN:
            self.receiving = ReceiveBuffer(self.options, packet.seq + 1)
            if acceptable:
                self._establish(packet)
                self.acknowledge()
            else:  # both ends have sent a SYN
                self.state = State.SYN_RECEIVED
                self.send_syn()

    def receive_syn_again(self, packet: Packet) -> None:
        """A SYN that is not the first one of the peer, or crosses the own one."""
        if self.state is not State.SYN_RECEIVED:
            self.acknowledge()  # the peer resets the connection if it does not know it
        elif packet.flags & ACK and packet.ack == self.first + 1:
            self._establish(packet)  # both ends have sent a SYN
        elif packet.seq + 1 == self.receiving.next:
            self.send_syn()

    def receive_third(self, packet: Packet) -> bool:
        """The acknowledgement of a listener's SYN; whether the connection is established now."""
        if packet.ack <= self.first:
            self.tcp.reject(packet)
            return False
        self._establish(packet)
        return self.state is State.ESTABLISHED
