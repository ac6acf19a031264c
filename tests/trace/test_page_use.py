"""The page of a picture in use: keys, search, errors, the step mode and the help."""

from __future__ import annotations

import ast
import re

from browser_kit import NEEDS_BROWSER, Page
from page_kit import Conversation, conversation
from page_window_kit import Show, arrow_count, rows, select, show, window
from trace_kit import drawn, talk

from winsock.trace.timeline import Timeline

__all__ = ["drawn", "show", "talk", "window"]

pytestmark = NEEDS_BROWSER


def chosen(opened: Page) -> str:
    """The selected call and its program."""
    return opened.text("#details .where") + ": " + " ".join(opened.texts("#details .whole"))


def test_the_arrow_keys_move_from_call_to_call_and_screen_readers_follow(show: Show) -> None:
    opened = show()
    calls = {"Home": "WSAStartup", "ArrowDown": "socket", "j": "bind", "k": "socket", "End": "WSACleanup"}
    for key, call in calls.items():
        opened.press(key)
        assert opened.text("#details h2") == call
        opened.drawn()
        active = opened.value("document.getElementById(svg.getAttribute('aria-activedescendant'))?.ariaSelected")
        assert active == "true"
    opened.press("Escape")
    assert not opened.value("details.checkVisibility()")


def test_screen_readers_get_a_list_of_the_calls(show: Show) -> None:
    opened = show()
    opened.press("Home")
    opened.drawn()
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node["name"]["value"]) for node in nodes if "name" in node and not node["ignored"]]
    options = [name for role, name in found if role == "option" and ": " in name]
    assert [re.sub(r", at [\d.]+ s$", "", name) for name in options] == rows(opened)
    # Every other part of the picture is hidden: "group" is the role of a part of an SVG image.
    groups = [name for role, name in found if role == "group"]
    assert groups == ["Rows", "Zoom", "Errors", "Calls", "Programs"]


def test_search_counts_the_matches_and_goes_to_the_next_and_previous_one(show: Show, drawn: Timeline) -> None:
    opened = show()
    found = [event for event in drawn.events if event.group != "names" and "recv(" in event.text]
    opened.press("/")
    opened.type("recv(")
    assert opened.text("#found") == str(len(found))
    assert opened.value("document.querySelectorAll('.band.hit').length") == len(found)
    seen = []
    for _ in found:
        opened.press("Enter")
        seen.append(opened.text("#found"))
    assert seen == [f"{number} of {len(found)}" for number in range(1, len(found) + 1)]
    opened.press("Enter")
    assert opened.text("#found") == seen[0]
    assert "continued at the beginning" in opened.text("#status")
    opened.press("Enter", "Shift")
    assert opened.text("#found") == seen[-1]
    opened.press("Escape")
    for key, number in (("n", 1), ("n", 2), ("N", 1)):
        opened.press(key)
        assert opened.text("#found") == f"{number} of {len(found)}"
    opened.press("f", "Control")
    opened.type("nothing like this")
    assert opened.text("#found") == "0"
    opened.wait_for("location.hash.includes('q=nothing+like+this')")


def test_the_matching_call_of_the_selected_one_is_still_marked_as_found(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "EURUSD")
    opened = show("q=EURUSD", talk.timeline())
    assert opened.value("document.querySelectorAll('.band.hit').length") == 2
    select(opened, "client_1: recv(")
    assert opened.value("document.querySelectorAll('.band.hit, .band.chosen').length") == 2


def test_the_number_of_matches_does_not_move_the_picture(show: Show) -> None:
    opened = show()
    # There is no more room in the line than the controls need.
    opened.size(round(opened.value("document.getElementById('reset').getBoundingClientRect().right")) + 15, 900)
    top = "document.getElementById('view').getBoundingClientRect().top"
    before = opened.value(top)
    opened.press("/")
    opened.type("recv(")
    opened.press("Enter")
    assert opened.text("#found").startswith("1 of ")
    assert opened.value(top) == before


def test_search_finds_what_the_details_show(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "x" * 100 + "Needle\r\n")
    talk.call(0, "recv", s=256, buf="<512 bytes>", len=512, flags=0, thread="reader-7")
    for record in (record for lane in talk.lanes for record in lane.records):
        # The text of a call has only the first bytes.
        record["text"] = record["text"].replace("x" * 68 + "Needle\r\n", "...")
    talk.lanes[0].records[0]["source"]["line"] = 77
    opened = show("", talk.timeline())
    queries = {
        "needle": 2, "e\r": 2, "0d 0a": 2, "d0 a": 0, "78 4e 65": 2, "reader-7": 1, "server.py:77": 1, "server.py": 3,
        "server": 0, "read": 1, "50001": 4, "no such text": 0,
    }  # fmt: skip
    for query, count in queries.items():
        opened.value(f"search({query!r}), 0")
        assert opened.text("#found") == str(count), query


