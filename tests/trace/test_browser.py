"""The page of a picture works in a real browser: what it draws, its filters, its link and its details."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_kit import NEEDS_BROWSER
from page_kit import Conversation, conversation
from page_window_kit import Show, arrow_count, rows, select, show, window
from trace_kit import drawn, talk

from winsock.trace.page import page_data
from winsock.trace.timeline import Timeline

__all__ = ["drawn", "show", "talk", "window"]

pytestmark = NEEDS_BROWSER


def test_lanes_calls_and_arrows_are_drawn(show: Show, drawn: Timeline) -> None:
    page = show()
    names = [lane.name for lane in drawn.lanes]
    expected = [f"{names[event.lane]}: {event.text}" for event in drawn.events if event.group != "names"]
    assert rows(page) == expected
    assert arrow_count(page) == len(drawn.arrows) == 8
    assert page.texts("#heads span") == names
    assert page.texts("#lanes button") == names
    for kind in ("connection", "data", "datagram", "end"):
        expected_count = sum(arrow.kind == kind for arrow in drawn.arrows)
        assert page.value(f"document.querySelectorAll('.arrow.{kind}').length") == expected_count, kind


def test_filters_hide_calls_and_arrows(show: Show, drawn: Timeline) -> None:
    page = show()
    for group in ("sockets", "connections", "waiting"):
        page.click(f"#groups [data-value={group}]")
    page.drawn()
    assert len(rows(page)) == sum(event.group == "data" for event in drawn.events)
    # Arrows for the ends of streams start at shutdown and closesocket, which are hidden now.
    assert arrow_count(page) == 5
    page.wait_for("location.hash === '#groups=data'")
    page.click("#lanes [data-value=lane-0]")
    page.drawn()
    assert {row.partition(":")[0] for row in rows(page)} == {"client"}
    assert (arrow_count(page), page.texts("#heads span")) == (0, ["client"])
    page.click("#reset")
    page.wait_for("location.hash === ''")
    assert arrow_count(page) == 8
    page.click("#groups [data-value=errors]")
    page.drawn()
    assert rows(page) == []
    assert "The filter hides" in page.text("#empty")


def test_only_matches_shows_the_calls_with_a_text(show: Show, drawn: Timeline) -> None:
    page = show()
    page.click("#query")
    page.type("TICK")
    assert len(rows(page)) > 2
    page.click("#only")
    page.drawn()
    assert len(rows(page)) == sum("tick" in event.text for event in drawn.events) == 2
    assert arrow_count(page) == 1


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
    page = show()
    page.click("#groups [data-value=waiting]")
    select(page, "server: recv(")
    page.press("t")
    page.click("#link")
    page.wait_for("document.getElementById('status').textContent === 'link to this call copied'")
    link = page.value("location.hash")
    assert link.startswith("#groups=sockets%2Cconnections%2Cdata&view=time&call=0.")
    shown = (
        "[svg.dataset.rows, state.view, sizer.style.height, details.innerText,"
        "document.querySelectorAll('.band.chosen').length,"
        "[...document.querySelectorAll('[aria-pressed=true]')].map(button => button.innerText)]"
    )
    before = page.value(shown)
    assert show(link[1:]).value(shown) == before
    assert before[4] == 1
    assert "Time" in before[5]


def test_a_link_can_name_the_first_call_of_a_program(show: Show) -> None:
    for key, call in (
        ("1.recv", 'recv(256, "bye<", 4, 0)'),
        ("0.send", 'send(272, "bye</script>", 12, 0)'),
        ("1.x", ""),
    ):
        page = show(f"call={key}")
        assert page.value("document.querySelector('#details .whole')?.textContent ?? ''") == call


def test_going_to_another_link_of_the_same_page_shows_its_call(show: Show) -> None:
    page = show("call=0.1")
    assert "WSAStartup" in page.text("#details h2")
    page.value("location.hash = '#call=1.2'")
    page.wait_for("document.querySelector('#details .where').textContent === 'client'")


def test_the_details_have_all_arguments_times_and_the_source_line(show: Show, drawn: Timeline) -> None:
    page = show()
    select(page, "client: connect(")
    text = page.text("#details")
    event = next(event for event in drawn.events if event.call == "connect")
    table = dict(row.split("\t") for row in page.texts("#details [aria-label=arguments] tr"))
    assert list(table) == ["s", "name", "namelen"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", table["name"])
    for shown in (event.record["local"], event.record["peer"], "MainThread", "client.py"):
        assert shown in text
    assert re.search(r"duration\t[\d.]+ (ns|µs|ms|s)\n", text)
    source = event.record["source"]
    assert f"{source['file']}:{source['line']}" in text
    assert "connect(client, name, 16)" in text


def test_the_matching_call_is_a_link(show: Show) -> None:
    page = show()
    select(page, "client: send(")
    assert page.texts("#details .partners a") == ["recv in server"]
    href = page.value("document.querySelector('#details .partners a').getAttribute('href')")
    page.click("#details .partners a")
    assert (page.text("#details h2"), page.text("#details .where")) == ("recv", "server")
    page.wait_for(f"location.hash === {href!r}")
    page.press("m")
    assert (page.text("#details h2"), page.text("#details .where")) == ("send", "client")


def test_the_bytes_are_in_hex_and_text_side_by_side_and_selectable(show: Show) -> None:
    page = show()
    select(page, "server: send(")
    assert page.text(".dump .hex").split() == [f"{byte:02x}" for byte in b"bye</script>"]
    assert page.text(".dump .letters").replace("\n", "") == "bye</script>"
    left, right = page.value("['.hex', '.letters'].map(c => document.querySelector(c).getBoundingClientRect().top)")
    assert left == right
    chosen = page.value(
        "getSelection().selectAllChildren(document.querySelector('.dump .hex')), getSelection().toString()"
    )
    assert chosen.split() == [f"{byte:02x}" for byte in b"bye</script>"]
    page.value("navigator.clipboard.writeText = async text => { window.copied = text }")
    for name, copied in (("hex", "62 79 65 3c 2f 73 63 72 69 70 74 3e"), ("text", "bye</script>")):
        page.value(f"[...document.querySelectorAll('.copies button')].find(b => /{name}/.test(b.textContent)).click()")
        page.wait_for("window.copied")
        assert page.value("window.copied") == copied


def test_the_article_s_messages_are_annotated_field_by_field(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "<<EURUSD|0.25>>\0")
    talk.message(1, "<<EURUSD|-1.50>>\0")
    page = show("", talk.timeline())
    page.press("End")
    table = [row.split("\t") for row in page.texts("#details .fields tbody tr")]
    assert table == [
        ["begin mark", "0 to 1", "<<"],
        ["symbol", "2 to 7", "EURUSD"],
        ["separator", "8", "|"],
        ["lots", "9 to 13", "-1.50"],
        ["end mark", "14 to 15", ">>"],
        ["terminating zero", "16", "\\0"],
    ]
    assert "Bytes 16 to 32 of this direction of the stream" in page.text("#details")
    for column, shown in ((".hex", ["2d", "31", "2e", "35", "30"]), (".letters", ["-1.50"])):
        parts = page.texts(f"#details {column} [data-field='3']")
        assert " ".join(parts).split() == shown
        places = (f"{column} [data-field='3']", ".fields [data-field='3'] .swatch")
        colours = [
            page.value(f"getComputedStyle(details.querySelector(`{place}`)).backgroundColor") for place in places
        ]
        assert colours[0] == colours[1] != "rgba(0, 0, 0, 0)"


def test_new_data_keeps_the_selected_call_and_the_filter(show: Show, drawn: Timeline) -> None:
    page = show("lanes=1&call=1.3")
    before = page.text("#details h2"), rows(page)
    page.value("getSelection().selectAllChildren(document.querySelector('#details .whole')), 0")
    page.value("window.given = JSON.parse(document.getElementById('json').textContent), 0")
    assert page.value("given.columns.lane.length") == len(page_data(drawn)["columns"]["lane"])
    page.value("setData(given)")
    assert (page.text("#details h2"), rows(page)) == before
    assert re.fullmatch(r"htons\(\d+\)", page.value("getSelection().toString()"))


def test_new_data_shows_new_programs_and_calls_at_the_end(show: Show) -> None:
    talk = conversation(3, 200)
    data = page_data(talk.timeline())
    first = conversation(2, 100)
    page = show("", first.timeline())
    page.press("End")
    page.press("Escape")
    page.value(f"setData({json.dumps(data)}), 0")
    page.drawn()
    assert page.texts("#heads span") == ["server", "client_1", "client_2"]
    assert page.value("svg.dataset.rows") == str(len(data["columns"]["lane"]))
    # The page was at its end, so it follows.
    assert page.value("topOfView() + viewHeight() >= layout.height - 1")
    page.value("scrollToY(500), draw(), 0")
    at = page.value("layout.rows[rowAt(layout.y, topOfView())]")
    talk.message(1, "<<EURUSD|1.00>>\0")
    page.value(f"setData({json.dumps(page_data(talk.timeline()))}), 0")
    assert page.value("layout.rows[rowAt(layout.y, topOfView())]") == at


def test_a_timeline_without_calls_says_so(show: Show) -> None:
    page = show("", Timeline([], [], [], 0))
    assert "No calls yet" in page.text("#empty")


def test_a_timeline_with_hidden_calls_says_how_to_show_them(show: Show) -> None:
    talk = Conversation(1)
    talk.call(0, "htons", hostshort=80)
    page = show("", talk.timeline())
    assert page.text("#empty").startswith("The filter hides 1 call. Show more kinds of calls")
    page.click("#groups .names")
    assert page.value("document.getElementById('empty').hidden")
    assert rows(page) == ["server: htons(80) = 0"]
    for key in (" ", "n", "e", "m", "ArrowDown", "t", "End"):
        page.press(key)
