"""The proxy's service: the subscribers' port with a topic for each upstream server, and for each that clients publish.

The program calls step() at each timer event and when a socket of an upstream connection is ready, accept() when clients
wait, and timer() once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from demos.copier.moments import Moment
from demos.copier.secure_connection import ServerSettings
from demos.copier.server_url import Endpoint
from demos.ideas.proxy.relay_memory import RelayMemory
from demos.ideas.proxy.upstream import Upstream
from demos.provider.board import Present
from demos.provider.following import Follower
from demos.provider.health import HealthLimits
from demos.provider.overview import TopicRow
from demos.provider.publication import Intake
from demos.provider.subscribers_port import Settings, SubscribersPort
from demos.provider.topic_source import TopicSource
from demos.provider.topics import Topic
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.randomness import token_hex


@dataclass(frozen=True)
class TopicPlan:
    """A topic, and the settings of the upstream server that feeds it; None: clients publish it."""

    name: str
    upstream: ServerSettings | None = None


@dataclass(eq=False)
class RelayPort:
    """See the head of this module. Its methods are for the terminal's thread."""

    settings: Settings
    plans: Sequence[TopicPlan]
    clock: Clock
    report: Callable[[str], None]
    event: Callable[[str, dict[str, object]], None]
    resume: bool = False
    port: SubscribersPort = field(init=False)
    upstreams: list[Upstream] = field(default_factory=list)
    # What feeds each source.
    _origins: list[Endpoint | Intake] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the state file and load the certificate.

        Errors: StateError; ServiceError; ValueError when what is stored of a topic is damaged, or is of another source.
        """
        self.run = token_hex(16)
        self._key = b""
        topics = [Topic(plan.name, self.run) for plan in self.plans]

        def make_topics(ticket_key: bytes) -> list[Topic]:
            self._key = ticket_key
            return topics

        health = HealthLimits(account_ms=0)
        self.port = SubscribersPort(
            self.settings, make_topics, self.clock, self.report, self.event, health, pages=False
        )
        try:
            self._memory = RelayMemory(self.settings.state, self.port.log)
        except BaseException:
            self.port.close()
            raise
        try:
            self.sources = [self._source(topic, plan) for topic, plan in zip(topics, self.plans, strict=True)]
        except BaseException:
            self.close()
            raise

    def step(self, event: Moment, s: int | None = None) -> None:
        """Continue the upstream connections: all, or the one with this socket."""
        for upstream in self.upstreams:
            if s is None or upstream.owns(s):
                upstream.step(event)

    def timer(self) -> None:
        """Do the port's work of each second."""
        self._memory.retry()
        rows = list(map(_row, self.sources, self._origins))
        is_current = not any(row.problem for row in rows)
        self.port.show(Present(self.run, sum(row.states for row in rows), is_current, None, topics=rows))

    def close(self) -> None:
        """End all connections."""
        for upstream in self.upstreams:
            upstream.close()
        self.port.close()
        self._memory.close()

    def _source(self, topic: Topic, plan: TopicPlan) -> TopicSource:
        store = self._memory.store(topic.name)
        follower = Follower(store)
        if self.resume:
            follower.resume()
        source = TopicSource(
            topic,
            follower,
            self._key,
            lambda: int(self.clock.monotonic() * 1000),
            self.port.publish,
            self.port.end_sessions,
        )
        if plan.upstream is None:
            topic.intake = intake = Intake(source, store, self.clock.utc_ms)
            self._origins.append(intake)
            return source
        endpoint = plan.upstream.endpoint
        store.source = f"server {endpoint}"
        if store.bound not in ("", store.source):
            raise ValueError(
                f"the topic {topic.name} has followed the {store.bound} until now, and {endpoint} may have other "
                "positions: start with --resume to follow it"
            )
        self.upstreams.append(Upstream(plan.upstream, source))
        self._origins.append(endpoint)
        return source


def _row(source: TopicSource, origin: Endpoint | Intake) -> TopicRow:
    """The topic for the metrics."""
    relay = source.relay
    subscribers, states = (relay.subscriptions, relay.states) if relay is not None else (0, 0)
    name = origin.login if isinstance(origin, Intake) else str(origin)
    return TopicRow(source.topic.name, name, source.problem, subscribers, states)
