"""The page of running programs: newer data, programs that appear, and calls that have not returned."""

from __future__ import annotations

import json
from typing import Any

from browser_kit import NEEDS_BROWSER, Page
from page_kit import Conversation, conversation
from page_window_kit import Show, rows, select, show, window
from trace_kit import drawn, talk

from winsock.trace.events import Lane
from winsock.trace.page import page_data
from winsock.trace.timeline import Timeline, timeline

__all__ = ["drawn", "show", "talk", "window"]

pytestmark = NEEDS_BROWSER


def give(opened: Page, lanes: list[Lane], **more: Any) -> None:
    """Newer data for the page."""
    opened.value(f"setData({json.dumps({**page_data(timeline(lanes, unfinished=True)), **more})}), 0")
    opened.drawn()


def with_another_first(talk: Conversation) -> list[Lane]:
    """The programs of this conversation after another one."""
    return [Lane("early", 7, ["early.py"], "compat", talk.lanes[0].offset), *talk.lanes]


def test_a_program_that_appears_before_the_others_changes_no_selection(show: Show) -> None:
    talk = conversation(3, 3)
    opened = show("", talk.timeline())
    select(opened, "client_1: recv(")
    details = opened.text("#details")
    opened.value("getSelection().selectAllChildren(document.querySelector('#details .whole')), 0")
    chosen = opened.value("getSelection().toString()")
    give(opened, with_another_first(talk))
    assert opened.texts("#heads span") == ["early", "server", "client_1", "client_2"]
    assert opened.text("#details") == details
    assert opened.value("getSelection().toString()") == chosen
    opened.wait_for("location.hash.startsWith('#call=2.')")


def test_a_program_that_appears_before_the_others_changes_no_filter_and_no_step(show: Show) -> None:
    talk = conversation(3, 3)
    opened = show("lanes=0,2&call=2.1", talk.timeline())
    opened.press(" ")
    opened.press(" ")
    opened.drawn()
    before = rows(opened)
    give(opened, with_another_first(talk))
    assert opened.texts("#heads span") == ["early", "server", "client_2"]
    assert rows(opened) == before


def test_a_program_whose_name_gets_a_number_keeps_its_selection(show: Show) -> None:
    talk = conversation(2, 3)
    opened = show("", talk.timeline())
    select(opened, "client_1: recv(")
    call = opened.text("#details .whole")
    give(opened, [Lane("client_1", 7, ["client.py"], "compat", talk.lanes[0].offset), *talk.lanes])
    assert opened.text("#details .where") == "client_1 2"
    assert opened.text("#details .whole") == call


def test_newer_data_may_have_another_title(show: Show) -> None:
    opened = show("", Timeline([], [], [], 0))
    give(opened, conversation(2, 3).lanes, title="server and <b>client</b>")
    assert opened.text("h1") == opened.value("document.title") == "server and <b>client</b>"
    give(opened, conversation(2, 3).lanes)
    assert opened.text("h1") == "server and <b>client</b>"


def test_without_calls_no_time_is_shown(show: Show) -> None:
    opened = show("", Timeline([], [], [], 0))
    assert opened.text("#summary") == ""
    give(opened, conversation(2, 3).lanes)
    assert opened.text("#summary").startswith("9 calls, ")


def test_a_call_that_has_not_returned_has_no_duration(show: Show) -> None:
    talk = Conversation(1)
    talk.call(0, "listen", s=256)
    begun = {"begun": 2, "t": talk.time, "pid": 100, "thread": "MainThread", "call": "accept", "text": "accept(256, "}
    talk.lanes[0].waiting[2] = begun
    found = timeline(talk.lanes, unfinished=True)
    opened = show("call=0.2", found)
    assert "duration\thas not returned\n" in opened.text("#details")
    found.events[-1].end += 6 * 10**9
    opened.value(f"setData({json.dumps(page_data(found))}), 0")
    assert "duration\thas not returned for 6.00 s\n" in opened.text("#details")


def test_the_details_say_which_time_the_picture_shows(show: Show) -> None:
    talk = conversation(2, 3)
    opened = show("", talk.timeline())
    for call, shown in (("client_1: connect(", "the start"), ("server: accept(", "0.000118 s, the end")):
        select(opened, call)
        assert f"column time\t{shown}\n" in opened.text("#details")
