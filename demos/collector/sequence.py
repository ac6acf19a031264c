"""Counts lost and repeated ticks by the numbers that a sender gave them. No sockets, no clock.

A run of a sender has three numbers, the first and the last that were received and how many are lost between them, and
a window: one bit for each of the last WINDOW numbers, set when the number was received. A number inside the window is
new or repeated according to its bit. A number below the window counts as repeated: it may have been received, and a
network does not delay a datagram by so many others. So a run needs at most WINDOW / 8 bytes, whatever its sender sends,
and all of it can be stored and read back after a restart.
"""

from __future__ import annotations

# The number of bits in the window. It bounds the memory for one run, and how late a tick may arrive.
WINDOW = 4096

_ALL = (1 << WINDOW) - 1


class SequenceTracker:
    """The numbers of one run of a sender, from the first that was received to the last.

    Ticks before the first number are not counted as lost: the collector may have started after the sender. Ticks after
    the last number cannot be known.
    """

    def __init__(self, first: int, last: int, lost: int, received: int) -> None:
        """Continue a sequence. Bit ``i`` of ``received`` is set when the number ``last - i`` was received."""
        self.first = first
        self.last = last
        self.lost = lost
        self.received = received & _ALL

    @classmethod
    def starting_at(cls, number: int) -> SequenceTracker:
        """A run whose first received number is this one."""
        return cls(number, number, 0, 1)

    @classmethod
    def without_window(cls, first: int, last: int, lost: int) -> SequenceTracker:
        """A run of which it is unknown what was received: every number up to the last counts as repeated."""
        return cls(first, last, lost, _ALL)

    def add(self, number: int) -> bool:
        """Count a received number; False when it is repeated or below the window."""
        if number > self.last:
            ahead = number - self.last
            self.received = (self.received << ahead | 1) & _ALL if ahead < WINDOW else 1
            self.lost += ahead - 1
            self.last = number
            return True
        behind = self.last - number
        if behind >= WINDOW or self.received >> behind & 1:
            return False
        self.received |= 1 << behind
        if number > self.first:
            # It is 0 already only if it was changed in a file.
            self.lost = max(self.lost - 1, 0)
        else:
            self.lost += self.first - number - 1
            self.first = number
        return True
