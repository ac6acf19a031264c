"""A subscriber's conversation with the provider: no sockets, no clock, no files, no threads.

The owner passes it the text messages of one WebSocket, the result of the login, and the time. It returns a Reply: texts
to send, credentials to check, or the end of the conversation. When its connection can take more output, the owner calls
next_message(), which returns the newest state, a heartbeat, or nothing.

    NEW         hello() has been sent; the client must log in within LOGIN_MS
    CHECKING    the owner checks the credentials; the client must not send anything
    SUBSCRIBED  states and heartbeats are sent; the client acknowledges states, and may ask for a snapshot
    PUBLISHING  the client sends states and heartbeats of the topic, see publication.py
    ENDED       nothing more is sent or accepted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import NamedTuple, Protocol

from demos.provider.accounts import View
from demos.provider.guard import Refusal
from demos.provider.logins import Credentials
from demos.provider.messages import Ack, Error, Known, Login, Publishing, Resync
from demos.provider.protocol import LONGEST_TEXT, MessageError, decode_from_client, encode
from demos.provider.rights import Grant
from demos.provider.streams import Streams, Subscription

# A client that has connected must log in within this time, in milliseconds.
LOGIN_MS = 10_000

# A login that must wait (see guard.Refusal) is held for at most this time; then the client is asked to try again.
MOST_WAIT_MS = 8_000

# The states whose acknowledgement is awaited, of each subscriber. Later ones count as sent together with the last.
_MOST_AWAITED = 16


class Stage(Enum):
    """How far a conversation has come; see the head of this module."""

    NEW = "the login is expected"
    CHECKING = "the login is being checked"
    SUBSCRIBED = "states are sent"
    PUBLISHING = "states are received"
    ENDED = "the conversation has ended"


class Ending(NamedTuple):
    """Why a conversation ends: a code for programs, and a sentence for the user and the log."""

    code: str
    text: str


@dataclass
class Reply:
    """What the owner does next: send texts, check credentials; with ``ending`` close the connection afterwards.

    ``report``: a warning for the operator's log, or "".
    """

    send: list[str] = field(default_factory=list)
    credentials: Credentials | None = None
    ending: Ending | None = None
    report: str = ""


class Publishes(Protocol):
    """A Publication; see there."""

    def receive(self, text: str) -> Reply: ...
    def check(self) -> Reply: ...
    def close(self) -> None: ...


class Progress(NamedTuple):
    """What a subscriber has acknowledged; see messages.Ack. ``lag_ms``: how long the last acknowledgement took."""

    acked: int = 0
    lag_ms: int | None = None
    held: Mapping[str, Decimal] = {}
    wanted: Mapping[str, Decimal] | None = None


_NO_PROGRESS = Progress()


class Session:
    """The conversation with one client; see the head of this module."""

    # There may be ten thousand of them.
    __slots__ = (
        "_awaited",
        "_known",
        "_publication",
        "_since",
        "_steady",
        "_wanted",
        "client",
        "grant",
        "login",
        "progress",
        "publishes",
        "stage",
        "subscription",
    )

    def __init__(self, now: int) -> None:
        self.stage = Stage.NEW
        self.login = ""
        self.client = ""
        self.grant: Grant | None = None
        self.subscription: Subscription | None = None
        self.progress = _NO_PROGRESS
        self._since = now
        self._wanted: tuple[str, ...] | None = None
        self._known: Known | None = None
        self._steady = False
        # Whether the client asks to publish, and its conversation about that.
        self.publishes = False
        self._publication: Publishes | None = None
        # The seq of each state that was sent and is not acknowledged, and when it was sent; the oldest first.
        self._awaited: tuple[tuple[int, int], ...] = ()

    def receive(self, text: str, now: int) -> Reply:
        """What follows from a message of the client."""
        if self.stage is Stage.ENDED:
            return Reply()
        if self._publication is not None:
            return self._follow(self._publication.receive(text))
        try:
            message = decode_from_client(text)
        except MessageError as problem:
            return self.end(problem.code, str(problem))
        if isinstance(message, Error):
            return self._hear_error(message)
        if isinstance(message, Login):
            return self._hear_login(message, now)
        if self.subscription is None:
            return self.end("login", "the first message must be a login")
        if isinstance(message, Resync):
            self.subscription.resync()
            return Reply()
        return self._hear_ack(message, self.subscription, now)

    def logged_in(self, grant: Grant, streams: Streams, now: int) -> Reply:
        """The credentials are right: the welcome. ``streams`` has the states."""
        if self.stage is not Stage.CHECKING:
            return Reply()
        symbols = grant.user.rights.symbols
        view = View(None if symbols is None else frozenset(symbols), symbols is None).narrowed(self._wanted)
        self.stage, self.grant = Stage.SUBSCRIBED, grant
        self.subscription = streams.subscribe(view, now, steady=self._steady)
        claim = self.subscription.claim_problem(self._known)
        return Reply([self.subscription.welcome(grant.user.login, now)], report=claim or "")

    def publish(self, grant: Grant, topic: str, publication: Publishes) -> Reply:
        """The credentials are right, and the client may publish this topic."""
        self.stage, self.grant, self._publication = Stage.PUBLISHING, grant, publication
        return Reply([encode(Publishing(grant.user.login, topic))])

    def refused(self, refusal: Refusal) -> Reply:
        """The login is refused."""
        return self.end(refusal.code, refusal.text)

    def next_message(self, now: int) -> str | None:
        """What to send now, or None: call it when all earlier output has been sent."""
        if self.subscription is None:
            return None
        text = self.subscription.next_message(now)
        if text is not None:
            self._await_ack(self.subscription.sent_seq, now)
        return text

    @property
    def waiting_since(self) -> int | None:
        """When the oldest state that is not acknowledged was sent; None when all are acknowledged."""
        return self._awaited[0][1] if self._awaited else None

    def check(self, now: int) -> Reply:
        """Apply the time limits of the login and of a publisher; call it at each timer event."""
        if self._publication is not None:
            return self._follow(self._publication.check())
        if self.stage is Stage.NEW and now - self._since >= LOGIN_MS:
            return self.end("login", f"no login within {LOGIN_MS // 1000} s")
        return Reply()

    def quiet_for(self, now: int) -> int:
        """For how many milliseconds check() and next_message() have nothing to do, unless something happens."""
        return self.subscription.heartbeat_in(now) if self.subscription is not None else 0

    def end(self, code: str, text: str) -> Reply:
        """End the conversation, with an error message to the client."""
        if self.stage is Stage.ENDED:
            return Reply()
        self.closed()
        shown = "".join(each if each.isprintable() else "?" for each in text)[:LONGEST_TEXT]
        return Reply([encode(Error(code, shown, True))], ending=Ending(code, shown))

    def closed(self) -> None:
        """The connection has ended: nothing more is sent. Calling it twice is allowed."""
        self.stage = Stage.ENDED
        if self.subscription is not None:
            self.subscription.close()
            self.subscription = None
        if self._publication is not None:
            self._publication.close()
            self._publication = None

    def _follow(self, reply: Reply) -> Reply:
        """Do what the publication asks for."""
        if reply.ending is None:
            return reply
        ended = self.end(*reply.ending)
        return Reply([*reply.send, *ended.send], ending=ended.ending, report=reply.report)

    def _hear_login(self, message: Login, now: int) -> Reply:
        if self.stage is not Stage.NEW:
            return self.end("login", "a second login: close the connection and open a new one")
        self.stage = Stage.CHECKING
        self.login, self.client = message.login, message.client or ""
        self._wanted, self._known, self._steady = message.symbols, message.known, bool(message.steady)
        self.publishes = bool(message.publish)
        return Reply(credentials=Credentials(message.login, message.password, message.token))

    def _hear_ack(self, message: Ack, subscription: Subscription, now: int) -> Reply:
        if problem := subscription.ack_problem(message):
            return self.end("ack", problem)
        if message.seq < self.progress.acked:
            # A repeated or late one: what the client held then says nothing about now.
            return Reply()
        lag = self.progress.lag_ms
        if message.seq > self.progress.acked:
            lag = next((max(0, now - sent) for seq, sent in self._awaited if seq >= message.seq), lag)
            self._awaited = tuple(each for each in self._awaited if each[0] > message.seq)
        self.progress = Progress(message.seq, lag, message.held, message.wanted)
        return Reply()

    def _await_ack(self, seq: int, now: int) -> None:
        """A message was sent; ``seq`` is the newest state that was sent."""
        newest = self._awaited[-1][0] if self._awaited else self.progress.acked
        if seq == newest:
            return
        if len(self._awaited) < _MOST_AWAITED:
            self._awaited = (*self._awaited, (seq, now))
        else:
            self._awaited = (*self._awaited[:-1], (seq, self._awaited[-1][1]))

    def _hear_error(self, message: Error) -> Reply:
        report = f"the client reports {message.code}: {message.text}"
        if not message.fatal:
            return Reply(report=report)
        self.closed()
        return Reply(ending=Ending(message.code, f"the client ends: {message.text}"), report=report)
