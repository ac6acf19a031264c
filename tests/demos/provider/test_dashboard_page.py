"""The page of the dashboard in a real browser: logging in, live values, actions, themes and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_kit import NEEDS_BROWSER, Page, browser
from dashboard_kit import NOW, OPERATOR, PASSWORD, DashboardServer, example, made, position, server_row, subscriber
from web_kit import certificate, network, wait_until

from demos.provider.attempts import Ban
from demos.provider.operator_session import Action
from demos.provider.overview import Counters, LogLine
from demos.wire.tls_contexts import CertificateFiles

__all__ = ["network"]

pytestmark = NEEDS_BROWSER

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ROWS = "document.querySelectorAll('#subscribers tbody tr').length"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(chromium: Page, network: None) -> Iterator[Page]:
    """The page of a browser without cookies; no script of the test may fail.

    ``network`` closes the server afterwards: a page that is open would report the end of its connection.
    """
    chromium.call("Network.clearBrowserCookies")
    chromium.prefer("light")
    chromium.size(1400, 900)
    chromium.problems.clear()
    yield chromium
    chromium.value("localStorage.clear()")
    problems = chromium.problems.copy()
    chromium.call("Page.navigate", url="about:blank")
    assert problems == []


@pytest.fixture
def server(network: None) -> DashboardServer:
    result = DashboardServer()
    for second in range(-30, 1):
        result.dashboard.update(example(NOW + second * 1000, second))
    return result


def log_in(page: Page, server: DashboardServer, password: str = PASSWORD) -> None:
    page.open(server.url)
    page.wait_for("document.getElementById('login-name').checkVisibility()")
    page.click("#login-name")
    page.type(OPERATOR)
    page.press("Tab")
    page.type(password)
    page.press("Enter")


@pytest.fixture
def shown(page: Page, server: DashboardServer) -> Page:
    """The dashboard of an operator who is logged in."""
    log_in(page, server)
    page.wait_for(f"{ROWS} === 8")
    return page


def cells(page: Page, table: str, row: int) -> list[str]:
    return page.texts(f"#{table} tbody tr:nth-child({row + 1}) td")


def is_open(page: Page) -> bool:
    return bool(page.value("document.getElementById('confirm').open"))


# ---- logging in


def test_the_page_asks_for_a_login_and_shows_why_it_is_refused(page, server):
    log_in(page, server, "wrong")
    page.wait_for("document.getElementById('login-problem').textContent")
    assert page.text("#login-problem") == "The login or the password is wrong."
    assert not page.value("document.getElementById('dashboard').checkVisibility()")
    assert page.value("document.getElementById('server').textContent") == "Provider"
    # The password is selected, so that typing replaces it.
    page.type(PASSWORD)
    page.press("Enter")
    page.wait_for(f"{ROWS} === 8")
    assert page.value("document.getElementById('login-password').value") == ""


def test_scripts_cannot_read_the_cookie_and_a_new_page_is_logged_in(shown, server):
    assert shown.value("document.cookie") == ""
    shown.open(server.url)
    shown.wait_for(f"{ROWS} === 8")
    assert shown.text("#operator") == OPERATOR


def test_logging_out_shows_the_login_again(shown, server):
    shown.click("#logout")
    shown.wait_for("document.getElementById('login-name').checkVisibility()")
    shown.open(server.url)
    shown.wait_for("document.getElementById('login-name').checkVisibility()")


def test_an_operator_whose_login_ends_sees_the_login_with_the_reason(shown, server):
    server.dashboard.end_logins({OPERATOR})
    shown.wait_for("document.getElementById('login-problem').textContent")
    assert shown.text("#login-problem") == "You are not logged in any more."
    assert not shown.value("document.getElementById('dashboard').checkVisibility()")


def test_with_tls_the_page_works_too_and_uses_a_secure_cookie(page, network, tmp_path):
    path = certificate(tmp_path)
    server = DashboardServer(CertificateFiles(path, tmp_path / "key.pem").context)
    server.dashboard.update(example(tls=True))
    log_in(page, server)
    page.wait_for(f"{ROWS} === 8")
    assert page.text("#version") == "version 0.9.0"
    [cookie] = page.call("Network.getCookies")["cookies"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")


# ---- what is shown


def test_the_values_of_the_overview_are_shown(shown):
    assert shown.text("#server") == "Example provider"
    assert shown.text("#health") == "Publishing"
    assert shown.text("#connection") == "live"
    assert not shown.value("document.getElementById('notice').checkVisibility()")
    figures = dict(zip(shown.texts("#figures dt"), shown.texts("#figures dd:nth-of-type(1)"), strict=True))
    assert figures["Equity"] == "10,012.50"
    assert figures["Open profit"] == "+393.31"
    assert (figures["Subscribers"], figures["Drifting"]) == ("8", "1")
    expected = ["GBPUSD", "Sell", "0.25", "1.2654", "\u2013", "\u2013", "\u221237.25", "2 h ago"]
    assert cells(shown, "positions", 1) == expected
    assert cells(shown, "bans", 1)[:4] == ["198.51.100.9", "anna", "2 h", "4"]
    assert "ban of root from 2001:db8::/64 for 1 min" in shown.text("#log")


def test_a_subscriber_is_shown_with_address_client_lag_holdings_and_drift(shown):
    login, client, connected, state, lag, holds, drift, _ = cells(shown, "subscribers", 2)
    assert login.split("\n") == ["bob@example.com", "203.0.113.14"]
    assert (client, connected, state, lag) == ("copier 0.9", "1 h ago", "up to date", "184 ms")
    assert holds.replace("\xa0", " ") == "EURUSD 0.25, GBPUSD \u22120.25 +2"
    assert drift == "EURUSD 0.25, wants 0.5"
    _, client, _, state, _, _, drift, _ = cells(shown, "subscribers", 3)
    assert (client, state, drift) == ("\u2013", "up to date", "not reported")
    assert cells(shown, "subscribers", 4)[3] == "3 behind, 18.2 kB unsent"
    assert cells(shown, "subscribers", 5)[3] == "not acknowledged"


def test_live_messages_change_the_page(shown, server):
    changed = example(
        NOW + 1000, 1, positions=[position(profit=-5)], subscribers=[subscriber(5, "zoe", lag_ms=77)], bans=[]
    )
    server.dashboard.update(changed)
    shown.wait_for(f"{ROWS} === 1")
    assert cells(shown, "subscribers", 0)[0].startswith("zoe")
    assert cells(shown, "positions", 0)[6] == "\u22125.00"
    assert shown.text("#bans") == "No bans are in force."


def test_a_position_from_before_the_start_gets_a_time_when_it_changes(shown, server):
    for after, time, since in ((1000, 0, "before start"), (2000, NOW - 60_000, "1 min ago"), (3000, 0, "before start")):
        server.dashboard.update(example(NOW + after, 1, positions=[position(time=time)]))
        shown.wait_for(f"document.querySelector('#positions td:last-child').textContent === '{since}'")


def test_an_empty_provider_says_so_in_words(page, server):
    server.dashboard.update(made(NOW + 1000))
    log_in(page, server)
    page.wait_for("document.querySelector('#positions .empty').checkVisibility()")
    assert page.text("#positions") == "No open positions."
    assert page.text("#bans") == "No bans are in force."
    assert page.text("#log-empty") == "Nothing has been logged yet."
    address = f"ws://127.0.0.1:{server.port}/ws"
    assert page.text("#subscribers") == f"No subscriber is connected. They connect to {address}."


def test_text_of_others_is_shown_as_text(page, server):
    row = subscriber(1, HOSTILE, client=HOSTILE, address=HOSTILE, held={HOSTILE: 1}, wanted={HOSTILE: 2})
    hostile = made(
        NOW + 1000,
        server_row(server=HOSTILE, version=HOSTILE),
        positions=[position(HOSTILE)],
        subscribers=[row],
        bans=[Ban(HOSTILE, HOSTILE, 0, NOW / 1000 + 60, 1)],
        log=[LogLine(NOW, HOSTILE, HOSTILE)],
    )
    server.dashboard.update(hostile)
    log_in(page, server)
    page.wait_for(f"{ROWS} === 1")
    assert page.text("#server") == HOSTILE
    assert cells(page, "subscribers", 0)[0].split("\n") == [HOSTILE, HOSTILE]
    assert cells(page, "bans", 0)[1] == HOSTILE
    assert page.texts("#log .text") == [HOSTILE]
    page.click("[data-action=disable]")
    page.wait_for("document.getElementById('confirm').open")
    assert page.text("#confirm-title") == f"Disable {HOSTILE}?"
    assert page.value("document.querySelectorAll('body script, img').length") == 0


def test_the_charts_draw_the_last_five_minutes_and_describe_them(page, server):
    for second in range(1, 400):
        server.dashboard.update(example(NOW + second * 1000, second))
    log_in(page, server)
    page.wait_for("document.querySelectorAll('.chart .line').length === 4")
    described = page.value("[...document.querySelectorAll('.chart svg')].map(e => e.getAttribute('aria-label'))")
    assert [each.partition(":")[0] for each in described] == ["Messages sent per second", "Lag", "Subscribers"]
    assert described[2] == "Subscribers: between 8 and 8 in the last five minutes"
    points = page.value("document.querySelector('.chart .line').getAttribute('d').split('L').length")
    assert 295 <= points <= 300
    server.dashboard.update(example(NOW + 400_000, 400, counters=Counters(2000, 10**6, 10**9)))
    page.wait_for("document.querySelector('#chart-messages strong').textContent.length > 3")


def test_the_filter_shows_only_matching_subscribers(shown):
    shown.click("#filter")
    shown.type("BOB")
    shown.wait_for(f"{ROWS} === 1")
    assert shown.text("#subscribers-note") == "1 of 8"
    shown.type("xx")
    shown.wait_for("document.getElementById('subscribers').innerText === 'No subscriber matches the filter.'")


def test_a_heading_sorts_and_the_rows_stay_sorted(shown, server):
    shown.click("#subscribers th:nth-child(5) button")
    assert (
        shown.value("document.querySelector('#subscribers th:nth-child(5)').getAttribute('aria-sort')") == "ascending"
    )
    shown.click("#subscribers th:nth-child(5) button")
    assert cells(shown, "subscribers", 0)[0].startswith("bob")
    server.dashboard.update(
        example(NOW + 1000, 1, subscribers=[subscriber(1, "a", lag_ms=1), subscriber(2, "b", lag_ms=9)])
    )
    shown.wait_for(f"{ROWS} === 2")
    assert cells(shown, "subscribers", 0)[0].startswith("b")


def test_a_focused_button_keeps_the_focus_when_values_change(shown, server):
    shown.value("document.querySelector('[aria-label=\"Disable the login gunnar\"]').focus()")
    server.dashboard.update(example(NOW + 1000, 1))
    shown.wait_for("document.getElementById('log').dataset.made && document.getElementById('server').textContent")
    server.dashboard.update(example(NOW + 2000, 2, log=[LogLine(NOW, "info", "new")]))
    shown.wait_for("document.getElementById('log').innerText.includes('new')")
    assert shown.focused() == "Disable the login gunnar"


def test_a_script_that_got_into_the_page_does_not_run(shown):
    shown.value(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script); return true })()"
    )
    assert shown.value("window.ran === undefined")
    [problem] = shown.problems
    assert "Content Security Policy" in problem
    shown.problems.clear()


# ---- actions


@pytest.mark.parametrize(
    ("button", "title", "action"),
    [
        (
            "#subscribers tr:nth-child(2) [data-action=disconnect]",
            "Disconnect anna?",
            Action("disconnect", OPERATOR, 1),
        ),
        (
            "#subscribers tr:nth-child(2) [data-action=disable]",
            "Disable anna?",
            Action("disable", OPERATOR, None, "anna"),
        ),
        (
            "#bans tr:nth-child(2) [data-action=unban]",
            "Unban anna?",
            Action("unban", OPERATOR, None, "anna", "198.51.100.9"),
        ),
        ("#pause", "Pause the provider?", Action("pause", OPERATOR)),
    ],
)
def test_an_action_asks_and_is_done_after_it_was_confirmed(shown, server, button, title, action):
    shown.click(button)
    shown.wait_for("document.getElementById('confirm').open")
    assert shown.text("#confirm-title") == title
    assert shown.text("#confirm-text")
    assert shown.value("document.getElementById('confirm-yes').className") == (
        "primary" if action.action == "unban" else "danger"
    )
    assert server.actions == []
    shown.click("#confirm-yes")
    wait_until(lambda: server.actions == [action])
    shown.wait_for("document.querySelector('#toasts p.good')")
    assert not is_open(shown)


def test_cancel_and_escape_do_nothing(shown, server):
    shown.click("#pause")
    shown.wait_for("document.getElementById('confirm').open")
    # The safe choice has the focus.
    assert shown.focused() == "confirm-no"
    shown.press("Enter")
    shown.wait_for("!document.getElementById('confirm').open")
    shown.click("[data-action=disable]")
    shown.wait_for("document.getElementById('confirm').open")
    shown.press("Escape")
    shown.wait_for("!document.getElementById('confirm').open")
    assert server.actions == []


def test_the_keyboard_alone_is_enough_for_an_action(shown, server):
    shown.value("document.getElementById('pause').focus()")
    shown.press("Enter")
    shown.wait_for("document.getElementById('confirm').open")
    shown.press("Tab")
    assert shown.focused() == "confirm-yes"
    shown.press("Enter")
    wait_until(lambda: server.actions == [Action("pause", OPERATOR)])
    shown.wait_for("!document.getElementById('confirm').open")
    assert shown.focused() == "pause"


def test_a_paused_provider_is_shown_and_resumed(shown, server):
    server.dashboard.update(example(NOW + 1000, 1, paused=True))
    shown.wait_for("document.getElementById('health').textContent === 'Paused'")
    assert shown.text("#notice") == "Paused: an operator has paused the provider."
    shown.click("#pause")
    shown.wait_for("document.getElementById('confirm').open")
    assert shown.text("#confirm-title") == "Resume the provider?"
    shown.click("#confirm-yes")
    wait_until(lambda: server.actions == [Action("resume", OPERATOR)])


def test_an_action_that_is_not_possible_any_more_is_explained(shown, server):
    shown.click("[data-action=disconnect]")
    shown.wait_for("document.getElementById('confirm').open")
    server.dashboard.update(made(NOW + 1000))
    shown.wait_for(f"{ROWS} === 0")
    shown.click("#confirm-yes")
    shown.wait_for("document.querySelector('#toasts p.bad')")
    assert shown.text("#toasts") == "connection 8 has ended already"
    assert server.actions == []


# ---- the connection


def test_a_dropped_connection_is_shown_and_comes_back(shown, server):
    shown.click("#pause")
    shown.wait_for("document.getElementById('confirm').open")
    shown.value("window.fetchBefore = window.fetch; window.fetch = () => Promise.reject(new Error('no network')); true")
    server.drop()
    shown.wait_for("document.body.classList.contains('offline')")
    assert not is_open(shown)
    assert shown.text("#connection") == "offline"
    assert shown.text("#notice").startswith("Not connected to the provider. The data is ")
    assert shown.value("getComputedStyle(document.getElementById('pause')).pointerEvents") == "none"
    assert shown.value("document.title").startswith("(offline) ")
    shown.value("window.fetch = window.fetchBefore; true")
    server.dashboard.update(example(NOW + 60_000, 60, subscribers=[subscriber()]))
    shown.wait_for(f"!document.body.classList.contains('offline') && {ROWS} === 1")
    assert shown.text("#connection") == "live"


def test_data_that_is_not_renewed_is_shown_as_old(shown):
    shown.value("const before = performance.now; performance.now = () => before.call(performance) + 60000; true")
    shown.wait_for("document.getElementById('content').classList.contains('old')")
    assert shown.text("#connection") == "no new data"
    assert shown.text("#notice").startswith("The provider sends nothing new. The data is 1 min old.")
    assert shown.text("#health") == "Unknown"


# ---- themes and sizes


def background(page: Page) -> list[int]:
    text = page.value("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in text.removeprefix("rgb(").removesuffix(")").split(", ")]


def test_the_theme_follows_the_system_and_can_be_chosen(shown, server):
    assert min(background(shown)) > 200
    shown.prefer("dark")
    assert max(background(shown)) < 60
    for name, is_dark in (("light", False), ("dark", True), ("system", True)):
        shown.click("#theme")
        assert shown.value("document.getElementById('theme').title") == f"Theme: {name}"
        assert (max(background(shown)) < 60) == is_dark
    shown.click("#theme")
    shown.open(server.url)
    assert min(background(shown)) > 200


# The contrast of WCAG, of each element with text of its own to the nearest background that is not transparent.
CONTRAST = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = numbers(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    if (!node.checkVisibility() || node.closest("svg, .unseen")) continue;
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [numbers(getComputedStyle(node).color), behind(node)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${node.tagName} ${node.className} ${node.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
})()
"""

