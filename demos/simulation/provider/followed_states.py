"""Which states copiers and other clients receive: none of a login that has no right to them, and none twice.

A copier stores each state before it acts on it. So what it has stored only advances, also when it was killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from demos.provider.guard import BAN_SECONDS, Rules
from demos.provider.service import Service
from demos.provider.streams import Subscription
from demos.simulation.provider.copied_positions import account_copier
from demos.simulation.provider.rogue import Guess, Rogue
from demos.simulation.scenario import Violation
from demos.simulation.terminals import SimulatedTerminal

# How long the provider may still serve a login that was taken away, in seconds: some steps of the login desk.
LOGIN_DESK_S = 2.0

_STATES = ('"welcome"', '"snapshot"', '"update"', '"heartbeat"')
_REVOKED = "a revoked login receives nothing more"


class FollowedStates:
    """The newest state of each copier, in the file of its memory."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[str, int]] = {}

    def check(self, terminal: SimulatedTerminal) -> Iterator[Violation]:
        """Compare what a running copier has stored with what it had stored before."""
        copier = account_copier(terminal)
        if copier is None:
            return
        follower, name = copier.connection.follower, terminal.name
        if follower.stopped:
            yield Violation("no alarm without a reason", f"{name} has stopped: {follower.stopped}")
        stream, seq = self._newest.get(name, ("", 0))
        mark = follower.mark
        if mark is None:
            if stream:
                yield Violation("no acknowledged state is forgotten", f"{name} has forgotten seq {seq} of {stream}")
            return
        if mark.stream == stream and mark.seq < seq:
            yield Violation(
                "no state older than an acknowledged one is traded",
                f"{name} follows seq {mark.seq} of {stream} after {seq}",
            )
        self._newest[name] = mark.stream, mark.seq


class RefusedLogins:
    """The messages that a peer with a wrong password has received, each checked once."""

    def __init__(self, rogue: Rogue, valid_login: str) -> None:
        self._rogue, self._valid_login = rogue, valid_login
        self._next = 0

    def check(self) -> Iterator[Violation]:
        """Take what has arrived."""
        new = self._rogue.received[self._next :]
        self._next = len(self._rogue.received)
        for login, text in new:
            if login != self._valid_login and any(kind in text for kind in _STATES):
                yield Violation("a refused login receives nothing", f"the rogue has received {text} for {login!r}")


class BannedLogin:
    """The passwords that a peer has tried for one login, each checked once."""

    def __init__(self, rogue: Rogue) -> None:
        self._rogue = rogue
        self._next = 0
        # The answered wrong passwords in a row, and the time before which the last ban cannot have ended.
        self._failed: list[Guess] = []
        self._banned_until = 0.0
        # How often the right password was refused because of a ban.
        self.refused = 0

    def check(self) -> Iterator[Violation]:
        """Take what has been tried."""
        new = self._rogue.guesses[self._next :]
        self._next = len(self._rogue.guesses)
        for guess in new:
            if guess.code == "banned":
                self._banned_until = guess.sent + least_seconds(guess.text)
                self.refused += guess.is_right
            elif guess.code in ("", "failed") and guess.answered < self._banned_until:
                yield Violation(
                    "a banned login receives nothing more",
                    f"a password was checked ({guess.code or 'right'}) {self._banned_until - guess.answered:.0f} s "
                    "before the end of the ban",
                )
            if guess.code == "failed":
                yield from self._check_failure(guess)

    def _check_failure(self, guess: Guess) -> Iterator[Violation]:
        """One of as many failures in a row as begin a ban was followed by the ban, which lasts for a while."""
        most = Rules().login_failures
        self._failed = [*self._failed[-most:], guess]
        if len(self._failed) > most and guess.answered < self._failed[0].sent + BAN_SECONDS[0]:
            yield Violation("wrong passwords lead to a ban", f"{most + 1} wrong passwords in a row were checked")


def least_seconds(text: str) -> int:
    """The time that a refusal names, which is rounded up: the ban lasts at least this long."""
    found = re.search(r"try again in (\d+) (s|min|h)$", text)
    assert found is not None, text
    return (int(found[1]) - 1) * {"s": 1, "min": 60, "h": 3600}[found[2]]


class RevokedLogin:
    """A login whose rights are taken away at ``since``, in seconds of the simulation.

    Its copier may receive later what was sent before, for example when it was frozen. So the numbers of the states
    count, which the provider has had until then.
    """

    def __init__(self, login: str) -> None:
        self._login = login
        # By stream, a subscription of the login, and the newest state that it may have been sent.
        self._subscriptions: dict[str, Subscription] = {}
        self._sent: dict[str, int] = {}
        # When the provider was frozen last: it can revoke nothing then.
        self._frozen_at = 0.0
        # The events of the copier and of the provider that were checked.
        self._received = self._logins = 0

    def note_frozen(self, now: float) -> None:
        """The provider is frozen now."""
        self._frozen_at = now

    def note_sent(self, service: Service | None) -> None:
        """Note what the login may have been sent until now."""
        for subscription in [] if service is None else _served(service, self._login):
            self._subscriptions[subscription.stream] = subscription
        for stream, subscription in self._subscriptions.items():
            self._sent[stream] = subscription.newest_seq

    def check(
        self, since: float, now: float, service: Service | None, provider: SimulatedTerminal, copier: SimulatedTerminal
    ) -> Iterator[Violation]:
        """Check the provider's connections, and the new logins and received states."""
        login = self._login
        started = max((event.time for event in provider.of_kind("started")), default=0.0)
        if now < max(since, started, self._frozen_at) + LOGIN_DESK_S:
            self.note_sent(service)
        elif service is not None and _served(service, login):
            yield Violation(_REVOKED, f"{login} is still served at {now} s, revoked at {since} s")
        for event in copier.of_kind("received")[self._received :]:
            self._received += 1
            number, stream = int(str(event.fields["number"])), str(event.fields["stream"])
            if event.time > since + LOGIN_DESK_S and number > self._sent.get(stream, 0):
                yield Violation(
                    _REVOKED, f"{login} has received state {number} of {stream} at {event.time} s, revoked at {since} s"
                )
        for event in provider.of_kind("login")[self._logins :]:
            self._logins += 1
            if event.fields["login"] == login and event.time > max(since, self._frozen_at) + LOGIN_DESK_S:
                yield Violation(_REVOKED, f"{login} has logged in at {event.time} s, revoked at {since} s")


def _served(service: Service, login: str) -> list[Subscription]:
    """The subscriptions of this login."""
    return [
        session.subscription
        for expert in service.experts
        for connection in expert.clients.connections.values()
        if (session := connection.session) and session.subscription and session.grant
        if session.grant.user.login == login
    ]
