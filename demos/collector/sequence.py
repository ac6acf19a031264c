"""What the numbers of one client's ticks tell: how many were lost, and which came twice. No sockets, no clock."""

from __future__ import annotations

# How far behind the newest number a tick may come and still be known for late: memory for one client is bounded.
MOST_LATE = 4096


class Sequence:
    """The numbers of one run of a client, from the first that was seen on.

    What the client sent before that is not counted: the server may have come later than the client. What it sent after
    the last cannot be missed either.
    """

    def __init__(self, first: int, last: int, lost: int, known_from: int) -> None:
        """Continue with what is known. Whether a number below ``known_from`` has come is not remembered."""
        self.first = first
        self.last = last
        self.lost = lost
        self._known_from = known_from
        self._missing: set[int] = set()

    @classmethod
    def beginning(cls, number: int) -> Sequence:
        """A run of which this is the first number to come."""
        return cls(number, number, 0, number)

    def take(self, number: int) -> bool:
        """A tick of this number has come; False when it is known to have come before."""
        if number > self.last:
            self._miss(self.last + 1, number)
            self.last = number
        elif number < self.first:
            self._miss(number + 1, self.first)
            if self._known_from == self.first:
                self._known_from = number
            self.first = number
        elif number in self._missing:
            self._missing.remove(number)
            self.lost -= 1
        else:
            return number < self._known_from
        return True

    def _miss(self, begin: int, end: int) -> None:
        self.lost += end - begin
        self._missing.update(range(max(begin, end - MOST_LATE), end))
        if end - begin > MOST_LATE or len(self._missing) > 2 * MOST_LATE:
            self._missing = set(sorted(self._missing)[-MOST_LATE:])
            self._known_from = min(self._missing)