def test_search_finds_text_in_utf_8_and_the_values_of_fields(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    header = b"EURUSD\0\xcc\xcc\xcc16385\0\xcc\xcc\xcc\xcc"
    template = header + "\ufeff<chart>\0".encode("utf-16-le")
    for data in (template, "Gr\u00fc\u00dfe \u2116 1".encode(), "Gr\u00f6\u00dfe".encode("cp1252")):
        talk.message(1, "x" * len(data))
        for lane in talk.lanes:
            lane.records[-1] |= {"text": "moved", "args": lane.records[-1]["args"] | {"buf": None}}
            lane.records[-1]["args"]["buf"] = {"bytes": len(data), "hex": data.hex()}
    opened = show("", talk.timeline())
    queries = {"<chart>": 2, "(h1)": 2, "gr\u00fc\u00dfe": 2, "\u2116": 2, "Gr\u00f6\u00dfe": 2, "\u2117": 0}
    for query, count in queries.items():
        opened.value(f"search({query!r}), 0")
        assert opened.text("#found") == str(count), query


def test_without_a_selected_call_the_keys_begin_at_the_visible_ones(show: Show) -> None:
    opened = show("", conversation(2, 200).timeline())
    middle = opened.value("Math.floor(layout.count / 2)")
    opened.value("search('recv('), 0")
    for key, expected in (
        ("e", "layout.faults.filter(row => row >= top)[0]"),
        ("E", "layout.faults.filter(row => row < top).at(-1)"),
        ("n", "hits().filter(row => row >= top)[0]"),
        ("N", "hits().filter(row => row < top).at(-1)"),
        ("PageDown", "top + screenful()"),
        ("PageUp", "top - screenful()"),
        ("Home", "0"),
        ("End", "layout.count - 1"),
    ):
        opened.value(f"select(-1), scrollToY(layout.y[{middle}] - 5), draw(), 0")
        top = opened.value("firstVisible()")
        assert 0 < top <= middle
        opened.press(key)
        assert opened.value("here()") == opened.value(f"(top => {expected})({top})"), key


def test_a_later_call_that_the_filter_hides_ends_the_step_mode(show: Show) -> None:
    opened = show("groups=sockets")
    select(opened, "client: shutdown(")
    opened.press(" ")
    opened.press("m")
    opened.drawn()
    assert opened.text("#details h2") == "recv"
    assert not opened.value("steps.checkVisibility()")
    assert opened.value("document.querySelectorAll('.band.chosen').length") == 1


def test_a_failed_call_is_shown_also_if_its_kind_is_hidden_at_first(show: Show) -> None:
    talk = Conversation(2)
    talk.call(0, "htons", hostshort=1)
    talk.call(0, "gethostbyname", name="nowhere", error="WSAHOST_NOT_FOUND")
    opened = show("", talk.timeline())
    assert [row.split("(")[0] for row in rows(opened)] == ["server: gethostbyname"]
    opened.press("e")
    assert "WSAHOST_NOT_FOUND" in chosen(opened)
    opened.value("change({hidden: new Set([0])}), 0")
    assert rows(opened) == []


def test_the_end_of_a_program_is_no_error(show: Show) -> None:
    talk = Conversation(2)
    for end in ("KeyboardInterrupt", "SystemExit: 2", "ValueError: x"):
        record = talk.call(0, "accept", s=256)
        record["raised"], record["text"] = end, f"accept(256) raised {end}"
        del record["result"]
    opened = show("", talk.timeline())
    assert opened.text("#fault-count") == "1 error"
    outcomes = opened.value("[...document.querySelectorAll('#svg .outcome')].map(node => node.textContent)")
    assert outcomes == ["raised KeyboardInterrupt", "raised SystemExit: 2", "raised ValueError: x"]


def test_space_reveals_the_next_call_after_a_click_on_a_control(show: Show) -> None:
    opened = show()
    select(opened, "server: send(")
    for control in ("#by-time", "#groups [data-value=waiting]", "#only", "#fault-count", "#details .head button"):
        opened.click(control)
        state = opened.value("[state.view, state.groups.size, state.only, state.call]")
        opened.press(" ")
        opened.drawn()
        assert opened.value("steps.checkVisibility()"), control
        assert opened.value("[state.view, state.groups.size, state.only, state.call]")[:3] == state[:3], control
        opened.press("Escape")
    # The dialog gives the focus back to the picture.
    opened.click("#help")
    opened.press("Escape")
    opened.press(" ")
    assert not opened.value("about.open")
    assert opened.value("steps.checkVisibility()")
    opened.press("Escape")
    # A control that the keyboard has reached keeps the focus.
    opened.value("document.getElementById('by-order').focus(), 0")
    opened.press(" ")
    assert opened.value("state.step") == -1


def test_a_link_to_a_call_that_does_not_exist_says_so(show: Show) -> None:
    for key in ("99.1", "0.99999", "0.nothing", "nonsense"):
        opened = show(f"call={key}")
        assert opened.text("#status") == f"this trace has no call {key}"
        assert opened.value("state.call") == -1
    assert show("call=0.1").text("#status") == ""


def test_copied_text_is_a_c_string_with_the_same_bytes(show: Show) -> None:
    data = b'NEEDLE\x001 \0a\0\xffa\xffg\x01F\x7f"\\\t\r\n\xe9\0'
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, data.decode("latin-1").encode("ascii", "replace").decode("ascii"))
    talk.lanes[1].records[-1]["args"]["buf"] = {"bytes": len(data), "hex": data.hex()}
    opened = show("", talk.timeline())
    opened.press("End")
    opened.value("navigator.clipboard.writeText = async text => { window.copied = text }")
    opened.click(".copies button:last-child")
    opened.wait_for("window.copied")
    copied = opened.value("window.copied")
    # C takes all hexadecimal digits after \\x, and up to three octal digits.
    assert not re.search(r"\\x[0-9a-f]{2}[0-9a-fA-F]|\\0[0-9](?![0-9])", copied), copied
    assert copied.startswith(r"NEEDLE\0001 \0a\0\377a\xffg\001F")
    assert ast.literal_eval(f'b"{copied}"') == data


