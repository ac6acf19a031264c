"""The dashboard: the page, the operators' logins, and what is served with it. Pure: no sockets, no clock.

    dashboard = Dashboard(tls=True)                       one for all threads
    dashboard.update(overview)                            once a second, in one thread
    answer = dashboard.answer(request, address, now_ms)   an Answer, or a LoginWanted that a login desk checks first:
    answer = dashboard.logged_in(wanted, result, now_ms)  with its Grant or Refusal; None when it cannot check logins
    session = dashboard.accept(request, now_ms)           an OperatorSession, or the Answer that refuses /operator/live
    dashboard.end_logins(logins)                          when users were changed; None: all users

``now_ms`` is in milliseconds since 1970; ``address`` is the peer's, without port. All methods except update() may be
called in any thread.

    GET  /                   the page; also its style and its scripts, which are in the folder page
    GET  /healthz            200 or 503, with the reason as JSON; for everyone
    GET  /metrics            for Prometheus; see may_read_metrics()
    GET  /operator/session   whether the browser is logged in
    POST /operator/login     JSON: login and password; sets the cookie
    POST /operator/logout
    GET  /operator/live      the WebSocket; see operator_session.py

A request that changes something, and the WebSocket, must come from a page of this server: its header Origin must name
the host that it was sent to. Browsers always send it with such requests, and no page can change it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from demos.provider.fields import FieldError, parse_json, record, text
from demos.provider.guard import Refusal
from demos.provider.health import HealthLimits, health_of
from demos.provider.logins import Credentials
from demos.provider.metrics import METRICS_TYPE, metrics_text
from demos.provider.operator_logins import OperatorLogins
from demos.provider.operator_session import Feed, OperatorSession
from demos.provider.overview import Overview
from demos.provider.rights import Grant
from demos.wire.http_hosts import host_of
from demos.wire.web_server import PAGE_HEADERS, Answer, Request, text_answer

LIVE = "/operator/live"
LOGIN = "/operator/login"

_PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("page", "charts", "formats", "panels", "state", "tables", "theme")
    },
}
_CREDENTIALS = record(Credentials, {"login": text(64), "password": text(256, printable=False, secret=True)})


class LoginWanted(NamedTuple):
    """A request whose credentials must be checked before it can be answered; it contains them no more.

    ``changes``: of OperatorLogins, for this login, when the request came.
    """

    credentials: Credentials
    request: Request
    changes: int = 0


# The methods that a path has, and what answers it.
_Handler: TypeAlias = tuple[tuple[str, ...], Callable[[Request, str, int], Answer | LoginWanted]]


class Dashboard:
    """The dashboard of a provider; see the head of this module."""

    def __init__(self, *, tls: bool, health: HealthLimits | None = None, pages: bool = True) -> None:
        """``pages``: without them only /healthz and /metrics are served."""
        self._tls = tls
        self._pages = pages
        self._health = health or HealthLimits()
        self._feed = Feed(self._health)
        self._logins = OperatorLogins(tls=tls)
        self._files = {path: (_PAGE / name).read_bytes() for path, (name, _) in _FILES.items()}

    def update(self, overview: Overview) -> None:
        """Show this overview from now on."""
        self._feed.update(overview)

    def answer(self, request: Request, address: str, now_ms: int) -> Answer | LoginWanted:
        """The answer to a request for anything but /ws and /operator/live."""
        methods, handler = self._handler(request.path)
        if request.method not in methods:
            return text_answer(405, "the method is not possible here", {"Allow": ", ".join(methods)})
        return handler(request, address, now_ms)

    def logged_in(self, wanted: LoginWanted, result: Grant | Refusal | None, now_ms: int) -> Answer:
        """The answer to a request whose credentials were checked."""
        if result is None:
            return _refused(503, "logins cannot be checked at the moment: try again later")
        if isinstance(result, Refusal):
            if result.code in ("disabled", "expired"):
                return _refused(403, result.text)
            retry = {"Retry-After": str(ceil(result.wait_s))}
            status = {"failed": 401, "busy": 503}.get(result.code, 429)
            return _refused(status, result.text, {} if status == 401 else retry)
        if not result.user.rights.operator:
            return _refused(403, f"the login {result.user.login} is not an operator's")
        if wanted.request.path == "/metrics":
            # The user may have been changed after the check.
            return self._metrics(now_ms) if self._is_unchanged(wanted) else _CHANGED
        if before := self._logins.find(wanted.request, now_ms):
            self._logins.end(before)
        cookie = self._logins.add(wanted.request, result, now_ms)
        if not self._is_unchanged(wanted):
            # end_logins() may have been called before the cookie was added.
            self._logins.end_of_users([result.user.login])
            return _CHANGED
        return _json_answer(200, {"login": result.user.login}, {"Set-Cookie": cookie})

    def accept(self, request: Request, now_ms: int) -> OperatorSession | Answer:
        """The session of a request for the WebSocket /operator/live, or why it is refused."""
        if not self._pages:
            return _answer_unknown(request, "", now_ms)
        if problem := self._origin_problem(request):
            return text_answer(403, problem)
        login = self._logins.find(request, now_ms)
        if login is None:
            return text_answer(401, "log in first")
        return OperatorSession(self._feed, self._logins, login)

    def end_logins(self, logins: Collection[str] | None) -> None:
        """Log these operators out because they were changed, for example disabled; None: all of them."""
        self._logins.end_of_users(logins)

    def _handler(self, path: str) -> _Handler:
        """The methods that a path has, and what answers it."""
        reading, writing = ("GET", "HEAD"), ("POST",)
        handlers: dict[str, _Handler] = {
            "/healthz": (reading, self._answer_health),
            "/metrics": (reading, self._answer_metrics),
        }
        pages: dict[str, _Handler] = {
            "/operator/session": (reading, self._answer_session),
            LOGIN: (writing, self._answer_login),
            "/operator/logout": (writing, self._answer_logout),
            LIVE: (reading, _answer_live),
            **dict.fromkeys(_FILES, (reading, self._answer_file)),
        }
        if self._pages:
            handlers |= pages
        return handlers.get(path, ((*reading, *writing), _answer_unknown))

    def _answer_file(self, request: Request, address: str, now_ms: int) -> Answer:
        return Answer(200, self._files[request.path], _FILES[request.path][1], PAGE_HEADERS)

    def _answer_health(self, request: Request, address: str, now_ms: int) -> Answer:
        health = health_of(self._feed.overview, now_ms, self._health)
        return _json_answer(200 if health.healthy else 503, health._asdict())

    def _answer_metrics(self, request: Request, address: str, now_ms: int) -> Answer | LoginWanted:
        if may_read_metrics(request, address) or self._logins.find(request, now_ms):
            return self._metrics(now_ms)
        credentials = _basic_credentials(request)
        if credentials is None:
            challenge = {"WWW-Authenticate": 'Basic realm="metrics", charset="UTF-8"'}
            return text_answer(401, "metrics need an operator's login and token", challenge)
        return self._wanted(credentials, request)

    def _metrics(self, now_ms: int) -> Answer:
        health = health_of(self._feed.overview, now_ms, self._health)
        return Answer(200, metrics_text(self._feed.overview, health), METRICS_TYPE)

    def _answer_session(self, request: Request, address: str, now_ms: int) -> Answer:
        login = self._logins.find(request, now_ms)
        return _json_answer(200, {"login": login and login.login})

    def _answer_login(self, request: Request, address: str, now_ms: int) -> Answer | LoginWanted:
        if problem := self._origin_problem(request):
            return _refused(403, problem)
        if request.header("content-type").partition(";")[0].strip().lower() != "application/json":
            return _refused(400, "the body is not JSON: use Content-Type: application/json")
        try:
            credentials = _CREDENTIALS(parse_json(request.body.decode("utf-8")), "")
        except UnicodeDecodeError:
            return _refused(400, "the body is not UTF-8")
        except FieldError as error:
            return _refused(400, str(error))
        return self._wanted(credentials, request)

    def _wanted(self, credentials: Credentials, request: Request) -> LoginWanted:
        return LoginWanted(credentials, _without_secrets(request), self._logins.changes(credentials.login))

    def _is_unchanged(self, wanted: LoginWanted) -> bool:
        """Whether the user has not been changed since the request."""
        return self._logins.changes(wanted.credentials.login) == wanted.changes

    def _answer_logout(self, request: Request, address: str, now_ms: int) -> Answer:
        if problem := self._origin_problem(request):
            return _refused(403, problem)
        if login := self._logins.find(request, now_ms):
            self._logins.end(login)
        return Answer(204, headers={"Set-Cookie": self._logins.removal(request)})

    def _origin_problem(self, request: Request) -> str:
        """Why a request is not from a page of this server, or ""."""
        origin, host = request.header("origin").lower(), request.header("host").lower()
        schemes = ("https",) if self._tls else ("http", "https")
        if host and origin in [f"{scheme}://{host}" for scheme in schemes]:
            return ""
        return "the request is not from a page of this server: its header Origin does not name the server's host"


def may_read_metrics(request: Request, address: str) -> bool:
    """Whether a request may read the metrics without a login: from this machine, and not forwarded by a proxy.

    A proxy may add no header that says so. Then the request still names the host that its client has asked for, if the
    proxy passes Host unchanged; so the host must be a loopback address or localhost too.

    Others need the cookie of an operator who is logged in, or HTTP Basic authentication with an operator's login and,
    as the password, one of its tokens.
    """
    forwarded = any(request.header(name) for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    host = host_of(request.header("host")) or ""
    return not forwarded and _is_loopback(address) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def _basic_credentials(request: Request) -> Credentials | None:
    """The login and the token of HTTP Basic authentication."""
    scheme, _, encoded = request.header("authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, separator, token = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return Credentials(login, token=token) if separator else None


def _without_secrets(request: Request) -> Request:
    """The request without password and token, so that no log can show them."""
    headers = tuple(header for header in request.headers if header[0] != b"authorization")
    return request._replace(headers=headers, body=b"")


def _answer_live(request: Request, address: str, now_ms: int) -> Answer:
    return text_answer(426, "this path is a WebSocket", {"Upgrade": "websocket", "Connection": "Upgrade"})


def _answer_unknown(request: Request, address: str, now_ms: int) -> Answer:
    return text_answer(404, "no such page")


def _refused(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _json_answer(status, {"text": reason}, headers)


def refusal_text(answer: Answer) -> str:
    """Why a login was refused, from the answer to it; "" when it was not."""
    return "" if answer.status == 200 else str(json.loads(answer.body)["text"])


def _json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    return Answer(status, body, "application/json", {"Cross-Origin-Resource-Policy": "same-origin", **(headers or {})})


_CHANGED = _refused(503, "the user was changed during the login: log in again")
