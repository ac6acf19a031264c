"""The page of a picture works in a real browser: it draws without errors, filters, zooms and shows details."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from trace_kit import drawn, talk

from winsock.trace.page import page
from winsock.trace.timeline import Timeline

__all__ = ["drawn", "talk"]

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.posix_only(reason="there is no browser on Wine; the page is the same"),
    pytest.mark.skipif(
        BROWSER is None, reason="Chromium is not installed: apt-get install --no-install-recommends chromium"
    ),
]

# Each script acts like a user and writes its result to the title of the document.
REPORT = "document.title = JSON.stringify(%s);"
HOVER = """
const node = document.querySelector(%r);
node.dispatchEvent(new MouseEvent("mousemove", {clientX: 300, clientY: 300, bubbles: true}));
"""


OTHERS = ("sockets", "connections", "waiting")


class Page:
    """A page in a file, which a browser displays."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder, self.text = folder, text

    def dom(self, fragment: str = "", script: str = "") -> str:
        """The document after its scripts and `script` have run; an error in any of them fails the test."""
        assert BROWSER
        file = self.folder / "page.html"
        file.write_text(self.text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        done = subprocess.run(
            [
                BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={self.folder / 'profile'}",
                "--enable-logging=stderr", "--window-size=1400,900", "--virtual-time-budget=2000", "--dump-dom",
                f"{file.as_uri()}#{fragment}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )  # fmt: skip
        assert "CONSOLE" not in done.stderr, done.stderr
        return done.stdout

    def numbers(self, fragment: str = "", script: str = "") -> tuple[int, int]:
        """The number of marks and of arrows that are drawn."""
        dom = self.dom(fragment, script)
        marks, arrows = len(re.findall(r"data-event=", dom)), len(re.findall(r"data-arrow=", dom))
        assert f'data-events="{marks}"' in dom
        assert f'data-arrows="{arrows}"' in dom
        return marks, arrows

    def result(self, script: str, fragment: str = "") -> object:
        """The result that the script reports."""
        found = re.search(r"<title>(.*?)</title>", self.dom(fragment, script))
        assert found
        return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@pytest.fixture
def shown(drawn: Timeline, tmp_path: Path) -> Page:
    return Page(tmp_path, page(drawn, "talk"))


def test_lanes_marks_and_arrows_are_drawn(shown: Page, drawn: Timeline) -> None:
    marks = sum(event.group != "names" for event in drawn.events)
    assert shown.numbers() == (marks, 8)
    dom = shown.dom()
    assert len(re.findall(r'class="lane"', dom)) == 2
    assert re.search(r"<span[^>]*>server</span><span[^>]*>client</span>", dom)
    for name in ("server", "client", "sockets", "connections", "data", "waiting", "names, numbers"):
        assert re.search(rf"<label><input type=\"checkbox\"[^>]*>(<i[^>]*></i>)?{name}</label>", dom), name


def test_the_view_is_stored_in_the_address_of_the_page(shown: Page, drawn: Timeline) -> None:
    everything = len(drawn.events)
    assert shown.numbers("groups=sockets,connections,data,waiting,names") == (everything, 8)
    assert shown.numbers("q=recv(") == (sum("recv(" in event.text for event in drawn.events), 0)
    assert shown.numbers("lanes=0")[1] == 0
    assert shown.numbers("errors=1") == (0, 0)
    assert shown.numbers("zoom=0.2&scale=time")[1] == 8
    assert 'data-zoom="0.200"' in shown.dom("zoom=0.2")


def test_filters_hide_marks_and_arrows(shown: Page, drawn: Timeline) -> None:
    only_data = sum(event.group == "data" for event in drawn.events)
    click = "".join(f"document.querySelector('[data-value={name}]').click();" for name in OTHERS)
    # Arrows for the ends of streams start at shutdown and closesocket, which are hidden now.
    assert shown.numbers(script=click) == (only_data, 5)
    assert shown.result(click + REPORT % "location.hash") == "#groups=data"
    typed = "const q = document.getElementById('query'); q.value = 'TICK'; q.dispatchEvent(new Event('input'));"
    assert shown.numbers(script=typed) == (2, 1)
    assert shown.result(typed + "document.getElementById('reset').click();" + REPORT % "location.hash") == ""


def test_zooming_changes_the_height(shown: Page) -> None:
    height = "document.querySelector('#picture svg').getAttribute('height') * 1"
    plain = shown.result(REPORT % height)
    assert isinstance(plain, int | float)
    for act in (
        "document.getElementById('in').click();",
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '+', bubbles: true}));",
        "document.getElementById('scroll').dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true}));",
    ):
        larger = shown.result(act + REPORT % height)
        assert isinstance(larger, int | float)
        assert larger > plain
    smaller = shown.result("document.getElementById('out').click();" + REPORT % height)
    assert isinstance(smaller, int | float)
    assert smaller < plain


def test_hovering_shows_the_whole_call_and_its_arrow(shown: Page) -> None:
    found = "[document.getElementById('tip').hidden, document.getElementById('tip').textContent, "
    found += "document.querySelectorAll('.arrow.lit').length, document.querySelectorAll('.mark.lit').length]"
    assert shown.result(REPORT % found) == [True, "", 0, 0]
    hidden, text, arrows, marks = shown.result(HOVER % ".mark.data" + REPORT % found)  # type: ignore[misc]
    assert (hidden, arrows, marks) == (False, 1, 2)
    assert "tick" in text
    assert "MainThread" in text
    hidden, text, arrows, marks = shown.result(HOVER % ".arrow.connection" + REPORT % found)  # type: ignore[misc]
    assert (hidden, arrows, marks) == (False, 1, 2)
    assert re.match(r"127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+fromclient: connect", text)
    escape = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}));"
    assert shown.result(HOVER % ".mark.data" + escape + REPORT % found)[0] is True  # type: ignore[index]
