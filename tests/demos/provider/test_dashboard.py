"""The dashboard's answers: pages, operators' logins, origins, metrics and health."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from dashboard_kit import NOW, OPERATOR, PASSWORD, example, granted, made, request, server_row, user

from demos.provider.dashboard import LIVE, Dashboard, LoginWanted, may_read_metrics
from demos.provider.guard import Refusal
from demos.provider.logins import Credentials
from demos.provider.operator_logins import LASTS_MS, MOST_LOGINS, MOST_OF_ONE_USER, OperatorLogins
from demos.provider.operator_session import OperatorSession
from demos.provider.rights import Grant, Rights
from demos.wire.web_server import PAGE_HEADERS, Answer, Request

ORIGIN = "https://127.0.0.1:8443"
LOCAL, AWAY = "127.0.0.1", "203.0.113.7"
PAGE = Path(__file__).resolve().parents[3] / "demos/provider/page"


@pytest.fixture
def dashboard() -> Dashboard:
    result = Dashboard(tls=True)
    result.update(example())
    return result


def get(dashboard: Dashboard, path: str, address: str = AWAY, method: str = "GET", now: int = NOW, **headers: str):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return dashboard.answer(request(path, method, fields), address, now)


def login_request(
    login: str = OPERATOR, password: str = PASSWORD, origin: str = ORIGIN, kind: str = "application/json"
) -> Request:
    body = json.dumps({"login": login, "password": password}).encode()
    return request("/operator/login", "POST", {"Origin": origin, "Content-Type": kind}, body)


def log_in(dashboard: Dashboard, now: int = NOW, grant: Grant | None = None) -> str:
    """Log in as a browser does; returns the header Cookie."""
    wanted = dashboard.answer(login_request(), AWAY, now)
    assert isinstance(wanted, LoginWanted)
    answer = dashboard.logged_in(wanted, grant or granted(), now)
    assert answer.status == 200, answer
    return answer.headers["Set-Cookie"].partition(";")[0]


def who(dashboard: Dashboard, cookie: str, now: int = NOW) -> str | None:
    return json.loads(get(dashboard, "/operator/session", cookie=cookie, now=now).body)["login"]


def open_live(dashboard: Dashboard, cookie: str, origin: str = ORIGIN, now: int = NOW) -> OperatorSession | Answer:
    return dashboard.accept(request(LIVE, headers={"Origin": origin, "Cookie": cookie}), now)


# ---- pages


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/charts.js", "/panels.js", "/state.js", "/theme.js"])
def test_everyone_gets_the_page_with_the_headers_that_restrict_it(dashboard, path):
    answer = get(dashboard, path)
    assert answer.status == 200
    assert answer.headers == PAGE_HEADERS
    assert answer.content_type.endswith("; charset=utf-8")
    assert answer.body == (PAGE / (path[1:] or "page.html")).read_bytes()


def test_every_file_of_the_page_is_served_and_nothing_else_is_loaded(dashboard):
    served = {path for path in (f"/{file.name}" for file in PAGE.iterdir()) if get(dashboard, path).status == 200}
    assert served | {"/page.html"} == {f"/{file.name}" for file in PAGE.iterdir()}
    text = "".join(file.read_text(encoding="utf-8") for file in PAGE.iterdir())
    loaded = set(re.findall(r"""(?:src=|href=|from |import |url\()["']([^"']+)""", text))
    assert {each for each in loaded if not each.startswith("data:")} == {
        "/theme.js", "/page.css", "/page.js", "./charts.js", "./formats.js", "./panels.js", "./state.js", "./tables.js"
    }  # fmt: skip


def test_the_page_has_no_inline_script_or_style_and_never_parses_html():
    html = (PAGE / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html) == []
    for file in PAGE.glob("*.js"):
        code = file.read_text(encoding="utf-8")
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|setHTML"
        assert re.findall(forbidden, code) == [], file


@pytest.mark.parametrize("path", ["/x", "/page.html", "/page/page.css", "/../overview.py", "/operator", "/ws"])
def test_an_unknown_path_is_404(dashboard, path):
    assert get(dashboard, path).status == 404


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/", "POST", "GET, HEAD"),
        ("/metrics", "POST", "GET, HEAD"),
        ("/operator/login", "GET", "POST"),
        ("/operator/logout", "GET", "POST"),
        ("/operator/session", "DELETE", "GET, HEAD"),
    ],
)
def test_another_method_is_405_with_those_that_are_possible(dashboard, path, method, allowed):
    answer = get(dashboard, path, method=method)
    assert (answer.status, answer.headers) == (405, {"Allow": allowed})


