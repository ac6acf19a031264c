"""The copier's connection to a provider through an MQTT broker: subscriptions, questions, and the provider's states.

The link connects and verifies the broker, broker_states.py makes whole states of its messages, and the follower says
which of them may be acted on. This module logs in, passes messages between them, and plans the next attempt. The time
from the connect to the answer to the subscription is limited. That no provider answers is no fault of the connection:
the copier waits, and asks again.

Nothing is acknowledged to the provider: it does not know its subscribers.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from demos.copier.broker_arrivals import Arrivals
from demos.copier.broker_states import ASK_MS, BrokerStates
from demos.copier.login_secret import LoginSecret, SecretError
from demos.copier.moments import Moment
from demos.copier.provider_connection import LOGIN_MS, PROVEN_MS, ProviderConnection
from demos.copier.refusals import refusal_of
from demos.provider.broker_messages import ANSWER, ASK, HEARTBEATS, STATE, STATUS, SUMMARY, decode, encode
from demos.provider.following import Follower
from demos.provider.messages import FromClient, Resync, Snapshot
from demos.provider.protocol import MessageError
from demos.provider.steps import Step
from demos.terminal import Alert, Event, EventKillSocket, EventSetSocket, Print
from demos.terminal.runtime.randomness import token_hex
from demos.wire.ignored_messages import IgnoredMessages
from demos.wire.mqtt_link import (
    Acknowledged,
    Ended,
    MqttEvent,
    MqttLink,
    MqttLogin,
    MqttSettings,
    Opened,
    Received,
    Subscribed,
)

# The shortest time between two requests to send the stored messages again.
RESYNC_MS = 1000

# The login is refused as by a provider that does not know the password: it is not repeated at once.
_REFUSED = "failed"


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is, and the login."""

    mqtt: MqttSettings
    secret: LoginSecret


