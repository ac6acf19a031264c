"""Events of several files in order of time, and lags."""

from __future__ import annotations

import json

from demos.launcher.timeline import Timeline, lag_summary, lag_text


def test_lags_are_summed_up_as_median_and_maximum():
    assert lag_summary([1.0, 2.0, 30.0]) == {"median": 2.0, "max": 30.0}
    assert lag_summary([]) == {"median": None, "max": None}
    assert lag_text(lag_summary([])) == "-"


def event(seconds: float, kind: str) -> bytes:
    return json.dumps({"t": round(seconds * 1e9), "kind": kind}).encode() + b"\n"


def test_events_of_several_files_come_in_order_of_time_up_to_the_moment_asked_for(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    timeline = Timeline({"a": one, "b": two})
    assert list(timeline.until(9)) == []
    one.write_bytes(event(1, "first") + event(3, "third") + event(9, "late")[:10])
    two.write_bytes(event(2, "second"))
    assert [(name, found["kind"]) for name, found in timeline.until(3)] == [
        ("a", "first"),
        ("b", "second"),
        ("a", "third"),
    ]
    with one.open("ab") as file:
        file.write(event(9, "late")[10:])
    assert list(timeline.until(8)) == []
    assert [found["kind"] for _, found in timeline.until(9)] == ["late"]
    timeline.close()
