"""A small MQTT 5 broker: who is logged in, what is retained, and who is sent what. No sockets, no clock, no files.

It stands in for mosquitto, which cannot run in a simulated network. Sessions end with their connections, because the
demos' clients begin each one anew. So a message with QoS 1 is sent once to a client, and is lost with its connection.
Rules of MQTT that matter to the demos:

- A will is published when the connection ends in any way but a DISCONNECT without it, and also when another connection
  of the same client takes its place.
- A client that has sent nothing for one and a half of its keep-alive times is ended.
- A retained message with an empty payload deletes the stored one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from demos.simulation.mqtt_packets import (
    MOST_PACKET,
    Acknowledge,
    Connect,
    Disconnect,
    Filter,
    Message,
    Packet,
    PacketError,
    Ping,
    Publish,
    Reason,
    Subscribe,
    accepted,
    acknowledgement,
    disconnection,
    ping_answer,
    publication,
    refused,
    subscription_answer,
)

# Retained messages are sent at a subscription, only at a new one, or never.
_SEND, _SEND_IF_NEW = 0, 1

_MOST_NUMBER = 0xFFFF


@dataclass(eq=False)
class Session:
    """A connection. ``send`` takes bytes for the client, ``end`` closes it after what was sent."""

    send: Callable[[bytes], None]
    end: Callable[[str], None]
    heard_at: int
    client: str = ""
    keep_alive_ms: int = 0
    most: int = MOST_PACKET
    will: Message | None = None
    filters: dict[str, Filter] = field(default_factory=dict)
    number: int = 0


class Broker:
    """See the head of this module. Times are milliseconds."""

    def __init__(
        self, passwords: Mapping[str, str], retained: dict[str, bytes], changed: Callable[[], object] = list
    ) -> None:
        """``passwords`` by login; ``changed`` is called after each change of ``retained``."""
        self.retained = retained
        self._passwords = passwords
        self._changed = changed
        self._sessions: dict[str, Session] = {}

    @property
    def clients(self) -> list[str]:
        """The clients that are logged in."""
        return sorted(self._sessions)

    def received(self, session: Session, packet: Packet, now: int) -> None:
        """Do what a packet asks for.

        Errors: PacketError for one that the client may not send now.
        """
        session.heard_at = now
        if isinstance(packet, Connect):
            self._connect(session, packet)
        elif not session.client:
            raise PacketError("a packet before the login", Reason.PROTOCOL_ERROR)
        elif isinstance(packet, Publish):
            has_subscriber = self._publish(packet.message, session)
            if packet.number:
                reason = Reason.SUCCESS if has_subscriber else Reason.NO_SUBSCRIBER
                session.send(acknowledgement(packet.number, reason))
        elif isinstance(packet, Subscribe):
            self._subscribe(session, packet)
        elif isinstance(packet, Ping):
            session.send(ping_answer())
        elif isinstance(packet, Disconnect):
            if not packet.with_will:
                session.will = None
            session.end("")
        else:
            assert isinstance(packet, Acknowledge)

    def check(self, session: Session, now: int) -> None:
        """End a client that is silent for too long."""
        if session.keep_alive_ms and now - session.heard_at >= session.keep_alive_ms * 3 // 2:
            session.send(disconnection(Reason.NOT_ALIVE))
            session.end("the client is silent")

    def closed(self, session: Session) -> None:
        """A connection has ended: its will is published."""
        if self._sessions.get(session.client) is session:
            del self._sessions[session.client]
        will, session.will = session.will, None
        if will is not None:
            self._publish(will, session)

    def _connect(self, session: Session, packet: Connect) -> None:
        if session.client or not packet.client:
            raise PacketError("a second login, or one without a name", Reason.PROTOCOL_ERROR)
        password = self._passwords.get(packet.login)
        if password is None or password != packet.password:
            session.send(refused(Reason.REFUSED))
            session.end(f"the login {packet.login!r} is refused")
            return
        former = self._sessions.get(packet.client)
        if former is not None:
            former.send(disconnection(Reason.TAKEN_OVER))
            former.end("another connection has taken its place")
            self.closed(former)
        session.client, session.will, session.most = packet.client, packet.will, packet.most
        session.keep_alive_ms = 1000 * packet.keep_alive
        self._sessions[packet.client] = session
        session.send(accepted())

    def _subscribe(self, session: Session, packet: Subscribe) -> None:
        new = [each for each in packet.filters if each.text not in session.filters]
        session.filters.update({each.text: each for each in packet.filters})
        session.send(subscription_answer(packet.number, bytes(min(each.qos, 1) for each in packet.filters)))
        for each in packet.filters:
            if each.handling == _SEND or (each.handling == _SEND_IF_NEW and each in new):
                for topic, payload in sorted(self.retained.items()):
                    if is_match(each.text, topic):
                        self._deliver(session, Message(topic, payload, each.qos, retain=True))

    def _publish(self, message: Message, sender: Session) -> bool:
        """Keep a retained message, and send it to the subscribers; whether there is one."""
        if message.retain:
            if message.payload:
                self.retained[message.topic] = message.payload
            else:
                self.retained.pop(message.topic, None)
            self._changed()
        has_subscriber = False
        for session in list(self._sessions.values()):
            fitting = [each for each in session.filters.values() if is_match(each.text, message.topic)]
            if session is sender:
                fitting = [each for each in fitting if each.own]
            if fitting:
                has_subscriber = True
                qos = min(message.qos, max(each.qos for each in fitting))
                self._deliver(session, message._replace(qos=qos, retain=False))
        return has_subscriber

    def _deliver(self, session: Session, message: Message) -> None:
        session.number = session.number % _MOST_NUMBER + 1
        data = publication(message, session.number)
        # A client that accepts no packet of this size does not get the message, as MQTT says.
        if len(data) <= session.most:
            session.send(data)


def is_match(pattern: str, topic: str) -> bool:
    """Whether a topic filter, with its wildcards + and #, selects a topic."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)
