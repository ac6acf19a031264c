"""The provider's feed to an MQTT broker: connects, looks for another provider, publishes, and answers subscribers.

Only one provider may publish under a prefix. So after each connect it looks before it publishes: it subscribes to the
status and the heartbeats, and if the broker has the hello of another run, it asks whether that provider lives. With an
answer or a heartbeat the feed fails, which ends this provider. Without one for three of the other's intervals it takes
its place. Two providers that start at the same time see each other's hello: the one that started later ends.

The last will of an earlier connection may be published late. So a status that is not the own hello is replaced, and
the states too, because another publisher may have replaced them. Stored messages of symbols that are not open, for
example those of an earlier run, are deleted after that.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from demos.copier.login_secret import LoginSecret, SecretError
from demos.provider.accounts import AccountState
from demos.provider.broker_leftovers import Leftovers
from demos.provider.broker_messages import (
    ANSWER,
    ASK,
    HEARTBEATS,
    STATE,
    STATUS,
    Answer,
    AskProvider,
    BrokerMessage,
    Gone,
    decode,
    encode,
)
from demos.provider.broker_publishing import BrokerStates, Publication
from demos.provider.messages import VERSION, Heartbeat, Hello
from demos.provider.protocol import MessageError
from demos.terminal import Alert, Event, EventKillSocket, EventSetSocket, GetTickCount64, Print
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.randomness import token_hex
from demos.wire.backoff import Backoff
from demos.wire.ignored_messages import IgnoredMessages
from demos.wire.mqtt_link import Acknowledged, Ended, MqttLink, MqttLogin, MqttSettings, Opened, Received, Subscribed

# From the answer to the subscription to the first publication: the retained messages arrive in this time.
LOOK_MS = 1000
# Another provider is alive if it is heard within so many of its intervals, or within this time at most.
OTHER_HEARTBEATS = 3
LONGEST_LOOK_MS = 60_000
# From the begin of an attempt to the answer to the subscription.
LOGIN_MS = 30_000
# A connection that has lasted so long ends a series of failures.
PROVEN_MS = 5000
# The shortest time between two answers for one subscriber, and between two publications of everything.
ANSWER_MS = 900
AGAIN_MS = 1000
# From the first publication to the report that the own hello has not come back.
HEARD_MS = 10_000
# The subscribers whose last question is remembered, and the answers that wait for their acknowledgement.
MOST_CLIENTS = 10_000
MOST_ANSWERS = 2000


@dataclass(frozen=True)
class FeedSettings:
    """The broker, the login, and the provider's name."""

    mqtt: MqttSettings
    secret: LoginSecret
    name: str


