"""The page of a picture works in a real browser: what it draws, its filters, its link and its details."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import NEEDS_BROWSER, Page, browser
from trace_kit import drawn, talk

from winsock.trace.page import page, page_data
from winsock.trace.timeline import Timeline

__all__ = ["drawn", "talk"]

pytestmark = NEEDS_BROWSER

Show = Callable[..., Page]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def show(window: Page, drawn: Timeline, tmp_path: Path) -> Iterator[Show]:
    """Opens the page of a timeline; an error in its scripts, or a refused resource, fails the test."""
    file = tmp_path / "page.html"

    def open_page(fragment: str = "", timeline: Timeline = drawn) -> Page:
        file.write_text(page(timeline, "talk"), encoding="utf-8")
        window.size(1400, 900)
        window.open("about:blank")
        window.open(file.as_uri() + (f"#{fragment}" if fragment else ""))
        window.drawn()
        return window

    yield open_page
    assert window.problems == []


def rows(window: Page) -> list[str]:
    """The calls of all drawn rows, with the names of their lanes."""
    found = window.value("[...document.querySelectorAll('[data-event]')].map(e => e.getAttribute('aria-label'))")
    assert str(len(found)) == window.value("document.getElementById('svg').dataset.rows")
    return [re.sub(r", at [\d.]+ s$", "", text) for text in found]


def arrow_count(window: Page) -> int:
    count: int = window.value("document.querySelectorAll('[data-arrow]').length")
    assert str(count) == window.value("document.getElementById('svg').dataset.arrows")
    return count


def select(window: Page, call: str) -> None:
    """Click on the first drawn call that starts like this, such as `client: recv(`."""
    window.click(f"[data-event][aria-label^={call!r}] .label")
    window.drawn()


def test_lanes_calls_and_arrows_are_drawn(show: Show, drawn: Timeline) -> None:
    window = show()
    names = [lane.name for lane in drawn.lanes]
    expected = [f"{names[event.lane]}: {event.text}" for event in drawn.events if event.group != "names"]
    assert rows(window) == expected
    assert arrow_count(window) == len(drawn.arrows) == 8
    assert window.texts("#heads span") == names
    assert window.texts("#lanes button") == names
    for kind in ("connection", "data", "datagram", "end"):
        expected_count = sum(arrow.kind == kind for arrow in drawn.arrows)
        assert window.value(f"document.querySelectorAll('.arrow.{kind}').length") == expected_count, kind


def test_filters_hide_calls_and_arrows(show: Show, drawn: Timeline) -> None:
    window = show()
    for group in ("sockets", "connections", "waiting"):
        window.click(f"#groups [data-value={group}]")
    window.drawn()
    assert len(rows(window)) == sum(event.group == "data" for event in drawn.events)
    # Arrows for the ends of streams start at shutdown and closesocket, which are hidden now.
    assert arrow_count(window) == 5
    window.wait_for("location.hash === '#groups=data'")
    window.click("#lanes [data-value=lane-0]")
    window.drawn()
    assert {row.partition(":")[0] for row in rows(window)} == {"client"}
    assert (arrow_count(window), window.texts("#heads span")) == (0, ["client"])
    window.click("#reset")
    window.wait_for("location.hash === ''")
    assert arrow_count(window) == 8
    window.click("#groups [data-value=errors]")
    window.drawn()
    assert rows(window) == []
    assert "No call passes the filter" in window.text("#empty")


def test_only_matches_shows_the_calls_with_a_text(show: Show, drawn: Timeline) -> None:
    window = show()
    window.click("#query")
    window.type("TICK")
    assert len(rows(window)) > 2
    window.click("#only")
    window.drawn()
    assert len(rows(window)) == sum("tick" in event.text for event in drawn.events) == 2
    assert arrow_count(window) == 1


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("groups=sockets,connections,data,waiting,names", lambda event: True),
        ("q=recv(&only=1", lambda event: "recv(" in event.text and event.group != "names"),
        ("lanes=0", lambda event: event.lane == 0 and event.group != "names"),
        ("groups=data&view=time&zoom=0.5", lambda event: event.group == "data"),
        ("errors=1", lambda event: False),
    ],
)
def test_a_link_opens_the_page_with_its_filter(
    show: Show, drawn: Timeline, fragment: str, expected: Callable[[Any], bool]
) -> None:
    assert len(rows(show(fragment))) == sum(map(expected, drawn.events))


def test_the_copied_link_opens_the_same_call_and_filter(show: Show) -> None:
    window = show()
    window.click("#groups [data-value=waiting]")
    select(window, "server: recv(")
    window.press("t")
    window.click("#link")
    link = window.value("location.hash")
    assert "link to this call copied" in window.text("#status")
    assert link.startswith("#groups=sockets%2Cconnections%2Cdata&view=time&call=0.")
    shown = (
        "[svg.dataset.rows, svg.dataset.arrows, sizer.style.height, details.innerText,"
        "document.querySelectorAll('.band.chosen').length,"
        "[...document.querySelectorAll('[aria-pressed=true]')].map(button => button.innerText)]"
    )
    before = window.value(shown)
    assert show(link[1:]).value(shown) == before
    assert before[4] == 1
    assert "Time" in before[5]


def test_going_to_another_link_of_the_same_page_shows_its_call(show: Show) -> None:
    window = show("call=0.1")
    assert "WSAStartup" in window.text("#details h2")
    window.value("location.hash = '#call=1.2'")
    window.wait_for("document.querySelector('#details .where').textContent === 'client'")


def test_the_details_have_all_arguments_times_and_the_source_line(show: Show, drawn: Timeline) -> None:
    window = show()
    select(window, "client: connect(")
    text = window.text("#details")
    event = next(event for event in drawn.events if event.call == "connect")
    table = dict(row.split("\t") for row in window.texts("#details [aria-label=arguments] tr"))
    assert list(table) == ["s", "name", "namelen"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", table["name"])
    for shown in (event.record["local"], event.record["peer"], "MainThread", "client.py"):
        assert shown in text
    assert re.search(r"duration\t[\d.]+ (ns|µs|ms|s)\n", text)
    source = event.record["source"]
    assert f"{source['file']}:{source['line']}" in text
    assert "connect(client, name, 16)" in text


def test_the_matching_call_is_a_link(show: Show) -> None:
    window = show()
    select(window, "client: send(")
    assert window.texts("#details .partners a") == ["recv in server"]
    href = window.value("document.querySelector('#details .partners a').getAttribute('href')")
    window.click("#details .partners a")
    assert (window.text("#details h2"), window.text("#details .where")) == ("recv", "server")
    window.wait_for(f"location.hash === {href!r}")
    window.press("m")
    assert (window.text("#details h2"), window.text("#details .where")) == ("send", "client")


def test_the_bytes_are_in_hex_and_text_side_by_side_and_selectable(show: Show) -> None:
    window = show()
    select(window, "server: send(")
    assert window.text(".dump .hex").split() == [f"{byte:02x}" for byte in b"bye</script>"]
    assert window.text(".dump .letters").replace("\n", "") == "bye</script>"
    left, right = window.value("['.hex', '.letters'].map(c => document.querySelector(c).getBoundingClientRect().top)")
    assert left == right
    chosen = window.value(
        "getSelection().selectAllChildren(document.querySelector('.dump .hex')), getSelection().toString()"
    )
    assert chosen.split() == [f"{byte:02x}" for byte in b"bye</script>"]
    window.value("navigator.clipboard.writeText = async text => { window.copied = text }")
    for name, copied in (("hex", "62 79 65 3c 2f 73 63 72 69 70 74 3e"), ("text", "bye</script>")):
        window.value(
            f"[...document.querySelectorAll('.copies button')].find(b => /{name}/.test(b.textContent)).click()"
        )
        window.wait_for("window.copied")
        assert window.value("window.copied") == copied


def test_new_data_keeps_the_selected_call_and_the_filter(show: Show, drawn: Timeline) -> None:
    window = show("lanes=1&call=1.3")
    before = window.text("#details h2"), rows(window)
    window.value("window.given = JSON.parse(document.getElementById('json').textContent), 0")
    assert window.value("given.columns.lane.length") == len(page_data(drawn)["columns"]["lane"])
    window.value("setData(given)")
    assert (window.text("#details h2"), rows(window)) == before


def test_a_timeline_without_calls_says_so(show: Show) -> None:
    window = show("", Timeline([], [], [], 0))
    assert "No calls yet" in window.text("#empty")
    for key in (" ", "n", "e", "m", "ArrowDown", "t", "End"):
        window.press(key)
