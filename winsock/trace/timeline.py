"""Merges the traces of several programs into one timeline: lanes, calls in one order, and arrows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from .events import Arrow, Event, Lane
from .matching import arrows_of
from .order import align_clocks, in_order, own_order

__all__ = ["SAME_CLOCK", "Timeline", "distinct", "event_of", "timeline"]

# These calls report what happened before they returned, so they count from their end, and so do ioctlsocket(FIONREAD)
# and a send that failed. All other calls take effect when they start.
_AT_RETURN = ("recv", "recvfrom", "accept", "select", "WSAPoll")

# Programs on one machine share a clock. Their offsets to the time of day differ by less than this, in nanoseconds,
# because each program reads the time of day at another moment.
SAME_CLOCK = 10**9


class Timeline(NamedTuple):
    """The calls of all lanes, each lane's in their own order and no effect above its cause, and the arrows."""

    lanes: list[Lane]
    events: list[Event]
    arrows: list[Arrow]
    wall: int  # the time of day at time 0 of the clock, in nanoseconds since 1970


def distinct(lanes: Iterable[Lane], taken: Iterable[str] = ()) -> None:
    """Append a number to the names of lanes that have the name of an earlier lane, or a name that is taken."""
    names = set(taken)
    for lane in lanes:
        name, number = lane.name, 1
        while lane.name in names:
            number += 1
            lane.name = f"{name} {number}"
        names.add(lane.name)


def timeline(lanes: Iterable[Lane], fold: bool = True, unfinished: bool = False) -> Timeline:
    """One timeline of all lanes; `fold` combines consecutive calls that found nothing to do into one event.

    `unfinished` adds the calls that have not returned. They last until the last call of all traces ends: when their
    program was ended is not known.
    """
    ordered = list(lanes)
    distinct(ordered)
    clocks = _clocks([lane.offset for lane in ordered])
    events: list[Event] = []
    waiting: list[Event] = []
    for index, lane in enumerate(ordered):
        # Lanes that share a clock have the offset of one of them, so that their times stay as they are.
        shift = ordered[clocks[index]].offset - ordered[0].offset
        events += [event_of(index, record, shift) for record in lane.records]
        waiting += [_waiting(index, begun, shift) for begun in lane.waiting.values() if unfinished]
    events.sort(key=own_order)
    arrows, others = arrows_of(events, clocks, _parents(ordered))
    align_clocks([*events, *waiting], clocks, [*((arrow.source, arrow.target) for arrow in arrows), *others])
    last = max((event.end for event in [*events, *waiting]), default=0)
    for event in waiting:
        event.end = last
    if fold:
        events = _folded(events)
    events, arrows = in_order([*events, *waiting], arrows, others)
    return Timeline(ordered, events, arrows, ordered[0].offset if ordered else 0)


def _clocks(offsets: list[int]) -> list[int]:
    """For each lane the first lane that has the same clock; the offsets of those differ little."""
    clocks = list(range(len(offsets)))
    by_offset = sorted(clocks, key=lambda lane: offsets[lane])
    for before, lane in pairwise(by_offset):
        if offsets[lane] - offsets[before] < SAME_CLOCK:
            clocks[lane] = clocks[before]
    first: dict[int, int] = {}
    return [first.setdefault(clock, lane) for lane, clock in enumerate(clocks)]


def _parents(lanes: list[Lane]) -> dict[int, int]:
    """For each lane of a forked process, the lane of the program that created it, which has the same clock."""
    programs = {(lane.pid, lane.offset): index for index, lane in enumerate(lanes) if not lane.is_child}
    children = ((index, (lane.parent or 0, lane.offset)) for index, lane in enumerate(lanes) if lane.is_child)
    return {index: programs[parent] for index, parent in children if parent in programs}


def event_of(lane: int, record: dict[str, Any], shift: int) -> Event:
    """The event of a call; `shift` is added to its times."""
    start = record["t"] + shift
    end = start + record["d"]
    at = end if _reports(record) else start
    return Event(lane, record, at, start, end, idle=_is_idle(record), text=record["text"])


def _reports(record: dict[str, Any]) -> bool:
    """Whether a call reports what happened before it returned."""
    if record["call"] in ("send", "sendto"):
        return "error" in record
    return record["call"] in _AT_RETURN or record["args"].get("cmd") == "FIONREAD"


def _waiting(lane: int, begun: dict[str, Any], shift: int) -> Event:
    """The event of a call that has begun and not returned; `result` of its record is None.

    Its record has the arguments that are known before the call; a trace of an older version has none.
    """
    start = begun["t"] + shift
    text = f"{begun['text'].rstrip(', ')}) has not returned"
    record = {"args": {}} | begun | {"n": begun["begun"], "d": 0, "result": None, "text": text}
    return Event(lane, record, start, start, start, text=text)


def _is_idle(record: dict[str, Any]) -> bool:
    """Whether a call found nothing to do: nothing was ready, it would have blocked, or a connect waits."""
    if record["call"] in ("select", "WSAPoll"):
        return bool(record.get("result") == 0)
    # The first connect of a nonblocking socket has something to do: it fails with WSAEWOULDBLOCK.
    idle = "WSAEALREADY" if record["call"] == "connect" else "WSAEWOULDBLOCK"
    return bool(record.get("error", {}).get("name") == idle)


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
    return kept
