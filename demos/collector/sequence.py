"""Counts lost and repeated ticks by the numbers that a sender gave them. No sockets, no clock."""

from __future__ import annotations

# A tick that arrives at most this many numbers late is recognized as late or repeated. The limit bounds the memory.
MAX_LATE = 4096


class SequenceTracker:
    """The numbers of one run of a sender, from the first that was received to the last.

    Ticks before the first number are not counted as lost: the collector may have started after the sender. Ticks after
    the last number cannot be known.
    """

    def __init__(self, first: int, last: int, lost: int, known_from: int) -> None:
        """Continue a sequence. It is unknown which numbers below ``known_from`` were received."""
        self.first = first
        self.last = last
        self.lost = lost
        self._known_from = known_from
        self._missing: set[int] = set()

    @classmethod
    def starting_at(cls, number: int) -> SequenceTracker:
        """A run whose first received number is this one."""
        return cls(number, number, 0, number)

    def add(self, number: int) -> bool:
        """Count a received number; False when it is known to be repeated."""
        if number > self.last:
            self._add_missing(self.last + 1, number)
            self.last = number
        elif number < self.first:
            self._add_missing(number + 1, self.first)
            if self._known_from == self.first:
                self._known_from = number
            self.first = number
        elif number in self._missing:
            self._missing.remove(number)
            self.lost -= 1
        else:
            return number < self._known_from
        return True

    def _add_missing(self, begin: int, end: int) -> None:
        self.lost += end - begin
        self._missing.update(range(max(begin, end - MAX_LATE), end))
        if end - begin > MAX_LATE or len(self._missing) > 2 * MAX_LATE:
            self._missing = set(sorted(self._missing)[-MAX_LATE:])
            self._known_from = min(self._missing)
