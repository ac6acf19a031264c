"""The sending half of a TCP connection: the bytes that the peer has not acknowledged, and when to send them.

Bytes have numbers that never wrap; the end of the stream has the number after the last byte. `oldest` is the oldest
number that is not acknowledged, `next` the next one to send, `sent` the end of what was ever sent. After a loss `next`
goes back to `oldest`, and everything from there is sent again. How much may be on the way is limited by the peer's
window and by the congestion window, which starts with ten segments, doubles in each round trip up to a threshold, grows
by one segment after that, and is cut by losses. One packet carries up to 64 KB of it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..units import MILLISECOND, SECOND
from .options import Options
from .receiving import SEGMENT

_LARGEST_PACKET = 65536
_FIRST_TIMEOUT, _LEAST_TIMEOUT, _MOST_TIMEOUT = SECOND, 200 * MILLISECOND, 60 * SECOND
_DUPLICATES = 3  # this number of equal acknowledgements means that a packet was lost
_UNLIMITED = 1 << 62


class Part(NamedTuple):
    """What the next packet carries."""

    seq: int
    payload: bytes
    fin: bool
    urgent: int  # the number of the urgent byte, 0 without one


class SendBuffer:
    """What the program has sent and the peer has not acknowledged."""

    def __init__(self, options: Options, first: int, local: bool) -> None:
        """`first` is the number of the first byte; `local`: the peer is on this host, so there is no congestion."""
        self._options, self._local = options, local
        self.data = bytearray()
        self.oldest = self.next = self.sent = self.window_end = first
        self.ended = False  # the program has ended the stream
        self._end_acknowledged = False
        self._urgent_at = 0
        self._congestion, self._threshold = (_UNLIMITED if local else 10 * SEGMENT), _UNLIMITED
        self._duplicates = 0
        self._recovered_at = 0  # the end of what was sent when the last loss was found
        # The time-out of the next packet: the measured one, doubled for each repetition that has no answer.
        self.timeout = self._measured_timeout = _FIRST_TIMEOUT
        self._round_trip = self._variation = 0
        self._timed: tuple[int, int] | None = None  # a number whose acknowledgement is timed, and when it was sent

    @property
    def end(self) -> int:
        """The number after the last byte."""
        return self.oldest + len(self.data)

    def room(self) -> int:
        return max(self._options.send_buffer - len(self.data), 0)

    def is_writable(self) -> bool:
        """Whether poll reports room: a third of the buffer is free."""
        return self.room() >= len(self.data) // 2

    def in_flight(self) -> bool:
        return self.next > self.oldest

    def is_done(self) -> bool:
        """Whether the peer has acknowledged everything, also the end of the stream."""
        return self.ended and not self.data and self._end_acknowledged

    def is_blocked(self) -> bool:
        """Whether only the peer's window keeps data from being sent."""
        return bool(self.data) and not self.in_flight() and self.window_end <= self.oldest

    def establish(self, handshake: int) -> None:
        """Takes the time of the handshake as the first round trip, unless a packet of it was repeated."""
        repeated, self.timeout = self.timeout != _FIRST_TIMEOUT, _FIRST_TIMEOUT
        if not repeated:
            self._measure(handshake)

    def append(self, data: bytes | bytearray | memoryview, urgent: bool) -> None:
        self.data += data
        if urgent:
            self._urgent_at = self.end - 1

    def take(self, now: int) -> Part | None:
        """What to send next; None where nothing can be sent now."""
        if self._end_acknowledged or self.next > self.end:
            return None
        start, end = self.next, self.end
        limit = min(end, self.window_end, self.oldest + self._congestion)
        size = max(min(limit - start, _LARGEST_PACKET), 0)
        fin = self.ended and start + size == end
        if not fin and (not size or self._should_wait(size, end - start)):
            return None
        offset = start - self.oldest
        payload = bytes(self.data[offset : offset + size])
        self.next = start + size + fin
        if self.next > self.sent:
            self.sent = self.next
            if self._timed is None:
                self._timed = (self.next, now)
        return Part(start, payload, fin, self._urgent_at if self._urgent_at >= start else 0)

    def _should_wait(self, size: int, unsent: int) -> bool:
        """Nagle: a small packet waits for the acknowledgement of what is on the way."""
        if size >= SEGMENT or not self.in_flight() or self._urgent_at >= self.next:
            return False
        return size < unsent or not self._options.no_delay

    def acknowledge(self, ack: int, window: int, now: int) -> bool:
        """Takes an acknowledgement of data or of the peer's window; returns whether it acknowledges something new."""
        was_blocked = self.is_blocked()
        self.window_end = ack + window
        if ack <= self.oldest:
            if was_blocked and not self.is_blocked():
                self.timeout = self._measured_timeout
            return False
        self.timeout = self._measured_timeout
        if self._timed is not None and ack >= self._timed[0]:
            self._measure(now - self._timed[1])
            self._timed = None
        if ack > self.end:
            self._end_acknowledged = True
        count = min(ack, self.end) - self.oldest
        del self.data[:count]
        self.oldest += count
        self.next = max(self.next, ack)
        self._duplicates = 0
        if self._end_acknowledged:
            self.oldest = self.next = ack
        if not self._local:
            grown = count if self._congestion < self._threshold else SEGMENT * count // self._congestion
            self._congestion = min(self._congestion + grown, _UNLIMITED)
        return True

    def repeat_acknowledged(self) -> bool:
        """Counts an acknowledgement that acknowledges nothing new; whether the packets must be sent again."""
        self._duplicates += 1
        if self._duplicates != _DUPLICATES or self.oldest < self._recovered_at:
            return False
        self._lose(max((self.next - self.oldest) // 2, 2 * SEGMENT))
        return True

    def time_out(self) -> None:
        """The oldest byte was not acknowledged in time."""
        self._lose(SEGMENT)
        self.timeout = min(self.timeout * 2, _MOST_TIMEOUT)

    def _lose(self, congestion: int) -> None:
        self._threshold = max((self.next - self.oldest) // 2, 2 * SEGMENT)
        self._congestion = congestion
        self._recovered_at = self.sent
        self._duplicates = 0
        self.next = self.oldest
        self._timed = None  # an acknowledgement could be that of either packet

    def _measure(self, round_trip: int) -> None:
        """Takes the time of a round trip into account, as in RFC 6298."""
        if self._round_trip:
            self._variation += (abs(round_trip - self._round_trip) - self._variation) // 4
            self._round_trip += (round_trip - self._round_trip) // 8
        else:
            self._round_trip, self._variation = round_trip, round_trip // 2
        timeout = self._round_trip + 4 * self._variation
        self.timeout = self._measured_timeout = min(max(timeout, _LEAST_TIMEOUT), _MOST_TIMEOUT)
