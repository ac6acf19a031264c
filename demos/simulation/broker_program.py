"""A small MQTT broker in a terminal, in the place of mosquitto; see mqtt_broker.py. What it retains is in a file."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from demos.simulation.mqtt_broker import Broker, Session
from demos.simulation.mqtt_packets import Decoder, PacketError, disconnection
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    Event,
    EventKillSocket,
    EventKillTimer,
    EventSetMillisecondTimer,
    EventSetSocket,
    Fail,
    GetTickCount64,
    Input,
    Print,
)
from demos.terminal.runtime.files import write_whole
from demos.wire.accepting import Acceptor
from demos.wire.addresses import address_text, family_of, port_of
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.listening import StartError, start_server
from demos.wire.tls import server_tls
from demos.wire.tls_contexts import CertificateFiles, TlsError
from winsock import INVALID_SOCKET, POLLWRNORM, SOCK_STREAM, WSACleanup, closesocket

Host: Annotated[str, Input("name or address to listen on")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one")] = 1883
cert: Annotated[str, Input("certificate file (PEM) for TLS; empty: no TLS")] = ""
key: Annotated[str, Input("key file (PEM); empty: it is in the certificate's file")] = ""
logins: Annotated[str, Input("the logins and passwords, as in anna=secret, separated by commas")] = ""
store: Annotated[str, Input("file of the retained messages; empty: none")] = ""

PERIOD_MS = 250

# A subscriber that reads slower than others publish is ended.
LIMITS = ChannelLimits(unsent=4 * 1024 * 1024)
MOST_ACCEPTED = 64


@dataclass(eq=False)
class Connection:
    """A client's connection."""

    name: str
    stream: Stream
    decoder: Decoder
    session: Session
    handle: int
    reason: str = ""


broker: Broker
listener = INVALID_SOCKET
family = 0
acceptor = Acceptor(Print)
certificate: CertificateFiles | None = None
connections: dict[int, Connection] = {}


def OnInit() -> int:
    global broker, listener, family, certificate
    passwords = dict(each.partition("=")[::2] for each in logins.split(",") if each)
    broker = Broker(passwords, ReadStore(), WriteStore)
    try:
        certificate = CertificateFiles(Path(cert), Path(key) if key else None) if cert else None
        listener, address = start_server(Host, Port, SOCK_STREAM)
    except (TlsError, StartError) as error:
        Fail(3, str(error))
        return INIT_FAILED
    family = family_of(address)
    EventSetSocket(listener)
    EventSetMillisecondTimer(PERIOD_MS)
    Print(f"listening on {address_text(address)}")
    Event("listening", port=port_of(address))
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if listener == INVALID_SOCKET:
        return
    for each in list(connections.values()):
        each.stream.close("")
        Settle(each)
    EventKillSocket(listener)
    closesocket(listener)
    WSACleanup()


def OnTimer() -> None:
    now = GetTickCount64()
    for each in list(connections.values()):
        each.stream.check(now)
        broker.check(each.session, now)
        Settle(each)
    Accept(now)


def OnSocket(s: int, ready: int) -> None:
    now = GetTickCount64()
    if s == listener:
        Accept(now)
    elif connection := connections.get(s):
        if ready & POLLWRNORM:
            connection.stream.flush(now)
        Receive(connection, now)
    for each in list(connections.values()):
        Settle(each)


def Accept(now: int) -> None:
    """Accept the clients that wait."""
    for s, address in acceptor.clients(listener, family, MOST_ACCEPTED, lambda: False):
        channel = Channel(s, LIMITS)
        stream: Stream = channel if certificate is None else server_tls(channel, certificate.context, now)
        session = Session(partial(Send, stream), partial(End, stream), now)
        connections[s] = Connection(address_text(address), stream, Decoder(), session, s)
        EventSetSocket(s)


def Send(stream: Stream, data: bytes) -> None:
    stream.send(data, GetTickCount64())


def End(stream: Stream, reason: str) -> None:
    stream.finish(reason, GetTickCount64())


def Receive(connection: Connection, now: int) -> None:
    """Take the packets that have arrived."""
    stream, session = connection.stream, connection.session
    try:
        for packet in connection.decoder.take(stream.receive(now)):
            if stream.is_open:
                broker.received(session, packet, now)
    except PacketError as error:
        Print(f"-{connection.name}: {error}")
        session.send(disconnection(error.reason))
        session.end(str(error))
    if stream.is_open and stream.ended:
        stream.finish("", now)


def Settle(connection: Connection) -> None:
    """After each change: forget a connection that has ended, or register the socket for what it waits for."""
    stream = connection.stream
    if not stream.is_open:
        broker.closed(connection.session)
    if stream.is_closed:
        if connections.pop(connection.handle, None):
            EventKillSocket(connection.handle)
            if stream.reason:
                Print(f"-{connection.session.client or connection.name}: {stream.reason}")
        return
    EventSetSocket(connection.handle, stream.wants_read, stream.wants_write)


def ReadStore() -> dict[str, bytes]:
    """The retained messages of an earlier run."""
    path = Path(store)
    stored = json.loads(path.read_text("utf-8")) if store and path.exists() else {}
    return {topic: base64.b64decode(payload) for topic, payload in stored.items()}


def WriteStore() -> None:
    """Write the retained messages, whole or not at all."""
    if store:
        content = {topic: base64.b64encode(payload).decode("ascii") for topic, payload in broker.retained.items()}
        write_whole(Path(store), json.dumps(content).encode())
