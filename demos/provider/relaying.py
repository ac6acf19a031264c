"""The streams of a topic whose states come from another server or from a client that publishes. No sockets, no files.

A Relay gets the states that a follower has accepted, and numbers them anew for each view. Their times stay those of the
provider, so that a subscriber measures ages from end to end:

- A heartbeat says that a state was still the newest at its time. Only the provider knows that. So a relay passes each
  of its heartbeats on at once, with its time, and makes none of its own: without the source there are none.
- The time of a `welcome` is the present time of the provider's clock, at most: the follower's upper bound. So the ages
  that a subscriber measures are upper bounds too, through any number of relays. ``confirmed`` of the `welcome` says
  when the state was the newest for certain.
- A heartbeat tells a subscriber nothing about symbols that it may not see, because the source sends heartbeats at a
  steady pace, also between states. So the first state of a new feed has the time of the last heartbeat, not that of the
  source's last state, which could be that of a hidden trade. If what the feed shows has changed since the heartbeat,
  the first state has the time of this change: at the heartbeat it was another state.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from demos.provider.accounts import View
from demos.provider.fields import LARGEST_INTEGER
from demos.provider.messages import AccountKind, Snapshot
from demos.provider.states import by_symbol
from demos.provider.streams import Streams


class Relay(Streams):
    """The streams of one stream of the source, which is named by ``source``.

    ``clock`` is our clock in milliseconds, which is never set. ``hedging``: of the account, see AccountKind.
    """

    # The source has limited the states that differ only in figures.
    figures_ms = 0
    relays = True

    def __init__(
        self,
        first: Snapshot,
        ticket_key: bytes,
        clock: Callable[[], int],
        *,
        hedging: bool,
        heartbeat_ms: int,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        super().__init__(ticket_key, heartbeat_ms, lock=lock)
        self.source = first.stream
        self._clock = clock
        # The provider's time is at most the clock's time plus this.
        self._ahead = first.time - clock()
        self._time = self._confirmed = 0
        # What has changed since the last heartbeat, and when: the positions of symbols, and balance and equity.
        self._changed: dict[str, int] = {}
        self._figures_changed = 0
        self._kind = AccountKind(first.account.currency, hedging)
        self._take(first)

    def offer(self, state: Snapshot) -> None:
        """The source has a new state."""
        with self.lock:
            before, after = by_symbol(self._shown), by_symbol(state.positions)
            for symbol in before.keys() | after.keys():
                if before.get(symbol) != after.get(symbol):
                    self._changed[symbol] = state.time
            if state.account != self._account:
                self._figures_changed = state.time
            self._take(state)
            self.states += 1
            self._offer(state.time)

    def follow_clock(self, ahead: int) -> None:
        """The provider's time is at most the clock's time plus ``ahead``."""
        with self.lock:
            self._ahead = ahead

    def confirm(self, time: int) -> bool:
        """The source has confirmed that the present state was the newest at this time; whether that is news."""
        with self.lock:
            is_new = time > self._confirmed
            if is_new:
                self._confirmed = time
                self._changed = {symbol: at for symbol, at in self._changed.items() if at > time}
            return is_new

    def time(self, now: int) -> int:
        """The provider's time at most; ``now`` is not used, because it is that of another clock."""
        bound = max(self._time, self._clock() + self._ahead, self._confirmed)
        # A source may state times near the largest one.
        self._time = min(bound, LARGEST_INTEGER)
        return self._time

    def confirmed(self, now: int) -> int:
        """See Streams."""
        return self._confirmed

    def state_time(self, view: View, now: int) -> int:
        """When the source has confirmed what the view shows, or changed it since."""
        changed = [at for symbol, at in self._changed.items() if view.symbols is None or symbol in view.symbols]
        return max(self._confirmed, self._figures_changed if view.figures else 0, *changed)

    def welcome_confirmed(self, now: int) -> int | None:
        """See Streams."""
        return self._confirmed

    def heartbeat_due(self, since: int, now: int) -> int | None:
        """Each heartbeat of the source is passed on once."""
        return self._confirmed if self._confirmed > since else None

    def heartbeat_in(self, since: int, now: int) -> int:
        """The owner publishes each heartbeat as soon as it has arrived."""
        return 0 if self._confirmed > since else self.heartbeat_ms

    def _take(self, state: Snapshot) -> None:
        self._account, self._shown = state.account, state.positions
