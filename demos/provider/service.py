"""The provider's service: the subscribers' port with one topic, which is the account.

The program calls observe() when the account may have changed, accept() when clients wait, and timer() once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from demos.provider.accounts import AccountState
from demos.provider.board import Present
from demos.provider.health import HealthLimits
from demos.provider.overview import PositionRow
from demos.provider.publishing import Publisher
from demos.provider.subscribers_port import ServiceError, Settings, SubscribersPort
from demos.provider.topics import Topic
from demos.terminal.interfaces import Clock

__all__ = ["Service", "ServiceError", "Settings"]


class Service(SubscribersPort):
    """See the head of this module. Its methods are for the terminal's thread."""

    def __init__(
        self,
        settings: Settings,
        account: AccountState,
        clock: Clock,
        report: Callable[[str], None],
        event: Callable[[str, dict[str, object]], None],
    ) -> None:
        """See SubscribersPort.

        Errors: StateError; ServiceError; ValueError when the protocol cannot carry the account.
        """
        self._clock = clock

        def topic(ticket_key: bytes) -> list[Topic]:
            self.publisher = Publisher(account, clock.utc_ms(), ticket_key, lock=threading.RLock())
            self.topic = Topic("", self.publisher.run, self.publisher)
            return [self.topic]

        health = HealthLimits(tick_ms=settings.stale_ticks * 1000)
        super().__init__(settings, topic, clock, report, event, health)

    def observe(self, account: AccountState) -> None:
        """Publish the account's present state.

        Errors: ValueError when the protocol cannot carry it; then nothing is sent until a later state can be.
        """
        try:
            before = self.publisher.state
            self.publisher.observe(account, self._clock.utc_ms())
        except ValueError:
            self.topic.suspended = True
            raise
        changed = account != before or self.topic.suspended
        self.topic.suspended = False
        if changed:
            self.publish(self.topic)

    def suspend(self) -> None:
        """The account cannot be read: send nothing, not even heartbeats, until observe() is called."""
        self.topic.suspended = True

    def timer(self, positions: Sequence[PositionRow], last_tick: int | None) -> None:
        """Do the port's work of each second. ``positions`` and the last tick's time are for the dashboard.

        The times of the positions are filled in.
        """
        publisher = self.publisher
        rows = [each._replace(time=publisher.changed_at(each.symbol, each.ticket)) for each in positions]
        is_current = not self.topic.suspended
        self.show(Present(publisher.run, publisher.states, is_current, publisher.state, rows, last_tick))
