"""How old the server's times are by our own clock, with a bound on the error.

The offset is our time minus the server's. Two facts bound it, without trust in either clock's setting:
- The server wrote the welcome after we sent the login and before we received the welcome. So the offset is at least the
  time of sending minus the welcome's time.
- A message is not received before it is written. So the offset is at most the time of receiving minus its time.

age() uses the lower bound, so it is the largest age that is possible: too old by at most the round trip of the login. A
message from the future of the lower bound proves that one clock was set: the ages are unknown until the next login. A
message that seems late (a slow network, a clock set back, or clocks that drift) makes later ages larger, never smaller;
`lag` shows how late, so that the follower can log in again for a new bound.
"""

from __future__ import annotations

# Clocks that differ in speed pass the bound by fractions of a millisecond for each message; a set clock by more.
JUMP_MS = 1000


class ServerClock:
    """The offset of one connection. All times are in milliseconds: ``now`` by our clock, ``time`` by the server's."""

    def __init__(self) -> None:
        self.lag = 0
        self._sent: int | None = None
        self._least: int | None = None
        self._round_trip = 0

    def login_sent(self, now: int) -> None:
        """The login was sent."""
        self._sent = now

    def welcomed(self, time: int, now: int) -> None:
        """The answer to the login was received."""
        if self._sent is not None:
            self._least = self._sent - time
            self._round_trip = now - self._sent

    def heard(self, time: int, now: int) -> bool:
        """A message written at ``time`` or later was received; False when this proves that a clock was set."""
        if self._least is None:
            return True
        self.lag = now - time - self._least
        if self.lag >= 0:
            return True
        if self.lag <= -JUMP_MS:
            self._least = None
            return False
        self._least = now - time - self._round_trip
        return True

    @property
    def ahead(self) -> int | None:
        """The server's time is at most ours plus this; None when that is unknown."""
        return None if self._least is None else -self._least

    def age(self, time: int, now: int) -> int | None:
        """The largest possible age of something that happened at ``time``; None when it is unknown."""
        if self._least is None or not time:
            return None
        return max(0, now - time - self._least)
