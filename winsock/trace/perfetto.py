"""Writes a timeline in the Trace Event Format of Chrome, which Perfetto and chrome://tracing open.

How it works:

- Each program is a process, each of its threads a thread, each call a complete event ("X"), and each arrow a flow that
  starts ("s") in the sending call and ends ("f") in the receiving one. A call that has not returned only begins ("B").
- The events of one thread must be nested or follow each other. Two threads of a program may have the same name, so a
  call that begins before the previous call of its thread has ended is put on another track (`_Tracks`).
- A flow belongs to the call that contains its time. Calls of the simulation may take no time and follow each other at
  the same time: each is shown a nanosecond long, and the next one after it. A call that received something is shown
  until after the beginning of the call that has sent it.
- Times are microseconds since the first call; the time of day of the first call is in "otherData".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from winsock.version import __version__

from .events import Arrow, Event
from .timeline import Timeline

__all__ = ["perfetto"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def perfetto(timeline: Timeline) -> str:
    """The text of the JSON file."""
    zero = min((event.start for event in timeline.events), default=0)
    tracks = _Tracks()
    # In the order of their beginning; of calls that begin at one time, in the order of the timeline.
    for event in sorted(timeline.events, key=lambda event: (event.start, event.index)):
        tracks.put(event)
    bars = tracks.bars
    events = [*_processes(timeline), *tracks.names()]
    events += [_call(event, bars[id(event)], zero) for event in timeline.events]
    for number, arrow in enumerate(timeline.arrows, 1):
        events += _flow(number, arrow, bars, zero)
    return json.dumps(
        {
            "displayTimeUnit": "ns",
            "otherData": {"writer": f"winsock {__version__}", "first call": _time_of_day(timeline.wall + zero)},
            "traceEvents": events,
        },
        separators=(",", ":"),
    )


@dataclass
class _Bar:
    """Where a call is shown: the number of its track, and its beginning and end in nanoseconds."""

    track: int
    begin: int
    end: int


@dataclass
class _Track:
    """A row of bars: the end of its last call, and the last bar, which may end later."""

    number: int
    call_end: int
    last: _Bar


class _Tracks:
    """The threads of all programs, with numbers that are unique in the file."""

    def __init__(self) -> None:
        # The bars of the calls.
        self.bars: dict[int, _Bar] = {}
        self._tracks: dict[tuple[int, str], list[_Track]] = {}
        self._count = 0

    def put(self, event: Event) -> None:
        """Finds the place of a call that begins after all calls before it."""
        tracks = self._tracks.setdefault(_track_name(event), [])
        track = next((track for track in tracks if track.call_end <= event.start), None)
        if track is None:
            self._count += 1
            track = _Track(self._count, event.start, _Bar(self._count, event.start, event.start))
            tracks.append(track)
        begin = max(event.start, track.last.end)
        track.call_end, track.last = event.end, _Bar(track.number, begin, max(event.end, begin + 1))
        self.bars[id(event)] = track.last
        for partner in event.partners:
            if id(partner) in self.bars:
                cause, effect = (partner, event) if partner.index < event.index else (event, partner)
                self._end_after(effect, self.bars[id(cause)].begin)

    def _end_after(self, effect: Event, begin: int) -> None:
        """The bar of a call that received something ends after the beginning of its cause, if no other bar follows."""
        bar = self.bars[id(effect)]
        if any(track.last is bar for track in self._tracks[_track_name(effect)]):
            bar.end = max(bar.end, begin + 1)

    def names(self) -> Iterator[dict[str, Any]]:
        """The events that give the tracks their names."""
        for (lane, name), tracks in self._tracks.items():
            for number, track in enumerate(tracks, 1):
                yield _metadata("thread_name", lane, track.number, name=name if number == 1 else f"{name} ({number})")


def _track_name(event: Event) -> tuple[int, str]:
    return event.lane, event.record.get("thread", "")


def _metadata(kind: str, lane: int, thread: int = 0, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": lane + 1, "tid": thread, "args": args}


def _processes(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for index, lane in enumerate(timeline.lanes):
        yield _metadata("process_name", index, name=lane.name)
        yield _metadata("process_sort_index", index, sort_index=index)
        yield _metadata("process_labels", index, labels=f"pid {lane.pid}, {lane.backend}: {' '.join(lane.argv)}")


def _call(event: Event, bar: _Bar, zero: int) -> dict[str, Any]:
    args = {"call": event.text}
    args |= {key: event.record[key] for key in ("local", "peer") if key in event.record}
    if event.source:
        args["source"] = f"{event.source.file}:{event.source.line} {event.source.function}: {event.source.code}"
    shown = {
        "name": f"{event.call} {event.error}".rstrip(),
        "cat": event.group,
        "pid": event.lane + 1,
        "tid": bar.track,
        "ts": (bar.begin - zero) / 1000,
        "args": args,
    }
    if "begun" in event.record:
        return shown | {"ph": "B"}
    return shown | {"ph": "X", "dur": (bar.end - bar.begin) / 1000}


def _flow(number: int, arrow: Arrow, bars: dict[int, _Bar], zero: int) -> Iterator[dict[str, Any]]:
    source, target = bars[id(arrow.source)], bars[id(arrow.target)]
    # The last moment of the receiving call is before its end, and a flow does not end before it starts.
    ends = ((arrow.source, source, "s", source.begin), (arrow.target, target, "f", max(target.end - 1, source.begin)))
    for event, bar, phase, at in ends:
        yield {
            "ph": phase,
            "id": number,
            "name": arrow.kind,
            "cat": "arrow",
            "pid": event.lane + 1,
            "tid": bar.track,
            "ts": (at - zero) / 1000,
            **({"bp": "e"} if phase == "f" else {}),
            "args": {"text": arrow.text},
        }


def _time_of_day(nanoseconds: int) -> str:
    """The time of day in ISO 8601; "" if it is outside of the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()
    except OverflowError:
        return ""
