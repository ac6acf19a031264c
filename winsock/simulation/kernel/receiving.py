"""The receiving half of a TCP connection: the bytes that have arrived, and the urgent one among them.

Bytes have numbers that never wrap. `next` is the number of the next one to arrive; a packet that begins later is
dropped, and the sender repeats everything from `next` on. The urgent byte stays in its place. recv stops before it and
then skips it, unless it is received inline; it can be received with MSG_OOB until the next urgent byte comes.
"""

from __future__ import annotations

import errno
from enum import Enum

from .options import Options

SEGMENT = 1460  # bytes of a real packet


class Urgent(Enum):
    """What is known of the latest urgent byte."""

    NONE = 0
    ANNOUNCED = 1
    ARRIVED = 2
    READ = 3


class ReceiveBuffer:
    """What has arrived and was not received by the program."""

    def __init__(self, options: Options, first: int) -> None:
        self._options = options
        self.data = bytearray()
        self.next = first
        self.promised = first  # the end of the window that the peer knows
        self.ended = False  # the peer's end has arrived
        self.urgent = Urgent.NONE
        self.urgent_at = 0
        self._urgent_byte = b""

    @property
    def first(self) -> int:
        """The number of the first byte of `data`."""
        return self.next - self.ended - len(self.data)

    def window(self) -> int:
        """How many more bytes fit. The caller sends the number to the peer."""
        self.promised = max(self.promised, self.next + self._options.receive_buffer - len(self.data))
        return self.promised - self.next

    def needs_update(self) -> bool:
        """Whether the program has made so much room that the peer should know it."""
        size = self._options.receive_buffer
        grown = self.next + size - len(self.data) - self.promised
        return grown >= size // 2 or (self.promised - self.next < SEGMENT <= grown)

    def arrive(self, seq: int, payload: bytes, fin: bool) -> bool:
        """Takes the bytes that are new and fit; whether there were any, or the peer's end was."""
        if seq > self.next or self.ended:
            return False
        unseen = payload[self.next - seq :] if seq < self.next else payload
        taken = unseen[: max(self.promised - self.next, 0)]
        self.data += taken
        start = self.next
        self.next += len(taken)
        if self.urgent is Urgent.ANNOUNCED and start <= self.urgent_at < self.next:
            self.urgent = Urgent.ARRIVED
            self._urgent_byte = taken[self.urgent_at - start : self.urgent_at - start + 1]
        at_end = fin and len(taken) == len(unseen) and seq + len(payload) == self.next
        if at_end:
            self.next += 1
            self.ended = True
        return bool(taken) or at_end

    def announce_urgent(self, at: int) -> None:
        """The peer has sent an urgent byte with this number, which may not have arrived yet."""
        first = self.first
        if at < self.next or (self.urgent is not Urgent.NONE and at <= self.urgent_at):
            return
        if self.urgent is not Urgent.NONE and self.urgent_at == first and not self._options.oob_inline and self.data:
            del self.data[:1]  # the last one is lost
        self.urgent, self.urgent_at = Urgent.ANNOUNCED, at

    def _at_mark(self) -> bool:
        """Whether the first byte is the urgent one, which recv skips."""
        return self.urgent is not Urgent.NONE and self.urgent_at == self.first and not self._options.oob_inline

    def has_data(self) -> bool:
        return len(self.data) > (self._at_mark() if self.data else 0)

    def available(self) -> int:
        """The bytes before the urgent one, or all."""
        count, mark = len(self.data), self.urgent_at - self.first
        if self.urgent is not Urgent.NONE and not self._options.oob_inline and 0 <= mark < count:
            return mark
        return count

    def has_urgent(self) -> bool:
        return self.urgent is Urgent.ARRIVED

    def read(self, size: int, peek: bool) -> bytes:
        """Up to `size` bytes; b"" where none can be received now."""
        if not self.data:
            return b""
        skipped = 0
        if self.urgent is not Urgent.NONE:
            skipped = int(self._at_mark())
            ahead = self.urgent_at - self.first
            if 0 < ahead < size:
                size = ahead
        result = bytes(self.data[skipped : skipped + size])
        if not peek and (result or size):
            del self.data[: skipped + len(result)]
            if self.urgent is not Urgent.NONE and self.first > self.urgent_at:
                self.urgent = Urgent.NONE
        return result

    def read_urgent(self, peek: bool) -> bytes | int:
        """The urgent byte, or minus the errno."""
        if self._options.oob_inline or self.urgent in (Urgent.NONE, Urgent.READ):
            return -errno.EINVAL
        if self.urgent is Urgent.ANNOUNCED:
            return b"" if self.ended else -errno.EAGAIN
        if not peek:
            self.urgent = Urgent.READ
        return self._urgent_byte