def test_errors_are_counted_marked_and_reached_by_a_key(show: Show) -> None:
    opened = show("", conversation(3, 100).timeline())
    assert opened.text("#fault-count") == "4 errors"
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--error')"
    red = opened.value(
        "(() => { const c = strip.calls, [r, g, b] = " + colour + ".match(/\\w\\w/g).map(h => parseInt(h, 16));"
        "const d = c.getContext('2d').getImageData(c.width - 3, 0, 1, c.height).data; let n = 0;"
        "for (let y = 0; y < c.height; y++) n += d[y * 4] === r && d[y * 4 + 1] === g && d[y * 4 + 2] === b;"
        "return n })()"
    )
    assert red >= 4 * 2
    for number in (1, 2, 3, 4, 1):
        opened.press("e")
        opened.drawn()
        assert "WSAECONNRESET" in chosen(opened), number
        assert opened.value("document.querySelectorAll('#svg .mark.bad .sign').length") >= 1
    opened.press("E")
    opened.click("#groups [data-value=errors]")
    opened.drawn()
    assert len(rows(opened)) == 4


def test_space_reveals_one_call_after_the_other(show: Show, drawn: Timeline) -> None:
    opened = show()
    expected = rows(opened)
    for number in range(1, 6):
        opened.press(" ")
        opened.drawn()
        assert rows(opened) == expected[:number]
        assert opened.text("#step-count") == f"call {number} of {len(expected)}"
    opened.press(" ", "Shift")
    opened.drawn()
    assert rows(opened) == expected[:4]
    opened.wait_for("location.hash.includes('step=')")
    opened.press("Escape")
    opened.drawn()
    assert rows(opened) == expected
    assert not opened.value("steps.checkVisibility()")
    select(opened, "server: recv(")
    opened.press(" ")
    opened.drawn()
    assert "recv(" in rows(opened)[-1]
    # An arrow appears with the second one of its calls.
    assert arrow_count(opened) < 8
    for button in ("#step-next", "#step-back", "#step-end"):
        opened.click(button)
    opened.drawn()
    assert (rows(opened), arrow_count(opened)) == (expected, 8)


def test_the_help_lists_every_key_the_legend_and_the_limits(show: Show) -> None:
    opened = show()
    opened.press("?")
    text = opened.text("#about")
    for part in ("Space", "Shift+E", "next match", "datagram", "end of stream", "retransmissions", "Wireshark"):
        assert part in text
    assert opened.value("document.activeElement.closest('dialog') !== null")
    opened.press("Escape")
    assert not opened.value("about.open")
    legend = opened.text("#legend")
    assert "error" in legend
    assert "What this page cannot show" in legend
