"""How the chart server serves one client: what the connection waits for, and what each timer event does.

A connection begins in FIRST_BYTES: its first bytes, or their absence, decide between the article's client, an HTTP
client and a subscriber. An answer is sent completely, over several timer events if needed. Then only the sending side
is shut down, and what the client still sends is read and discarded until it closes its side: closing a socket with
unread bytes resets the connection, and the client would lose data that it has not received yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from demos.chartfeed.frames import HELLO, frame
from demos.chartfeed.http_answers import Exchange, Part, available, resources
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

# A client that has sent nothing for this long is the article's, which never sends.
QUIET_MS = 300

# Limits: a whole request, the time in which no byte can be sent, a whole answer, the client's end after its answer.
REQUEST_MS = 10_000
STALLED_MS = 30_000
ANSWER_MS = 300_000
DRAIN_MS = 2000

# The period of a subscriber's keep-alives.
KEEP_ALIVE_MS = 15_000

# Limits of one timer event, in bytes.
MAX_RECEIVED = 64 * 1024
MAX_SENT = 4 * 1024 * 1024
# What one send gets at most. Windows takes all of it into its buffer, so with large pieces it would not be known for a
# long time whether the client reads.
PIECE = 64 * 1024


class State(Enum):
    """What a connection waits for."""

    FIRST_BYTES = "the client's first bytes"
    REQUEST = "the remaining part of an HTTP request"
    SENDING = "buffer space for the unsent part of the answer"
    DRAINING = "the client's end"
    SUBSCRIBED = "changes of the chart"


class Message(NamedTuple):
    """The article's message, its number and its frame; empty, with number 0, before the first template.

    All clients share these bytes: they are sent without a copy.
    """

    data: bytes = b""
    number: int = 0
    framed: bytes = frame(b"")


@dataclass(eq=False)
class Connection:
    """A client: its state since a time, what it has sent, and what is unsent.

    ``ended``: the client has shut down its sending side. ``sent_number``: the number of the last Message that was sent
    to a subscriber. ``hosts``: the hosts for which its HTTP request is answered. ``sending_since``: the time when the
    answer or frame that is being sent was begun. ``sent`` and ``size``: bytes of it, sent and in all. ``progress``:
    whether the last event received or sent bytes.
    """

    socket: int
    name: str
    port: int
    since: int
    state: State = State.FIRST_BYTES
    input: bytes = b""
    ended: bool = False
    http: Exchange | None = None
    hosts: Collection[str] = ()
    output: deque[memoryview] = field(default_factory=deque)
    sending_since: int = 0
    size: int = 0
    sent: int = 0
    sent_number: int = 0
    progress: bool = False


class _Ended(Exception):
    """The connection is over. The text is the reason, empty after an orderly end; "-" at its start marks an error."""


def serve(client: Connection, message: Message) -> bool:
    """Do what is possible without waiting; False when the client has been closed."""
    client.progress = False
    try:
        _receive(client)
        _STEPS[client.state](client, message)
    except _Ended as ended:
        if str(ended):
            mark = "-" if str(ended).startswith("-") else ""
            Print(f"{mark}client {client.name}: {str(ended).removeprefix('-')}")
        close(client)
        return False
    return True


def close(client: Connection) -> None:
    """Close the socket."""
    closesocket(client.socket)


def _receive(client: Connection) -> None:
    """Read what has arrived. It is kept only while it can be part of a request."""
    buf = bytearray(16 * 1024)
    left = MAX_RECEIVED
    while left > 0 and not client.ended:
        res = recv(client.socket, buf, len(buf), 0)
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err == WSAEWOULDBLOCK:
                return
            # A client that has its answer may also reset the connection.
            raise _Ended("" if client.state is State.DRAINING else "-Receive failed error: " + WSAErrorDescript(err))
        client.ended = res == 0
        client.progress = True
        left -= res
        if client.state in (State.FIRST_BYTES, State.REQUEST):
            client.input += buf[:res]


def _identify(client: Connection, message: Message) -> None:
    """Find out what kind of client this is."""
    received = client.input
    undecided = HELLO.startswith(received)
    if received.startswith(HELLO):
        Event("follows", client=client.port)
        printf("client %s is a subscriber", client.name)
        _enter(client, State.SUBSCRIBED)
        _publish(client, message)
    elif received and not undecided and available():
        client.http = Exchange(client.hosts)
        client.state = State.REQUEST
        _request(client, message)
    elif client.ended or not undecided or _elapsed(client) >= (REQUEST_MS if received else QUIET_MS):
        _answer(client, [message.data], "plain")


def _request(client: Connection, message: Message) -> None:
    """Take an HTTP request; answer it when it is whole, invalid or late."""
    assert client.http is not None
    found = resources(message.data) if message.data else {}
    answer = client.http.feed(client.input, found) if client.input else None
    client.input = b""
    if answer is None and _elapsed(client) >= REQUEST_MS:
        answer = client.http.expire()
    if client.http.problem:
        Print(f"-client {client.name}: {client.http.problem}")
    if answer is not None:
        status, parts = answer
        _answer(client, parts, f"HTTP {status}")
    elif client.ended:
        raise _Ended("disconnected in the middle of a request")


def _answer(client: Connection, parts: Sequence[Part], how: str) -> None:
    _begin(client, parts)
    Event("served", client=client.port, how=how, bytes=client.size)
    printf("client %s gets %d bytes, %s", client.name, client.size, how)
    _enter(client, State.SENDING)
    _send_answer(client)


def _send_answer(client: Connection, message: Message | None = None) -> None:
    if not _send(client):
        return
    # It fails only if the peer has ended the connection; the next recv reports that.
    shutdown(client.socket, SD_SEND)
    _enter(client, State.DRAINING)
    _drain(client)


def _drain(client: Connection, message: Message | None = None) -> None:
    if client.ended or _elapsed(client) >= DRAIN_MS:
        raise _Ended("")


def _publish(client: Connection, message: Message) -> None:
    """Send a subscriber the newest message unless it has it; an unfinished frame is finished first."""
    if client.ended:
        raise _Ended("disconnected")
    if not _send(client):
        return
    if client.sent_number != message.number:
        client.sent_number = message.number
        _begin(client, [message.framed])
        Event("served", client=client.port, how="follow", bytes=len(message.data))
    elif _elapsed(client) >= KEEP_ALIVE_MS:
        _begin(client, [frame(b"")])
    else:
        return
    _enter(client, State.SUBSCRIBED)
    _send(client)


def _begin(client: Connection, parts: Sequence[Part]) -> None:
    """Make these parts the output."""
    client.output = deque(memoryview(part) for part in parts if part)
    client.size, client.sent = sum(len(part) for part in client.output), 0
    client.sending_since = GetTickCount64()


def _send(client: Connection) -> bool:
    """Send the unsent part of the output; True when none is left."""
    before = client.sent
    while client.output and client.sent < before + MAX_SENT:
        unsent = client.output[0][:PIECE]
        res = send(client.socket, unsent, len(unsent), 0)
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK:
                raise _Ended(f"-Send failed error at {client.sent} bytes of {client.size}: " + WSAErrorDescript(err))
            break
        client.sent += res
        client.output[0] = client.output[0][res:]
        if not client.output[0]:
            client.output.popleft()
    client.progress = client.progress or client.sent > before
    if not client.output:
        return True
    if client.sent > before:
        _enter(client, client.state)
    elif _elapsed(client) >= STALLED_MS:
        raise _Ended(f"-has read nothing for {STALLED_MS // 1000} s, at {client.sent} bytes of {client.size}")
    if GetTickCount64() - client.sending_since >= ANSWER_MS:
        raise _Ended(f"-has read only {client.sent} bytes of {client.size} in {ANSWER_MS // 1000} s")
    return False


def _enter(client: Connection, state: State) -> None:
    client.state = state
    client.since = GetTickCount64()


def _elapsed(client: Connection) -> int:
    """Milliseconds in this state, or since bytes were last sent."""
    return GetTickCount64() - client.since


_STEPS: dict[State, Callable[[Connection, Message], None]] = {
    State.FIRST_BYTES: _identify,
    State.REQUEST: _request,
    State.SENDING: _send_answer,
    State.DRAINING: _drain,
    State.SUBSCRIBED: _publish,
}
