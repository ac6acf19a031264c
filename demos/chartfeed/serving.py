"""How the template server serves one client: what it waits for, and what it does at each timer event.

An answer is sent whole, however many events that takes; then only the sending side is shut down, and what the client
still sends is read and dropped up to its end: closing over unread bytes would reset the connection, and take with it
what is still under way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from demos.chartfeed.http_answers import Exchange, available, resources
from demos.template.protocol import HELLO, frame
from demos.terminal import Event, GetTickCount64, Print, printf
from winsock import (
    SD_SEND,
    SOCKET_ERROR,
    WSAEWOULDBLOCK,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    recv,
    send,
    shutdown,
)

# A client that has said nothing for so long is the article's, which never does.
QUIET_MS = 300

# How long a request may take, a send may make no progress, and a client may go on after its answer.
REQUEST_MS = 10_000
STUCK_MS = 30_000
DRAIN_MS = 2000

# So often one that stays connected hears that the server is still there.
ALIVE_MS = 15_000

# Bounds of one event.
MOST_RECEIVED = 64 * 1024
MOST_SENT = 4 * 1024 * 1024


class State(Enum):
    """What a connection waits for."""

    SPEECH = "its first bytes"
    REQUEST = "the rest of a request"
    SENDING = "room for what is left of the answer"
    DRAINING = "the client's end"
    FOLLOWING = "changes of the chart"


class Offer(NamedTuple):
    """What there is to serve: the plain message and its number; an empty one when there is no template yet."""

    message: bytes
    number: int


@dataclass(eq=False)
class Connection:
    """A client: what it waits for since when, what it has said, and what is still to be sent to it.

    ``ended`` says that it will send nothing more, ``told`` is the last message's number.
    """

    socket: int
    name: str
    port: int
    since: int
    state: State = State.SPEECH
    input: bytes = b""
    ended: bool = False
    http: Exchange | None = None
    output: bytes = b""
    sent: int = 0
    told: int = 0


class _Lost(Exception):
    """The connection is over; the text says why, is empty when that is in order, and begins with "-" for an error."""


def serve(client: Connection, offer: Offer) -> bool:
    """Do what can be done now; False when the client has been served, or lost, and is closed."""
    try:
        _receive(client)
        _STEPS[client.state](client, offer)
    except _Lost as lost:
        if str(lost):
            mark = "-" if str(lost).startswith("-") else ""
            Print(f"{mark}client {client.name}: {str(lost).removeprefix('-')}")
        close(client)
        return False
    return True


def close(client: Connection) -> None:
    """Close the socket."""
    closesocket(client.socket)


def _receive(client: Connection) -> None:
    """Read what has come. It is kept only while it can still be a request."""
    buf = bytearray(16 * 1024)
    left = MOST_RECEIVED
    while left > 0 and not client.ended:
        res = recv(client.socket, buf, len(buf), 0)
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err == WSAEWOULDBLOCK:
                return
            # Who has got the answer may leave as abruptly as it likes.
            raise _Lost("" if client.state is State.DRAINING else "-Receive failed error: " + WSAErrorDescript(err))
        client.ended = res == 0
        left -= res
        if client.state in (State.SPEECH, State.REQUEST):
            client.input += buf[:res]


def _hear(client: Connection, offer: Offer) -> None:
    """Find out what kind of client this is."""
    said = client.input
    if said.startswith(HELLO):
        Event("follows", client=client.port)
        printf("client %s stays connected", client.name)
        _wait(client, State.FOLLOWING)
        _follow(client, offer)
    elif said and not HELLO.startswith(said) and available():
        client.http = Exchange()
        client.state = State.REQUEST
        _request(client, offer)
    elif client.ended or _waited(client) >= (REQUEST_MS if said else QUIET_MS) or (said and not HELLO.startswith(said)):
        _answer(client, offer.message, "plain")


def _request(client: Connection, offer: Offer) -> None:
    """Take an HTTP request, and answer it when it is whole, wrong, or too slow."""
    assert client.http is not None
    found = resources(offer.message) if offer.message else {}
    answer = client.http.feed(client.input, found) if client.input else None
    client.input = b""
    if answer is None and _waited(client) >= REQUEST_MS:
        answer = client.http.expire()
    if answer is not None:
        status, data = answer
        _answer(client, data, f"HTTP {status}")
    elif client.ended:
        raise _Lost("left in the middle of a request")


def _answer(client: Connection, data: bytes, how: str) -> None:
    Event("served", client=client.port, how=how, bytes=len(data))
    printf("client %s gets %d bytes, %s", client.name, len(data), how)
    client.output = data
    _wait(client, State.SENDING)
    _send_answer(client)


def _send_answer(client: Connection, offer: Offer | None = None) -> None:
    if not _send(client):
        return
    # It can fail only where the peer is gone, which the next read tells.
    shutdown(client.socket, SD_SEND)
    _wait(client, State.DRAINING)
    _drain(client)


def _drain(client: Connection, offer: Offer | None = None) -> None:
    if client.ended or _waited(client) >= DRAIN_MS:
        raise _Lost("")


def _follow(client: Connection, offer: Offer) -> None:
    """Send the newest message when it is not the one that was sent last; what is under way goes out first."""
    if client.ended:
        raise _Lost("has left")
    if not _send(client):
        return
    if client.told != offer.number:
        client.told = offer.number
        client.output = frame(offer.message)
        Event("served", client=client.port, how="follow", bytes=len(offer.message))
    elif _waited(client) >= ALIVE_MS:
        client.output = frame(b"")
    else:
        return
    _wait(client, State.FOLLOWING)
    _send(client)


def _send(client: Connection) -> bool:
    """Send what is left of the output; whether all of it has gone."""
    output = memoryview(client.output)
    before = client.sent
    while client.sent < len(output):
        rest = output[client.sent : before + MOST_SENT]
        res = send(client.socket, rest, len(rest), 0) if rest else 0
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                raise _Lost(f"-Send failed error at {client.sent} bytes of {len(output)}: " + WSAErrorDescript(err))
            res = 0
        if res == 0:
            break
        client.sent += res
    if client.sent < len(output):
        if client.sent > before:
            _wait(client, client.state)
        elif _waited(client) >= STUCK_MS:
            raise _Lost(f"-takes nothing any more at {client.sent} bytes of {len(output)}")
        return False
    client.output, client.sent = b"", 0
    return True


def _wait(client: Connection, state: State) -> None:
    client.state = state
    client.since = GetTickCount64()


def _waited(client: Connection) -> int:
    return GetTickCount64() - client.since


_STEPS: dict[State, Callable[[Connection, Offer], None]] = {
    State.SPEECH: _hear,
    State.REQUEST: _request,
    State.SENDING: _send_answer,
    State.DRAINING: _drain,
    State.FOLLOWING: _follow,
}
