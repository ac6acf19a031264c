"""What the copier's connections to a provider have in common: the states, the alarms and the next attempt.

The follower says which states may be acted on, whatever carries the messages. A connection that ends is followed by the
next attempt after growing pauses. A fault is logged once, until it is another one or a login has lasted. After a
refused login the pauses are those of the module refusals.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from decimal import Decimal

from demos.copier.login_secret import LoginSecret
from demos.copier.moments import Moment
from demos.copier.refusals import Refusal
from demos.provider.following import Follower
from demos.provider.messages import FromClient, Snapshot
from demos.provider.steps import STOPPING, Kind, Status, Step
from demos.terminal import Alert, Event, Print
from demos.wire.backoff import Backoff

# The pauses between two connects. A provider that restarts is found again soon.
FIRST_WAIT_MS = 1000
LONGEST_WAIT_MS = 16_000

# From the begin of a login to the first state.
LOGIN_MS = 30_000

# A login that has lasted so long ends a series of failures.
PROVEN_MS = 5_000

_DIGITS = re.compile("[0-9]+")


class ProviderConnection(ABC):
    """The connection, or its next attempt.

    ``ended``: why the provider has ended the login, or "". ``attempts``: how often the copier has begun to connect.
    ``logins``: how often the provider has accepted a login. ``shown``: the symbols that the login showed when the
    follower's state was received; None: all. ``stopped``: what happens while an alarm has stopped the follower, and
    ``resume``: how its operator ends that. ``peer``: what listens at the place, for the log.
    """

    peer = "provider"
    stopped = "nothing is copied"
    resume = "`python -m demos copier resume`"

    def __init__(self, follower: Follower, place: str, secret: LoginSecret) -> None:
        """``place``: where the provider is, for the log."""
        self.follower = follower
        self.ended = ""
        self.attempts = self.logins = 0
        self.shown: tuple[str, ...] | None = None
        self._place, self._secret = place, secret
        self._event = Moment(0)
        self._states: list[Snapshot] = []
        self._due = 0
        self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
        self._refusal: Refusal | None = None
        # The secret's file when the login was refused.
        self._refused_secret: tuple[int, int] | None = None
        self._reported = ""

    # ---- what the program calls

    @abstractmethod
    def Continue(self, event: Moment) -> list[Snapshot]:
        """Do what is possible now; returns the states to act on, the oldest first. Only the last is the newest."""

    @abstractmethod
    def Acknowledge(self, held: dict[str, Decimal], wanted: dict[str, Decimal] | None) -> bool:
        """Tell the provider that the last state was processed, and what the account holds and should hold.

        Returns False when that must wait.
        """

    @abstractmethod
    def CloseClean(self) -> None:
        """Close the connection and clean up."""

    @property
    @abstractmethod
    def local_port(self) -> int:
        """The own port of the connection, or 0."""

    @property
    @abstractmethod
    def socket(self) -> int:
        """The socket for which OnSocket is called; INVALID_SOCKET while there is none."""

    @property
    def is_live(self) -> bool:
        """Whether the last state is the provider's newest."""
        return self.follower.status is Status.LIVE

    @property
    def pause_ms(self) -> int:
        """The pause before the present attempt, or the next one."""
        return self._backoff.pause_ms

    def Resume(self) -> None:
        """The operator trusts the provider's present state: forget why the follower has stopped, and connect again."""
        step = self.follower.resume()
        self._refusal, self._due, self._reported = None, self._event.ms, ""
        Print(f"{step.disconnect}: the provider's next state is followed, whatever it is")
        self.Disconnect("")

    # ---- what a connection does in its own way

    @abstractmethod
    def Send(self, message: FromClient) -> int:
        """Send a message, if the connection is open; returns its characters."""

    @abstractmethod
    def Disconnect(self, reason: str) -> None:
        """End the connection; a reason is logged. The next attempt follows after its pause."""

    # ---- what follows from messages

    def Follow(self, step: Step) -> None:
        """Do what the follower asks for."""
        for alarm in step.alarms:
            if alarm.kind in STOPPING:
                Alert(f"{alarm.kind.value}: {alarm.text}; {self.stopped} before {self.resume}")
            elif alarm.kind in (Kind.STALE, Kind.CLOCK, Kind.OLDER):
                if not self.IsReported(step.disconnect):
                    resume = f"; {self.resume} follows it at once" if alarm.kind is Kind.OLDER else ""
                    Alert(f"{alarm.kind.value}: {alarm.text}{resume}")
            elif not step.disconnect:
                Print(f"-{alarm.kind.value}: {alarm.text}")
            Event("alarm", name=alarm.kind.name.lower(), text=alarm.text)
        if step.state is not None:
            self.TakeState(step.state)
        for message in step.send:
            self.Send(message)
        if step.disconnect:
            self.Disconnect(step.disconnect)

    def TakeState(self, state: Snapshot) -> None:
        """A state to act on has arrived."""
        self._states.append(state)

    # ---- attempts

    def IsDue(self) -> bool:
        """Whether to try to connect now."""
        if self.follower.stopped:
            return False
        refusal = self._refusal
        if refusal and refusal.needs_change and self._secret.signature() != self._refused_secret:
            Print("the file of the password or token has changed: it is used for the next login")
            self._refusal = None
            return True
        return self._event.is_due(self._due)

    def LoginAccepted(self) -> None:
        """The login was accepted: earlier refusals are over."""
        self.logins += 1
        self.ended = ""
        if self._refusal is not None:
            self._refusal = None
            self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
            self.PlanNext()
        Event("connected", port=self.local_port)

    def LoginLasts(self) -> None:
        """The login has lasted: a later failure is the first of its series."""
        self._backoff.succeeded()
        self._reported = ""

    def TakeRefusal(self, refusal: Refusal) -> None:
        """The login is refused, as it was before or for another reason: plan the next attempt."""
        if self._refusal != refusal:
            self._refusal = refusal
            self._backoff = Backoff(refusal.first_ms, refusal.longest_ms)
            self.PlanNext()

    def Fault(self, reason: str) -> None:
        """Log why there is no connection, with the time of the next attempt, unless the log says so already."""
        if self.IsReported(reason):
            return
        self._reported = reason
        text = f"-{self.peer} {self._place}: {reason}"
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
