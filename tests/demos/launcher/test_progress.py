"""Long reading: the lines about its progress, and the jobs' patience with a child that writes them."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from demos.launcher.log_lines import is_reading
from demos.launcher.progress import INTERVAL, Progress, file_progress, with_progress
from demos.terminal.interfaces import Tick
from demos.terminal.runtime.clock import ManualClock

TICK = Tick("EURUSD", 0, 1, 2)


def test_the_beginning_is_reported_and_then_how_much_was_read_at_most_every_interval():
    clock, lines = ManualClock(), []
    progress = Progress(clock, "reading x", "rows", lines.append)
    progress(0)
    progress(10_000)
    clock.time += INTERVAL
    progress(20_000)
    progress(30_000)
    clock.time += INTERVAL
    progress(40_000)
    assert lines == ["reading x", "reading x: 20000 rows", "reading x: 40000 rows"]


def test_the_name_of_the_file_is_escaped(tmp_path):
    lines: list[str] = []
    file_progress(ManualClock(), tmp_path / "a\x1bb", lines.append)(0)
    assert lines == [f"reading {tmp_path / 'a'}\\x1bb"]


def test_a_history_is_given_unchanged_and_reported_only_when_it_takes_long():
    clock, lines = ManualClock(), []
    assert list(with_progress(iter([TICK] * 25_000), clock, lines.append)) == [TICK] * 25_000
    assert lines == []
    ticks = with_progress(chain(repeat(TICK, 25_000)), clock, lines.append)
    next(ticks)
    clock.time += INTERVAL
    assert len(list(ticks)) == 24_999
    assert lines == ["reading the history: 10000 ticks"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00.000+00:00 terminal info market reading /a b/EURUSD_1.csv", True),
        ("2026-01-01T00:00:00.000+00:00 terminal info market reading x: 20000 rows", True),
        ("2026-01-01T00:00:00.000+00:00 terminal info market x: 2 ticks of EURUSD, 5 digits", False),
        ("2026-01-01T00:00:00.000+00:00 terminal info order reading x", False),
        ("reading x", False),
    ],
)
def test_only_the_terminals_own_line_about_reading_is_recognized(text, expected):
    assert is_reading(text) is expected