def test_the_path_of_the_websocket_without_an_upgrade_is_426(dashboard):
    assert get(dashboard, LIVE).status == 426


# ---- logins


def test_a_login_asks_for_the_check_of_its_credentials_and_hides_the_password(dashboard):
    wanted = dashboard.answer(login_request(), AWAY, NOW)
    assert isinstance(wanted, LoginWanted)
    assert wanted.credentials == Credentials(OPERATOR, PASSWORD)
    assert PASSWORD not in repr(wanted)


def test_an_operator_gets_a_cookie_that_no_script_and_no_other_site_can_use(dashboard):
    wanted = dashboard.answer(login_request(), AWAY, NOW)
    answer = dashboard.logged_in(wanted, granted(), NOW)
    assert json.loads(answer.body) == {"login": OPERATOR}
    cookie = r"__Host-operator-8443=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
    assert re.fullmatch(cookie, answer.headers["Set-Cookie"])
    assert who(dashboard, answer.headers["Set-Cookie"].partition(";")[0]) == OPERATOR


def test_without_tls_the_cookie_is_not_secure_and_has_no_prefix():
    dashboard = Dashboard(tls=False)
    wanted = dashboard.answer(login_request(origin="http://127.0.0.1:8443"), LOCAL, NOW)
    cookie = dashboard.logged_in(wanted, granted(), NOW).headers["Set-Cookie"]
    assert re.fullmatch(r"operator-8443=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict", cookie)


@pytest.mark.parametrize(
    ("result", "status", "text"),
    [
        (Refusal("failed", "the login or the password is wrong", 0.5), 401, "the login or the password is wrong"),
        (Refusal("disabled", "the login was disabled", 0.0), 403, "the login was disabled"),
        (Refusal("expired", "the login has expired", 0.0), 403, "the login has expired"),
        (Refusal("banned", "too many failed logins", 59.2), 429, "too many failed logins"),
        (Refusal("busy", "logins cannot be checked", 59.2), 503, "logins cannot be checked"),
        (granted("anna", Rights()), 403, "the login anna is not an operator's"),
        (None, 503, "logins cannot be checked at the moment: try again later"),
    ],
)
def test_a_refused_login_gets_the_reason_and_no_cookie(dashboard, result, status, text):
    wanted = dashboard.answer(login_request(), AWAY, NOW)
    answer = dashboard.logged_in(wanted, result, NOW)
    assert (answer.status, json.loads(answer.body)) == (status, {"text": text})
    assert "Set-Cookie" not in answer.headers
    has_time = isinstance(result, Refusal) and status in (429, 503)
    assert answer.headers.get("Retry-After") == ("60" if has_time else None)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.example",
        "http://127.0.0.1:8443",
        "https://127.0.0.1",
        "https://127.0.0.1:8443.evil.example",
        "https://127.0.0.1:8443, https://evil.example",
    ],
)
def test_what_changes_something_is_refused_when_it_is_not_from_a_page_of_this_server(dashboard, origin):
    cookie = log_in(dashboard)
    assert dashboard.answer(login_request(origin=origin), AWAY, NOW).status == 403
    headers = {"Origin": origin, "Cookie": cookie}
    assert dashboard.answer(request("/operator/logout", "POST", headers), AWAY, NOW).status == 403
    refusal = open_live(dashboard, cookie, origin)
    assert isinstance(refusal, Answer)
    assert refusal.status == 403
    assert who(dashboard, cookie) == OPERATOR


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"{}", "application/json", "login: missing"),
        (b"[]", "application/json", "not an object"),
        (b"login=olga", "application/json", "not JSON"),
        (b"\xff", "application/json", "the body is not UTF-8"),
        (b'{"login":"olga"}', "application/json", "password: missing"),
        (b'{"login":5,"password":"correct horse"}', "application/json", "login: not a string"),
        (
            b'{"login":"olga","password":"' + b"x" * 300 + b'"}',
            "application/json",
            "password: not a string of 1 to 256",
        ),
        (b'{"login":"olga","password":"x"}', "text/plain", "the body is not JSON"),
        (b'{"login":"olga","password":"x"}', "application/x-www-form-urlencoded", "the body is not JSON"),
    ],
)
def test_an_invalid_body_of_a_login_is_one_clear_reason(dashboard, body, kind, text):
    answer = dashboard.answer(
        request("/operator/login", "POST", {"Origin": ORIGIN, "Content-Type": kind}, body), AWAY, NOW
    )
    assert answer.status == 400
    assert text in json.loads(answer.body)["text"]
    assert "xxx" not in answer.body.decode()


