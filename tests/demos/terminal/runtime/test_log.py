"""Log lines, event lines and the clocks."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from pathlib import Path

import pytest
from terminal_kit import wait_for

from demos.terminal.interfaces import OutputError
from demos.terminal.runtime.clock import ManualClock, RealClock
from demos.terminal.runtime.log import EventFile, Log, escaped


class BrokenStream(io.StringIO):
    """A pipe whose reading end is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError(32, "Broken pipe")


def test_a_log_line_has_local_time_with_its_offset_program_level_event_and_text():
    stream = io.StringIO()
    Log(RealClock(), stream).write("probe[EURUSD,H1]", "info", "OnTimer", "hello world")
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d probe\[EURUSD,H1\] info OnTimer hello world\n"
    assert re.fullmatch(form, stream.getvalue())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<<EURUSD|0.25>>\0", "<<EURUSD|0.25>>\\x00"),
        ("\x1b[31mred\r\n\t\x7f", "\\x1b[31mred\\x0d\\x0a\\x09\\x7f"),
        ("\u202eabc\u2028\ud800", "\\u202eabc\\u2028\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("é Ж 日本 €", "é Ж 日本 €"),
    ],
)
def test_non_printable_characters_are_escaped(text, shown):
    assert escaped(text) == shown


def test_a_log_without_a_stream_writes_nothing():
    Log(ManualClock(), None).write("probe", "info", "OnInit", "text")


def test_a_closed_stream_is_reported_once():
    stream = BrokenStream()
    log = Log(ManualClock(), stream)
    with pytest.raises(OutputError, match="the log cannot be written: Broken pipe"):
        log.write("probe", "info", "OnInit", "text")
    log.write("probe", "info", "OnDeinit", "text")
    assert stream.writes == 1


def test_events_are_appended_one_whole_line_at_a_time(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"old": 1}\n', encoding="utf-8")
    clock = ManualClock(2.5)
    events = EventFile(clock, path)
    events.record("deal", {"symbol": "EURUSD"})
    # Seen by others before the file is closed.
    lines = path.read_text(encoding="utf-8").splitlines()
    events.close()
    assert [json.loads(line) for line in lines] == [
        {"old": 1},
        {"t": 2_500_000_000, "kind": "deal", "symbol": "EURUSD"},
    ]


def test_an_event_file_that_cannot_be_opened_is_an_OutputError(tmp_path):
    with pytest.raises(OutputError, match=re.escape(str(tmp_path / "missing" / "events"))):
        EventFile(ManualClock(), tmp_path / "missing" / "events")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /dev/full")
def test_a_full_disk_is_an_OutputError():
    full = Path("/dev/full")
    events = EventFile(ManualClock(), full)
    with pytest.raises(OutputError, match="/dev/full: No space left"):
        events.record("deal", {})
    events.close()


def test_a_manual_clock_moves_only_in_wait():
    clock = ManualClock(5)
    before = clock.now()
    clock.wait(3600)
    clock.wait(-1)
    assert clock.monotonic() == 3605
    assert (clock.now() - before).total_seconds() == 3600
    clock.wake()
    clock.wait(10)
    assert clock.monotonic() == 3605


def test_a_wait_of_the_real_clock_ends_at_its_limit_or_by_wake():
    clock = RealClock()
    start = clock.monotonic()
    clock.wait(0.01)
    assert clock.monotonic() - start >= 0.01
    clock.wait(0)
    clock.wait(-1)
    clock.wake()
    clock.wake()
    clock.wait(None)
    threading.Thread(target=clock.wake).start()
    clock.wait(None)


def test_a_long_wait_continues_after_each_slice(monkeypatch):
    monkeypatch.setattr("demos.terminal.runtime.clock._MAX_WAIT", 0.001)
    clock = RealClock()
    start = clock.monotonic()
    clock.wait(0.01)
    assert clock.monotonic() - start >= 0.01
    waiting = threading.Thread(target=clock.wait, args=(None,))
    waiting.start()
    clock.wake()
    waiting.join()


def test_wait_for_reports_an_end_without_the_line():
    with pytest.raises(AssertionError, match="ended without"):
        wait_for(io.StringIO("other\n"), "text")
