"""The copier's connection to a provider: a WebSocket with a login, then the provider's states.

The transport connects and verifies the server; the follower says which states may be acted on. This module logs in,
passes messages between the two, and plans the next attempt. The time from the open WebSocket to the first state is
limited. Afterwards the follower notices a silent server by its missing heartbeats.

A connection that ends is followed by the next attempt after growing pauses. A fault is logged once, until it is another
one or a login has lasted. After a refused login the pauses are those of the module refusals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from demos.copier.ack_pace import AckPace
from demos.copier.login_secret import LoginSecret, SecretError
from demos.copier.moments import Moment
from demos.copier.refusals import REPLACED, Outcome, Refusal, refusal_of
from demos.copier.server_url import Endpoint
from demos.copier.transport import Transport
from demos.provider.following import Follower
from demos.provider.messages import Error, FromClient, FromServer, Hello, Snapshot, Welcome
from demos.provider.protocol import LONGEST_TEXT, MessageError, decode_from_server, encode
from demos.provider.steps import STOPPING, Kind, Status, Step
from demos.terminal import Alert, Event, Print
from demos.wire.backoff import Backoff
from demos.wire.tls_contexts import TlsContext
from demos.wire.websocket import NORMAL, POLICY

# The pauses between two connects. A provider that restarts is found again soon.
FIRST_WAIT_MS = 1000
LONGEST_WAIT_MS = 16_000

# From the open WebSocket to the first state.
LOGIN_MS = 30_000

# A login that has lasted so long ends a series of failures.
PROVEN_MS = 5_000

_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True)
class ServerSettings:
    """Where the provider is, how it is verified (``context`` is None without TLS), and the login.

    ``client`` is this program's name and version; ``symbols`` are those to follow, None for all that are visible.
    ``steady``: see messages.Login. ``stopped``: what happens while an alarm has stopped the follower, and ``resume``:
    how its operator ends that.
    """

    endpoint: Endpoint
    context: TlsContext | None
    pin: bytes | None
    secret: LoginSecret
    client: str
    symbols: tuple[str, ...] | None = None
    steady: bool = False
    stopped: str = "nothing is copied"
    resume: str = "`python -m demos copier resume`"


class SecureConnection:
    """The connection, or its next attempt.

    ``ended``: why the provider has ended the login, or "". ``attempts``: how often the copier has begun to connect.
    ``logins``: how often the provider has accepted a login. ``shown``: the symbols that the login showed when the
    follower's state was received; None: all.
    """

    def __init__(self, settings: ServerSettings, follower: Follower) -> None:
        self.follower = follower
        self.transport = Transport(settings.endpoint, settings.context, settings.pin)
        self.ended = ""
        self.attempts = self.logins = 0
        self.shown: tuple[str, ...] | None = None
        self._welcome_symbols: tuple[str, ...] | None = None
        self._settings = settings
        self._event = Moment(0)
        self._states: list[Snapshot] = []
        self._due = 0
        self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
        self._refusal: Refusal | None = None
        # The pauses after other programs with this login, also between logins.
        self._replaced: Backoff | None = None
        # The secret's file when the login was refused.
        self._refused_secret: tuple[int, int] | None = None
        self._reported = ""
        # Of the present connection: its phases, and the times of the first two.
        self._attempted = self._opened = self._login_sent = self._has_state = self._ending = False
        self._opened_at = self._state_at = 0
        self._pace = AckPace(0)
        self._heard: dict[type[FromServer], Callable[[], None]] = {
            Hello: self.SendLogin,
            Welcome: self.LoggedIn,
            Snapshot: self.HasState,
        }

    # ---- what the program calls

    def Continue(self, event: Moment) -> list[Snapshot]:
        """Do what is possible now; returns the states to act on, the oldest first. Only the last is the newest."""
        self._event, self._states = event, []
        if self.transport.is_idle and self.IsDue():
            self.StartClient()
        messages = self.transport.Continue(event.ms)
        if (self.transport.is_open or messages) and not self._opened:
            self._opened, self._opened_at = True, event.ms
            self.follower.connected(event.ms)
        for text in messages:
            self.Take(text)
        if self.transport.is_open:
            self.CheckTimes()
        if self.transport.is_idle and self._attempted:
            self.Closed()
        self.transport.Register()
        return self._states

    @property
    def is_live(self) -> bool:
        """Whether the last state is the provider's newest."""
        return self.follower.status is Status.LIVE

    def Acknowledge(self, held: dict[str, Decimal], wanted: dict[str, Decimal] | None) -> bool:
        """Tell the provider that the last state was processed, and what the account holds and should hold.

        Returns False when that must wait, because the provider would end a connection that sends so much.
        """
        if not self._pace.allows(self._event.ms):
            return False
        message = self.follower.acknowledge(held, wanted)
        if message is not None:
            self._pace.sent(self.Send(message))
        return True

    def Resume(self) -> None:
        """The operator trusts the provider's present state: forget why the follower has stopped, and connect again."""
        step = self.follower.resume()
        self._refusal, self._due, self._reported = None, self._event.ms, ""
        Print(f"{step.disconnect}: the provider's next state is followed, whatever it is")
        self.End("", NORMAL)

    def CloseClean(self) -> None:
        """Close the connection and clean up."""
        self.End("", NORMAL)
        self.transport.CloseClean()

    # ---- the login

    def IsDue(self) -> bool:
        """Whether to try to connect now."""
        if self.follower.stopped:
            return False
        refusal = self._refusal
        if refusal and refusal.needs_change and self._settings.secret.signature() != self._refused_secret:
            Print("the file of the password or token has changed: it is used for the next login")
            self._refusal = None
            return True
        return self._event.is_due(self._due)

    def StartClient(self) -> None:
        """Begin to connect. The pause before the next attempt grows until a login lasts."""
        self.PlanNext()
        self._attempted = True
        self.attempts += 1
        self._opened = self._login_sent = self._has_state = self._ending = False
        self._pace = AckPace(self._event.ms)
        self.transport.Begin(self._event.ms)

    def CheckTimes(self) -> None:
        """Apply the time limits of an open connection."""
        now = self._event.ms
        if self._has_state and now - self._state_at >= PROVEN_MS:
            self._backoff.succeeded()
            self._reported = ""
        if not self._has_state and now - self._opened_at >= LOGIN_MS:
            self.End(f"the server has not completed the login within {LOGIN_MS // 1000} s", POLICY)
        self.Follow(self.follower.check(now))

    def Take(self, text: str) -> None:
        """Decode a message, and do what follows from it, also when the server has closed the connection behind it."""
        if self._ending:
            return
        try:
            message = decode_from_server(text)
        except MessageError as problem:
            self.Send(Error(problem.code, str(problem)[:LONGEST_TEXT], fatal=True))
            self.End(f"the server breaks the protocol: {problem}", POLICY)
            return
        if isinstance(message, Error):
            self.Refused(message)
            return
        if isinstance(message, Welcome) and not self._has_state:
            self._welcome_symbols = message.symbols
        self.Follow(self.follower.receive(message, self._event.ms))
        heard = self._heard.get(type(message))
        if heard is not None and not self._ending:
            heard()

    def SendLogin(self) -> None:
        """Answer the server's first hello."""
        if self._login_sent:
            return
        self._login_sent = True
        try:
            login = self._settings.secret.message(self._settings.symbols, self._settings.client)
        except SecretError as problem:
            self.End(str(problem), NORMAL)
            return
        if self._settings.steady:
            login = replace(login, steady=True)
        self.Send(self.follower.login(login, self._event.ms))

    def LoggedIn(self) -> None:
        """The provider has accepted the login."""
        self.logins += 1
        self.ended = ""
        if self._refusal is not None:
            self._refusal = None
            self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
            self.PlanNext()
        Event("connected", port=self.transport.local_port)
        Print(f"logged in as {self._settings.secret.login} at {self.transport.peer}")

    def HasState(self) -> None:
        """The login is complete."""
        if not self._has_state:
            self._has_state, self._state_at = True, self._event.ms

    def Refused(self, message: Error) -> None:
        """The server reports an error; a fatal one ends the connection."""
        if not message.fatal:
            Print(f"-the server reports: {message.text} ({message.code})")
            return
        refusal = refusal_of(message.code)
        if message.code == REPLACED:
            self.Replaced(refusal)
        elif self._refusal != refusal:
            self._refusal = refusal
            self._backoff = Backoff(refusal.first_ms, refusal.longest_ms)
            self.PlanNext()
        self._refused_secret = self._settings.secret.signature()
        text = f"{message.text} ({message.code})"
        if refusal.outcome is Outcome.ENDED:
            self.ended = text
        Event("refused", code=message.code)
        self.End(f"the server refuses the login or ends it: {text}", NORMAL)

    def Replaced(self, refusal: Refusal) -> None:
        """A newer connection of this login is served instead: come back later, and later again if that repeats."""
        lasted = self._has_state and self._event.ms - self._state_at >= 2 * refusal.longest_ms
        if self._replaced is None or lasted:
            Alert(
                f"another program uses this login ({self._settings.secret.login}): the provider serves only the newest "
                "one; give each program a login of its own"
            )
            self._replaced = Backoff(refusal.first_ms, refusal.longest_ms)
        self._refusal, self._backoff = refusal, Backoff(refusal.first_ms, refusal.longest_ms)
        self._replaced.failed(self._event.ms)
        self._due = self._event.ms + self._replaced.pause_ms

    # ---- messages, and the end

    def Follow(self, step: Step) -> None:
        """Do what the follower asks for."""
        for alarm in step.alarms:
            if alarm.kind in STOPPING:
                Alert(f"{alarm.kind.value}: {alarm.text}; {self._settings.stopped} before {self._settings.resume}")
            elif alarm.kind in (Kind.STALE, Kind.CLOCK, Kind.OLDER):
                if not self.IsReported(step.disconnect):
                    resume = f"; {self._settings.resume} follows it at once" if alarm.kind is Kind.OLDER else ""
                    Alert(f"{alarm.kind.value}: {alarm.text}{resume}")
            elif not step.disconnect:
                Print(f"-{alarm.kind.value}: {alarm.text}")
            Event("alarm", name=alarm.kind.name.lower(), text=alarm.text)
        if step.state is not None:
            self._states.append(step.state)
            self.shown = self._welcome_symbols
        for message in step.send:
            self.Send(message)
        if step.disconnect:
            self.End(step.disconnect, POLICY)

    def Send(self, message: FromClient) -> int:
        """Send a message, if the connection is open; returns its characters."""
        try:
            text = encode(message)
        except MessageError as problem:
            Print(f"-not sent: {problem}")
            return 0
        self.transport.Send(text, self._event.ms)
        return len(text)

    def End(self, reason: str, code: int) -> None:
        """End the connection in order; a reason is logged. The next attempt follows after its pause."""
        if reason:
            self.Fault(reason)
        self._ending = True
        self.follower.disconnected()
        self.transport.End(code, reason, self._event.ms)

    def Closed(self) -> None:
        """The connection has ended, or the attempt has failed."""
        self._attempted = False
        self.follower.disconnected()
        if not self._ending:
            self.Fault(self.transport.problem)

    def Fault(self, reason: str) -> None:
        """Log why there is no connection, with the time of the next attempt, unless the log says so already."""
        if self.IsReported(reason):
            return
        self._reported = reason
        text = f"-provider {self._settings.endpoint}: {reason}"
        if not self.follower.stopped:
            text += f". Next attempt in {max(self._due - self._event.ms, 0) / 1000:g} s"
            if self._refusal and self._refusal.needs_change:
                text += ", or when the file of the password or token changes"
        Print(text)

    def IsReported(self, reason: str) -> bool:
        """Whether the log says this already, perhaps with other numbers."""
        return bool(reason) and _DIGITS.sub("", reason) == _DIGITS.sub("", self._reported)

    def PlanNext(self) -> None:
        """Plan the next attempt."""
        self._backoff.failed(self._event.ms)
        self._due = self._event.ms + self._backoff.pause_ms
