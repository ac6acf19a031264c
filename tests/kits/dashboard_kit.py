"""A dashboard with invented overviews, and a server for it on loopback; one operator can log in."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from decimal import Decimal
from math import cos
from typing import Any

from web_kit import Peer, Server

from demos.provider.accounts import AccountState
from demos.provider.attempts import Ban
from demos.provider.dashboard import LIVE, Dashboard, LoginWanted
from demos.provider.guard import Refusal
from demos.provider.operator_session import Action, OperatorSession
from demos.provider.overview import Counters, LogLine, Overview, PositionRow, ServerRow, SubscriberRow, overview
from demos.provider.rights import Grant, Rights, User
from demos.wire.web_server import Answer, Request
from demos.wire.websocket_opening import accept_websocket, any_origin, is_upgrade

# Milliseconds since 1970.
NOW = 1_800_000_000_000
OPERATOR, PASSWORD = "olga", "correct horse"


def user(login: str = OPERATOR, rights: Rights | None = None) -> User:
    return User(1, login, "a hash", 1, rights or Rights(operator=True), False, 0.0)


def granted(login: str = OPERATOR, rights: Rights | None = None) -> Grant:
    return Grant(user(login, rights), None)


def server_row(**changes: Any) -> ServerRow:
    row = ServerRow("Example provider", "0.9.0", "8f14e45fceea167a5a36dedd4bea2543", NOW - 7_500_000, False, False, NOW)
    return row._replace(**changes)


def position(symbol: str = "EURUSD", lots: str = "0.1", **changes: Any) -> PositionRow:
    row = PositionRow(symbol, Decimal(lots), Decimal("1.08125"), None, None, Decimal("12.5"), NOW - 240_000)
    return row._replace(**changes)


def subscriber(number: int = 1, login: str = "anna", **changes: Any) -> SubscriberRow:
    held = {"EURUSD": Decimal("0.1")}
    row = SubscriberRow(
        number, login, "203.0.113.7", "copier 0.9", NOW - 3_600_000, 42, 42, 12, held, held, 0, number % 4
    )
    return row._replace(**changes)


def made(time: int = NOW, server: ServerRow | None = None, **parts: Any) -> Overview:
    """An overview; without ``parts`` nothing is open and nobody is connected. The account has just been read."""
    account = AccountState("USD", False, Decimal("10000"), Decimal("10012.5"))
    return overview(
        time,
        (server or server_row())._replace(account_read=time),
        parts.get("account", account),
        parts.get("positions", ()),
        parts.get("subscribers", ()),
        parts.get("bans", ()),
        parts.get("counters", Counters()),
        parts.get("log", ()),
    )


def example(time: int = NOW, second: int = 0, **changes: Any) -> Overview:
    """A provider with something of everything; ``second`` lets the values change as they do in practice."""
    messages = 118_240 + 12 * second - round(160 * cos(second / 20)) + second % 3
    parts: dict[str, Any] = {
        "positions": [
            position("EURUSD", "0.5", sl=Decimal("1.07"), tp=Decimal("1.09500")),
            position("GBPUSD", "-0.25", price=Decimal("1.26540"), profit=Decimal("-37.25"), time=NOW - 7_300_000),
            position("USDJPY", "1.2", price=Decimal("151.237"), profit=Decimal("418.06"), time=NOW - 90_000_000),
            position("XAUUSD", "-0.1", price=Decimal("2318.45"), profit=Decimal("0"), sl=Decimal("2350"), time=0),
        ],
        "subscribers": example_subscribers(second),
        "bans": [
            Ban(None, "198.51.100.9", NOW / 1000 - 60, NOW / 1000 + 240, 2),
            Ban("anna", "198.51.100.9", NOW / 1000 - 60, NOW / 1000 + 7_200, 4),
            Ban("root", "2001:db8::/64", NOW / 1000 - 10, NOW / 1000 + 50, 1),
        ],
        "counters": Counters(1204 + second // 7, messages, 51_300_000 + messages * 400, 31, 7, 12),
        "log": [
            LogLine(NOW - 7_500_000, "info", "listening on 0.0.0.0:8443 with TLS"),
            LogLine(NOW - 3_600_000, "info", "login anna from 203.0.113.7"),
            LogLine(
                NOW - 600_000, "warning", "login root from 2001:db8::7 refused: the login or the password is wrong"
            ),
            LogLine(NOW - 540_000, "alert", "ban of root from 2001:db8::/64 for 1 min"),
            LogLine(NOW - 61_000, "error", "dora: the connection was closed: nothing was received for 30 s"),
            LogLine(NOW - 4_000, "info", "state 1204: EURUSD 0.5"),
        ],
    }
    return made(time, server_row(tls=changes.pop("tls", False), paused=changes.pop("paused", False)), **parts | changes)


def example_subscribers(second: int = 0) -> list[SubscriberRow]:
    whole = {
        "EURUSD": Decimal("0.5"),
        "GBPUSD": Decimal("-0.25"),
        "USDJPY": Decimal("1.2"),
        "XAUUSD": Decimal("-0.1"),
    }
    longest = "a-login-that-is-as-long-as-one-can-be-with-sixty-four-characters"
    names = ("anna", "bob@example.com", "carl", "dora", "emil", "fatima.desk-2", "gunnar", longest)
    rows = [
        subscriber(
            number,
            login,
            address=f"203.0.113.{number * 7}",
            lag_ms=3 + number * 2 + (second * number) % 11,
            held=whole,
            wanted=whole,
            seq=1204,
            acked=1204,
            connected=NOW - number * 1_900_000,
        )
        for number, login in enumerate(names, 1)
    ]
    rows[1] = rows[1]._replace(held={**whole, "EURUSD": Decimal("0.25")}, lag_ms=184 + second % 60)
    rows[2] = rows[2]._replace(client="", wanted=None, held={"EURUSD": Decimal("0.05")})
    rows[3] = rows[3]._replace(
        acked=1201,
        lag_ms=max(40, 4_300 - abs(second - 260) * 70),
        unsent=18_240,
        address="2001:db8:85a3::8a2e:370:7334",
    )
    rows[4] = rows[4]._replace(held={}, wanted={}, acked=0, seq=1204, lag_ms=None, connected=NOW - 800)
    return rows


class DashboardServer(Server):
    """Serves a dashboard; ``actions`` are those that an operator has confirmed."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.dashboard = Dashboard(tls=context is not None)
        self.actions: list[Action] = []
        self.report = (True, "done")
        self._sessions: dict[Peer, OperatorSession] = {}
        self._dropped: set[Peer] = set()
        super().__init__(context)

    @property
    def url(self) -> str:
        return f"{'http' if self.context is None else 'https'}://127.0.0.1:{self.port}/"

    def drop(self) -> None:
        """Close all connections, as a network does that fails. The server's thread does it."""
        self._dropped = set(self.peers)

    def _serve(self, peer: Peer, ready: bool, now: int) -> None:
        if peer in self._dropped:
            self._dropped.discard(peer)
            peer.stream.close("dropped by the test")
            ready = False
        super()._serve(peer, ready, now)
        session = self._sessions.get(peer)
        if session is None or peer.websocket is None or not peer.stream.is_open:
            return
        while not peer.stream.wants_write and (message := session.next_message(self.now_ms())):
            peer.websocket.send_text(message, now)
        if session.reason:
            peer.websocket.close(1008, session.reason, now)

    def _receive(self, peer: Peer, now: int) -> None:
        if peer.websocket is not None:
            for text in peer.websocket.receive(now):
                action = self._sessions[peer].receive(text, self.now_ms())
                if action is not None:
                    self.actions.append(action)
                    self._sessions[peer].report(*self.report)
            return
        request = peer.web.receive(now)
        if request is None:
            return
        if request.path != LIVE or not is_upgrade(request):
            peer.web.answer(self._answer(request), now)
            return
        session = self.dashboard.accept(request, self.now_ms())
        if isinstance(session, Answer):
            peer.web.answer(session, now)
            return
        peer.websocket = accept_websocket(peer.web, request, any_origin, now)
        self._sessions[peer] = session

    def _answer(self, request: Request) -> Answer:
        answer = self.dashboard.answer(request, "127.0.0.1", self.now_ms())
        if isinstance(answer, LoginWanted):
            return self.dashboard.logged_in(answer, self.checked(answer), self.now_ms())
        return answer

    def checked(self, wanted: LoginWanted) -> Grant | Refusal:
        credentials = wanted.credentials
        if credentials.password != PASSWORD:
            return Refusal("failed", "the login or the password is wrong", 0.5)
        return granted(credentials.login, Rights(operator=credentials.login == OPERATOR))

    def now_ms(self) -> int:
        """The time of the newest overview."""
        newest = self.dashboard._feed.overview
        return NOW if newest is None else int(newest["time"])


def request(
    path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"", query: str = ""
) -> Request:
    """A request for 127.0.0.1:8443."""
    fields = {"host": "127.0.0.1:8443", **(headers or {})}
    return Request(method, path, query, tuple((k.lower().encode(), v.encode()) for k, v in fields.items()), body)
