"""The simulated time and the events that are planned for it.

The time is a whole number of nanoseconds. The scheduler advances it: it takes the earliest event and runs its action.

The events of kernels and links are background events: alone they may go on for ever, because a kernel probes a closed
window, and the other one answers, as long as both exist.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["Timeline", "Timer"]

# Cancelled timers stay in the heap until there are that many, and more than others.
_MANY_CANCELLED = 1000


class Timer:
    """An event that is planned."""

    __slots__ = ("_timeline", "action", "background", "number", "time")

    def __init__(
        self, timeline: Timeline, time: int, number: int, action: Callable[[], None], background: bool
    ) -> None:
        self._timeline, self.time, self.number, self.background = timeline, time, number, background
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """The action will not run. Does nothing where it has run."""
        if self.action is not None:
            self.action = None
            self._timeline.cancelled()

    def __lt__(self, other: Timer) -> bool:
        return (self.time, self.number) < (other.time, other.number)


class Timeline:
    """See the head of this module."""

    def __init__(self) -> None:
        self.now = 0
        self._events: list[Timer] = []
        self._numbers = self._cancelled = 0

    def call_at(self, time: int, action: Callable[[], None], *, background: bool = False) -> Timer:
        """Plan an action for a time in nanoseconds; events of the same time run in the order in which they came."""
        self._numbers += 1
        timer = Timer(self, max(time, self.now), self._numbers, action, background)
        heapq.heappush(self._events, timer)
        return timer

    def call_later(self, delay: int, action: Callable[[], None]) -> Timer:
        """As call_at, after this many nanoseconds."""
        return self.call_at(self.now + delay, action)

    def cancelled(self) -> None:
        """Counts a cancelled timer. When there are many, they are taken out of the heap."""
        self._cancelled += 1
        if self._cancelled > max(_MANY_CANCELLED, len(self._events) // 2):
            self._events = [timer for timer in self._events if timer.action is not None]
            heapq.heapify(self._events)
            self._cancelled = 0

    def take_event(self) -> Callable[[], None] | None:
        """Advance the time to the earliest event and return its action; None if there is no event."""
        timer = self._earliest()
        if timer is None:
            return None
        heapq.heappop(self._events)
        self.now = timer.time
        action, timer.action = timer.action, None
        return action

    def only_background_after(self, time: int) -> bool:
        """Whether every event that is planned is a background event, and later than a time."""
        timer = self._earliest()
        if timer is None or timer.time <= time or not timer.background:
            return False
        return all(each.background or each.action is None for each in self._events)

    def _earliest(self) -> Timer | None:
        """The earliest event; takes the cancelled timers before it out of the heap."""
        while self._events and self._events[0].action is None:
            heapq.heappop(self._events)
            self._cancelled -= 1
        return self._events[0] if self._events else None

    def forget_events(self) -> None:
        """No action that is planned will run."""
        self._events.clear()
