"""The packets of MQTT 5 that a broker needs: bytes to packets and back. No sockets, no clock, no state.

Only what the demos use is here: no QoS 2, no topic aliases, and every property is skipped but the largest packet that a
client accepts. https://docs.oasis-open.org/mqtt/mqtt/v5.0/ defines the format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """The type of a packet, the upper half of its first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Reason(IntEnum):
    """The codes with which a packet says why."""

    SUCCESS = 0x00
    WITH_WILL = 0x04
    NO_SUBSCRIBER = 0x10
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    REFUSED = 0x86
    NOT_ALIVE = 0x8D
    TAKEN_OVER = 0x8E


# A packet of a client is not larger than the demos' largest message with its topic.
MOST_PACKET = 1024 * 1024 + 64 * 1024

_VERSION = 5
_MAXIMUM_PACKET_SIZE = 0x27
_MOST_VARIABLE = 4


class PacketError(Exception):
    """What a client has sent is not a packet that it may send; the text says why."""

    def __init__(self, text: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(text)
        self.reason = reason


class Message(NamedTuple):
    """A message to a topic. ``retain``: the broker keeps it, or had kept it."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True)
class Connect:
    """A client logs in. ``keep_alive`` is in seconds; ``most`` is the size of the largest packet that it accepts."""

    client: str
    keep_alive: int
    will: Message | None
    login: str
    password: str
    most: int


@dataclass(frozen=True)
class Publish:
    """A client publishes a message; ``number`` is that of the acknowledgement, 0 for none."""

    message: Message
    number: int


class Filter(NamedTuple):
    """A topic filter of a subscription. ``own``: also what the client publishes; ``handling``: MQTT's 0, 1 or 2."""

    text: str
    qos: int
    own: bool
    handling: int


@dataclass(frozen=True)
class Subscribe:
    """A client subscribes."""

    number: int
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Acknowledge:
    """A client has received a message."""

    number: int


@dataclass(frozen=True)
class Ping:
    """A client asks whether the broker is there."""


@dataclass(frozen=True)
class Disconnect:
    """A client ends the connection; ``with_will``: its will is to be published."""

    with_will: bool


Packet = Connect | Publish | Subscribe | Acknowledge | Ping | Disconnect


@dataclass
class Decoder:
    """Takes the bytes of one client as they arrive, and returns its packets."""

    _buffer: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> list[Packet]:
        """The packets that are complete now.

        Errors: PacketError.
        """
        self._buffer += data
        found = []
        while (packet := self._next()) is not None:
            found.append(packet)
        return found

    def _next(self) -> Packet | None:
        buffer = self._buffer
        size = 0
        for place in range(1, 1 + _MOST_VARIABLE):
            if place >= len(buffer):
                return None
            size |= (buffer[place] & 0x7F) << 7 * (place - 1)
            if not buffer[place] & 0x80:
                break
        else:
            raise PacketError("the length of a packet has more than four bytes")
        begin = place + 1
        if size > MOST_PACKET:
            raise PacketError(f"a packet of more than {MOST_PACKET} bytes: {size}")
        if len(buffer) < begin + size:
            return None
        first, body = buffer[0], bytes(buffer[begin : begin + size])
        del buffer[: begin + size]
        return _packet(first, _Reader(body))


class _Reader:
    """Reads the fields of one packet."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise PacketError("a packet ends in the middle of a field")
        self._at += count
        return part

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise PacketError("a text is not UTF-8") from None

    def properties(self) -> _Reader:
        """The properties, which the caller may read or skip."""
        size = 0
        for shift in range(0, 7 * _MOST_VARIABLE, 7):
            part = self.number()
            size |= (part & 0x7F) << shift
            if not part & 0x80:
                return _Reader(self.take(size))
        raise PacketError("the length of properties has more than four bytes")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    @property
    def is_over(self) -> bool:
        return self._at == len(self._data)


def _packet(first: int, reader: _Reader) -> Packet:
    kind, flags = first >> 4, first & 0x0F
    if kind == Kind.CONNECT:
        return _connect(reader)
    if kind == Kind.PUBLISH:
        return _publish(flags, reader)
    if kind == Kind.SUBSCRIBE:
        return _subscribe(reader)
    if kind == Kind.PUBACK:
        return Acknowledge(reader.number(2))
    if kind == Kind.PINGREQ:
        return Ping()
    if kind == Kind.DISCONNECT:
        return Disconnect(not reader.is_over and reader.number() == Reason.WITH_WILL)
    raise PacketError(f"a client sends no packet of the type {kind}", Reason.PROTOCOL_ERROR)


def _connect(reader: _Reader) -> Connect:
    name, version, flags = reader.text(), reader.number(), reader.number()
    if (name, version) != ("MQTT", _VERSION):
        raise PacketError(f"the protocol {name!r} of the version {version}: use MQTT 5")
    keep_alive = reader.number(2)
    properties = reader.properties()
    # Clients here send this property alone.
    is_limited = not properties.is_over and properties.number() == _MAXIMUM_PACKET_SIZE
    most = properties.number(4) if is_limited else MOST_PACKET
    client = reader.text()
    will = None
    if flags & 0x04:
        reader.properties()
        will = Message(reader.text(), reader.binary(), flags >> 3 & 0x03, bool(flags & 0x20))
    login = reader.text() if flags & 0x80 else ""
    password = reader.text() if flags & 0x40 else ""
    return Connect(client, keep_alive, will, login, password, most)


def _publish(flags: int, reader: _Reader) -> Publish:
    qos = flags >> 1 & 0x03
    if qos > 1:
        raise PacketError(f"QoS {qos} is not supported", Reason.PROTOCOL_ERROR)
    topic = reader.text()
    number = reader.number(2) if qos else 0
    reader.properties()
    return Publish(Message(topic, reader.rest(), qos, bool(flags & 0x01)), number)


def _subscribe(reader: _Reader) -> Subscribe:
    number = reader.number(2)
    reader.properties()
    filters = []
    while not reader.is_over:
        text, options = reader.text(), reader.number()
        filters.append(Filter(text, options & 0x03, not options & 0x04, options >> 4 & 0x03))
    return Subscribe(number, tuple(filters))


def accepted() -> bytes:
    """The answer to a login that is accepted."""
    return _encoded(Kind.CONNACK, bytes([0, Reason.SUCCESS, 0]))


def refused(reason: Reason) -> bytes:
    """The answer to a login that is refused."""
    return _encoded(Kind.CONNACK, bytes([0, reason, 0]))


def publication(message: Message, number: int) -> bytes:
    """A message for a subscriber; ``number`` is that of its acknowledgement, for QoS 1."""
    topic = message.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic + (number.to_bytes(2, "big") if message.qos else b"") + b"\0"
    return _encoded(Kind.PUBLISH, body + message.payload, message.qos << 1 | message.retain)


def acknowledgement(number: int, reason: Reason) -> bytes:
    """The broker has taken the publication with this number."""
    return _encoded(Kind.PUBACK, number.to_bytes(2, "big") + (bytes([reason]) if reason else b""))


def subscription_answer(number: int, reasons: bytes) -> bytes:
    """The answer to a subscription: for each filter the QoS, or why it is refused."""
    return _encoded(Kind.SUBACK, number.to_bytes(2, "big") + b"\0" + reasons)


def ping_answer() -> bytes:
    """The broker is there."""
    return _encoded(Kind.PINGRESP, b"")


def disconnection(reason: Reason) -> bytes:
    """Why the broker ends the connection."""
    return _encoded(Kind.DISCONNECT, bytes([reason, 0]))


def _encoded(kind: Kind, body: bytes, flags: int = 0) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, part = size >> 7, size & 0x7F
        length.append(part | 0x80 if size else part)
        if not size:
            return bytes([kind << 4 | flags]) + bytes(length) + body
