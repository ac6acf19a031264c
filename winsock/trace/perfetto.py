"""Writes a timeline in the Trace Event Format of Chrome, which Perfetto and chrome://tracing open.

How it works:

- Each program is a process, each of its threads a thread, each call a complete event ("X"), and each arrow a flow that
  starts ("s") in the sending call and ends ("f") in the receiving one.
- The events of one thread must be nested or follow each other. Two threads of a program may have the same name, so a
  call that begins before the previous call of its thread has ended is put on another track (`_Tracks`).
- A flow belongs to the call that contains its time. A call of the simulation may take no time, so each call takes at
  least a nanosecond, which contains its first moment.
- Times are microseconds since the first call; the time of day of the first call is in "otherData".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    calls = [_call(event, zero, tracks) for event in sorted(timeline.events, key=lambda event: event.start)]
    threads = {id(event): track for event, track in tracks.of_events}
    events = [*_processes(timeline), *tracks.names(), *calls]
    for number, arrow in enumerate(timeline.arrows, 1):
        events += _flow(number, arrow, zero, threads)
    return json.dumps(
        {
            "displayTimeUnit": "ns",
            "otherData": {"writer": f"winsock {__version__}", "first call": _time_of_day(timeline.wall + zero)},
            "traceEvents": events,
        },
        separators=(",", ":"),
    )


class _Tracks:
    """The threads of all programs, with numbers that are unique in the file."""

    def __init__(self) -> None:
        self.of_events: list[tuple[Event, int]] = []
        # For each lane and thread, its tracks: their numbers and the ends of their last calls.
        self._tracks: dict[tuple[int, str], list[tuple[int, int]]] = {}
        self._count = 0

    def put(self, event: Event) -> int:
        """The track of a call that begins after all calls before it."""
        tracks = self._tracks.setdefault((event.lane, event.record.get("thread", "")), [])
        at = next((at for at, (_, end) in enumerate(tracks) if end <= event.start), len(tracks))
        if at == len(tracks):
            self._count += 1
            tracks.append((self._count, 0))
        tracks[at] = (tracks[at][0], max(event.end, event.start + 1))
        self.of_events.append((event, tracks[at][0]))
        return tracks[at][0]

    def names(self) -> Iterator[dict[str, Any]]:
        """The events that give the tracks their names."""
        for (lane, name), tracks in self._tracks.items():
            for number, (track, _) in enumerate(tracks, 1):
                shown = name if number == 1 else f"{name} ({number})"
                yield _metadata("thread_name", lane, track, name=shown)


def _metadata(kind: str, lane: int, thread: int = 0, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": lane + 1, "tid": thread, "args": args}


def _processes(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for index, lane in enumerate(timeline.lanes):
        yield _metadata("process_name", index, name=lane.name)
        yield _metadata("process_sort_index", index, sort_index=index)
        yield _metadata("process_labels", index, labels=f"pid {lane.pid}, {lane.backend}: {' '.join(lane.argv)}")


def _call(event: Event, zero: int, tracks: _Tracks) -> dict[str, Any]:
    record = event.record
    args = {"call": event.text}
    args |= {key: record[key] for key in ("local", "peer", "source") if key in record}
    if event.error:
        args["error"] = event.error
    return {
        "ph": "X",
        "name": event.call if not event.error else f"{event.call} {event.error}",
        "cat": event.group,
        "pid": event.lane + 1,
        "tid": tracks.put(event),
        "ts": (event.start - zero) / 1000,
        "dur": max(event.end - event.start, 1) / 1000,
        "args": args,
    }


def _flow(number: int, arrow: Arrow, zero: int, threads: dict[int, int]) -> Iterator[dict[str, Any]]:
    source, target = arrow.source, arrow.target
    # The last moment of the receiving call is before its end, and a flow does not end before it starts.
    ends = ((source, "s", source.start), (target, "f", max(target.end - 1, target.start, source.start)))
    for event, phase, at in ends:
        yield {
            "ph": phase,
            "id": number,
            "name": arrow.kind,
            "cat": "arrow",
            "pid": event.lane + 1,
            "tid": threads[id(event)],
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