def test_logging_out_ends_the_cookie_and_its_live_connections(dashboard):
    cookie = log_in(dashboard)
    session = open_live(dashboard, cookie)
    assert isinstance(session, OperatorSession)
    answer = dashboard.answer(request("/operator/logout", "POST", {"Origin": ORIGIN, "Cookie": cookie}), AWAY, NOW)
    assert answer.status == 204
    assert answer.headers["Set-Cookie"].startswith("__Host-operator-8443=; Path=/; Max-Age=0;")
    assert who(dashboard, cookie) is None
    assert session.next_message(NOW) is None
    assert session.reason == "the operator is not logged in any more"


def test_another_login_in_the_same_browser_ends_the_one_before(dashboard):
    first = log_in(dashboard)
    again = login_request()
    wanted = dashboard.answer(again._replace(headers=(*again.headers, (b"cookie", first.encode()))), AWAY, NOW)
    assert isinstance(wanted, LoginWanted)
    second = dashboard.logged_in(wanted, granted("olga"), NOW).headers["Set-Cookie"].partition(";")[0]
    assert (who(dashboard, first), who(dashboard, second)) == (None, "olga")


def test_a_login_expires_after_12_hours_or_with_the_user(dashboard):
    cookie = log_in(dashboard)
    assert (who(dashboard, cookie, NOW + LASTS_MS - 1), who(dashboard, cookie, NOW + LASTS_MS)) == (OPERATOR, None)
    short = log_in(dashboard, grant=granted(rights=Rights(operator=True, expires=NOW / 1000 + 60)))
    session = open_live(dashboard, short)
    assert isinstance(session, OperatorSession)
    assert session.next_message(NOW + 59_999) is not None
    assert session.next_message(NOW + 60_000) is None
    assert session.reason
    assert who(dashboard, short, NOW + 60_000) is None


def test_changed_users_are_logged_out(dashboard):
    olga, petra = log_in(dashboard), log_in(dashboard, grant=granted("petra"))
    dashboard.end_logins({"anna", OPERATOR})
    assert (who(dashboard, olga), who(dashboard, petra)) == (None, "petra")
    dashboard.end_logins(None)
    assert who(dashboard, petra) is None


@pytest.mark.parametrize(("changed", "status"), [([OPERATOR], 503), (None, 503), (["anna"], 200)])
def test_an_operator_that_was_changed_after_the_check_of_its_password_is_not_logged_in(dashboard, changed, status):
    wanted = dashboard.answer(login_request(OPERATOR.upper()), AWAY, NOW)
    assert isinstance(wanted, LoginWanted)
    dashboard.end_logins(changed)
    answer = dashboard.logged_in(wanted, granted(), NOW)
    assert (answer.status, "Set-Cookie" in answer.headers) == (status, status == 200)
    assert len(dashboard._logins._logins) == (status == 200)


def test_a_change_while_the_cookie_is_added_ends_the_login(dashboard, monkeypatch):
    wanted = dashboard.answer(login_request(), AWAY, NOW)
    assert isinstance(wanted, LoginWanted)
    add = dashboard._logins.add

    def end_and_add(*arguments: Any) -> str:
        dashboard.end_logins([OPERATOR])
        return str(add(*arguments))

    monkeypatch.setattr(dashboard._logins, "add", end_and_add)
    assert dashboard.logged_in(wanted, granted(), NOW).status == 503
    assert dashboard._logins._logins == {}


def test_an_operator_that_was_changed_after_the_check_of_its_token_does_not_get_the_metrics(dashboard):
    basic = b64encode(b"olga:wst_secret").decode()
    wanted = get(dashboard, "/metrics", authorization=f"Basic {basic}")
    assert isinstance(wanted, LoginWanted)
    dashboard.end_logins([OPERATOR])
    assert dashboard.logged_in(wanted, granted(), NOW).status == 503


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "__Host-operator-8443=",
        "__Host-operator-8443=x",
        "__Host-operator-8443={}x",
        "operator-8443={}",
        "__Host-operator-9999={}",
        "__Host-operator={}",
        "a=b; " * 3000 + "__Host-operator-8443={}",
    ],
)
def test_another_cookie_is_not_a_login(dashboard, cookie):
    value = log_in(dashboard).partition("=")[2]
    text = cookie.replace("{}", value)
    assert who(dashboard, text) is None
    refusal = open_live(dashboard, text)
    assert isinstance(refusal, Answer)
    assert refusal.status == 401


