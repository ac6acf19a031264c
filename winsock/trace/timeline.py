"""From the JSON lines of several programs to one timeline: lanes, calls in the order of their effect, arrows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from .events import Arrow, Event, Lane
from .matching import arrows_of

__all__ = ["Timeline", "TraceError", "program_name", "read_lanes", "timeline"]

# What these calls tell has happened by the time they return; what the others do begins with the call.
_AT_RETURN = ("recv", "recvfrom", "accept", "select", "WSAPoll")

# So far apart, in nanoseconds, the starts of one machine's clock may seem when each program reads the time of day.
_SAME_CLOCK = 10**9


class TraceError(Exception):
    """A file that is no trace, or none that can be read."""


class Timeline(NamedTuple):
    lanes: list[Lane]
    events: list[Event]
    arrows: list[Arrow]
    wall: int  # the time of day at the clock's 0, nanoseconds since 1970


def read_lanes(path: Path, name: str | None = None) -> list[Lane]:
    """The programs in a file of JSON lines, called `name` or by their own command lines.

    Errors: TraceError for a file that can't be read, or is no trace.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path} is not a trace in JSON lines") from error
    lanes: list[Lane] = []
    by_pid: dict[int, Lane] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if "trace" in record:
                lane = Lane(
                    name or program_name(record["argv"]), record["pid"], record["argv"], record["backend"],
                    record["wall"] - record["t"],
                )  # fmt: skip
                lanes.append(lane)
            else:
                first = lanes[0]
                # A process that was forked has no line about itself.
                lane = by_pid.get(record["pid"]) or Lane(
                    f"{first.name} (pid {record['pid']})", record["pid"], first.argv, first.backend, first.offset
                )
                if lane not in lanes:
                    lanes.append(lane)
                if not {"n", "t", "d", "call", "args", "text"} <= record.keys():
                    raise KeyError("call")
                lane.records.append(record)
            by_pid[lane.pid] = lane
        except (ValueError, TypeError, KeyError, IndexError) as error:
            if number == len(lines) and number > 1:
                break  # a program that was killed while it wrote its last line
            raise TraceError(f"{path}, line {number} is not of a trace in JSON lines (option --json)") from error
    if not lanes:
        raise TraceError(f"{path} is empty")
    return lanes


def program_name(argv: list[str]) -> str:
    """A short name for a command line: the script's, or the module's with the words behind it."""
    words = list(argv)
    if words and PureWindowsPath(words[0]).stem.lower().startswith("python"):
        words = words[1:]
    while words and words[0].startswith("-") and words[0] != "-m":
        words = words[2 if words[0] in ("-X", "-W") else 1 :]
    if words[:1] == ["-m"]:
        names = list(takewhile(lambda word: not word.startswith("-"), words[1:]))
        return names[-1] if names else "python"
    return PureWindowsPath(words[0]).stem if words else "python"


def _distinct(lanes: list[Lane]) -> None:
    """Number the lanes that would have the same name."""
    seen: dict[str, int] = {}
    for lane in lanes:
        seen[lane.name] = seen.get(lane.name, 0) + 1
        if seen[lane.name] > 1:
            lane.name = f"{lane.name} {seen[lane.name]}"


def timeline(lanes: Iterable[Lane], fold: bool = True) -> Timeline:
    """One timeline of all lanes; `fold` makes one of calls in a row that found nothing to do."""
    ordered = list(lanes)
    _distinct(ordered)
    offsets = [lane.offset for lane in ordered]
    # Processes of one machine share their clock, and differ only in when they read the time of day. Others don't.
    shared = max(offsets) - min(offsets) < _SAME_CLOCK
    events = []
    for index, lane in enumerate(ordered):
        shift = 0 if shared else lane.offset - offsets[0]
        for record in lane.records:
            start = record["t"] + shift
            end = start + record["d"]
            at = end if record["call"] in _AT_RETURN else start
            events.append(Event(index, record, at, start, end, idle=_is_idle(record), text=record["text"]))
    events.sort(key=lambda event: (event.at, event.lane, event.record["n"]))
    arrows = arrows_of(events)
    if fold:
        events = _folded(events)
    for number, event in enumerate(events):
        event.index = number
    return Timeline(ordered, events, arrows, offsets[0])


def _is_idle(record: dict[str, Any]) -> bool:
    """Whether a call found nothing to do."""
    if record["call"] in ("select", "WSAPoll"):
        return bool(record.get("result") == 0)
    return record["call"] != "connect" and bool(record.get("error", {}).get("name") == "WSAEWOULDBLOCK")


def _folded(events: list[Event]) -> list[Event]:
    """Let one event stand for two or more calls of a lane that found nothing, with no other call between."""
    kept: list[Event] = []
    running: dict[int, list[Event]] = {}

    def close(lane: int) -> None:
        run = running.pop(lane, [])
        idle = [event for event in run if event.idle]
        if len(idle) < 2:
            kept.extend(run)
            return
        counts: dict[str, int] = {}
        for event in idle:
            found = event.error or "0"
            counts[f"{event.call} = {found}"] = counts.get(f"{event.call} = {found}", 0) + 1
        first = idle[0]
        first.count, first.end = len(idle), idle[-1].end
        first.text = ", ".join(f"{what} \u00d7{number}" for what, number in counts.items())
        kept.append(first)

    for event in events:
        # A program asks for the error of what found nothing; that belongs to it.
        if event.idle or (event.lane in running and event.call == "WSAGetLastError"):
            running.setdefault(event.lane, []).append(event)
        else:
            close(event.lane)
            kept.append(event)
    for lane in list(running):
        close(lane)
    kept.sort(key=lambda event: (event.at, event.lane, event.record["n"]))
    return kept
