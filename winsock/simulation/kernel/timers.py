"""A timer that is set and cleared often, as that of retransmissions.

Most deadlines never come: the acknowledgement arrives first. So a deadline that moves to a later time, or is cleared,
leaves the simulation's event as it is; the event then finds the new deadline. One timer has at most one event.
"""

from __future__ import annotations

from collections.abc import Callable

from .environment import Environment, Timer


class Deadline:
    """A time at which an action runs once."""

    __slots__ = ("_action", "_environment", "_event", "_event_time", "time")

    def __init__(self, environment: Environment, action: Callable[[], None]) -> None:
        self._environment, self._action = environment, action
        self.time: int | None = None
        self._event: Timer | None = None
        self._event_time = 0

    def set(self, time: int) -> None:
        """Moves the deadline."""
        self.time = time
        if self._event is not None:
            if self._event_time <= time:
                return
            self._event.cancel()
        self._event, self._event_time = self._environment.call_at(time, self._fire), time

    def clear(self) -> None:
        self.time = None

    def cancel(self) -> None:
        """Clears the deadline and its event, at the end of what it belongs to."""
        self.time = None
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def _fire(self) -> None:
        self._event = None
        if self.time is None:
            return
        if self.time > self._environment.now:
            self.set(self.time)
            return
        self.time = None
        self._action()
