"""A topic from which nothing arrives although the provider answers is reported, once, and before it seems silent."""

from __future__ import annotations

import pytest
from broker_states_kit import Bench, Provider

from demos.copier.broker_arrivals import LATE_HEARTBEATS, Arrivals
from demos.copier.broker_states import SETTLE_MS
from demos.provider.broker_messages import decode
from demos.provider.broker_publishing import Publication
from demos.provider.steps import Kind, Status
from demos.provider.streams import HEARTBEAT_MS


class Site(Bench):
    """A copier whose login cannot read the topics that begin with ``hidden``."""

    def __init__(self, hidden: str) -> None:
        super().__init__()
        self.hidden = hidden
        self.arrivals = Arrivals(self.states, self.follower, "p")
        self.problems: list[str] = []
        self.provider = Provider(self, A="0.1")

    def follow(self) -> None:
        question = self.connect()
        self.arrivals.connected()
        self.deliver(*self.provider.made.all(self.provider.time), retained=True)
        self.deliver(self.provider.answer(question))
        self.live(SETTLE_MS)

    def deliver(self, *publications: Publication, retained: bool = False) -> None:
        for each in publications:
            if each.payload and not (self.hidden and each.topic.startswith(self.hidden)):
                message = decode("p", f"p/{each.topic}", each.payload).message
                self.arrivals.heard(message, retained=retained)
                self.hear(message, retained=retained)

    def live(self, ms: int) -> None:
        """Time passes, and the provider sends what is due."""
        for _ in range(0, ms, 100):
            self.deliver(*self.provider.made.next(self.provider.time))
            if problem := self.arrivals.problem(self.now):
                self.problems.append(problem)
            self.wait(100)


def test_nothing_is_reported_while_everything_arrives():
    site = Site("")
    site.follow()
    site.live(10 * HEARTBEAT_MS)
    site.deliver(*site.provider.trade(A="0.2"))
    site.live(10 * HEARTBEAT_MS)
    assert site.follower.status is Status.LIVE
    assert site.problems == []


@pytest.mark.parametrize(
    ("hidden", "topic"),
    [("status", "p/status"), ("summary", "p/summary"), ("state/", "p/state/#"), ("heartbeat", "p/heartbeat")],
)
def test_a_topic_that_cannot_be_read_is_named_before_the_provider_seems_silent(hidden, topic):
    site = Site(hidden)
    site.follow()
    site.live(LATE_HEARTBEATS * HEARTBEAT_MS + 500)
    [problem] = site.problems
    assert f"nothing has arrived from {topic} for 10 s: the login needs the right to read it" in problem
    assert Kind.STALE not in site.alarms


def test_the_same_topics_are_reported_once_also_after_a_new_connection():
    site = Site("summary")
    for _ in range(3):
        site.follow()
        site.live(LATE_HEARTBEATS * HEARTBEAT_MS + 500)
        site.states.disconnected()
    assert len(site.problems) == 1


def test_a_symbol_that_is_missing_later_is_reported():
    site = Site("")
    site.follow()
    site.live(3 * HEARTBEAT_MS)
    site.hidden = "state/"
    site.deliver(*site.provider.trade(A="0.2"))
    site.live(LATE_HEARTBEATS * HEARTBEAT_MS + 500)
    [problem] = site.problems
    assert "p/state/#" in problem


def test_a_provider_with_changing_figures_needs_no_heartbeats():
    site = Site("heartbeat")
    site.follow()
    for number in range(30):
        site.deliver(*site.provider.trade(A=f"0.{number + 2}"))
        site.live(1000)
    assert site.problems == []
