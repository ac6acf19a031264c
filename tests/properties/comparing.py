"""Where the traces of a program differ between compat and Wine."""

from __future__ import annotations

from typing import Any

from .interpreter import Trace
from .known import Difference, fails, known

Program = dict[str, Any]


def difference(program: Program, compat: Trace, wine: Trace) -> Difference | None:
    """The first difference that counts: an unknown one, or one after which the sockets themselves may differ."""
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
    """Whether both have failed and left everything as it was."""
    results = {found.compat[0], found.wine[0]}
    # With WSAEMSGSIZE a datagram has gone, with the other a connect is on its way.
    started = "WSAEMSGSIZE" in results or (found.step[0] == "connect" and "WSAEWOULDBLOCK" in results)
    return all(map(fails, results)) and not started and found.compat[1:] == found.wine[1:]


# What they answer changes nothing.
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
    """A program with its trace, or both traces, for people."""
    wine = compat if wine is None else wine
    lines = [f"start: {program['start']}, {'nonblocking' if program['nonblocking'] else 'blocking'}"]
    for place, step in enumerate(program["steps"]):
        call, *arguments = step
        ours = compat[place] if place < len(compat) else "nothing"
        theirs = wine[place] if place < len(wine) else "nothing"
        answer = str(ours) if ours == theirs else f"compat {ours}, wine {theirs}"
        lines.append(f"  {call}({', '.join(map(str, arguments))}) -> {answer}")
    return "\n".join(lines)