def test_the_cookie_is_found_among_others(dashboard):
    cookie = log_in(dashboard)
    assert who(dashboard, f"theme=dark; {cookie}; x=y") == OPERATOR


def test_the_number_of_logins_is_bounded_and_the_oldest_end_first():
    logins = OperatorLogins(tls=True)
    cookies = [logins.add(request("/"), granted(), NOW + number) for number in range(MOST_OF_ONE_USER + 1)]
    valid = [logins.find(request("/", headers={"Cookie": each.partition(";")[0]}), NOW + 99) for each in cookies]
    assert [each is not None for each in valid] == [False] + [True] * MOST_OF_ONE_USER
    for number in range(2 * MOST_LOGINS):
        logins.add(request("/"), Grant(user(f"user{number}"), None), NOW + 1000)
    assert len(logins._logins) == MOST_LOGINS
    logins.add(request("/"), granted(), NOW + 2000 + LASTS_MS)
    assert len(logins._logins) == 1


# ---- metrics and health


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::1%1"])
def test_this_machine_may_read_the_metrics(dashboard, address):
    answer = get(dashboard, "/metrics", address)
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert b"\nprovider_subscribers 8.0\n" in answer.body


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_what_a_proxy_on_this_machine_forwards_is_not_from_this_machine(header):
    assert may_read_metrics(request("/metrics"), LOCAL)
    assert not may_read_metrics(request("/metrics", headers={header: "203.0.113.7"}), LOCAL)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("localhost", True),
        ("LOCALHOST.:8443", True),
        ("127.0.0.1:8443", True),
        ("[::1]:8443", True),
        ("[::ffff:127.0.0.1]", True),
        ("provider.example.com", False),
        ("provider.example.com:8443", False),
        ("localhost.example.com", False),
        ("203.0.113.7", False),
        ("0.0.0.0", False),
        ("localhost, localhost", False),
        ("", False),
    ],
)
def test_a_request_for_another_host_is_not_from_this_machine_although_its_proxy_is(host, may):
    assert may_read_metrics(request("/metrics")._replace(headers=((b"host", host.encode()),)), LOCAL) == may


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::1", "10.0.0.1", "", "localhost"])
def test_others_need_an_operators_login_for_the_metrics(dashboard, address):
    answer = get(dashboard, "/metrics", address)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert get(dashboard, "/metrics", address, cookie=log_in(dashboard)).status == 200


def test_a_program_reads_the_metrics_with_an_operators_token(dashboard):
    basic = b64encode(b"olga:wst_secret:1").decode()
    wanted = get(dashboard, "/metrics", authorization=f"Basic {basic}")
    assert isinstance(wanted, LoginWanted)
    assert wanted.credentials == Credentials("olga", token="wst_secret:1")
    assert "wst_secret" not in repr(wanted)
    assert basic not in repr(wanted)
    answer = dashboard.logged_in(wanted, granted(), NOW)
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert dashboard.logged_in(wanted, granted("anna", Rights()), NOW).status == 403


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic b2xnYQ==", "Bearer wst_x", "Basic /w==", "Basic \xe9"]
)
def test_other_authorizations_are_refused(dashboard, header):
    assert get(dashboard, "/metrics", authorization=header).status == 401


@pytest.mark.parametrize(
    ("server", "after", "status", "word"),
    [
        (server_row(), 0, 200, "publishing"),
        (server_row(paused=True), 0, 503, "paused"),
        (server_row(checks_logins=False), 0, 503, "limited"),
        (server_row(), 60_000, 503, "stale"),
    ],
)
def test_healthz_has_the_state_and_the_reason(server, after, status, word):
    dashboard = Dashboard(tls=True)
    dashboard.update(made(NOW, server))
    answer = get(dashboard, "/healthz", now=NOW + after)
    assert answer.status == status
    assert answer.content_type == "application/json"
    health = json.loads(answer.body)
    assert health["status"] == word
    assert health["reason"]


def test_before_the_first_overview_the_page_works_and_healthz_is_503():
    dashboard = Dashboard(tls=True)
    assert get(dashboard, "/").status == 200
    assert json.loads(get(dashboard, "/healthz").body)["status"] == "starting"
    assert get(dashboard, "/metrics", LOCAL).body.endswith(b"\nprovider_healthy 0.0\n")
