"""Which of a broker's topics bring nothing although the provider answers. No sockets.

A broker is silent about a missing right to read: it accepts the subscription, and delivers nothing. It is also silent
about messages that it discards because too many wait. A provider that answers has published its status and its state,
and sends a heartbeat or a state within its interval. So a topic from which nothing has arrived after LATE_HEARTBEATS
intervals is reported, before the follower takes the provider for silent.
"""

from __future__ import annotations

from demos.copier.broker_states import BrokerStates
from demos.provider.broker_messages import HEARTBEATS, STATE, STATUS, SUMMARY, Answer, BrokerMessage, Gone
from demos.provider.following import Follower
from demos.provider.messages import Heartbeat, Hello
from demos.provider.steps import Status

LATE_HEARTBEATS = 2


class Arrivals:
    """What has arrived on the present connection, and since when something is missing. Times are in milliseconds."""

    def __init__(self, states: BrokerStates, follower: Follower, prefix: str) -> None:
        self._states, self._follower, self._prefix = states, follower, prefix
        self._reported = ""
        self.connected()

    def connected(self) -> None:
        """A new connection: nothing has arrived."""
        self.has_hello = self._has_status = self._has_heartbeat = False
        self._since: dict[str, int] = {}

    def heard(self, message: BrokerMessage, *, retained: bool) -> None:
        """A message has arrived."""
        if isinstance(message, (Hello, Gone)):
            self._has_status, self.has_hello = True, isinstance(message, Hello)
        self._has_heartbeat = self._has_heartbeat or isinstance(message, Heartbeat)
        if not retained and not isinstance(message, Answer):
            # The provider does not only answer.
            self._since.pop(HEARTBEATS, None)

    def problem(self, now: int) -> str:
        """From which topics nothing has arrived, with the likely reason; once for the same topics, otherwise ""."""
        missing = self._missing()
        self._since = {topic: self._since.get(topic, now) for topic in missing}
        if self._follower.status is Status.LIVE and not missing:
            self._reported = ""
        limit = LATE_HEARTBEATS * self._follower.heartbeat_ms
        late = [f"{self._prefix}/{topic}" for topic, since in self._since.items() if now - since >= limit]
        topics = ", ".join(late)
        if not late or topics == self._reported:
            return ""
        self._reported = topics
        return (
            f"the provider answers, but nothing has arrived from {topics} for {limit / 1000:g} s: the login needs the "
            "right to read it, and the broker must queue enough messages for a subscriber"
        )

    def _missing(self) -> list[str]:
        """The topics from which something is needed that has not arrived."""
        if self._states.answer is None:
            return []
        missing = [] if self._has_status else [STATUS]
        if self._follower.status is Status.WAITING and not self._follower.waits:
            missing.append(f"{STATE}#" if self._states.lacks_symbols else SUMMARY)
        return missing if self._has_heartbeat else [*missing, HEARTBEATS]
