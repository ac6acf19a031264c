"""The copier's connection to a provider: a WebSocket with a login, then the provider's states.

The transport connects and verifies the server; the follower says which states may be acted on. This module logs in,
passes messages between the two, and plans the next attempt. The time from the open WebSocket to the first state is
limited. Afterwards the follower notices a silent server by its missing heartbeats. provider_connection.py has what does
not depend on the WebSocket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from demos.copier.ack_pace import AckPace
from demos.copier.login_secret import LoginSecret, SecretError
from demos.copier.moments import Moment
from demos.copier.provider_connection import LOGIN_MS, PROVEN_MS, ProviderConnection
from demos.copier.refusals import REPLACED, Outcome, Refusal, refusal_of
from demos.copier.server_url import Endpoint
from demos.copier.transport import Transport
from demos.provider.following import Follower
from demos.provider.messages import Error, FromClient, FromServer, Hello, Snapshot, Welcome
from demos.provider.protocol import LONGEST_TEXT, MessageError, decode_from_server, encode
from demos.terminal import Alert, Event, Print
from demos.wire.backoff import Backoff
from demos.wire.tls_contexts import TlsContext
from demos.wire.websocket import NORMAL, POLICY


@dataclass(frozen=True)
class ServerSettings:
    """Where the provider is, how it is verified (``context`` is None without TLS), and the login.

    ``client`` is this program's name and version; ``symbols`` are those to follow, None for all that are visible.
    ``steady``: see messages.Login.
    """

    endpoint: Endpoint
    context: TlsContext | None
    pin: bytes | None
    secret: LoginSecret
    client: str
    symbols: tuple[str, ...] | None = None
    steady: bool = False


class SecureConnection(ProviderConnection):
    """The connection over a WebSocket, or its next attempt."""

    def __init__(self, settings: ServerSettings, follower: Follower) -> None:
        endpoint = settings.endpoint
        super().__init__(follower, str(endpoint), settings.secret)
        self.transport = Transport(endpoint, settings.context, settings.pin)
        self._welcome_symbols: tuple[str, ...] | None = None
        self._settings = settings
        # The pauses after other programs with this login, also between logins.
        self._replaced: Backoff | None = None
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
    def local_port(self) -> int:
        """The socket's own port."""
        return self.transport.local_port

    @property
    def socket(self) -> int:
        """The transport's socket."""
        return self.transport.socket

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

    def CloseClean(self) -> None:
        """Close the connection and clean up."""
        self.End("", NORMAL)
        self.transport.CloseClean()

    # ---- the login

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
            self.LoginLasts()
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
        login = replace(login, steady=self._settings.steady or None)
        self.Send(self.follower.login(login, self._event.ms))

    def LoggedIn(self) -> None:
        """The provider has accepted the login."""
        self.LoginAccepted()
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
        else:
            self.TakeRefusal(refusal)
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

    def TakeState(self, state: Snapshot) -> None:
        """A state to act on has arrived, with the symbols of the present login."""
        super().TakeState(state)
        self.shown = self._welcome_symbols

    def Send(self, message: FromClient) -> int:
        """Send a message, if the connection is open; returns its characters."""
        try:
            text = encode(message)
        except MessageError as problem:
            Print(f"-not sent: {problem}")
            return 0
        self.transport.Send(text, self._event.ms)
        return len(text)

    def Disconnect(self, reason: str) -> None:
        """End the connection because of what the server has sent, or has not."""
        self.End(reason, POLICY if reason else NORMAL)

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
