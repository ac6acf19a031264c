"""A provider with feeds that keep what they get."""

from __future__ import annotations

from signal_kit import Stage

from demos.provider.accounts import AccountState


class RecordedFeed:
    """A feed that keeps what it gets."""

    def __init__(self) -> None:
        self.failure, self.code = "", 0
        self.problem = ""
        self.states: list[AccountState] = []
        self.suspended = self.timers = 0
        self.closed = False
        self.sockets: list[tuple[int, int]] = []

    def observe(self, account: AccountState) -> None:
        if self.problem:
            raise ValueError(self.problem)
        self.states.append(account)

    def suspend(self) -> None:
        self.suspended += 1

    def owns(self, s: int) -> bool:
        return s == 4_000_000

    def ready(self, s: int, ready: int) -> None:
        self.sockets.append((s, ready))

    def timer(self) -> None:
        self.timers += 1

    def close(self) -> None:
        self.closed = True


def stage_with(*feeds: RecordedFeed, **inputs: object) -> Stage:
    """A provider whose plain port is open, with these feeds."""
    stage = Stage("provider", **{"Port": 0, **inputs})
    module = stage.chart.module

    def open_feeds() -> bool:
        module.feeds.extend(feeds)
        return True

    module.OpenFeeds = open_feeds
    return stage
