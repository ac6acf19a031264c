"""How a TCP connection sends its packets, and when it repeats them.

There is one timer. At its time-out a connection repeats the SYN, repeats what was not acknowledged, probes a closed
window, or leaves one of the last states. It fails with ETIMEDOUT when the peer has acknowledged nothing during the time
limit in TcpTables, although data or a probe were on the way. A closed window is probed without a limit, as long as the
peer answers.
"""

from __future__ import annotations

import errno
from enum import Enum

from ..units import SECOND
from .options import Options
from .packets import ACK, FIN, SYN, URG, Address, Packet
from .receiving import ReceiveBuffer
from .sending import Part, SendBuffer
from .tcp_tables import TcpTables
from .timers import Deadline

_NUMBERS_PER_NANOSECOND = 4  # the first number of a connection grows with time, so that it is never a number in use


class State(Enum):
    """As in RFC 9293."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN_SENT"
    SYN_RECEIVED = "SYN_RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN_WAIT_1"
    FIN_WAIT_2 = "FIN_WAIT_2"
    CLOSE_WAIT = "CLOSE_WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST_ACK"
    TIME_WAIT = "TIME_WAIT"


OPENING = (State.SYN_SENT, State.SYN_RECEIVED)
SENDING = (State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)


class Transmission:
    """The sending part of a connection: its buffers, its timer and the probes of SO_KEEPALIVE."""

    def __init__(self, tcp: TcpTables, local: Address, peer: Address, options: Options) -> None:
        self.tcp, self.local, self.peer, self.options = tcp, local, peer, options
        self.state = State.CLOSED
        self.first = tcp.environment.now // _NUMBERS_PER_NANOSECOND  # the number of the SYN
        on_this_host = tcp.ip.interfaces.is_own(peer.ip)
        self.sending = SendBuffer(options, self.first + 1, on_this_host)
        self.receiving = ReceiveBuffer(options, 0)
        self.timer = Deadline(tcp.environment, self._time_out)
        self.heard = self.progress = tcp.environment.now  # when something came, when something was acknowledged
        self.probing = False  # a probe of the closed window has no answer yet
        self._probes_window = not on_this_host
        self._keepalive: Deadline | None = None
        self.keepalive_probes = 0  # that the peer has not answered

    def fail(self, error: int) -> None:
        """Ends the connection with an error."""
        raise NotImplementedError

    def finish(self) -> None:
        """Ends the connection."""
        raise NotImplementedError

    def record(self, event: str) -> None:
        """Adds what happens to the connection to the trace."""
        if self.tcp.ip.record is not None:
            self.tcp.ip.record(f"{event}: tcp {self.local} > {self.peer}")

    def send_syn(self) -> None:
        flags = SYN if self.state is State.SYN_SENT else SYN | ACK
        now = self.tcp.environment.now
        self.timer.set(min(now + self.sending.timeout, max(self.progress + self.tcp.connect_timeout, now + 1)))
        self.transmit(flags, self.first)

    def push(self) -> None:
        """Sends what may be sent now, and sets the timer."""
        sending = self.sending
        if self.state not in SENDING:
            return
        if not (sending.data or sending.ended):
            self.timer.clear()
            return
        while part := sending.take(self.tcp.environment.now):
            self._send_part(part)
            if self.state not in SENDING:
                return
        self._arm()

    def _send_part(self, part: Part) -> None:
        flags = ACK | (FIN if part.fin else 0) | (URG if part.urgent else 0)
        self.transmit(flags, part.seq, part.payload, part.urgent)

    def transmit(self, flags: int, seq: int, payload: bytes = b"", urgent: int = 0) -> None:
        receiving = self.receiving
        ack = receiving.next if flags & ACK else 0
        packet = Packet(
            "tcp", self.local, self.peer, flags, seq, ack, receiving.window(), payload, urgent, self.options.ttl
        )
        self.tcp.ip.send(packet)

    def acknowledge(self) -> None:
        self.transmit(ACK, self.sending.sent)

    def _arm(self) -> None:
        """Sets the timer for what is on the way or blocked, unless it is set."""
        sending = self.sending
        if sending.in_flight() or (sending.is_blocked() and self._probes_window):
            if self.timer.time is None:
                self.timer.set(self._next_time_out())
        else:
            self.timer.clear()

    def _next_time_out(self) -> int:
        time = self.tcp.environment.now + self.sending.timeout
        unanswered = self.probing or self.sending.in_flight()
        return min(time, self.progress + self.tcp.user_timeout) if unanswered else time

    def _time_out(self) -> None:
        now = self.tcp.environment.now
        if self.state in (State.TIME_WAIT, State.FIN_WAIT_2):
            self.finish()
        elif self.state in OPENING:
            if now >= self.progress + self.tcp.connect_timeout:
                self.fail(errno.ETIMEDOUT)
            else:
                self.sending.time_out()
                self.record("SYN is repeated")
                self.send_syn()
        elif not self.probing and self.sending.is_blocked():
            self.probing, self.progress = True, now
            self._repeat()
        elif now >= self.progress + self.tcp.user_timeout:
            self.fail(errno.ETIMEDOUT)
        else:
            self._repeat()

    def _repeat(self) -> None:
        """Sends what was not acknowledged, or asks for the window."""
        blocked = self.sending.is_blocked()
        self.sending.time_out()
        self.record("the closed window is probed" if blocked else "data are repeated after a time-out")
        if blocked:
            self.transmit(ACK, self.sending.oldest - 1)
        self.push()

    def update_keepalive(self) -> None:
        """Starts or stops the probes of an idle connection, by the options."""
        if not self.options.keepalive or self.state in OPENING or self.state is State.CLOSED:
            if self._keepalive is not None:
                self._keepalive.clear()
            return
        if self._keepalive is None:
            self._keepalive = Deadline(self.tcp.environment, self._keep_alive)
        self._keepalive.set(self.tcp.environment.now + self.options.keep_idle * SECOND)

    def _keep_alive(self) -> None:
        now, options = self.tcp.environment.now, self.options
        if not options.keepalive or self._keepalive is None or self.state in (State.CLOSED, State.TIME_WAIT):
            return
        idle_until = self.heard + options.keep_idle * SECOND
        if self.keepalive_probes == 0 and (now < idle_until or self.sending.in_flight()):
            self._keepalive.set(max(idle_until, now + SECOND))
        elif self.keepalive_probes >= options.keep_count:
            self.fail(errno.ETIMEDOUT)
        else:
            self.keepalive_probes += 1
            self._keepalive.set(now + options.keep_interval * SECOND)
            self.transmit(ACK, self.sending.oldest - 1)
