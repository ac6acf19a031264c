"""A client's connection to an MQTT broker (MQTT 5, paho-mqtt), for a program that is driven by events.

How it works
============

paho reads and writes in a thread of its own. The thread decides nothing: each callback puts an event into a queue and
wakes the terminal, which calls OnSocket. The program takes the events in the terminal's thread with take(), and decides
there. begin() starts one attempt with one connection. Its end is an event too, after which the program may begin again:
when, with which password, and whether at all, is the program's decision.

- An attempt has a number. Events of an earlier attempt, whose thread may still be ending, are discarded.
- The queue is bounded by messages and bytes. A peer that sends faster than the program reads ends the connection.
  Messages that may be dropped are dropped before that.
- A broker delivers no packet that is larger than the client accepts (Maximum Packet Size). The broker itself is trusted
  to keep to it: paho reads a packet as a whole.
- An exception in paho, which a packet that is not MQTT may cause, ends the connection with its text.

The server is verified before anything but the TLS handshake is sent. Without TLS only this computer's addresses are
used.

A program without threads, such as one in a simulated network, uses another class of attempts; see use_attempts().
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from demos.terminal.runtime.replacement import replaced
from demos.wire.addresses import AddressError, find_address, host_text, is_loopback
from demos.wire.mqtt_problems import connect_problem, unanswered_problem
from demos.wire.mqtt_tls import prepare_context
from demos.wire.mqtt_url import MqttEndpoint
from demos.wire.opening import CallFailed
from demos.wire.tls_contexts import TlsContext
from demos.wire.wake_up import WakeUp
from winsock import INVALID_SOCKET, SOCK_STREAM

# The largest payload, with room for the topic and the properties.
MOST_PAYLOAD = 1024 * 1024
_MOST_PACKET = MOST_PAYLOAD + 4096

# A broker publishes the will when nothing has arrived for one and a half of these times.
KEEP_ALIVE_S = 10

# The events that wait for the program. A state of many symbols arrives as one message for each of them.
MOST_EVENTS = 20_000
MOST_BYTES = 16 * 1024 * 1024

# Of these messages no more wait for the program: see MqttSettings.
MOST_DROPPABLE = 2000

# The longest wait for the last packet.
_END_S = 1.0

# The code of a DISCONNECT after which the broker publishes the will.
MQTT_WITH_WILL = 0x04
_SEND_RETAINED = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
_REFUSED_LOGINS = (0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C)


class Opened(NamedTuple):
    """The broker has accepted the login."""


class Received(NamedTuple):
    """A message; ``retained`` when the broker had stored it before the subscription."""

    topic: str
    payload: bytes
    retained: bool


class Acknowledged(NamedTuple):
    """The broker has taken what was published with this number, or refuses it: the reason is the ``problem``."""

    number: int
    problem: str


class Subscribed(NamedTuple):
    """The broker has answered a subscription: for each filter "", or why it is refused."""

    number: int
    problems: tuple[str, ...]


class Ended(NamedTuple):
    """The connection has ended, or the attempt has failed; ``refused``: because of the login."""

    reason: str
    refused: bool


MqttEvent: TypeAlias = Opened | Received | Acknowledged | Subscribed | Ended


class MqttSettings(NamedTuple):
    """Where the broker is, and how it is verified: by a context, with a ``pin`` by its certificate's SHA-256.

    ``droppable``: the beginning of topics whose messages are dropped while MOST_DROPPABLE events wait, so that a flood
    of them does not end the connection; "": none.
    """

    endpoint: MqttEndpoint
    context: TlsContext | None
    pin: bytes | None
    client_id: str
    droppable: str = ""


class MqttLogin(NamedTuple):
    """The login and its secret; "" and "": none. ``will``: topic and payload that the broker publishes, retained."""

    login: str
    secret: str
    will: tuple[str, bytes] | None = None


class MqttLink:
    """One connection at a time. All methods are for the terminal's thread, and none blocks.

    ``socket``: register it with EventSetSocket; OnSocket then calls take(). Errors of the constructor: CallFailed.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self.is_open = False
        self._settings = settings
        self._wake = WakeUp()
        self._attempt = 0
        self._client: Attempt | None = None
        if settings.context is not None:
            prepare_context(settings.context, settings.pin)

    @property
    def socket(self) -> int:
        """The socket that becomes readable when events wait; INVALID_SOCKET after close()."""
        return self._wake.socket

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a connection nor an attempt, and begin() may be called."""
        return self._client is None

    def owns(self, s: int) -> bool:
        """Whether events wait, or can be had, when this socket is ready."""
        client = self._client
        sockets = {self._wake.socket, client.own_socket if client else INVALID_SOCKET}
        return s in sockets - {INVALID_SOCKET}

    def begin(self, login: MqttLogin) -> str:
        """Begin to connect; why that is impossible, or ""."""
        endpoint = self._settings.endpoint
        host = endpoint.host
        if not endpoint.tls:
            try:
                address = find_address(host, endpoint.port, SOCK_STREAM)
            except (AddressError, CallFailed) as problem:
                return str(problem)
            host = host_text(address)
            if not is_loopback(address):
                return f"{host} is not this computer, and mqtt:// has no TLS: use mqtts://"
        self._client = _attempts.get()(self._settings, login, host, self._wake.wake)
        return ""

    def take(self) -> Iterator[MqttEvent]:
        """The events so far, in their order, as long as the program does not end the connection.

        After Ended the link is idle.
        """
        self._wake.clear()
        client = self._client
        if client is not None:
            client.step()
        for _ in range(client.waiting if client else 0):
            if client is None or client is not self._client:
                return
            event = client.next_event()
            if isinstance(event, Opened):
                self.is_open = True
            elif isinstance(event, Ended):
                self._client, self.is_open = None, False
            yield event

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> int:
        """Publish a message; the number of its acknowledgement. Nothing happens while the link is not open."""
        return self._client.publish(topic, payload, qos, retain).mid if self._client and self.is_open else 0

    def subscribe(self, filters: list[str], *, own: bool = True, new: Collection[str] = ()) -> int:
        """Subscribe, or have the retained messages sent again; the number of the answer.

        ``own``: receive also what this client publishes. ``new``: the filters of which no retained messages are sent.
        """
        if self._client is None or not self.is_open:
            return 0
        handling = dict.fromkeys(new, SubscribeOptions.RETAIN_DO_NOT_SEND)
        _, number = self._client.subscribe(
            [
                (each, SubscribeOptions(qos=1, noLocal=not own, retainHandling=handling.get(each, _SEND_RETAINED)))
                for each in filters
            ]
        )
        return number or 0

    def end(self, *, with_will: bool = False) -> None:
        """End the connection in order: the broker publishes the will only if asked to. Then the link is idle."""
        client, self._client, self.is_open = self._client, None, False
        if client is not None:
            client.finish(with_will=with_will)

    def close(self, *, with_will: bool = False) -> None:
        """End the connection, and close the socket of the events."""
        self.end(with_will=with_will)
        self._wake.close()


class Attempt(Client):
    """One attempt to connect, and its connection. The callbacks run in paho's thread."""

    def __init__(self, settings: MqttSettings, login: MqttLogin, host: str, wake: Callable[[], None]) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, settings.client_id, protocol=MQTTv5)
        self._events: deque[MqttEvent] = deque()
        # The bytes that each of the two threads has put in and taken out: each counts for itself.
        self._received_bytes = self._taken = 0
        self._wake_program = wake
        self._droppable = settings.droppable
        self._settings = settings
        self._endpoint = settings.endpoint
        self._is_accepted = False
        self._is_left = False
        self._is_over = threading.Event()
        self._last: Ended | None = None
        if login.login or login.secret:
            self.username_pw_set(login.login, login.secret)
        if login.will is not None:
            self.will_set(*login.will, qos=1, retain=True)
        if settings.context is not None:
            self.tls_set_context(settings.context)
            self.tls_insecure_set(settings.pin is not None)
        self.on_connect, self.on_disconnect = self._connected, self._disconnected
        self.on_message, self.on_publish, self.on_subscribe = self._received, self._published, self._answered
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's is not typed
        properties.MaximumPacketSize = _MOST_PACKET
        self.connect_async(host, settings.endpoint.port, KEEP_ALIVE_S, clean_start=True, properties=properties)
        self.loop_start()

    # ---- for the terminal's thread

    # The socket of the connection, for an attempt without a thread.
    own_socket = INVALID_SOCKET

    def step(self) -> None:
        """Do what is possible now, in an attempt without a thread."""

    @property
    def waiting(self) -> int:
        """The number of events that wait for the program."""
        return len(self._events)

    def next_event(self) -> MqttEvent:
        """The next event."""
        event = self._events.popleft()
        if isinstance(event, Received):
            self._taken += len(event.payload)
        return event

    def finish(self, *, with_will: bool) -> None:
        """Disconnect, and wait until the packet is sent, but not for a peer that does not read.

        The thread ends with the connection. An attempt whose connect still waits ends after it.
        """
        self.leave()
        if self.is_connected():
            self.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=MQTT_WITH_WILL if with_will else 0))
            self._is_over.wait(_END_S)

    def leave(self) -> None:
        """Discard what follows."""
        self._is_left = True

    # ---- for paho's thread

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """The body of paho's thread: one connection, from the connect to its end."""
        result, reason = MQTTErrorCode.MQTT_ERR_SUCCESS, ""
        try:
            self.reconnect()
            while result == MQTTErrorCode.MQTT_ERR_SUCCESS and not self._is_left_alone():
                result = self.loop(timeout)
        except Exception as error:  # whatever it is, the program reports it, and connects again
            reason = connect_problem(error, self._endpoint)
        self.end_with(reason or error_string(result))
        return result

    def end_with(self, reason: str) -> None:
        """The connection is over: the last event, with this reason unless there is a better one."""
        self._put(self._last or Ended(reason, False))
        self._is_over.set()
        # The callbacks refer to this object. Without them it is freed, with its sockets, as soon as nobody uses it.
        self.on_connect = self.on_disconnect = self.on_message = self.on_publish = self.on_subscribe = None

    def _is_left_alone(self) -> bool:
        """Whether the program has left an attempt that is not connected."""
        return self._is_left and not self.is_connected()

    def _put(self, event: MqttEvent) -> None:
        if self._is_left:
            return
        self._events.append(event)
        self._wake_program()

    def _connected(self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self._last = Ended(f"the broker refuses the login: {reason}", reason.value in _REFUSED_LOGINS)
        else:
            self._is_accepted = True
            self._put(Opened())

    def _disconnected(self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if self._last is None:
            ended = flags.is_disconnect_packet_from_server
            self._last = Ended(f"the broker ends the connection: {reason}" if ended else self._lost(), False)

    def _lost(self) -> str:
        """Why the connection has ended without a reason from the broker."""
        return "the connection is lost" if self._is_accepted else unanswered_problem(self._endpoint)

    def _received(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        if self._last is not None:
            return
        droppable = self._droppable and message.topic.startswith(self._droppable)
        if droppable and len(self._events) >= MOST_DROPPABLE:
            return
        self._received_bytes += len(message.payload)
        if len(self._events) >= MOST_EVENTS or self._received_bytes - self._taken > MOST_BYTES:
            self._last = Ended("the broker sends messages faster than they can be read", False)
            self.disconnect()
            return
        self._put(Received(message.topic, bytes(message.payload), message.retain))

    def _published(self, client: Client, userdata: Any, number: int, reason: ReasonCode, properties: Any) -> None:
        self._put(Acknowledged(number, str(reason) if reason.is_failure else ""))

    def _answered(self, client: Client, userdata: Any, number: int, reasons: list[ReasonCode], properties: Any) -> None:
        self._put(Subscribed(number, tuple(str(each) if each.is_failure else "" for each in reasons)))


# After the class, which is the default.
_attempts: ContextVar[type[Attempt]] = ContextVar("mqtt_attempts", default=Attempt)


def use_attempts(attempts: type[Attempt]) -> AbstractContextManager[None]:
    """Make all links in this context connect with this class."""
    return replaced(_attempts, attempts)
