"""The topics of a server: what its subscribers can follow, each with its own streams. No sockets, no clock.

A subscriber names the topic by the path of its WebSocket: ``/ws/NAME``, or ``/ws`` for the only topic. A provider has
one topic without a name. A proxy has a topic for each upstream server, and for each name under which clients publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from demos.provider.messages import VERSION, Hello
from demos.provider.protocol import encode
from demos.provider.rights import User
from demos.provider.session import Ending, Publishes
from demos.provider.streams import HEARTBEAT_MS, Streams
from demos.provider.topic_names import SUBSCRIBERS, topic_path

NO_STATE = Ending("unavailable", "the topic has no state at present: try again later")


class TakesPublisher(Protocol):
    """An Intake; see there."""

    def claim(self, login: str) -> Publishes | Ending: ...


@dataclass(eq=False)
class Topic:
    """A topic. ``run`` names it in `hello` before it has streams.

    ``suspended``: it is not known whether the state is still the newest, so nothing is sent, not even a heartbeat:
    subscribers notice by themselves that their state may be outdated. ``refusal``: why logins are refused at present.
    ``intake``: lets clients publish the topic; None: none may.
    """

    name: str
    run: str
    streams: Streams | None = None
    suspended: bool = False
    refusal: Ending | None = None
    intake: TakesPublisher | None = None

    def hello(self, server: str, now: int) -> str:
        """The first message of a connection."""
        if self.streams is not None:
            return self.streams.hello(server, now)
        return encode(Hello(VERSION, server, self.run, HEARTBEAT_MS, now))

    def admit(self, user: User) -> Streams | Ending:
        """The streams for a login, or why it is refused."""
        if not user.rights.may_follow(self.name):
            return Ending("denied", f"the login {user.login} may not follow the topic {self.name}")
        return self.refusal or self.streams or NO_STATE

    def admit_publisher(self, user: User) -> Publishes | Ending:
        """The conversation with a client that publishes, or why it may not."""
        if self.intake is None:
            return Ending("denied", "clients cannot publish here")
        if self.name not in user.rights.publish:
            return Ending("denied", f"the login {user.login} may not publish the topic {self.name}")
        return self.intake.claim(user.login)


class Topics:
    """All topics of a server."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.all = tuple(topics)
        self._by_path = {topic_path(each.name): each for each in self.all}
        if len(self.all) == 1:
            self._by_path[SUBSCRIBERS] = self.all[0]

    def at(self, path: str) -> Topic | None:
        """The topic of this path, or None."""
        return self._by_path.get(path)
