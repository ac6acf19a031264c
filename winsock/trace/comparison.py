"""Compares the calls of two runs of the same programs, without what differs in each run.

How it works:

- Each thread of a program is compared with the thread of the same name in the other run, call by call: how the threads
  take turns differs in each run.
- A call is reduced to a dict of its parts (`_parts`): its name, its arguments, its result and its error. Handles become
  the number of the socket in the order in which the thread first uses them, so a call on another socket is a
  difference, and another handle is none. Ports, time limits and the ignored first argument of select are left out.
- How often a program finds nothing to do, such as recv with WSAEWOULDBLOCK, depends on time. So these calls are left
  out as well, together with the WSAGetLastError after them.
- Of data that was recorded in part, the bytes that both traces have are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .events import Event
from .ip_headers import parsed
from .timeline import Timeline

__all__ = ["MISSING", "Difference", "Sequence", "first_difference", "sequences"]

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
    """The calls of one thread of a program."""

    program: str
    thread: str
    events: list[Event]


class Difference(NamedTuple):
    """Where two sequences differ: after `equal` calls; `parts` are the differences of the next calls.

    Each part has a name, and a value of both calls. If one sequence has ended, there are no parts.
    """

    equal: int
    parts: list[tuple[str, Any, Any]]


def sequences(timeline: Timeline, everything: bool = False) -> list[Sequence]:
    """The calls of each thread, in order; with `everything`, also those that found nothing to do."""
    threads: dict[tuple[int, str], list[Event]] = {}
    after_idle: dict[tuple[int, str], bool] = {}
    for event in timeline.events:
        key = event.lane, str(event.record.get("thread", ""))
        calls = threads.setdefault(key, [])
        idle = event.idle or (after_idle.get(key, False) and event.call == "WSAGetLastError")
        after_idle[key] = idle
        if everything or not idle:
            calls.append(event)
    names = _program_names(timeline)
    return [Sequence(names[lane], thread, events) for (lane, thread), events in threads.items()]


def _program_names(timeline: Timeline) -> list[str]:
    """The names of the lanes, with the number of a child process in the place of its process id."""
    seen: dict[str, int] = {}
    names = []
    for lane in timeline.lanes:
        name = re.sub(r" \(pid \d+\)$", " (child)", lane.name)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names


def first_difference(one: Iterable[Event], other: Iterable[Event]) -> Difference | None:
    """The first calls of two sequences that differ; None if all calls are equal."""
    left, right = map(_comparable, (one, other))
    for number, (a, b) in enumerate(zip(left, right, strict=False)):
        parts = _different(a, b)
        if parts:
            return Difference(number, parts)
    return None if len(left) == len(right) else Difference(min(len(left), len(right)), [])


def _comparable(events: Iterable[Event]) -> list[dict[str, Any]]:
    sockets: dict[int, int] = {}
    count = 0
    calls = []
    for event in events:
        result = event.record.get("result")
        args = event.record["args"]
        new = [result] if event.call in _SOCKETS and not event.error and isinstance(result, int) else []
        for handle in [*_handles(args), *new]:
            if handle not in sockets or handle in new:
                count += 1
                sockets[handle] = count
        calls.append(_parts(event, sockets))
        if event.call == "closesocket" and not event.error and isinstance(args.get("s"), int):
            del sockets[args["s"]]
    return calls


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


def _parts(event: Event, sockets: dict[int, int]) -> dict[str, Any]:
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


def _reduced(value: Any, sockets: dict[int, int], depth: int = 0) -> Any:
    """A value without ports, and with the numbers of sockets in the place of handles."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, int):
        return f"socket {sockets[value]}" if value in sockets else value
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
