"""The clients of an expert: what their connections speak, from the first byte to the end. For the expert's thread.

A connection begins with HTTP, in TLS if there is a certificate. A request for a topic's WebSocket (topics.py) begins a
subscriber's session; one for the dashboard's WebSocket an operator's; all other requests are the dashboard's pages.

A subscriber that has unsent output gets nothing more. When its socket has taken everything, it gets the newest state:
states in between are skipped, and a slow client costs nobody else anything.

Times of the wire are milliseconds of a monotonic clock, those of sessions are milliseconds since 1970.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from demos.provider.connection import Connection, Counters, lost_reason
from demos.provider.dashboard import LIVE, LOGIN, LoginWanted, refusal_text
from demos.provider.guard import Refusal
from demos.provider.protocol import MOST_FROM_CLIENT, MOST_FROM_SERVER
from demos.provider.reports import error_text
from demos.provider.rights import Grant
from demos.provider.session import Ending, Publishes, Reply, Session, Stage
from demos.provider.shared import PAUSED, Shared
from demos.provider.streams import Streams
from demos.provider.topics import Topic
from demos.terminal.runtime.socket_events import SocketEvents
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.tls import server_tls
from demos.wire.web_server import Answer, Request, WebConnection
from demos.wire.websocket import GOING_AWAY, POLICY, WebSocket, WebSocketLimits, text_frame
from demos.wire.websocket_opening import accept_websocket, any_origin, is_upgrade
from winsock import POLLERR, POLLHUP, POLLWRNORM

# A subscriber sends logins and acknowledgements; it is sent a snapshot of at most 1 MiB, or small messages. A login is
# read before it is known who sends it, and a large message costs the expert's thread much time.
_LOGIN_LIMITS = WebSocketLimits(message=64 * 1024)
_WEBSOCKET_LIMITS = WebSocketLimits(message=MOST_FROM_CLIENT, burst=600)
# A publisher sends states: the largest one at once, and then as much again in about ten seconds.
_PUBLISHER_LIMITS = WebSocketLimits(message=MOST_FROM_SERVER, burst=1200)
_CHANNEL_LIMITS = ChannelLimits(unsent=4 * 1024 * 1024)

# The revoked connections whose clients have not ended their side yet: older ones are closed at once. A customer who
# logs in again and again has each connection replaced by the next one.
MOST_REVOKED = 256

# Of a login that is refused, the log shows so many characters.
_LONGEST_LOGIN = 64

# Many subscribers get the same text: the frames of the last ones are kept.
_MOST_FRAMES = 32

MADE_ROOM = Ending("busy", "too many connections that have not logged in: try again later")
_OPERATOR = Ending("operator", "the login is an operator's: it opens the dashboard")


@dataclass(eq=False)
class Clients:
    """See the head of this module. ``post`` has something done by the expert's thread; for other threads."""

    shared: Shared
    events: SocketEvents[Connection]
    post: Callable[[Callable[[], None]], None]
    connections: dict[int, Connection] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    _frames: dict[str, bytes] = field(default_factory=dict)
    _revoked: deque[Connection] = field(default_factory=deque)

    def adopt(self, number: int, s: int, host: str, name: str) -> None:
        """Begin with an accepted nonblocking socket."""
        now = self._now()
        channel = Channel(s, _CHANNEL_LIMITS)
        certificate = self.shared.certificate
        stream: Stream = channel if certificate is None else server_tls(channel, certificate.context, now)
        web = WebConnection(stream, self.shared.check_host, now)
        connection = self.connections[number] = Connection(
            number, s, host, name, self.shared.clock.utc_ms(), stream, web
        )
        self._settle(connection)

    def serve(self, connection: Connection, occurred: int) -> None:
        """The socket of a connection is ready."""
        now = self._now()
        if occurred & POLLWRNORM:
            connection.stream.flush(now)
        if occurred & (POLLERR | POLLHUP) and not connection.wants_read:
            # The poll reports this again and again, and nothing is read that would end the connection.
            connection.stream.close("the client disconnected before it was answered")
        elif occurred & ~POLLWRNORM:
            self._receive(connection, now)
        self.pump(connection)
        self._settle(connection)

    def pump(self, connection: Connection) -> None:
        """Send what there is to send now, unless earlier output is unsent."""
        websocket = connection.websocket
        if websocket is None or connection.stream.unsent or not websocket.is_open:
            return
        if connection.operator is not None:
            self._pump_operator(connection)
        elif connection.session is not None and connection.topic is not None and not connection.topic.suspended:
            text = connection.session.next_message(self.shared.clock.utc_ms())
            if text is None:
                return
            self._send(websocket, self._frame(text))
            connection.check_at = 0
        if connection.stream.unsent or not connection.stream.is_open:
            self._settle(connection)

    def due(self) -> list[Connection]:
        """The connections to check in this timer event."""
        now = self._now()
        return [each for each in self.connections.values() if each.check_at <= now]

    def check(self, connection: Connection) -> None:
        """A timer event of a connection: its time limits, and a heartbeat."""
        if connection.number not in self.connections:
            return
        now, session = self._now(), connection.session
        (connection.websocket or connection.web).check(now)
        if session is None:
            self.pump(connection)
        else:
            utc = self.shared.clock.utc_ms()
            self._follow(connection, session.check(utc))
            self.pump(connection)
            connection.check_at = now + session.quiet_for(utc)
        self._settle(connection)

    def end_number(self, number: int, ending: Ending) -> None:
        """End the connection with this number, if it still exists."""
        if connection := self.connections.get(number):
            self.end(connection, ending)

    def drop(self, number: int) -> None:
        """End a connection at once to make room for another one, unless it has logged in meanwhile."""
        connection = self.connections.get(number)
        if connection is None or connection.operator is not None:
            return
        if connection.session is None or connection.session.grant is None:
            self._end_at_once(connection, MADE_ROOM)

    def end_sessions(self, ending: Ending, topic: Topic | None) -> None:
        """End the sessions of a topic's subscribers; None: all sessions."""
        for connection in list(self.connections.values()):
            session = connection.session
            if session is not None and (topic is None or (connection.topic is topic and session.subscription)):
                self.end(connection, ending)

    def close(self, ending: Ending) -> None:
        """End all connections at once; what was queued for a client is sent as far as its socket takes it."""
        for connection in list(self.connections.values()):
            self.guarded(connection, partial(self._end_at_once, connection, ending, GOING_AWAY))

    def guarded(self, connection: Connection, work: Callable[[], object]) -> None:
        """Do some work for a connection; an unexpected exception ends the connection, and no other one."""
        try:
            work()
        except Exception as error:  # a defect that one client can reach must not end the provider for all
            connection.ending = f"internal error: {error_text(error)}"
            self.shared.report(f"-{self._label(connection)}: {connection.ending}")
            connection.stream.close(connection.ending)
            self._forget(connection)

    def end(self, connection: Connection, ending: Ending, code: int = POLICY) -> None:
        """End a connection: a subscriber is told why, and the rest of its output is sent."""
        now = self._now()
        if connection.session is not None:
            self._follow(connection, connection.session.end(*ending), code)
        elif connection.websocket is not None:
            connection.websocket.close(code, ending.text, now)
        else:
            connection.stream.finish(ending.text, now)
        self._settle(connection)

    # ---- HTTP and the dashboard

    def _receive(self, connection: Connection, now: int) -> None:
        if connection.websocket is None:
            request = connection.web.receive(now)
            if request is None or not self._answer(connection, request, now):
                return
        websocket = connection.websocket
        assert websocket is not None
        for text in websocket.receive(now):
            if connection.session is not None:
                connection.check_at = 0
                self._follow(connection, connection.session.receive(text, self.shared.clock.utc_ms()))
            elif connection.operator is not None:
                action = connection.operator.receive(text, self.shared.clock.utc_ms())
                if action is not None:
                    self.shared.act(self.shared, action, connection.operator, partial(self._post_for, connection))

    def _answer(self, connection: Connection, request: Request, now: int) -> bool:
        """Answer a request; whether the connection is a WebSocket now."""
        topic = self.shared.topics.at(request.path) if is_upgrade(request) else None
        if topic is None and not (is_upgrade(request) and request.path == LIVE):
            answer = self.shared.dashboard.answer(request, connection.host, self.shared.clock.utc_ms())
            if isinstance(answer, Answer):
                connection.web.answer(answer, now)
            else:
                self._check_operator(connection, answer)
            return False
        if topic is None:
            accepted = self.shared.dashboard.accept(request, self.shared.clock.utc_ms())
            if isinstance(accepted, Answer):
                connection.web.answer(accepted, now)
                return False
            connection.operator = accepted
        # A subscriber logs in with a message that holds a password or a token; a page of another origin has neither.
        connection.websocket = accept_websocket(connection.web, request, any_origin, now, _LOGIN_LIMITS)
        if connection.websocket is None:
            connection.operator = None
            return False
        if topic is None:
            # The operator has logged in, so a crowd does not take its place.
            self.shared.granted(connection.number)
        else:
            wall = self.shared.clock.utc_ms()
            connection.topic, connection.session = topic, Session(wall)
            self._send(connection.websocket, text_frame(topic.hello(self.shared.server_name, wall)))
        return True

    def _check_operator(self, connection: Connection, wanted: LoginWanted) -> None:
        def answer(result: Grant | Refusal) -> None:
            self._post_for(connection, partial(self._answer_login, connection, wanted, result))

        self.shared.desk.request(connection.number, wanted.credentials, connection.host, answer)

    def _answer_login(self, connection: Connection, wanted: LoginWanted, result: Grant | Refusal) -> None:
        is_open = connection.stream.is_open
        if isinstance(result, Grant) and not is_open:
            # Nobody would get the cookie.
            return
        answer = self.shared.dashboard.logged_in(wanted, result, self.shared.clock.utc_ms())
        who = f"operator login {_shown_login(wanted.credentials.login)} from {connection.name}"
        if problem := refusal_text(answer):
            self.counters.refusals += 1
            self.shared.report(f"-{who}: {problem}")
        elif wanted.request.path == LOGIN:
            # A program that reads the metrics logs in for each of them: that is not reported.
            self.counters.logins += 1
            self.shared.report(f"{who}: logged in")
        if is_open:
            connection.web.answer(answer, self._now())
            self._settle(connection)

    def _pump_operator(self, connection: Connection) -> None:
        operator, websocket = connection.operator, connection.websocket
        assert operator is not None
        assert websocket is not None
        while not connection.stream.unsent and (text := operator.next_message(self.shared.clock.utc_ms())) is not None:
            websocket.send_text(text, self._now())
        if operator.reason:
            websocket.close(POLICY, operator.reason, self._now())

    # ---- subscribers

    def _follow(self, connection: Connection, reply: Reply, code: int = POLICY) -> None:
        """Do what a session asks for."""
        now = self._now()
        websocket, session = connection.websocket, connection.session
        assert websocket is not None
        assert session is not None
        for text in reply.send:
            self._send(websocket, text_frame(text))
        if reply.report:
            self.shared.report(f"-{self._label(connection)}: {reply.report}")
        if reply.credentials is not None:
            if self.shared.paused:
                self._follow(connection, session.end(*PAUSED))
                return
            answer = partial(self._take_answer, connection)
            self.shared.desk.request(connection.number, reply.credentials, connection.host, answer)
            return
        if reply.ending is not None:
            connection.ending = reply.ending.text
            websocket.close(code, reply.ending.code, now)
            if session.grant is None:
                self._report_refusal(connection, session, reply.ending.text)

    def _report_refusal(self, connection: Connection, session: Session, reason: str) -> None:
        """A client was not let in; it has tried to log in, unless there is no login."""
        self.counters.refusals += bool(session.login)
        tried = f" (login {_shown_login(session.login)})" if session.login else ""
        self.shared.report(f"-{connection.name}{tried}: {reason}")

    def _take_answer(self, connection: Connection, result: Grant | Refusal) -> None:
        """Called in the desk's thread."""
        self._post_for(connection, partial(self._logged_in, connection, result))

    def _logged_in(self, connection: Connection, result: Grant | Refusal) -> None:
        session, topic = connection.session, connection.topic
        if session is None or topic is None or session.stage is not Stage.CHECKING:
            # The client did not wait for the answer.
            if session is not None and isinstance(result, Refusal):
                self._report_refusal(connection, session, result.text)
            return
        if isinstance(result, Refusal):
            self._follow(connection, session.refused(result))
        elif result.user.rights.operator:
            self._follow(connection, session.end(*_OPERATOR))
        elif self.shared.paused:
            self._follow(connection, session.end(*PAUSED))
        elif session.publishes:
            self._admit(connection, session, result, topic.admit_publisher(result.user))
        else:
            self._admit(connection, session, result, topic.admit(result.user))
        self._settle(connection)

    def _admit(
        self, connection: Connection, session: Session, grant: Grant, admitted: Streams | Publishes | Ending
    ) -> None:
        """Begin to send the topic's states, or to receive them, unless the topic refuses that."""
        websocket, topic = connection.websocket, connection.topic
        assert websocket is not None
        assert topic is not None
        if isinstance(admitted, Ending):
            self._follow(connection, session.end(*admitted))
            return
        if isinstance(admitted, Streams):
            websocket.set_limits(_WEBSOCKET_LIMITS)
            self._follow(connection, session.logged_in(grant, admitted, self.shared.clock.utc_ms()))
        else:
            websocket.set_limits(_PUBLISHER_LIMITS)
            self._follow(connection, session.publish(grant, topic.name, admitted))
        self.shared.desk.take_seat(connection.number, grant, partial(self._end_from_desk, connection))
        self.shared.granted(connection.number)
        self.counters.logins += 1
        self.shared.event("login", {"login": grant.user.login, "address": connection.name})
        self.shared.report(f"{self._label(connection)}: logged in {ascii(session.client)[1:-1]}".rstrip())
        self.pump(connection)

    def _end_from_desk(self, connection: Connection, ending: Ending) -> None:
        """Called in the desk's thread."""
        self._post_for(connection, partial(self._revoke, connection, ending))

    def _revoke(self, connection: Connection, ending: Ending) -> None:
        if connection.stream.unsent:
            # These bytes are states, which the client may not get any more.
            connection.ending = ending.text
            connection.stream.close(ending.text)
            self._settle(connection)
            return
        self.end(connection, ending)
        self._revoked.append(connection)
        if len(self._revoked) > MOST_REVOKED:
            oldest = self._revoked.popleft()
            oldest.stream.close(oldest.ending)
            self._settle(oldest)

    def _post_for(self, connection: Connection, call: Callable[[], object]) -> None:
        """Have something done for a connection by the expert's thread; for other threads."""
        self.post(partial(self.guarded, connection, call))

    def _send(self, websocket: WebSocket, frame: bytes) -> None:
        """Send a subscriber a message, and count it."""
        if websocket.is_open:
            self.counters.messages += 1
            self.counters.bytes += len(frame)
            websocket.send_frame(frame, self._now())

    def _frame(self, text: str) -> bytes:
        frame = self._frames.get(text)
        if frame is None:
            if len(self._frames) >= _MOST_FRAMES:
                self._frames.clear()
            frame = self._frames[text] = text_frame(text)
        return frame

    # ---- the end

    def _end_at_once(self, connection: Connection, ending: Ending, code: int = POLICY) -> None:
        """End a connection without waiting for its client, which receives the reason if its socket takes that at once.

        That is the same for many connections, so it is no line in the log for those that have not logged in.
        """
        connection.ending = connection.ending or ending.text
        self.end(connection, ending, code)
        connection.stream.close(ending.text)
        self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """After each change: forget a closed connection, or register its socket for what it waits for."""
        stream, session = connection.stream, connection.session
        if stream.is_closed:
            self._forget(connection)
            return
        if not stream.is_open and session is not None and session.stage is not Stage.ENDED:
            # The peer or a limit has ended the stream: nothing more is prepared for it.
            session.closed()
        interest = (connection.wants_read, stream.wants_write)
        if stream.unsent or (session is not None and session.stage is Stage.ENDED):
            # Its output, or its end, has a time limit.
            connection.check_at = 0
        if interest != connection.interest:
            connection.interest = interest
            self.events.register(connection, connection.socket, *interest)

    def _forget(self, connection: Connection) -> None:
        if self.connections.pop(connection.number, None) is None:
            return
        self.events.unregister(connection, connection.socket)
        session = connection.session
        if session is not None:
            session.closed()
        if session is not None and session.grant is not None:
            reason = connection.ending or lost_reason(connection) or "the client has disconnected"
            self.counters.disconnects += 1
            self.shared.desk.leave(connection.number)
            self.shared.event("disconnected", {"login": session.grant.user.login, "reason": reason})
            self.shared.report(f"{self._label(connection)}: {reason}")
        elif (problem := connection.web.problem or lost_reason(connection)) and not connection.ending:
            self.shared.report(f"-{connection.name}: {problem}")
        self.shared.ended(connection.number)

    def _now(self) -> int:
        return int(self.shared.clock.monotonic() * 1000)

    def _label(self, connection: Connection) -> str:
        session = connection.session
        login = session.grant.user.login if session is not None and session.grant is not None else ""
        return f"{login} from {connection.name}" if login else connection.name


def _shown_login(login: str) -> str:
    """A login that a client has tried, for the log: quoted and escaped, and not longer than a login may be."""
    return ascii(login[:_LONGEST_LOGIN])