# What is wider than the window, or has text that is cut off without an ellipsis.
OVERFLOW = """
[...document.querySelectorAll("body *")].filter(node => node.checkVisibility() && !node.closest("svg, .unseen") &&
  (node.getBoundingClientRect().right > innerWidth + 0.5 || node.getBoundingClientRect().left < -0.5))
  .map(node => `${node.tagName} ${node.id} ${node.className} ${node.textContent.slice(0, 40)}`)
"""

# Controls without a name for screen readers, and controls that are too small for a finger.
UNNAMED = """
[...document.querySelectorAll("button, input")].filter(node => node.checkVisibility() &&
  !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length)).map(node => node.outerHTML)
"""
SMALL = """
[...document.querySelectorAll("button, input")].filter(node => node.checkVisibility() &&
  node.getBoundingClientRect().height < 30).map(node => node.outerHTML)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 900, 400])
def test_the_page_fits_is_named_and_has_contrast(shown, server, scheme, width, tmp_path: Path):
    shown.prefer(scheme)
    shown.size(width, 900)
    server.dashboard.update(example(NOW + 1000, 1, paused=True))
    shown.wait_for("document.getElementById('health').textContent === 'Paused'")
    shown.drawn()
    assert shown.value("document.documentElement.scrollWidth") <= width
    assert shown.value(OVERFLOW) == []
    assert shown.value(UNNAMED) == []
    assert shown.value(CONTRAST) == []
    if width == 400:
        assert shown.value(SMALL) == []
    shown.screenshot(tmp_path / f"dashboard-{scheme}-{width}.png")
    shown.click("[data-action=disconnect]")
    shown.wait_for("document.getElementById('confirm').open")
    assert shown.value("document.getElementById('confirm').getBoundingClientRect().right") <= width
    shown.screenshot(tmp_path / f"confirm-{scheme}-{width}.png", whole=False)


def test_the_login_fits_a_phone(page, server, tmp_path: Path):
    page.size(400, 700)
    page.open(server.url)
    page.wait_for("document.getElementById('login-name').checkVisibility()")
    assert page.value("document.documentElement.scrollWidth") <= 400
    assert page.value(CONTRAST) == []
    assert page.focused() == "login-name"
    page.screenshot(tmp_path / "login-400.png")


def test_at_1400_subscribers_are_a_table_and_at_400_blocks(shown):
    def is_blocks() -> bool:
        return bool(shown.value("document.getElementById('subscribers').classList.contains('blocks')"))

    assert not is_blocks()
    shown.size(400, 900)
    assert is_blocks()
    shown.size(1400, 900)
    assert not is_blocks()


def test_nothing_is_loaded_from_another_server(shown, server):
    names = shown.value("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert names
    assert {name.startswith(server.url) for name in names} == {True}, json.dumps(names)
