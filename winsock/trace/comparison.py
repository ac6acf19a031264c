"""Compares the calls of two runs of the same programs, without what differs in each run.

How it works:

- Each thread of a program is compared with the thread of the same name in the other run, call by call: how the threads
  take turns differs in each run.
- A call is reduced to a dict of its parts (`_parts`): its name, its arguments, its result and its error. A handle
  becomes the name of its socket: the thread that created it, and how many that thread had created then (`_names`). So a
  call on another socket is a difference, and another handle is none. Ports, time limits and the ignored first argument
  of select are left out.
- How often a program finds nothing to do, such as recv with WSAEWOULDBLOCK, depends on time. So these calls are left
  out as well, together with the WSAGetLastError after them.
- Of data that was recorded in part, the bytes that both traces have are compared. The calls that have other bytes are
  counted (`Comparison.unrecorded`): they may differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from .events import Event
from .ip_headers import parsed
from .timeline import Timeline

__all__ = ["MISSING", "Comparison", "Sequence", "compared", "sequences"]

# The arguments that are times, and the one that select ignores.
_IGNORED = {("select", "nfds"), ("select", "timeout"), ("WSAPoll", "timeout")}
# The calls whose argument and result is a port, in one of the byte orders.
_OF_PORTS = ("htons", "ntohs")
_SOCKETS = ("socket", "accept")
# Values of a trace are not nested more deeply.
_DEEPEST = 6
# In the place of a part that a call does not have.
MISSING = "nothing"


class Sequence(NamedTuple):
    """The calls of one thread of a program, and for each call the names of its sockets by their handles."""

    program: str
    thread: str
    events: list[Event]
    sockets: list[dict[int, str]]


class Comparison(NamedTuple):
    """The result of a comparison: after `equal` calls, the sequences end or differ.

    Each part of `parts` is a difference of the next calls: its name, and the values of both calls. It is None if all
    calls are equal, and empty if only one sequence has ended. `unrecorded` is the number of the equal calls with bytes
    that were not compared.
    """

    equal: int
    parts: list[tuple[str, Any, Any]] | None
    unrecorded: int


def sequences(timeline: Timeline, everything: bool = False) -> list[Sequence]:
    """The calls of each thread, in order; with `everything`, also those that found nothing to do."""
    names = _program_names(timeline)
    found: dict[tuple[int, str], Sequence] = {}
    after_idle: dict[tuple[int, str], bool] = {}
    for event, sockets in zip(timeline.events, _names(timeline.events), strict=True):
        key = event.lane, _thread(event)
        calls = found.setdefault(key, Sequence(names[event.lane], key[1], [], []))
        idle = event.idle or (after_idle.get(key, False) and event.call == "WSAGetLastError")
        after_idle[key] = idle
        if everything or not idle:
            calls.events.append(event)
            calls.sockets.append(sockets)
    return list(found.values())


def _program_names(timeline: Timeline) -> list[str]:
    """The names of the lanes, with the number of a child process in the place of its process id."""
    seen: dict[str, int] = {}
    names = []
    for lane in timeline.lanes:
        name = re.sub(r" \(pid \d+\)$", " (child)", lane.name)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names


def compared(one: Sequence, other: Sequence) -> Comparison:
    """Compares the calls of two sequences up to the first ones that differ."""
    unrecorded = 0
    left, right = (map(_parts, each.events, each.sockets) for each in (one, other))
    for number, (a, b) in enumerate(zip(left, right, strict=False)):
        parts = _different(a, b)
        if parts:
            return Comparison(number, parts, unrecorded)
        unrecorded += not (_is_recorded(a.get("buf")) and _is_recorded(b.get("buf")))
    equal = min(len(one.events), len(other.events))
    return Comparison(equal, None if len(one.events) == len(other.events) else [], unrecorded)


def _is_recorded(buffer: Any) -> bool:
    """Whether a trace has all bytes of a buffer."""
    return not isinstance(buffer, dict) or "hex" not in buffer or len(buffer["hex"]) >= 2 * buffer["bytes"]


def _names(events: Iterable[Event]) -> list[dict[int, str]]:
    """For each call the names of its sockets by their handles, as its thread sees them.

    A call uses the sockets that were created before it began. Where a trace does not have the call that created a
    socket, the socket is named by the order in which the thread first uses such sockets.
    """
    names: list[dict[int, str]] = []
    # When a call begins, it uses sockets; when it ends, it has created one. Of equal times, the earlier call counts.
    moments: list[tuple[int, int, bool, int, Event]] = []
    for number, event in enumerate(events):
        names.append({})
        moments.append((event.start, event.record["n"], False, number, event))
        if _created(event) is not None:
            moments.append((event.end, event.record["n"], True, number, event))
    creators: dict[tuple[int, int], tuple[str, int]] = {}
    counts: Counter[tuple[int, str]] = Counter()
    unknown: dict[tuple[int, str], dict[int, str]] = {}
    for _, _, creates, number, event in sorted(moments):
        thread = _thread(event)
        new = _created(event) if creates else None
        if new is not None:
            counts[event.lane, thread] += 1
            creators[event.lane, new] = thread, counts[event.lane, thread]
        for handle in _handles(event.record["args"]) if new is None else [new]:
            creator = creators.get((event.lane, handle))
            if creator is None:
                others = unknown.setdefault((event.lane, thread), {})
                names[number][handle] = others.setdefault(handle, f"socket {len(others) + 1} without a creating call")
            else:
                by = "" if creator[0] == thread else f" of thread {creator[0]}"
                names[number][handle] = f"socket {creator[1]}{by}"
    return names


def _created(event: Event) -> int | None:
    """The handle of the socket that a call has created; None if it has created none."""
    result = event.record.get("result")
    return result if event.call in _SOCKETS and not event.error and isinstance(result, int) else None


def _thread(event: Event) -> str:
    return str(event.record.get("thread", ""))


def _handles(args: dict[str, Any]) -> list[int]:
    """The handles in the arguments of a call."""
    handles = [args.get("s")]
    for name in ("readfds", "writefds", "exceptfds"):
        given = args.get(name)
        given = given.get("in") if isinstance(given, dict) else given
        handles += given if isinstance(given, list) else []
    polled = args.get("fdArray")
    polled = polled.get("in") if isinstance(polled, dict) else polled
    handles += [entry.get("fd") for entry in polled if isinstance(entry, dict)] if isinstance(polled, list) else []
    return [handle for handle in handles if isinstance(handle, int)]


def _parts(event: Event, sockets: dict[int, str]) -> dict[str, Any]:
    """What is compared of a call, by the names of its parts."""
    call, record = event.call, event.record
    if "begun" in record:
        return {"call": f"{call} that has not returned"}
    parts = {"call": call, "error": event.error}
    if call in _OF_PORTS:
        return parts
    for name, value in record["args"].items():
        if (call, name) not in _IGNORED:
            parts[name] = _reduced(
                value, sockets if name in ("s", "readfds", "writefds", "exceptfds", "fdArray") else {}
            )
    handles = sockets if call in _SOCKETS and not event.error else {}
    parts["result"] = _reduced(record.get("result", MISSING), handles)
    return parts


def _reduced(value: Any, sockets: dict[int, str], depth: int = 0) -> Any:
    """A value without ports, and with the numbers of sockets in the place of handles."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, int):
        return sockets.get(value, value)
    if isinstance(value, str):
        address = parsed(value)
        return str(address.host) if address else value
    if isinstance(value, list):
        return [_reduced(item, sockets, depth + 1) for item in value]
    if isinstance(value, dict):
        if re.fullmatch("[0-9]+", str(value.get("text", ""))):
            return "a port"  # of getaddrinfo and getnameinfo
        return {
            key: _reduced(item, sockets if key in ("in", "out", "fd") else {}, depth + 1) for key, item in value.items()
        }
    return value


def _different(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    if one["call"] != other["call"]:
        return [("call", one["call"], other["call"])]
    names = [*one, *(name for name in other if name not in one)]
    pairs = [(name, one.get(name, MISSING), other.get(name, MISSING)) for name in names]
    return [(name, a, b) for name, a, b in pairs if a != b and not (name == "buf" and _same_bytes(a, b))]


def _same_bytes(one: Any, other: Any) -> bool:
    """Whether two buffers have the same size and begin with the same bytes, of which both traces have some."""
    if not all(isinstance(buffer, dict) and "hex" in buffer for buffer in (one, other)):
        return False
    shown = min(len(one["hex"]), len(other["hex"]))
    return bool(one["bytes"] == other["bytes"] and one["hex"][:shown].lower() == other["hex"][:shown].lower())
