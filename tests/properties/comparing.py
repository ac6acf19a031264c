"""Compares the traces of a program on compat and on Wine."""

from __future__ import annotations

from typing import Any

from .interpreter import Trace
from .known import Difference, fails, known

Program = dict[str, Any]


def difference(program: Program, compat: Trace, wine: Trace) -> Difference | None:
    """The first relevant difference: one that is not known, or one after which the sockets may be in other states."""
    steps = program["steps"]
    for place, step in enumerate(steps):
        ours, theirs = (trace[place] if place < len(trace) else ["nothing"] for trace in (compat, wine))
        if ours == theirs:
            continue
        found = Difference(program["start"], step, ours, theirs, steps[:place])
        if not known(found) or not (step[0] in _HARMLESS or _nothing_happened(found)):
            return found
    return None


def _nothing_happened(found: Difference) -> bool:
    """Whether both calls failed without changing anything."""
    results = {found.compat[0], found.wine[0]}
    # After WSAEMSGSIZE a datagram is lost, and after WSAEWOULDBLOCK connect is in progress.
    started = "WSAEMSGSIZE" in results or (found.step[0] == "connect" and "WSAEWOULDBLOCK" in results)
    return all(map(fails, results)) and not started and found.compat[1:] == found.wine[1:]


# Calls that change nothing, whatever their answer.
_HARMLESS = {
    "WSAGetLastError",
    "gethostname",
    "getsockopt",
    "WSAPoll",
    "getaddrinfo",
    "getnameinfo",
    "inet_pton",
    "ioctlsocket",
}


def shown(program: Program, compat: Trace, wine: Trace | None = None) -> str:
    """A program with its trace, or both traces, as text."""
    wine = compat if wine is None else wine
    lines = [f"start: {program['start']}, {'nonblocking' if program['nonblocking'] else 'blocking'}"]
    for place, step in enumerate(program["steps"]):
        call, *arguments = step
        ours = compat[place] if place < len(compat) else "nothing"
        theirs = wine[place] if place < len(wine) else "nothing"
        answer = str(ours) if ours == theirs else f"compat {ours}, wine {theirs}"
        lines.append(f"  {call}({', '.join(map(str, arguments))}) -> {answer}")
    return "\n".join(lines)
