"""The views that all jobs share."""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from demos.launcher.views import (
    LiveView,
    PlainView,
    Process,
    Tables,
    choose_view,
    counted,
    process_cells,
    process_table,
)

NAMES = ("server", "client1", "client2")
LINE = "2026-01-31T12:00:00.123+01:00 provider[EURUSD,H1] info OnTimer start server ok"


class Standing:
    """A child as a view sees it."""

    pid = 4711

    def __init__(self, name: str, code: int | None = None) -> None:
        self.name, self.code = name, code

    def exit_code(self) -> int | None:
        return self.code


CHILDREN = [Standing("server"), Standing("client1"), Standing("client2", 1)]


def draw(processes: Sequence[Process], state: str, height: int) -> Tables:
    table = process_table(f"job: {state}", ("position", "messages"))
    for process in processes:
        table.add_row(*process_cells(process), "EURUSD 0.10", "2 of 2 received")
    return Tables(table)


def draw_two(processes: Sequence[Process], state: str, height: int) -> Tables:
    from rich.table import Table

    table = Table()
    table.add_column("a second table")
    return Tables(draw(processes, state, height).processes, table)


def test_plain_lines_have_the_name_of_the_process_that_wrote_them():
    stream = io.StringIO()
    for view in (PlainView(stream), PlainView(None)):
        view.line("client1", "hello")
        view.update(CHILDREN, "running")
        view.close()
    assert stream.getvalue() == "client1 | hello\n"


@pytest.mark.parametrize("tables", [draw, draw_two])
def test_the_live_view_shows_the_tables_and_the_logs(tables):
    from rich.console import Console

    stream = io.StringIO()
    view = LiveView(NAMES, tables, Console(file=stream, force_terminal=True, width=160, height=30))
    view.line("server", LINE)
    view.line("client1", "[red]not markup")
    view.line("job", "[red]client1 is process 4711")
    view.update(CHILDREN, "trading")
    view.close()
    picture = stream.getvalue()
    for text in (
        "job: trading",
        "4711",
        "ended",
        "EURUSD 0.10",
        "12:00:00.123 start server ok",
        "[red]not markup",
        "[red]client1 is process 4711",
    ):
        assert text in picture
    assert ("a second table" in picture) is (tables is draw_two)


@pytest.mark.parametrize(("width", "height", "logs"), [(60, 14, True), (60, 9, False), (110, 30, True)])
def test_a_small_terminal_shows_the_whole_table_and_drops_the_logs_first(width, height, logs):
    console = pytest.importorskip("rich.console").Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True
    )
    with closing(LiveView(NAMES, draw, console)) as view:
        view.line("client2", "a line")
        shown = console.render_lines(view.picture(CHILDREN, "trading"))
    text = "\n".join("".join(segment.text for segment in line) for line in shown)
    assert all(name in text for name in (*NAMES, "process", "position"))
    assert ("a line" in text) is logs


def screen(console: Any, picture: Any) -> list[str]:
    """The lines that a terminal of the console's size shows."""
    lines = console.render_lines(picture)
    return ["".join(segment.text for segment in line) for line in lines][: console.height]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (179, 40), (180, 40)])
def test_a_deal_is_shown_with_the_position_that_it_leads_to(width, height):
    console = pytest.importorskip("rich.console").Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True
    )
    with closing(LiveView(NAMES, draw, console)) as view:
        for number in range(100):
            deal = f"#{number} EURUSD -0.25 at 1.10002 -> -10.25"
            view.line(NAMES[number % 3], f"2026-01-31T12:00:00.123+01:00 terminal info deal {deal}")
        shown = screen(console, view.picture(CHILDREN, "trading"))
    assert len(shown) <= height
    assert all(len(line.rstrip()) <= width for line in shown)
    assert any("#99 EURUSD -0.25 at 1.10002 -> -10.25" in line for line in shown)
    assert sum(" 2 of 2 received" in line for line in shown) == 3


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_and_with_json_there_are_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(choose_view(("server",), draw, json=False), PlainView)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert isinstance(choose_view(("server",), draw, json=True), PlainView)
    view = choose_view(("server",), draw, json=False)
    assert isinstance(view, LiveView)
    view.close()


def test_without_rich_there_are_plain_lines(monkeypatch):
    real = builtins.__import__

    def without_rich(name: str, *arguments: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(builtins, "__import__", without_rich)
    assert isinstance(choose_view(("server",), draw, json=False), PlainView)


def test_a_noun_after_1_has_no_s():
    assert [counted(number, "tick") for number in (0, 1, 2)] == ["0 ticks", "1 tick", "2 ticks"]
