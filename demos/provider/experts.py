"""An expert: a thread with its own timer and sockets that serves a share of the provider's clients.

The terminal's program accepts a client and gives it to one expert, which keeps it to its end: TLS, HTTP, WebSocket, the
login and the states. No expert waits for another, or for a slow client.

How it works
============

The expert's thread runs in turns, like the terminal's event loop. Each turn does the following, in this order:

1. It waits until a socket is ready, until the next timer event, or until another thread has posted a call.
2. Posted calls: all that were posted before the turn.
3. Sockets: receive() or flush() of the connections whose sockets are ready, once for each.
4. Updates: after publish() each subscriber gets the newest state.
5. Checks: after a timer event, the time limits and heartbeats of each connection.

Steps 3 to 5 end after SLICE_S seconds each, and continue in the next turn, which then does not wait. So ten thousand
subscribers of an update do not delay a login, and the other way around.

A subscriber that has unsent output gets nothing more. When its socket has taken everything, it gets the newest state:
states in between are skipped, and a slow client costs nobody else anything.

Only adopt(), post(), publish() and stop() may be called by other threads.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from demos.provider.connection import Connection, Counters
from demos.provider.guard import Refusal
from demos.provider.login_desk import LoginDesk
from demos.provider.publishing import Publisher
from demos.provider.rights import Grant
from demos.provider.session import Ending, Reply, Session, Stage
from demos.provider.web_pages import WebPages
from demos.terminal.runtime.socket_events import SocketEvents
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.tls import server_tls
from demos.wire.tls_contexts import CertificateFiles
from demos.wire.web_server import HostCheck, WebConnection
from demos.wire.websocket import GOING_AWAY, POLICY, WebSocketLimits, text_frame
from demos.wire.websocket_opening import accept_websocket, any_origin, is_upgrade
from winsock import POLLWRNORM

TIMER_MS = 1000
SLICE_S = 0.005

SUBSCRIBERS_PATH = "/ws"

PAUSED = Ending("paused", "the operator has paused the provider: try again later")
CLOSING = Ending("closing", "the provider ends")

# What a subscriber may send: logins and acknowledgements. Output is a snapshot of at most 1 MiB and small messages.
_WEBSOCKET_LIMITS = WebSocketLimits(message=256 * 1024)
_CHANNEL_LIMITS = ChannelLimits(unsent=4 * 1024 * 1024)

# The encoded frames of the last texts: many subscribers get the same one.
_MOST_FRAMES = 32


@dataclass(eq=False)
class Shared:
    """What all experts of a provider use. ``wall`` is milliseconds since 1970; ``report`` gets lines for the log."""

    server_name: str
    publisher: Publisher
    desk: LoginDesk
    pages: WebPages
    check_host: HostCheck
    certificate: CertificateFiles | None
    wall: Callable[[], int]
    report: Callable[[str], None]
    event: Callable[[str, dict[str, object]], None]
    # Called when a connection has ended: its number.
    ended: Callable[[int], None]
    paused: bool = False


@dataclass(eq=False)
class Expert:
    """See the head of this module."""

    number: int
    shared: Shared
    counters: Counters = field(default_factory=Counters)
    connections: dict[int, Connection] = field(default_factory=dict)
    _events: SocketEvents[Connection] = field(init=False)
    _posted: deque[Callable[[], None]] = field(default_factory=deque)
    _updates: deque[Connection] = field(default_factory=deque)
    _checks: deque[Connection] = field(default_factory=deque)
    _frames: dict[str, bytes] = field(default_factory=dict)
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._events = SocketEvents(lambda connection, text: self.shared.report(f"-{connection.name}: {text}"))

    # ---- for other threads

    def post(self, call: Callable[[], None]) -> None:
        """Have something done by the expert's thread."""
        self._posted.append(call)
        self._events.wake()

    def adopt(self, number: int, s: int, host: str, name: str) -> None:
        """Take over an accepted nonblocking socket. The connection's ``number`` is unique in the process."""
        self.post(lambda: self._adopt(number, s, host, name))

    def publish(self) -> None:
        """The publisher has a new state: send it to every subscriber."""
        self.post(self._queue_updates)

    def stop(self) -> None:
        """End run(): all connections are closed."""
        self._stopping = True
        self._events.wake()

    # ---- the expert's thread

    def open(self) -> str:
        """Prepare the wait for sockets: why that is impossible, or ""."""
        return self._events.open()

    def run(self) -> None:
        """Serve clients until stop(). Call open() before."""
        due = time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            if now >= due:
                due = now + TIMER_MS / 1000
                self._checks.extend(each for each in self.connections.values())
            # Sockets that are ready are served before the next poll, which would report them once more.
            if not self._events.has_ready:
                busy = self._posted or self._updates or self._checks
                self._events.wait(0.0 if busy else due - now)
            self.turn()
        for connection in list(self.connections.values()):
            self.end(connection, CLOSING, GOING_AWAY)
            connection.stream.close(CLOSING.text)
        self._events.close()

    def turn(self) -> None:
        """Steps 2 to 5 of a turn; see the head of this module."""
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        for _ in _for_a_slice():
            ready = self._events.take_ready()
            if ready is None:
                break
            connection, _, occurred = ready
            self._serve(connection, occurred)
        for _ in _for_a_slice():
            if not self._updates:
                break
            self._pump(self._updates.popleft())
        for _ in _for_a_slice():
            if not self._checks:
                break
            self._check(self._checks.popleft())

    def end(self, connection: Connection, ending: Ending, code: int = POLICY) -> None:
        """End a connection: a session is told why; the rest of its output is sent."""
        now = _milliseconds()
        if connection.session is not None:
            self._follow(connection, connection.session.end(*ending), code)
        elif connection.websocket is not None:
            connection.websocket.close(code, ending.text, now)
        else:
            connection.stream.finish(ending.text, now)
        self._settle(connection)

    def _adopt(self, number: int, s: int, host: str, name: str) -> None:
        now = _milliseconds()
        channel = Channel(s, _CHANNEL_LIMITS)
        certificate = self.shared.certificate
        stream: Stream = channel if certificate is None else server_tls(channel, certificate.context, now)
        web = WebConnection(stream, self.shared.check_host, now)
        connection = self.connections[number] = Connection(number, s, host, name, self.shared.wall(), stream, web)
        self._settle(connection)

    def _serve(self, connection: Connection, occurred: int) -> None:
        """The socket of a connection is ready."""
        now = _milliseconds()
        if occurred & POLLWRNORM:
            connection.stream.flush(now)
        if occurred & ~POLLWRNORM:
            self._receive(connection, now)
        if connection.session is not None and not connection.stream.unsent:
            self._pump(connection)
        self._settle(connection)

    def _receive(self, connection: Connection, now: int) -> None:
        if connection.websocket is None:
            request = connection.web.receive(now)
            if request is None:
                return
            if request.path != SUBSCRIBERS_PATH or not is_upgrade(request):
                self.shared.pages.serve(self, connection, request, now)
                return
            # Programs log in with a password or a token in a message; a page of another origin has neither.
            connection.websocket = accept_websocket(connection.web, request, any_origin, now, _WEBSOCKET_LIMITS)
            if connection.websocket is None:
                return
            wall = self.shared.wall()
            connection.session = Session(wall)
            connection.websocket.send_text(self.shared.publisher.hello(self.shared.server_name, wall), now)
        for text in connection.websocket.receive(now):
            self.counters.messages += 1
            if connection.session is None:
                self.shared.pages.receive(self, connection, text, now)
            else:
                self._follow(connection, connection.session.receive(text, self.shared.wall()))

    def _follow(self, connection: Connection, reply: Reply, code: int = POLICY) -> None:
        """Do what a session asks for."""
        now = _milliseconds()
        websocket, session = connection.websocket, connection.session
        assert websocket is not None and session is not None
        for text in reply.send:
            websocket.send_text(text, now)
        if reply.report:
            self.shared.report(f"{reply.report[:1]}{self._label(connection)}: {reply.report.lstrip('-')}")
        if reply.credentials is not None:
            if self.shared.paused:
                self._follow(connection, session.end(*PAUSED))
                return
            answer = partial(self._answer_from_desk, connection)
            self.shared.desk.request(connection.number, reply.credentials, connection.host, answer)
        if reply.ending is not None:
            connection.ending = reply.ending.text
            websocket.close(code, reply.ending.code, now)
            refused = session.grant is None
            self.counters.refusals += refused
            self.shared.report(f"{'-' if refused else ''}{self._label(connection)}: {reply.ending.text}")

    def _answer_from_desk(self, connection: Connection, result: Grant | Refusal) -> None:
        """Called in the desk's thread."""
        self.post(lambda: self._logged_in(connection, result))

    def _logged_in(self, connection: Connection, result: Grant | Refusal) -> None:
        session = connection.session
        if session is None or session.stage is not Stage.CHECKING:
            # The client did not wait for the answer.
            return
        if isinstance(result, Refusal):
            self._follow(connection, session.refused(result))
        elif self.shared.paused:
            self._follow(connection, session.end(*PAUSED))
        else:
            self._follow(connection, session.logged_in(result, self.shared.publisher, self.shared.wall()))
            self.shared.desk.take_seat(connection.number, result, partial(self._end_from_desk, connection))
            self.counters.logins += 1
            self.shared.event("login", {"login": result.user.login, "address": connection.name})
            self.shared.report(f"{self._label(connection)}: logged in {session.client}".rstrip())
            self._pump(connection)
        self._settle(connection)

    def _end_from_desk(self, connection: Connection, ending: Ending) -> None:
        """Called in the desk's thread."""
        self.post(lambda: self.end(connection, ending))

    def _queue_updates(self) -> None:
        self._updates.extend(each for each in self.connections.values() if each.session is not None)

    def _pump(self, connection: Connection) -> None:
        """Send the newest state or a heartbeat, unless earlier output is unsent."""
        session, websocket = connection.session, connection.websocket
        if session is None or websocket is None or connection.stream.unsent:
            return
        text = session.next_message(self.shared.wall())
        if text is not None:
            self.counters.states += 1
            websocket.send_frame(self._frame(text), _milliseconds())
            if connection.stream.unsent or connection.stream.is_closed:
                self._settle(connection)

    def _frame(self, text: str) -> bytes:
        frame = self._frames.get(text)
        if frame is None:
            if len(self._frames) >= _MOST_FRAMES:
                self._frames.clear()
            frame = self._frames[text] = text_frame(text)
        return frame

    def _check(self, connection: Connection) -> None:
        """A timer event of a connection."""
        if connection.number not in self.connections:
            return
        now = _milliseconds()
        (connection.websocket or connection.web).check(now)
        if connection.session is not None:
            self._follow(connection, connection.session.check(self.shared.wall()))
            self._pump(connection)
        elif connection.websocket is not None:
            self.shared.pages.pump(self, connection, now)
        self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """After each change: forget a closed connection, or register its socket for what it waits for."""
        stream = connection.stream
        if stream.is_closed:
            self._forget(connection)
            return
        if not stream.is_open and connection.session is not None and connection.session.stage is not Stage.ENDED:
            # The peer or a limit has ended the stream: nothing more is prepared for it.
            connection.ending = connection.ending or stream.reason or "the client has disconnected"
            connection.session.closed()
        interest = (connection.wants_read, stream.wants_write)
        if interest != connection.interest:
            connection.interest = interest
            self._events.register(connection, connection.socket, *interest)

    def _forget(self, connection: Connection) -> None:
        if self.connections.pop(connection.number, None) is None:
            return
        self._events.unregister(connection, connection.socket)
        session = connection.session
        if session is not None:
            session.closed()
            if session.grant is not None:
                self.counters.disconnects += 1
                self.shared.desk.leave(connection.number)
                reason = connection.ending or connection.stream.reason or "the client has disconnected"
                self.shared.event("disconnected", {"login": session.grant.user.login, "reason": reason})
                self.shared.report(f"{self._label(connection)}: {reason}")
        elif connection.web.problem or connection.stream.reason:
            self.shared.report(f"-{connection.name}: {connection.web.problem or connection.stream.reason}")
        self.shared.ended(connection.number)

    def _label(self, connection: Connection) -> str:
        session = connection.session
        login = session.grant.user.login if session is not None and session.grant is not None else ""
        return f"{login} from {connection.name}" if login else connection.name


def _milliseconds() -> int:
    return time.monotonic_ns() // 1_000_000


def _for_a_slice() -> Iterator[None]:
    """Yield at least once, and again until SLICE_S seconds have passed."""
    end = time.monotonic() + SLICE_S
    yield
    while time.monotonic() < end:
        yield