class BrokerConnection(ProviderConnection):
    """The connection through a broker, or its next attempt. Errors of the constructor: CallFailed."""

    peer = "broker"

    def __init__(self, settings: BrokerSettings, follower: Follower) -> None:
        super().__init__(follower, settings.mqtt.endpoint.text, settings.secret)
        self._settings = settings
        self._prefix = settings.mqtt.endpoint.prefix
        self._link = MqttLink(settings.mqtt)
        self._registered = False
        self._broker_states = BrokerStates(follower, lambda: token_hex(16))
        self._arrivals = Arrivals(self._broker_states, follower, self._prefix)
        # Of the present connection: when it began, whether the subscription was answered, and the provider too.
        self._began_at = self._state_at = 0
        self._is_subscribed = self._is_followed = self._has_state = False
        self._subscription = 0
        self._resync_at = 0
        # Since when no provider has answered.
        self._missing_since: int | None = None
        self._ignored = IgnoredMessages()
        # What was logged last about the provider.
        self._noted = ""

    # ---- what the program calls

    @property
    def local_port(self) -> int:
        """The connection is paho's: its port is unknown."""
        return 0

    @property
    def socket(self) -> int:
        """The socket of the link's events."""
        return self._link.socket

    def Continue(self, event: Moment) -> list[Snapshot]:
        """Do what is possible now; returns the states to act on, the oldest first. Only the last is the newest."""
        self._event, self._states = event, []
        if not self._registered:
            self._registered = True
            EventSetSocket(self._link.socket)
        if self._link.is_idle and self.IsDue():
            self.StartClient()
        for each in self._link.take():
            self.Take(each)
        if self._link.is_open and self._is_subscribed:
            self.CheckProvider()
        elif not self._link.is_idle and event.ms - self._began_at >= LOGIN_MS:
            self.Disconnect(f"the broker has not answered within {LOGIN_MS // 1000} s")
        return self._states

    def Acknowledge(self, held: dict[str, Decimal], wanted: dict[str, Decimal] | None) -> bool:
        """Nothing is acknowledged through a broker."""
        return True

    def CloseClean(self) -> None:
        """Close the connection and clean up."""
        EventKillSocket(self._link.socket)
        self._broker_states.disconnected()
        self._link.close()

    # ---- the connection to the broker

    def StartClient(self) -> None:
        """Begin to connect. The pause before the next attempt grows until a login lasts."""
        self.PlanNext()
        self.attempts += 1
        self._began_at = self._event.ms
        self._is_subscribed = self._is_followed = self._has_state = False
        try:
            problem = self._link.begin(MqttLogin(self._secret.login, self._secret.read()))
        except SecretError as error:
            problem = str(error)
        if problem:
            self.Fault(problem)

    def Take(self, event: MqttEvent) -> None:
        """Do what follows from an event of the link."""
        if isinstance(event, Opened):
            own = ANSWER + self._settings.mqtt.client_id
            # The states last: a broker discards what exceeds its limit for one subscriber.
            topics = (STATUS, SUMMARY, HEARTBEATS, own, f"{STATE}+")
            self._subscription = self._link.subscribe([self.Topic(each) for each in topics])
        elif isinstance(event, Subscribed):
            self.TakeSubscription(event)
        elif isinstance(event, Received):
            self.Receive(event)
        elif isinstance(event, Acknowledged):
            if event.problem:
                topic = self.Topic(ASK + self._settings.mqtt.client_id)
                self.Disconnect(f"the broker refuses the question to the provider ({topic}): {event.problem}")
        elif isinstance(event, Ended):
            if event.refused:
                self.TakeRefusal(refusal_of(_REFUSED))
                self._refused_secret = self._secret.signature()
                Event("refused", code=_REFUSED)
            self.Disconnect(event.reason)

    def TakeSubscription(self, event: Subscribed) -> None:
        """The broker has answered the subscription."""
        if event.number != self._subscription:
            return
        if refused := [each for each in event.problems if each]:
            self.Disconnect(f"the broker refuses the subscription to {self._prefix}: {refused[0]}")
            return
        self._is_subscribed, self._missing_since = True, None
        self._broker_states.connected(self._event.ms)
        self._arrivals.connected()
        self.Ask()

    def Disconnect(self, reason: str) -> None:
        """End the connection; a reason is logged. The next attempt follows after its pause."""
        if reason:
            self.Fault(reason)
        self._is_subscribed = self._is_followed = False
        self._broker_states.disconnected()
        self._link.end()

    # ---- the provider

    def Receive(self, event: Received) -> None:
        """Decode a message, and do what follows from it. One that is wrong is ignored: others may be right."""
        if not event.payload:
            # A stored message was deleted.
            return
        try:
            message = decode(self._prefix, event.topic, event.payload).message
            self._arrivals.heard(message, retained=event.retained)
            steps = self._broker_states.receive(message, self._event.ms, retained=event.retained)
        except MessageError as problem:
            if line := self._ignored.line(str(problem), self._event.ms):
                Print(f"-broker {self._place}: {line}")
            return
        self.FollowAll(steps)

    def CheckProvider(self) -> None:
        """Ask, and apply the time limits."""
        now = self._event.ms
        if problem := self._arrivals.problem(now):
            Alert(f"{self._place}: {problem}")
            Event("alarm", name="missing", text=problem)
        self.FollowAll(self._broker_states.check(now))
        self.Ask()
        answer = self._broker_states.answer
        if answer is not None and not self._is_followed:
            self._is_followed = True
            self.LoginAccepted()
            self.Note(f"following the provider {answer.server!r} at {self._place}")
        elif answer is None:
            self._is_followed = self._has_state = False
        self.ReportMissing()
        if self._has_state and now - self._state_at >= PROVEN_MS:
            self.LoginLasts()

    def ReportMissing(self) -> None:
        """Report once that no provider is there."""
        now = self._event.ms
        if self._broker_states.is_answered:
            self._missing_since = None
            return
        if self._missing_since is None:
            self._missing_since = now
        if self._broker_states.gone:
            text = "the provider is gone, as its last will at the broker says"
        elif now - self._missing_since >= ASK_MS:
            text = "no provider answers"
            if self._arrivals.has_hello:
                topic = self.Topic(ANSWER + self._settings.mqtt.client_id)
                text += f", but the broker has the hello of one: if it runs, the login needs the right to read {topic}"
        else:
            return
        text = f"{self._place}: {text}: nothing is opened or increased until it returns"
        if self._noted != text:
            self._noted = text
            Alert(text)
            Event("alarm", name="gone", text=text)

    def Note(self, text: str) -> None:
        """Log something about the provider; the next report of its absence is news."""
        if self._noted != text:
            self._noted = text
            Print(text)

    def Ask(self) -> None:
        """Publish the question, if there is one."""
        if (question := self._broker_states.take_question()) is not None:
            self._link.publish(self.Topic(ASK + self._settings.mqtt.client_id), encode(question))

    def FollowAll(self, steps: list[Step]) -> None:
        """Do what the follower asks for, as long as the connection lasts."""
        for step in steps:
            if self._is_subscribed:
                self.Follow(step)

    def TakeState(self, state: Snapshot) -> None:
        """A state to act on has arrived."""
        super().TakeState(state)
        if not self._has_state:
            self._has_state, self._state_at = True, self._event.ms

    def Send(self, message: FromClient) -> int:
        """A resync has the broker send again what it has stored. Nothing else is sent to the provider."""
        if isinstance(message, Resync) and self._event.ms - self._resync_at >= RESYNC_MS:
            self._resync_at = self._event.ms
            self._link.subscribe([self.Topic(SUMMARY), self.Topic(f"{STATE}+")])
        return 0

    def Topic(self, topic: str) -> str:
        """A topic below the prefix."""
        return f"{self._prefix}/{topic}"
