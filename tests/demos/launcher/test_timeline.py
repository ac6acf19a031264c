"""Events of several files in order of time, and lags."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from demos.launcher.timeline import Timeline, full_lag_text, lag_summary, lag_text


def test_lags_are_summed_up_as_median_99th_percentile_and_maximum():
    assert lag_summary([1.0, 2.0, 30.0]) == {"median": 2.0, "p99": 30.0, "max": 30.0}
    assert lag_summary([float(lag) for lag in range(200, 0, -1)]) == {"median": 100.5, "p99": 198.0, "max": 200.0}
    assert lag_summary([]) == {"median": None, "p99": None, "max": None}
    assert lag_text(lag_summary([])) == "-"


def test_a_lag_below_10_ms_is_shown_with_a_tenth():
    assert lag_text(lag_summary([0.04, 1.25, 203.4])) == "median 1.2 ms, max 203 ms"
    assert full_lag_text(lag_summary([9.96])) == "median 10 ms, 99% below 10 ms, max 10 ms"
    assert full_lag_text(lag_summary([])) == "-"


def event(seconds: float, kind: str) -> bytes:
    return json.dumps({"t": round(seconds * 1e9), "kind": kind}).encode() + b"\n"


def test_the_new_events_of_several_files_come_by_time_and_unfinished_lines_wait(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    timeline = Timeline({"a": one, "b": two})
    assert timeline.new_events() == []
    one.write_bytes(event(1, "first") + event(3, "third") + event(9, "late")[:10])
    two.write_bytes(event(2, "second"))
    assert [(name, found["kind"]) for name, found in timeline.new_events()] == [
        ("a", "first"),
        ("b", "second"),
        ("a", "third"),
    ]
    assert timeline.new_events() == []
    with one.open("ab") as file:
        file.write(event(9, "late")[10:])
    assert [found["kind"] for _, found in timeline.new_events()] == ["late"]
    timeline.close()


def test_the_events_of_one_file_keep_their_order_though_their_times_are_equal(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(b"".join(event(1, kind) for kind in "dbca"))
    with closing(Timeline({"a": path})) as timeline:
        assert [found["kind"] for _, found in timeline.new_events()] == list("dbca")


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_that_a_killed_process_has_not_finished_does_not_hide_the_next_event(tmp_path, cut):
    path = tmp_path / "one"
    path.write_bytes(event(1, "killed")[:cut] + event(2, "started"))
    with closing(Timeline({"a": path})) as timeline:
        assert [found["kind"] for _, found in timeline.new_events()] == ["started"]


@pytest.mark.parametrize("line", [b"", b"x", b'{"t": 1', b"\xff\xfe", b"\0" * 20])
def test_an_invalid_line_is_named(tmp_path, line):
    path = tmp_path / "one"
    path.write_bytes(line + b"\n")
    with (
        closing(Timeline({"a": path})) as timeline,
        pytest.raises(ValueError, match=r"^a has written an invalid event: b"),
    ):
        timeline.new_events()


def test_a_full_event_file_is_an_error_because_events_are_missing(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(event(1, "deal") + event(2, "full"))
    with (
        closing(Timeline({"a": path})) as timeline,
        pytest.raises(ValueError, match=r"^a has written more events than a file may have; use a shorter job$"),
    ):
        timeline.new_events()
