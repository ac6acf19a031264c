"""Merges the traces of several programs into one timeline: lanes, calls in order of their effect, and arrows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .events import Arrow, Event, Lane
from .matching import arrows_of

__all__ = ["Timeline", "distinct", "timeline"]

# These calls report what happened before they returned, so they count from their end. All other calls take effect when
# they start.
_AT_RETURN = ("recv", "recvfrom", "accept", "select", "WSAPoll")

# Programs on one machine share a clock. Their offsets to the time of day differ by less than this, in nanoseconds,
# because each program reads the time of day at another moment.
_SAME_CLOCK = 10**9


class Timeline(NamedTuple):
    """The calls of all lanes in order of time, and the arrows between them."""

    lanes: list[Lane]
    events: list[Event]
    arrows: list[Arrow]
    wall: int  # the time of day at time 0 of the clock, in nanoseconds since 1970


def distinct(lanes: list[Lane]) -> None:
    """Append a number to the names of lanes that have the same name."""
    seen: dict[str, int] = {}
    for lane in lanes:
        seen[lane.name] = seen.get(lane.name, 0) + 1
        if seen[lane.name] > 1:
            lane.name = f"{lane.name} {seen[lane.name]}"


def timeline(lanes: Iterable[Lane], fold: bool = True) -> Timeline:
    """One timeline of all lanes; `fold` combines consecutive calls that found nothing to do into one event."""
    ordered = list(lanes)
    distinct(ordered)
    offsets = [lane.offset for lane in ordered]
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
    """Whether a call found nothing to do: nothing was ready, or it would have blocked."""
    if record["call"] in ("select", "WSAPoll"):
        return bool(record.get("result") == 0)
    return record["call"] != "connect" and bool(record.get("error", {}).get("name") == "WSAEWOULDBLOCK")


def _folded(events: list[Event]) -> list[Event]:
    """Combines two or more calls of a lane that found nothing to do, without another call between them."""
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
        # WSAGetLastError after such a call belongs to it.
        if event.idle or (event.lane in running and event.call == "WSAGetLastError"):
            running.setdefault(event.lane, []).append(event)
        else:
            close(event.lane)
            kept.append(event)
    for lane in list(running):
        close(lane)
    kept.sort(key=lambda event: (event.at, event.lane, event.record["n"]))
    return kept
