"""A client that publishes a topic: its conversation after the login. No sockets.

After the server's `publishing` the roles are exchanged. The client sends what a server sends: `hello`, `welcome`, the
states and the heartbeats. The server answers like a subscriber: with an `ack` for each state that it accepts, and a
`resync` when it has missed one. So a follower decides what is passed on, like for an upstream server.

A topic has one publisher at a time. A second one is refused, also with the same login: two providers that publish one
topic by mistake would otherwise take turns. A publisher that is silent for too long is ended, which frees the topic for
the same login. Another login is refused until the operator releases the topic.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from demos.provider.messages import Error, FromServer, Heartbeat, Hello, Snapshot, Update, Welcome
from demos.provider.protocol import MessageError, decode_from_server, encode
from demos.provider.session import Ending, Reply
from demos.provider.steps import STOPPING, Kind, Step
from demos.provider.topic_source import TopicSource

# The longest heartbeat_ms of a publisher. Its topic is stale after three times this.
LONGEST_HEARTBEAT_MS = 30_000
# How far the times of a publisher may be ahead of our clock. No follower accepts an earlier stream after a later time.
MOST_AHEAD_MS = 5 * 60_000
# A publisher begins so many new streams in this time. Each of them makes all subscribers log in again, and followers
# recognize only the last MOST_RUNS runs.
MOST_STREAMS = 10
STREAMS_MS = 10 * 60_000
# After a stream too many nobody may publish for this time: each login costs two lines of the log.
PAUSE_MS = 1000

_AFTER_ALARM = "start the proxy with --resume to follow the topic again"


class Binding(Protocol):
    """Remembers what feeds a topic, in the store of its follower.

    ``source``: what feeds it at present; ``bound``: what fed it when its last state was stored. Both may be "".
    """

    source: str
    bound: str


class Intake:
    """Lets one client at a time publish a topic. Its methods may be called in any thread."""

    def __init__(self, source: TopicSource, binding: Binding, utc_ms: Callable[[], int]) -> None:
        """``utc_ms``: our present time in milliseconds since 1970."""
        self.source = source
        self.utc_ms = utc_ms
        self._binding = binding
        # The login of the present publisher, or "".
        self.login = ""
        self._lock = threading.Lock()
        # When the last new streams began.
        self._begun: deque[int] = deque(maxlen=MOST_STREAMS)
        self._paused_until = 0

    def claim(self, login: str) -> Publication | Ending:
        """Begin to publish, or why that is refused."""
        with self._lock:
            if self.login:
                text = f"the topic {self.source.topic.name} has a publisher already"
                return Ending("taken", f"{text}: only one program may publish a topic")
            if stopped := self.source.follower.stopped:
                return Ending("stopped", f"the topic was stopped by an alarm: {stopped}; {_AFTER_ALARM}")
            name = f"login {login}"
            if self._binding.bound not in ("", name):
                text = f"the topic {self.source.topic.name} is published by another login than {login}"
                return Ending("bound", f"{text}: start the proxy with --resume to accept any")
            if self.source.now() < self._paused_until:
                return self._too_many()
            self._binding.source = name
            self.login = login
        return Publication(self)

    def begin(self, stream: str) -> Ending | None:
        """A publisher begins this stream; why it may not, or None."""
        relay, now = self.source.relay, self.source.now()
        if relay is not None and relay.source == stream:
            return None
        if len(self._begun) == MOST_STREAMS and now - self._begun[0] < STREAMS_MS:
            self._paused_until = now + PAUSE_MS
            return self._too_many()
        self._begun.append(now)
        return None

    def release(self) -> None:
        """The publisher has ended."""
        with self._lock:
            self.login = ""

    def _too_many(self) -> Ending:
        most = f"{MOST_STREAMS} new streams in {STREAMS_MS // 60_000} minutes"
        return Ending("busy", f"the topic {self.source.topic.name} has had {most}, which is the limit")


class Publication:
    """See the head of this module. Its methods are for the thread of the connection."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._source = intake.source
        self._is_open = True
        self._source.follower.connected(self._source.now())
        self._source.follower.asked(self._source.now())

    def receive(self, text: str) -> Reply:
        """What follows from a message of the client."""
        try:
            message = decode_from_server(text)
            if isinstance(message, Hello) and message.heartbeat_ms > LONGEST_HEARTBEAT_MS:
                most = f"heartbeat_ms of a publisher is at most {LONGEST_HEARTBEAT_MS}"
                raise MessageError("malformed", f"{most}: {message.heartbeat_ms}")
        except MessageError as problem:
            return Reply(ending=Ending(problem.code, str(problem)))
        if (future := _future(message, self._intake.utc_ms())) is not None:
            return Reply(ending=future)
        if isinstance(message, Welcome) and (too_many := self._intake.begin(message.stream)) is not None:
            return Reply(ending=too_many)
        if isinstance(message, Error):
            report = f"the publisher reports {message.code}: {message.text}"
            return Reply(ending=Ending(message.code, message.text) if message.fatal else None, report=report)
        return self._follow(self._source.follower.receive(message, self._source.now()))

    def check(self) -> Reply:
        """Apply the time limit of a silent publisher; call it at each timer event."""
        return self._follow(self._source.follower.check(self._source.now()))

    def close(self) -> None:
        """The connection has ended. Calling it twice is allowed."""
        if self._is_open:
            self._is_open = False
            self._source.follower.disconnected()
            self._source.update([])
            self._intake.release()

    def _follow(self, step: Step) -> Reply:
        """Do what the follower asks for."""
        states: list[Snapshot] = [] if step.state is None else [step.state]
        self._source.update(states)
        send = [encode(message) for message in step.send]
        if states and (ack := self._source.follower.acknowledge({})) is not None:
            send.append(encode(ack))
        for alarm in step.alarms:
            if alarm.kind is Kind.OLDER:
                # It gets no acknowledgement meanwhile, and cannot know why.
                send.append(encode(Error("older", alarm.text, fatal=False)))
        alarms = [f"{each.kind.value}: {each.text}" for each in step.alarms]
        if any(each.kind in STOPPING for each in step.alarms):
            alarms.append(f"nothing of the topic {self._source.topic.name} is sent; {_AFTER_ALARM}")
        ending = Ending("protocol", step.disconnect) if step.disconnect else None
        return Reply(send, ending=ending, report="; ".join(alarms))


def _future(message: FromServer, utc_ms: int) -> Ending | None:
    """Why a message is refused, if it has a time too far in the future."""
    times = [message.time] if isinstance(message, (Hello, Welcome, Snapshot, Update, Heartbeat)) else []
    if isinstance(message, (Snapshot, Update)):
        times += [each.time for each in message.positions]
    ahead = max(times, default=0) - utc_ms
    if ahead <= MOST_AHEAD_MS:
        return None
    limit = f"at most {MOST_AHEAD_MS // 1000} s ahead of this server's clock"
    return Ending("clock", f"times of a publisher are {limit}, not {ahead // 1000} s: set both clocks")