class BrokerFeed:
    """See the head of this module, and Feed in feeds.py. Errors of the constructor: CallFailed, ValueError."""

    def __init__(self, settings: FeedSettings, account: AccountState, clock: Clock) -> None:
        self.failure, self.code = "", 4
        self.states = BrokerStates(settings.name, account, clock.utc_ms())
        self._settings = settings
        self._prefix = settings.mqtt.endpoint.prefix
        self._clock = clock
        self._link = MqttLink(settings.mqtt)
        self._backoff = Backoff(1000, 32_000)
        self._suspended = False
        self._ignored = IgnoredMessages()
        # What was logged last of the connection.
        self._reported = ""
        self._forget()
        EventSetSocket(self._link.socket)

    # ---- what the program calls

    def observe(self, account: AccountState) -> None:
        """Take the account's present state, and publish it if the broker has taken the last one."""
        try:
            self.states.observe(account, self._clock.utc_ms())
        except ValueError:
            self._suspended = True
            raise
        self._suspended = False
        self._publish()

    def suspend(self) -> None:
        """Publish and answer nothing until observe() is called."""
        self._suspended = True

    def owns(self, s: int) -> bool:
        """Whether the socket is that of the link's events."""
        return s == self._link.socket

    def ready(self, s: int, ready: int) -> None:
        """Events of the link wait."""
        self._take_events()

    def timer(self) -> None:
        """Connect, end a look, and send heartbeats."""
        now = GetTickCount64()
        self._take_events()
        if self.failure:
            return
        if self._link.is_idle:
            if self._backoff.is_due(now):
                self._begin(now)
            return
        if self._publishing:
            if now - self._published_at >= PROVEN_MS:
                self._backoff.succeeded()
                self._reported = ""
            if not self._is_heard and now - self._published_at >= HEARD_MS:
                self._report_unheard()
            self._publish()
        elif self._looks_until is None:
            if now - self._began_at >= LOGIN_MS:
                self._end(f"the broker has not answered within {LOGIN_MS // 1000} s")
        elif now >= self._looks_until and not self._suspended:
            self._start_publishing(now)

    def close(self) -> None:
        """End the connection; the broker then publishes the will."""
        EventKillSocket(self._link.socket)
        self._link.close(with_will=self._publishing)

    # ---- the connection

    def _forget(self) -> None:
        """Of the present connection: nothing yet."""
        self._publishing = False
        self._began_at = self._published_at = 0
        # When everything was published; None: it must be published.
        self._all_at: int | None = None
        # Whether another one has replaced the status, and perhaps states.
        self._is_replaced = False
        self._leftovers = Leftovers(self.states)
        self._looks_until: int | None = None
        self._other: Hello | None = None
        self._nonce = ""
        # Whether the own hello has come back, or its absence was reported.
        self._is_heard = False
        # The publications of states, and the answers, that the broker has not acknowledged.
        self._unacknowledged: set[int] = set()
        self._answers: set[int] = set()
        self._asked: OrderedDict[str, int] = OrderedDict()

    def _begin(self, now: int) -> None:
        self._forget()
        self._began_at = now
        self._backoff.failed(now)
        will = self.states.will()
        try:
            secret = self._settings.secret
            login = MqttLogin(secret.login, secret.read(), (self._topic(will.topic), will.payload))
            problem = self._link.begin(login)
        except SecretError as error:
            problem = str(error)
        if problem:
            self._report(problem)

    def _end(self, reason: str) -> None:
        self._link.end(with_will=self._publishing)
        self._ended(reason)

    def _ended(self, reason: str) -> None:
        if self._publishing:
            Event("broker", state="lost")
        self._forget()
        self._report(reason)

    def _report(self, problem: str) -> None:
        """Log a problem of the connection, unless the log says it already."""
        if problem != self._reported:
            self._reported = problem
            Print(f"-broker {self._settings.mqtt.endpoint.text}: {problem}. {self._backoff.retry_text()}")

    def _take_events(self) -> None:
        for event in self._link.take():
            if self.failure:
                return
            if isinstance(event, Opened):
                self._look()
            elif isinstance(event, Subscribed):
                self._subscribed(event)
            elif isinstance(event, Received):
                self._received(event)
            elif isinstance(event, Acknowledged):
                self._acknowledged(event)
            elif isinstance(event, Ended):
                self._ended(event.reason)
        self._publish()

    # ---- before publishing

    def _look(self) -> None:
        """Subscribe to what another provider would publish, and to the questions.

        Of them only the status is stored by a provider. Others may store what proves nothing, or fill the broker's
        queue for this client.
        """
        live = [self._topic(each) for each in (HEARTBEATS, f"{ASK}+", ANSWER + self._settings.mqtt.client_id)]
        self._link.subscribe([self._topic(STATUS), *live], new=live)
        self._look_at_states()

    def _look_at_states(self) -> None:
        """Have the broker send the stored messages of symbols, and then what others publish there."""
        self._link.subscribe([self._topic(f"{STATE}+")], own=False)

    def _subscribed(self, event: Subscribed) -> None:
        if refused := [each for each in event.problems if each]:
            self._end(f"the broker refuses the subscription: {refused[0]}; the login needs all rights below the prefix")
        elif not self._publishing:
            self._looks_until = max(self._looks_until or 0, GetTickCount64() + LOOK_MS)

    def _start_publishing(self, now: int) -> None:
        if self._other is not None:
            Print(f"the provider with the run {self._other.stream} is silent: this one takes its place")
        self._publishing, self._published_at, self._reported = True, now, ""
        Event("broker", state="publishing", run=self.states.run)
        Print(f"publishing at {self._settings.mqtt.endpoint.text}")
        self._publish()

    def _report_unheard(self) -> None:
        """A broker is silent about a missing right to read."""
        self._is_heard = True
        Alert(
            f"{self._settings.mqtt.endpoint.text}: the own hello does not come back from the broker: the login needs "
            "the right to read all topics below the prefix; without it no subscriber gets an answer, and a second "
            "provider is not noticed"
        )

    # ---- messages

    def _received(self, event: Received) -> None:
        topic = event.topic.removeprefix(f"{self._prefix}/")
        if topic.startswith(STATE):
            self._hear_state(topic, event)
            return
        if not event.payload:
            # A stored message was deleted. Subscribers delete and store only their questions.
            self._is_replaced = self._is_replaced or (self._publishing and topic == STATUS)
            return
        try:
            message, client = decode(self._prefix, event.topic, event.payload)
        except MessageError as problem:
            if line := self._ignored.line(str(problem), GetTickCount64()):
                Print(f"-broker {self._settings.mqtt.endpoint.text}: {line}")
            return
        if isinstance(message, (Hello, Gone)):
            self._status(message)
        elif event.retained:
            # A stored message is no proof that anybody lives, even from a broker that sends it although not requested.
            return
        elif isinstance(message, AskProvider):
            self._answer(client, message)
        elif self._is_alive(message):
            self._fail("answers" if isinstance(message, Answer) else "sends heartbeats")

    def _hear_state(self, topic: str, event: Received) -> None:
        """The broker has stored a message of a symbol, or another publisher writes or deletes one."""
        is_open = self.states.is_open(topic)
        if is_open and self._publishing and not event.retained:
            self._is_replaced = True
        elif not is_open and event.payload:
            self._leftovers.add(topic)

    def _is_alive(self, message: BrokerMessage) -> bool:
        """Whether a message proves that another provider lives, before this one publishes."""
        if self._publishing:
            return False
        if isinstance(message, Answer):
            return message.nonce == self._nonce
        return isinstance(message, Heartbeat) and not message.stream.startswith(self.states.run)

    def _status(self, message: Hello | Gone) -> None:
        """The status is that of another run, or says that this one is gone."""
        now = GetTickCount64()
        if self._publishing:
            own = self.states.hello
            if isinstance(message, Hello) and message.stream == own.stream:
                self._is_heard = True
                return
            if isinstance(message, Hello) and (message.time, message.stream) < (own.time, own.stream):
                self._other = message
                self._fail("started earlier")
            else:
                self._is_replaced = True
        elif isinstance(message, Gone):
            self._other = None
        elif message.stream != self.states.run and self._other != message:
            self._other = message
            self._nonce = token_hex(16)
            self._looks_until = now + min(max(OTHER_HEARTBEATS * message.heartbeat_ms, LOOK_MS), LONGEST_LOOK_MS)
            ask = encode(AskProvider(VERSION, self._nonce))
            self._link.publish(self._topic(ASK + self._settings.mqtt.client_id), ask)

    def _fail(self, how: str) -> None:
        other = f"{self._other.server!r}, run {self._other.stream}" if self._other else "unknown"
        place = self._settings.mqtt.endpoint.text
        self.failure = f"another provider ({other}) publishes at {place}: it {how}; use another prefix, or end that one"
        # Without the will: the other one's status stays.
        self._link.end()

    def _answer(self, client: str, question: AskProvider) -> None:
        now = GetTickCount64()
        own = client == self._settings.mqtt.client_id
        if self._all_at is None or self._suspended or own or len(self._answers) >= MOST_ANSWERS:
            return
        last = self._asked.pop(client, None)
        if last is not None and now - last < ANSWER_MS:
            self._asked[client] = last
            return
        self._asked[client] = now
        if len(self._asked) > MOST_CLIENTS:
            self._asked.popitem(last=False)
        self._answers.add(self._send(self.states.answer(client, question, self._clock.utc_ms())))

    # ---- states

    def _publish(self) -> None:
        """Publish everything once, then what is new when the broker has taken everything before."""
        if not self._publishing or self._suspended:
            return
        now = GetTickCount64()
        if self._all_at is None or (self._is_replaced and now - self._all_at >= AGAIN_MS):
            self._all_at, self._is_replaced = now, False
            self._unacknowledged.update(map(self._send, self.states.all(self._clock.utc_ms())))
        elif not self._unacknowledged:
            publications = self.states.next(self._clock.utc_ms()) or self._leftovers.deletions()
            self._unacknowledged.update(map(self._send, publications))
            if not publications and self._leftovers.take_look():
                self._look_at_states()

    def _acknowledged(self, event: Acknowledged) -> None:
        self._unacknowledged.discard(event.number)
        self._answers.discard(event.number)
        if event.problem:
            self._end(f"the broker refuses a publication: {event.problem}; the login needs all rights below the prefix")

    def _send(self, publication: Publication) -> int:
        return self._link.publish(self._topic(publication.topic), publication.payload, retain=publication.retain)

    def _topic(self, topic: str) -> str:
        return f"{self._prefix}/{topic}"
