"""The limits in notes/proxy.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from demos.provider import clients, publication
from demos.provider.following import STALE_HEARTBEATS
from demos.provider.memory import MOST_RUNS

NOTE = (Path(__file__).resolve().parents[4] / "notes/proxy.md").read_text(encoding="utf-8")


def test_the_limits_of_a_publisher_are_those_of_the_code() -> None:
    limits = dict(re.findall(r"^\| (.*?) \| (.*) \|$", NOTE.partition("| limit of a publisher |")[2], re.MULTILINE))
    frames = clients._PUBLISHER_LIMITS
    assert limits["a message"] == f"{frames.message:,} bytes"
    assert limits["cost of all frames"].startswith(
        f"{frames.burst:,} at once, then {frames.frames_per_second} a second"
    )
    assert limits["`heartbeat_ms`"] == f"at most {publication.LONGEST_HEARTBEAT_MS:,}"
    streams = f"{publication.MOST_STREAMS} in {publication.STREAMS_MS // 60_000} minutes"
    assert limits["new streams of a topic"].startswith(f"{streams}; ")
    assert limits["new streams of a topic"].endswith(f"among the last {MOST_RUNS}")
    assert limits["times"].startswith(f"at most {publication.MOST_AHEAD_MS // 60_000} minutes ahead")
    assert STALE_HEARTBEATS == 3
    assert limits["silence"].startswith("three times `heartbeat_ms`")
