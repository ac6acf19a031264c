"""The layout of the page of a picture: nothing overlaps, the view by time, bars, widths, and data of any origin."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from browser_kit import NEEDS_BROWSER, Page, browser
from page_kit import Conversation, conversation
from page_window_kit import Show, arrow_count, rows, select, show, window
from trace_kit import drawn, talk

from winsock.trace.page import page, page_data
from winsock.trace.timeline import Timeline

__all__ = ["drawn", "show", "talk", "window"]

pytestmark = NEEDS_BROWSER

# The pairs of texts in the picture that overlap.
OVERLAPS = """(() => {
  const nodes = [...document.querySelectorAll("#svg .label, #svg .took, #svg .said, #svg .time, #svg .paused")];
  const boxes = nodes.map(node => [node.textContent, node.getBoundingClientRect()]), found = [];
  boxes.forEach(([text, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top + 4 < b.bottom && b.top + 4 < a.bottom)
      found.push([text, other]);
  }));
  return found;
})()"""

# The arrows that cross a label of a call: points on their lines that are inside a label's box.
CROSSED = """(() => {
  const nodes = [...document.querySelectorAll("#svg .label")], found = [];
  const labels = nodes.map(node => [node.textContent, node.getBoundingClientRect()]);
  for (const path of document.querySelectorAll("#svg .arrow .seen")) {
    const matrix = path.getScreenCTM();
    for (let at = 0; at < path.getTotalLength(); at += 3) {
      const {x, y} = path.getPointAtLength(at).matrixTransform(matrix);
      for (const [text, box] of labels)
        if (x > box.left && x < box.right && y > box.top + 2 && y < box.bottom - 2) found.push(text);
    }
  }
  return found;
})()"""

# Colours of texts and of what is behind them.
_PAIRS = (
    ("ink", "paper"), ("ink", "accent-band"), ("ink", "partner-band"), ("ink", "hit-band"), ("ink", "f0"),
    ("ink", "f1"), ("ink", "f2"), ("ink", "f3"), ("soft", "panel"), ("soft", "raised"), ("soft", "hit-band"),
    ("error", "error-band"), ("error", "paper"), ("waiting", "paper"), ("accent", "panel"), ("paper", "datagram"),
)  # fmt: skip


def drawn_texts(opened: Page, kind: str) -> list[str]:
    """The texts of this class in the picture."""
    found: list[str] = opened.value(f"[...document.querySelectorAll('#svg .{kind}')].map(node => node.textContent)")
    return found


def cut_times(opened: Page) -> list[str]:
    """The times of which a part is outside of the window, or covered by the first lane."""
    found: list[str] = opened.value(
        """[...document.querySelectorAll("#svg .time, #svg .paused")].filter(node => {
          const box = node.getBoundingClientRect(), lane = document.querySelector("line[data-lane]");
          return box.left < 0 || box.right > lane.getBoundingClientRect().left - 16;
        }).map(node => node.textContent)"""
    )
    return found


@pytest.mark.parametrize("programs", [2, 3, 6])
@pytest.mark.parametrize("view", ["order", "time"])
def test_no_label_overlaps_another_and_no_arrow_crosses_one(show: Show, programs: int, view: str) -> None:
    opened = show(f"view={view}", conversation(programs, 120).timeline())
    assert len(opened.texts("#heads span")) == programs
    for place in (0, 0.4, 1):
        opened.value(f"scrollToY(layout.height * {place}), 0")
        opened.drawn()
        assert opened.value("document.querySelectorAll('#svg .label').length") > 10
        assert opened.value("document.querySelectorAll('#svg .arrow').length") > 3
        assert opened.value(OVERLAPS) == []
        assert opened.value(CROSSED) == []
    assert opened.value("(scroll => scroll.scrollWidth <= scroll.clientWidth)(document.getElementById('scroll'))")


def test_the_view_by_time_shortens_and_marks_long_pauses(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    for pause in (1_000_000, 1_000_000, 2_000_000, 2_000_000, 60 * 10**9, 1_000_000):
        talk.message(1, "<<EURUSD|1.00>>\0", 3_000, pause)
    opened = show("view=time", talk.timeline())
    assert opened.value("document.querySelectorAll('rect.pause').length") == 1
    assert drawn_texts(opened, "paused") == ["+1:00 min"]
    y: list[float] = opened.value("[...layout.y]")
    sends = [row for row, text in enumerate(rows(opened)) if "send(" in text]
    distances = [y[after] - y[after - 1] for after in sends[1:]]
    assert distances[0] < distances[2] < distances[4] < 120
    assert distances[0] - 22 == pytest.approx((distances[2] - 22) / 2, rel=0.05)


def test_a_bar_is_as_long_as_its_call_took(show: Show) -> None:
    talk = Conversation(3)
    talk.connect(1)
    # The client waits while the other one makes five calls.
    begin = talk.time
    for _ in range(5):
        talk.call(2, "setsockopt", s=256, result=0)
    waited = talk.call(1, "recv", talk.time - begin, 0, s=256, buf="<512 bytes>", len=512, flags=0, result=0)
    waited["t"] = begin
    opened = show("groups=sockets,data&lanes=1,2", talk.timeline())
    heights = opened.value("[...document.querySelectorAll('.mark .bar')].map(bar => bar.height.baseVal.value)")
    assert max(heights) == heights[-1] > 5 * 22 * 0.9
    assert all(height < 22 for height in heights[:-1])
    select(opened, "client_1: recv(")
    assert "70 µs" in opened.text("#details")


@pytest.mark.parametrize("threads", [5, 9])
def test_bars_of_many_threads_of_a_program_do_not_overlap(show: Show, threads: int) -> None:
    talk = Conversation(1)
    for number in range(threads):
        record = talk.call(0, "recv", s=256, buf="<512 bytes>", len=512, flags=0, thread=f"Thread-{number}")
        # Each call waits while the other threads begin theirs.
        record["d"] = 1_000_000
    # A later thread gets a place that is free.
    talk.time = 2_000_000
    talk.call(0, "recv", 50_000, s=256, buf="<512 bytes>", len=512, flags=0, thread="late")
    opened = show("", talk.timeline())
    bars = opened.value(
        "[...document.querySelectorAll('.mark .bar')].map(bar => (box => [box.left, box.right])"
        "(bar.getBoundingClientRect()))"
    )
    together, late = sorted(bars[:threads]), bars[threads]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(together))
    assert together[0] == late
    assert together[-1][1] < opened.value("document.querySelector('#svg .label').getBoundingClientRect().left")


@pytest.mark.parametrize("view", ["order", "time"])
def test_the_bar_of_a_call_that_waits_leaves_the_call_before_it_visible(show: Show, view: str) -> None:
    talk = Conversation(2)
    talk.call(0, "listen", 4_000, 10**6, s=256, backlog=5)
    begin = 4_001
    talk.connect(1)
    accept = talk.lanes[0].records[-1]
    accept["d"], accept["t"] = talk.time - begin, begin
    opened = show(f"view={view}", talk.timeline())
    (listen, _, _, accept_bar) = opened.value(
        "[...document.querySelectorAll('.mark .bar')].map(bar => (box => [box.top, box.bottom])"
        "(bar.getBoundingClientRect()))"
    )
    assert accept_bar[1] - accept_bar[0] > 40
    assert listen[1] < accept_bar[0]
    # The head of the arrow is on the right of the bar and points to it.
    before, tip, bar = opened.value(
        """(() => {
          const path = document.querySelector(".arrow.connection .seen"), length = path.getTotalLength();
          const bar = document.querySelectorAll(".mark .bar")[3];
          return [path.getPointAtLength(length - 5).x, path.getPointAtLength(length).x,
            bar.x.baseVal.value + bar.width.baseVal.value];
        })()"""
    )
    assert before - 4 > tip > bar


def test_a_narrow_page_marks_names_that_are_cut_and_shows_the_legend(show: Show, drawn: Timeline) -> None:
    opened = show()
    opened.size(400, 800)
    names = {event.call for event in drawn.events}
    for label in drawn_texts(opened, "label"):
        name = re.split(r"[( ]", label)[0]
        assert name in names or name.endswith("\u2026"), label
    assert "WSAStart\u2026 = 0" not in drawn_texts(opened, "label")
    for part in ("error", "found nothing to do", "connection", "datagram"):
        assert part in opened.text("#legend")
    assert opened.value("document.documentElement.scrollWidth") <= 400
    assert opened.value("document.getElementById('legend').getBoundingClientRect().bottom") <= 800


def test_the_heads_of_the_lanes_stay_visible(show: Show) -> None:
    opened = show("", conversation(6, 300).timeline())
    opened.size(700, 500)
    before = opened.value("[...document.querySelectorAll('#heads span')].map(head => head.getBoundingClientRect().top)")
    opened.value("scroll.scrollTop = 3000, document.getElementById('scroll').scrollTo(60, 3000), 0")
    opened.drawn()
    after = opened.value("[...document.querySelectorAll('#heads span')].map(head => head.getBoundingClientRect().top)")
    assert after == before
    left = "layout.lanes.map(lane => document.querySelector(`line[data-lane='${lane}']`).getBoundingClientRect().left)"
    heads = opened.value("[...document.querySelectorAll('#heads span')].map(head => head.getBoundingClientRect().left)")
    assert [round(line - head) for line, head in zip(opened.value(left), heads, strict=True)] == [8] * 6


def test_scroll_bars_cover_nothing(tmp_path: Path) -> None:
    box, file = "document.getElementById('scroll')", tmp_path / "page.html"
    with browser(tmp_path, scroll_bars=True) as opened:
        # More than six programs need a horizontal scroll bar too.
        for programs in (6, 30):
            file.write_text(page(conversation(programs, 100).timeline(), "talk"), encoding="utf-8")
            opened.open("about:blank")
            opened.open(file.as_uri())
            assert opened.value(f"{box}.offsetWidth - {box}.clientWidth") > 0
            assert opened.value(f"{box}.scrollWidth > {box}.clientWidth") == (programs > 6)
            for key in ("t", "ArrowDown", "t", " ", "Escape", "Escape"):
                for size in ("clientWidth", "clientHeight"):
                    assert opened.value(f"stage.{size} - {box}.{size}") == 0, (key, size)
                opened.press(key)
                opened.drawn()


def test_the_overview_has_its_whole_height_in_the_step_mode_and_after_it(show: Show) -> None:
    opened = show("", conversation(3, 100).timeline())
    for key in (" ", "Escape", "/"):
        opened.press(key)
        opened.drawn()
        assert opened.value("[strip.height, stage.clientHeight]") == [opened.value("overview.clientHeight")] * 2, key


def test_the_legend_shows_a_pause_as_the_view_does(show: Show) -> None:
    opened = show()
    for view, shape in (("order", "line"), ("time", "pause"), ("order", "line")):
        opened.value(f"change({{view: '{view}'}}), 0")
        assert opened.value("document.querySelector('#legend .long').previousSibling.className") == shape


def test_names_that_differ_at_the_end_can_be_told_apart(show: Show) -> None:
    talk = conversation(6, 10)
    for lane in talk.lanes:
        lane.name = f"signal_server (pid {lane.pid})"
    opened = show("call=0.1", talk.timeline())
    heads = opened.texts("#heads span")
    assert all("…" in head and str(lane.pid) in head for head, lane in zip(heads, talk.lanes, strict=True))
    assert opened.value("[...document.querySelectorAll('#heads span')].every(e => e.scrollWidth <= e.clientWidth)")
    assert opened.value("document.querySelector('#heads span').title").startswith(talk.lanes[0].name)


def test_many_programs_with_long_names_leave_room_for_the_calls(show: Show) -> None:
    talk = conversation(60, 60)
    talk.lanes[1].name = "client " * 40
    opened = show("", talk.timeline())
    assert opened.value("document.getElementById('scroll').clientHeight") > 600
    assert opened.value("document.documentElement.scrollWidth") <= 1400
    opened.press("End")
    opened.drawn()
    assert opened.value("document.querySelector('.band.chosen') !== null")


def test_a_click_on_the_overview_goes_there(show: Show) -> None:
    opened = show("", conversation(3, 500).timeline())
    opened.click("#overview")
    opened.drawn()
    middle = opened.value("(topOfView() + viewHeight() / 2) / layout.height")
    assert middle == pytest.approx(0.5, abs=0.05)


def test_only_the_visible_calls_are_drawn(show: Show) -> None:
    opened = show("", conversation(4, 3000).timeline())
    for place in (0, 0.5, 1):
        opened.value(f"scrollToY(layout.height * {place}), 0")
        opened.drawn()
        assert 20 < opened.value("document.querySelectorAll('#svg [data-event]').length") < 60
    assert opened.value("document.getElementById('svg').dataset.rows") == opened.value("String(layout.count)")
    opened.press("End")
    opened.drawn()
    assert opened.value("document.querySelector('.band.chosen') !== null")


def test_arrows_of_one_send_to_thousands_of_receives_are_drawn_once(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    pieces = 3000
    talk.message(1, "x" * 10 * pieces)
    received = talk.lanes[1].records.pop()
    data = {"bytes": 10, "hex": "78" * 10}
    for _ in range(pieces):
        talk.call(1, "recv", s=256, buf=data, len=10, flags=0, result=10, local=received["local"])
    opened = show("", talk.timeline())
    for place in (0, 0.5, 1):
        opened.value(f"scrollToY(layout.height * {place}), 0")
        opened.drawn()
        visible = opened.value("document.querySelectorAll('#svg [data-event]').length")
        assert visible - 10 < arrow_count(opened) < visible + 10
        assert opened.value("document.querySelectorAll('#svg .said').length") >= visible - 10


def test_times_are_shown_to_the_microsecond(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "x", 3_000)
    opened = show("", talk.timeline())
    assert drawn_texts(opened, "time") == ["0.000000", "0.000014", "0.000118", "0.000128", "0.000145"]
    opened.value("clock.value = 'previous', clock.dispatchEvent(new Event('change')), 0")
    opened.drawn()
    assert drawn_texts(opened, "time") == ["0", "+14 µs", "+104 µs", "+10 µs", "+17 µs"]
    opened.value("clock.value = 'day', clock.dispatchEvent(new Event('change')), 0")
    opened.drawn()
    day = drawn_texts(opened, "time")
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6}", text) for text in day)
    # The first call is at a full second.
    assert [text[-6:] for text in day] == ["000000", "000014", "000118", "000128", "000145"]
    assert cut_times(opened) == []


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("clock", ["first", "previous", "day"])
@pytest.mark.parametrize("view", ["order", "time"])
def test_the_column_of_the_times_is_as_wide_as_its_longest_text(show: Show, width: int, clock: str, view: str) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "x", 3_000, 123_456 * 10**9)
    talk.message(1, "x")
    opened = show(f"view={view}&clock={clock}", talk.timeline())
    opened.size(width, 800)
    assert len(drawn_texts(opened, "time")) >= 7
    assert cut_times(opened) == []
    assert opened.value(OVERLAPS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_fits_its_width_and_its_texts_have_contrast(show: Show, scheme: str, width: int) -> None:
    opened = show("call=0.20&q=recv", conversation(3, 100).timeline())
    opened.prefer(scheme)
    opened.size(width, 800)
    assert opened.value("document.documentElement.scrollWidth") <= width
    assert opened.value("document.querySelectorAll('#svg .label').length") >= 8
    assert opened.value(OVERLAPS) == []
    inside = "document.getElementById('details').getBoundingClientRect()"
    assert opened.value(f"{inside}.right <= {width} && {inside}.bottom <= 800 && {inside}.height > 200")
    if width == 400:
        assert not opened.value("document.getElementById('groups').checkVisibility()")
        opened.click("#more")
        assert opened.value("document.getElementById('groups').checkVisibility()")
    for text, behind in _PAIRS:
        assert _contrast(opened, text, behind) >= 4.5, (text, behind)


def test_a_contrast_theme_leaves_the_keys_of_colours_and_pressed_buttons(show: Show) -> None:
    opened = show("call=0.send", conversation(3, 100).timeline())
    opened.prefer("light")

    def background(selector: str) -> str:
        return str(opened.value(f"getComputedStyle(document.querySelector('{selector}')).backgroundColor"))

    keys = ("#groups .data .key", "#legend .data i.bar", ".swatch.f1", ".hex .f1")
    before = [background(key) for key in keys]
    opened.call("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    try:
        assert [background(key) for key in keys] == before
        assert background("#by-order") != background("#by-time")
        assert background("#groups .data") != background("#groups .names")
    finally:
        opened.prefer("light")


def _contrast(opened: Page, *names: str) -> float:
    """The contrast of two colours of the page, as WCAG 2 defines it."""
    light = []
    for name in names:
        text = opened.value(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')").strip()
        parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_texts_of_a_trace_are_never_markup_and_no_script_of_another_runs(show: Show) -> None:
    evil = "</script><img src=x onerror=window.done=1><!--"
    talk = Conversation(2)
    talk.lanes[1].name = talk.lanes[1].argv[0] = evil
    talk.connect(1)
    hostile: Any = {"s": 256, evil: {"bytes": "x", "hex": "zz"}, "text": {"text": 5}, "list": [[[evil]]]}
    record = talk.call(1, "closesocket")
    record["args"], record["text"], record["thread"] = hostile, f"closesocket({evil}) = 0", evil
    opened = show("", talk.timeline())
    opened.press("End")
    assert evil in opened.text("#details")
    assert evil in opened.texts("#heads span")
    opened.value("document.body.insertAdjacentHTML('beforeend', '<button id=evil onclick=window.done=1>x</button>')")
    opened.value("document.getElementById('evil').click(), document.getElementById('evil').remove()")
    assert opened.value("window.done ?? 0") == 0
    assert any("Content Security Policy" in problem for problem in opened.problems)
    opened.problems.clear()


def test_control_characters_of_a_trace_are_escape_sequences(show: Show) -> None:
    reordered = "a\u202egpj.exe\u2066\x1b[31m\0\u2028b"
    talk = Conversation(2)
    talk.lanes[1].name = talk.lanes[1].argv[0] = reordered
    record = talk.call(1, "gethostbyname", name=reordered)
    record["thread"] = record["local"] = record["source"]["code"] = reordered
    opened = show("groups=names", talk.timeline())
    opened.press("End")
    opened.drawn()
    escaped = r"a\u202egpj.exe\u2066\x1b[31m\x00\u2028b"
    assert opened.text("#details").count(escaped) >= 5
    assert opened.texts("#heads span")[1] == escaped
    whole = opened.value("document.body.textContent + JSON.stringify(data)")
    assert re.findall("[\u202e\u2066\u2028\x1b\0]", whole) == []


def test_the_details_of_a_call_with_a_megabyte_show_its_first_bytes(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    size = 1 << 20
    talk.message(1, "x" * size)
    opened = show("", talk.timeline())
    opened.press("End")
    shown = "The first 65,536 bytes are shown; the buttons copy all 1,048,576 bytes."
    assert shown in opened.texts("#details .bytes .note")
    assert opened.value("document.querySelector('.letters').textContent.replaceAll('\\n', '').length") == 65536
    opened.value("navigator.clipboard.writeText = async text => { window.copied = text }")
    opened.value("[...document.querySelectorAll('.copies button')].at(-1).click()")
    opened.wait_for("window.copied")
    assert opened.value("window.copied.length") == size


def test_the_details_say_how_many_bytes_have_fields(show: Show) -> None:
    talk = Conversation(2)
    talk.connect(1)
    talk.message(1, "<<EURUSD|0.25>>\0" * 66)
    talk.message(1, "<<EURUSD|0.25>>\0" * 67)
    opened = show("", talk.timeline())
    opened.press("End")
    # A message has six fields, and a call at most 400.
    assert opened.texts("#details .fields + .note") == ["The fields of the first 1,069 bytes."]
    opened.press("ArrowUp")
    opened.press("ArrowUp")
    assert opened.texts("#details .fields + .note") == []


def test_the_page_keeps_fewer_bytes_of_each_call_if_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winsock.trace.page._ALL_BYTES", 5000)
    talk = Conversation(2)
    talk.connect(1)
    for _ in range(4):
        talk.message(1, "x" * 2000)
    shown = [given for given in page_data(talk.timeline())["columns"]["bytes"] if given]
    assert [(size, len(digits) // 2) for size, digits, *_ in shown] == [(2000, 256)] * 8
    assert len(page(talk.timeline(), "x")) < 150_000
