"""Log lines, event lines and the clocks."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from pathlib import Path

import pytest
from terminal_kit import demos, wait_for

from demos.terminal.interfaces import OutputError
from demos.terminal.runtime import log as log_module
from demos.terminal.runtime.clock import ManualClock, RealClock
from demos.terminal.runtime.log import EventFile, Log, escaped
from demos.terminal.runtime.log_limit import MAX_LINES, MAX_TEXT, WINDOW
from demos.terminal.runtime.repeats import FORGET, MAX_REMEMBERED, PAUSES


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


def texts(stream: io.StringIO) -> list[str]:
    return [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]


def times_of_a_repeated_line(level: str, seconds: int, every: int = 1) -> list[tuple[float, str]]:
    """When a line is written that comes again and again, and its text."""
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    begin, written = clock.monotonic(), []
    for _ in range(0, seconds, every):
        before = len(texts(stream))
        log.write_limited("probe", level, "OnTimer", "-no answer")
        written += [(clock.monotonic() - begin, text) for text in texts(stream)[before:]]
        clock.wait(every)
    return written


def test_the_same_error_is_written_at_growing_intervals_with_the_number_of_lines_left_out():
    first, second, third, *later = times_of_a_repeated_line("error", 4000)
    assert (first, second, third) == (
        (0.0, "probe error OnTimer -no answer"),
        (10.0, "probe error OnTimer -no answer (the same 9 more times in 10 s)"),
        (70.0, "probe error OnTimer -no answer (the same 59 more times in 60 s)"),
    )
    assert [time for time, _ in later] == [670.0 + PAUSES[-1] * number for number in range(len(later))]
    assert len(later) == 6


def test_an_error_that_comes_rarely_is_always_written_alone():
    assert times_of_a_repeated_line("error", 1000, every=int(FORGET)) == [
        (float(time), "probe error OnTimer -no answer") for time in range(0, 1000, int(FORGET))
    ]


def test_a_repeated_line_that_is_no_error_is_written_each_time():
    assert len(times_of_a_repeated_line("info", 50)) == 50


def test_other_errors_other_programs_and_unlimited_logs_are_not_left_out():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for program, text in (("a", "-x"), ("a", "-y"), ("b", "-x"), ("a", "-x"), ("a", "-y")):
        log.write_limited(program, "error", "OnTimer", text)
    assert texts(stream) == ["a error OnTimer -x", "a error OnTimer -y", "b error OnTimer -x"]
    stream = io.StringIO()
    log = Log(clock, stream)
    for _ in range(3):
        log.write_limited("a", "error", "OnTimer", "-x")
    assert len(texts(stream)) == 3


def test_a_limited_number_of_errors_is_remembered():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for number in (*range(MAX_REMEMBERED + 1), MAX_REMEMBERED, 0):
        log.write_limited("a", "error", "OnTimer", f"-{number}")
    assert len(texts(stream)) == MAX_REMEMBERED + 2


def test_a_flood_of_lines_becomes_one_line_with_their_number():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for number in range(10 * MAX_LINES):
        log.write_limited("probe[EURUSD,H1]", "info", "OnTimer", f"line {number}")
    assert len(texts(stream)) == MAX_LINES
    assert texts(stream)[-1] == f"probe[EURUSD,H1] info OnTimer line {MAX_LINES - 1}"
    clock.wait(WINDOW)
    log.write_summaries()
    log.write_summaries()
    summary = f"probe alert log {9 * MAX_LINES} more lines are omitted: there were more than {MAX_LINES} in 5 s"
    assert texts(stream)[MAX_LINES:] == [summary]
    log.write_limited("probe", "info", "OnTimer", "after")
    assert texts(stream)[-1] == "probe info OnTimer after"


@pytest.mark.parametrize("rate", [1, 10, 50, 99, 100, 101, 500, 5000])
def test_over_any_time_a_program_writes_at_most_a_hundred_lines_a_second_and_its_first_window(rate):
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for _ in range(20):
        for _ in range(rate):
            log.write_limited("probe", "info", "OnTimer", "x")
        clock.wait(1.0)
    log.write_summaries(end=True)
    lines = texts(stream)
    summaries = [line for line in lines if " are omitted: " in line]
    assert len(lines) - len(summaries) <= 20 / WINDOW * MAX_LINES
    omitted = sum(int(line.split(" ")[3]) for line in summaries)
    assert len(lines) - len(summaries) + omitted == 20 * rate
    assert len(summaries) <= 20 / WINDOW


def test_each_program_has_its_own_limit_whatever_its_chart_shows():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for number in range(MAX_LINES + 5):
        log.write_limited(f"one[S{number},H1]", "info", "OnTimer", "x")
    log.write_limited("two[EURUSD,H1]", "info", "OnTimer", "x")
    log.write("terminal", "info", "market", "x")
    assert texts(stream)[MAX_LINES:] == ["two[EURUSD,H1] info OnTimer x", "terminal info market x"]
    log.write_summaries(end=True)
    assert texts(stream)[-1].startswith("one alert log 5 more lines are omitted")


def test_repeated_errors_that_are_left_out_do_not_count_towards_the_limit():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    for _ in range(3 * MAX_LINES):
        log.write_limited("probe", "error", "OnTimer", "-no answer")
    log.write_limited("probe", "info", "OnTimer", "connected")
    log.write_summaries(end=True)
    assert texts(stream) == ["probe error OnTimer -no answer", "probe info OnTimer connected"]


def test_an_alert_is_written_during_a_flood_and_does_not_count_towards_the_limit():
    stream, clock = io.StringIO(), ManualClock()
    log = Log(clock, stream, limited=True)
    log.write_limited("probe", "alert", "OnTimer", "first")
    for number in range(MAX_LINES + 7):
        log.write_limited("probe", "info", "OnTimer", f"line {number}")
    log.write_limited("probe", "alert", "OnTimer", "last")
    log.write_summaries(end=True)
    assert sum(" line " in text for text in texts(stream)) == MAX_LINES
    assert texts(stream)[0] == "probe alert OnTimer first"
    assert texts(stream)[-2] == "probe alert OnTimer last"
    assert texts(stream)[-1].startswith("probe alert log 7 more lines are omitted")


def test_a_long_line_is_cut():
    stream = io.StringIO()
    log = Log(ManualClock(), stream, limited=True)
    log.write_limited("probe", "info", "OnTimer", "x" * MAX_TEXT)
    log.write_limited("probe", "info", "OnTimer", "x" * (MAX_TEXT + 7))
    assert texts(stream)[0].endswith("OnTimer " + "x" * MAX_TEXT)
    assert texts(stream)[1].endswith("x … and 7 more characters")


def test_a_log_that_is_not_limited_writes_every_line():
    stream = io.StringIO()
    log = Log(ManualClock(), stream)
    for _ in range(3 * MAX_LINES):
        log.write_limited("probe", "info", "OnTimer", "x" * 3 * MAX_TEXT)
    log.write_summaries(end=True)
    assert len(stream.getvalue()) > 9 * MAX_LINES * MAX_TEXT


def test_a_run_limits_the_lines_of_a_program_and_shows_its_failure(tmp_path):
    program = tmp_path / "flood.py"
    program.write_text(
        "from demos.terminal import *\n"
        "def OnStart():\n"
        f"    for number in range({MAX_LINES + 300}): Print('line ', number)\n"
        "    Fail(3, 'the reason')\n",
        encoding="utf-8",
    )
    done = demos("run", program)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert sum(" line " in line for line in lines) == MAX_LINES
    assert sum(line.endswith("the reason") for line in lines) == 1
    assert sum("300 more lines are omitted" in line for line in lines) == 1


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


def test_an_event_file_that_is_full_says_so_in_its_last_event_and_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "MAX_EVENT_BYTES", 1000)
    path, reports = tmp_path / "events.jsonl", []
    for restart in range(3):
        events = EventFile(ManualClock(), path, reports.append)
        for number in range(100):
            events.record("deal", {"symbol": "EURUSD", "number": number})
        events.close()
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert path.stat().st_size <= 1000
        numbers = [event["number"] for event in found if event["kind"] == "deal"]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 10
        assert found[-1]["kind"] == "full"
        assert reports == [f"{path} has its limit of 1000 bytes; no more events are written"] * (restart + 1)


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
