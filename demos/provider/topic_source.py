"""What feeds a topic from a follower: a connection to another server, or a client that publishes. No sockets.

The follower decides which states may be passed on, by the same rules as in a copier. Its source may be in any of these
conditions, and the topic follows:

- live: the topic has the newest state, and passes on the heartbeats.
- not connected, silent, or stopped by an alarm: nothing is sent, so the subscribers notice that their state may be
  outdated; new logins are refused.
- another stream, because the source was started again or restored: the topic gets a new stream too, and its
  subscribers log in again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from demos.provider.following import Follower
from demos.provider.messages import Snapshot
from demos.provider.relaying import Relay
from demos.provider.session import Ending
from demos.provider.steps import Status
from demos.provider.topics import NO_STATE, Topic

NEW_STREAM = Ending("closing", "the source of the topic has a new stream: log in again")

_REASONS = {
    Status.OFFLINE: "its source is not connected",
    Status.WAITING: "the newest state of its source has not been received",
    Status.STALE: "its source is silent",
    Status.STOPPED: "an alarm has stopped it",
}


class TopicSource:
    """See the head of this module. Its methods are for the thread of the follower.

    ``publish`` and ``end_sessions`` are those of SubscribersPort, ``clock`` is milliseconds of the clock of the
    follower.
    """

    def __init__(
        self,
        topic: Topic,
        follower: Follower,
        ticket_key: bytes,
        clock: Callable[[], int],
        publish: Callable[[Topic], None],
        end_sessions: Callable[[Topic, Ending], None],
    ) -> None:
        self.topic = topic
        self.follower = follower
        self._ticket_key = ticket_key
        self._clock = clock
        self._publish, self._end_sessions = publish, end_sessions
        topic.suspended = True

    def now(self) -> int:
        """Milliseconds of the clock of the follower."""
        return self._clock()

    @property
    def relay(self) -> Relay | None:
        """The streams that the topic has at present."""
        return self.topic.streams if isinstance(self.topic.streams, Relay) else None

    @property
    def problem(self) -> str:
        """Why the topic sends nothing, or ""."""
        return _REASONS.get(self.follower.status, "")

    def update(self, states: Iterable[Snapshot]) -> None:
        """Pass on what the follower has accepted and learnt; call it after each message, and at each timer event."""
        topic, was_suspended, changed = self.topic, self.topic.suspended, False
        for state in states:
            self._offer(state)
            changed = True
        relay = self.relay
        is_live = relay is not None and self.follower.status is Status.LIVE
        if relay is not None and is_live:
            changed = self._confirm(relay) or changed
        topic.suspended = not is_live
        topic.refusal = None if is_live else Ending(NO_STATE.code, f"the topic has no current state: {self.problem}")
        if is_live and (changed or was_suspended):
            self._publish(topic)

    def _offer(self, state: Snapshot) -> None:
        relay, follower = self.relay, self.follower
        if relay is not None and relay.source == state.stream:
            relay.offer(state)
            return
        hedging = follower.kind is not None and follower.kind.hedging
        heartbeat_ms = follower.heartbeat_ms
        lock = threading.RLock()
        new = Relay(state, self._ticket_key, self._clock, hedging=hedging, heartbeat_ms=heartbeat_ms, lock=lock)
        # Before other threads can subscribe: a feed begins at the confirmed time.
        self._confirm(new)
        self.topic.streams = new
        if relay is not None:
            self._end_sessions(self.topic, NEW_STREAM)

    def _confirm(self, relay: Relay) -> bool:
        """Pass on what the source has stated about the time; whether that is news."""
        if (ahead := self.follower.ahead) is not None:
            relay.follow_clock(ahead)
        return relay.confirm(self.follower.stated)
