"""The packets of one TCP connection, from the calls of its two programs.

How it works:

- Calls show what programs ask of TCP and not what TCP does. A packet stands for a call: SYN for connect, SYN and ACK
  for accept, the data for a send, an ACK for a receive, FIN or RST for shutdown and closesocket. The sequence numbers
  are those of a connection without losses, so Wireshark assembles the streams.
- A packet is captured on the interface of the program whose call it stands for. What came from a program without a
  trace, or from a call that was not traced, is an inbound packet on the interface of the receiver: a receive must
  acknowledge only what was sent.
- What was sent without a trace was sent before its sender closed the connection, also if it was received after that. So
  these bytes are collected (`Connection.late`), and a second pass over the calls sends them before the FIN or RST.
- MSG_OOB bytes are bytes of the stream that TCP calls urgent. A receive with MSG_OOB, or one with SO_OOBINLINE, takes
  them out; neither makes the other bytes of the stream fewer.
- If a call moved more bytes than its trace has, the packet is captured in part: it is longer than its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .ip_headers import LARGEST_PAYLOAD, Address, Flags, Segment
from .pcapng import Packet

__all__ = ["Connection", "Late", "Side"]

_SYN, _ACK, _FIN, _RST = Flags.SYN, Flags.ACK, Flags.FIN | Flags.ACK, Flags.RST | Flags.ACK
_DATA = Flags.PSH | Flags.ACK
# The number of packets without a known byte that stand for one call: they are four megabytes. The rest of a larger call
# is a gap in the capture.
_MOST_UNKNOWN = 64
# Spreads the first sequence numbers: a new connection between the same addresses must have another one.
_SPREAD = 0x9E3779B1

# The bytes that each side, client and server, has sent before it closed the connection: those known, and their number.
Late: TypeAlias = "tuple[Sequence[tuple[bytes, int]], Sequence[tuple[bytes, int]]]"


@dataclass
class Side:
    """One end of a connection.

    `lane` is None if its program has no trace; `next` is the sequence number of its next byte, `received` that of the
    next byte that it will receive.
    """

    address: Address
    lane: int | None
    next: int
    received: int
    finished: bool = False
    # Whether closesocket resets the connection, and whether the program has refused to receive more.
    abortive: bool = False
    deaf: bool = False
    # Whether a call has reported to the program that the connection was reset.
    knows_reset: bool = False
    # What the other side has received after this one closed the connection: the known bytes and the size of each piece.
    late: list[tuple[bytes, int]] = field(default_factory=list)


class Connection:
    """A connection that `client` has asked for; its packets go to `emit`."""

    def __init__(
        self,
        number: int,
        client: Address,
        client_lane: int | None,
        server: Address,
        server_lane: int | None,
        emit: Callable[[Packet], None],
        late: Late = ((), ()),
    ) -> None:
        self.number = number
        # The comments of the packet that has reset the connection.
        self.reset_comments: list[str] = []
        first, second = number * _SPREAD & 0x7FFFFFFF, number * _SPREAD + 0x40000000 & 0x7FFFFFFF
        self.client = Side(client, client_lane, first, second + 1)
        self.server = Side(server, server_lane, second, first + 1)
        # The text of the accept, for the packet that answers the SYN.
        self.accepted = ""
        self.established = self.reset = False
        self._emit = emit
        # What each side sends before it closes the connection, from the first pass.
        self._before_end = dict(zip((id(self.client), id(self.server)), late, strict=True))

    @property
    def late(self) -> Late:
        """What was received of both sides, client and server, after they closed the connection."""
        return self.client.late, self.server.late

    def other(self, side: Side) -> Side:
        return self.server if side is self.client else self.client

    def open(self, time: int, comment: str) -> None:
        """The client asks for the connection."""
        self._packet(self.client, _SYN, time, comment)
        self.client.next += 1

    def refuse(self, time: int) -> None:
        """The server's system has no socket that listens."""
        self._packet(self.server, _RST, time, "")
        self.reset = True

    def establish(self, time: int) -> None:
        """The handshake is complete; does nothing if it was already."""
        if self.established or self.reset:
            return
        self.established = True
        self._packet(self.server, _SYN | _ACK, time, self.accepted)
        self.server.next += 1
        self._packet(self.client, _ACK, time, "")

    def send(self, side: Side, time: int, data: bytes, size: int, comment: str, urgent: bool = False) -> None:
        """A side sends `size` bytes, of which `data` are known; MSG_OOB makes them urgent."""
        self.establish(time)
        flags = _DATA | Flags.URG if urgent else _DATA
        for begin in _segments(len(data), size):
            part = data[begin : begin + LARGEST_PAYLOAD]
            length = min(size - begin, LARGEST_PAYLOAD)
            self._packet(side, flags, time, "" if begin else comment, part, length, begin)
        side.next += size

    def receive(self, side: Side, time: int, data: bytes, size: int, comment: str) -> None:
        """A side receives `size` bytes, of which `data` are known."""
        self.establish(time)
        other = self.other(side)
        # What no traced call has sent. A FIN has a number of its own, but is no byte.
        missing = min(side.received + size - (other.next - other.finished), size)
        if missing > 0 and (other.finished or self.reset):
            other.late.append((data[size - missing :], missing))
            other.next += missing
        elif missing > 0:
            self.send(other, time, data[size - missing :], missing, "")
        side.received += size
        self._packet(side, _ACK, time, comment)

    def receive_end(self, side: Side, time: int, comment: str) -> bool:
        """A side learns that the other one sends no more; returns False, without a packet, if it knows already."""
        self.establish(time)
        other = self.other(side)
        if side.deaf or (other.finished and side.received == other.next):
            return False
        self.finish(other, time, "")
        side.received = other.next
        self._packet(side, _ACK, time, comment)
        return True

    def finish(self, side: Side, time: int, comment: str) -> None:
        """A side sends no more; does nothing if it has said so already, or if the connection was never established."""
        if self.established and not side.finished:
            self._send_late(side, time)
            self._packet(side, _FIN, time, comment)
            side.next += 1
            side.finished = True

    def abort(self, side: Side, time: int, comment: str) -> None:
        """A side resets the connection."""
        if self.established:
            self._send_late(side, time)
            self.reset_comments = [comment] if comment else []
            self._packet(side, _RST, time, self.reset_comments)
            self.reset = True

    def _send_late(self, side: Side, time: int) -> None:
        """A side sends what the first pass has found that it must have sent before it closes the connection."""
        for data, size in self._before_end.pop(id(side), ()):
            self.send(side, time, data, size, "")

    def _packet(
        self,
        side: Side,
        flags: Flags,
        time: int,
        comment: str | list[str],
        data: bytes = b"",
        size: int = 0,
        offset: int = 0,
    ) -> None:
        """Emits a packet of a side, unless the connection was reset; `offset`: how far its data is from `next`."""
        other = self.other(side)
        lane = other.lane if side.lane is None else side.lane
        if self.reset or lane is None:
            return
        acknowledged = side.received if flags & _ACK else 0
        segment = Segment(side.address, other.address, flags, side.next + offset, acknowledged, data, size)
        raw, length = segment.packet()
        comments = comment if isinstance(comment, list) else [comment] if comment else []
        self._emit(Packet(lane, time, raw, length, side.lane is None, comments))


def _segments(known: int, size: int) -> Iterator[int]:
    """The positions at which the packets for `size` bytes begin, of which `known` are known."""
    last_unknown = known + _MOST_UNKNOWN * LARGEST_PAYLOAD
    yield from range(0, min(size, last_unknown), LARGEST_PAYLOAD)
