"""Puts the calls of several programs in one order: each lane in its own order, and no effect above its cause.

How it works:

- A lane's own order is that of its times. All calls of a lane have one clock, and a call takes effect at its start or
  at its end (timeline.py), so this order is right for several threads too.
- An arrow leads from a cause to its effect; reports.py finds more causes. The times agree with them if all programs
  share a clock that shows each nanosecond. They do not for programs on two machines, for a coarse clock, and for the
  simulation, where many calls have the same time.
- `align_clocks` moves the times of whole machines forward, by as little as makes no cause later than its effect.
- `in_order` merges the lanes. The next event is the earliest one whose causes are all placed already.
- Arrows that contradict the order of the lanes come from a wrong match or from a damaged trace. They are removed.
"""

from __future__ import annotations

from heapq import heappop, heappush

from .events import Arrow, Event

__all__ = ["align_clocks", "in_order", "own_order"]

# The most rounds that align clocks: the most machines on the way of a message that are corrected.
_MAX_ROUNDS = 100


def own_order(event: Event) -> tuple[int, int, int]:
    """The sort key of an event: by time; of one time, by lane and by number."""
    return event.at, event.lane, event.record["n"]


def align_clocks(events: list[Event], clocks: list[int], causes: list[tuple[Event, Event]]) -> None:
    """Change the times of the events so that no cause in a lane with another clock is later than its effect ends.

    `clocks` has a number for each lane; lanes with the same number share a clock. If the clocks drift, no shift of a
    clock may suffice for all causes: then some are still later.
    """
    needed: dict[tuple[int, int], int] = {}
    for cause, effect in causes:
        pair = clocks[cause.lane], clocks[effect.lane]
        if pair[0] != pair[1]:
            difference = cause.at - effect.end
            needed[pair] = max(needed.get(pair, difference), difference)
    shifts = dict.fromkeys(clocks, 0)
    # Each round corrects paths that are one arrow longer.
    for _ in range(min(len(shifts), _MAX_ROUNDS)):
        for (source, target), difference in needed.items():
            shifts[target] = max(shifts[target], shifts[source] + difference)
    for event in events:
        shift = shifts[clocks[event.lane]]
        event.at += shift
        event.start += shift
        event.end += shift


def in_order(
    events: list[Event], arrows: list[Arrow], others: list[tuple[Event, Event]]
) -> tuple[list[Event], list[Arrow]]:
    """All events in one order, and the arrows that lead forward in it, by their targets.

    `others` are pairs of a cause and its effect without an arrow; one whose effect ended before the cause is ignored.
    A connect may begin before the listen that lets it succeed. Also sets `index` and `partners` of the events.
    """
    lanes: dict[int, list[Event]] = {}
    for event in sorted(events, key=own_order, reverse=True):
        lanes.setdefault(event.lane, []).append(event)
    # The number of causes of each event that are not placed yet, and the effects of each event.
    missing: dict[int, int] = {}
    effects: dict[int, list[Event]] = {}
    pairs = [(arrow.source, arrow.target) for arrow in arrows]
    for cause, effect in pairs + [pair for pair in others if pair[0].at <= pair[1].end]:
        missing[id(effect)] = missing.get(id(effect), 0) + 1
        effects.setdefault(id(cause), []).append(effect)
    placed: list[Event] = []
    # The next event of each lane: those whose causes are all placed, and those that wait for a cause.
    ready: list[tuple[int, int, int]] = []
    waiting: list[tuple[int, int, int]] = []

    def offer(lane: int) -> None:
        if lanes[lane]:
            event = lanes[lane][-1]
            heappush(waiting if missing.get(id(event)) else ready, own_order(event))

    for lane in lanes:
        offer(lane)
    while len(placed) < len(events):
        # If no event is ready, the arrows contradict the lanes.
        lane = (heappop(ready) if ready else _first_of_a_lane(waiting, lanes))[1]
        event = lanes[lane].pop()
        event.index = len(placed)
        placed.append(event)
        for effect in effects.get(id(event), ()):
            missing[id(effect)] -= 1
            queue = lanes.get(effect.lane, [])
            if not missing[id(effect)] and effect.lane != lane and queue and queue[-1] is effect:
                offer(effect.lane)
        offer(lane)
    return placed, _forward(arrows)


def _first_of_a_lane(waiting: list[tuple[int, int, int]], lanes: dict[int, list[Event]]) -> tuple[int, int, int]:
    """The earliest of these keys that is the key of the next event of its lane; the others are of placed events."""
    while True:
        key = heappop(waiting)
        queue = lanes[key[1]]
        if queue and own_order(queue[-1]) == key:
            return key


def _forward(arrows: list[Arrow]) -> list[Arrow]:
    # A call without an index is not in the timeline: it was combined with others.
    kept = [arrow for arrow in arrows if 0 <= arrow.source.index < arrow.target.index]
    kept.sort(key=lambda arrow: (arrow.target.index, arrow.source.index))
    partners: dict[int, list[Event]] = {}
    for arrow in kept:
        partners.setdefault(arrow.source.index, []).append(arrow.target)
        partners.setdefault(arrow.target.index, []).append(arrow.source)
    for arrow in kept:
        for event in (arrow.source, arrow.target):
            if found := partners.pop(event.index, None):
                event.partners = tuple(found)
    return kept
