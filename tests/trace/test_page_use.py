"""The page of a picture in use: keys, search, errors, the step mode and the help."""

from __future__ import annotations

from browser_kit import NEEDS_BROWSER, Page
from page_kit import conversation
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
