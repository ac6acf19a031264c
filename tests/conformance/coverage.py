"""Which calls and errors of the documented interface the scenarios cover."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from winsock import CALLS, Winsock

from . import recordings
from .recorder import Json
from .runner import Scenario

_NO_MEMORY = "requires that memory or descriptors are exhausted"
_NO_ROUTE = "every loopback address is reachable"
_NO_ANSWER = "depends on the answer of a name server"
_BROKEN = "requires a network that fails"
# Errors that winsock.api lists and no scenario can cause on loopback, with the reason.
UNPROVOKED = {
    ("WSAStartup", "WSAEPROCLIM"): "current systems have no such limit",
    ("WSAStartup", "WSASYSNOTREADY"): "requires a system without a network",
    ("socket", "WSAEACCES"): "whether a raw socket is allowed depends on the user",
    ("socket", "WSAEMFILE"): _NO_MEMORY,
    ("socket", "WSAENOBUFS"): _NO_MEMORY,
    ("bind", "WSAENOBUFS"): "requires that all ports are in use",
    ("connect", "WSAENOBUFS"): "requires that all ports are in use",
    ("connect", "WSAETIMEDOUT"): "a loopback address always answers",
    ("connect", "WSAEHOSTUNREACH"): _NO_ROUTE,
    ("listen", "WSAEADDRINUSE"): "requires another process that listens",
    ("listen", "WSAEMFILE"): _NO_MEMORY,
    ("listen", "WSAENOBUFS"): _NO_MEMORY,
    ("accept", "WSAEMFILE"): _NO_MEMORY,
    ("accept", "WSAENOBUFS"): _NO_MEMORY,
    ("send", "WSAENETRESET"): _BROKEN,
    ("send", "WSAENETUNREACH"): _NO_ROUTE,
    ("send", "WSAEHOSTUNREACH"): _NO_ROUTE,
    ("send", "WSAENOBUFS"): _NO_MEMORY,
    ("recv", "WSAENETRESET"): _BROKEN,
    ("sendto", "WSAEDESTADDRREQ"): "documented, but Windows reports WSAENOTCONN",
    ("sendto", "WSAENETRESET"): _BROKEN,
    ("sendto", "WSAENOBUFS"): _NO_MEMORY,
    ("recvfrom", "WSAENETRESET"): _BROKEN,
    ("shutdown", "WSAECONNRESET"): "documented, but the call succeeds on Windows",
    ("shutdown", "WSAECONNABORTED"): "documented, but the call succeeds on Windows",
    ("setsockopt", "WSAENETRESET"): _BROKEN,
    ("setsockopt", "WSAENOTCONN"): _BROKEN,
    ("select", "WSAENOBUFS"): _NO_MEMORY,
    ("WSAPoll", "WSAENOBUFS"): _NO_MEMORY,
    ("getaddrinfo", "WSATRY_AGAIN"): _NO_ANSWER,
    ("getaddrinfo", "WSANO_DATA"): _NO_ANSWER,
    ("getaddrinfo", "WSA_NOT_ENOUGH_MEMORY"): _NO_MEMORY,
    ("getnameinfo", "WSATRY_AGAIN"): _NO_ANSWER,
    ("getnameinfo", "WSANO_RECOVERY"): _NO_ANSWER,
    ("getnameinfo", "WSA_NOT_ENOUGH_MEMORY"): _NO_MEMORY,
    ("gethostbyname", "WSATRY_AGAIN"): _NO_ANSWER,
    ("gethostbyname", "WSANO_RECOVERY"): _NO_ANSWER,
}


def uses(scenarios: Iterable[Scenario]) -> Counter[str]:
    """The number of scenarios that make each call, without the calls of the kit."""
    return Counter(call for scenario in scenarios for call in scenario.calls)


def listed() -> set[tuple[str, str]]:
    """The errors that the docstrings of winsock.api list, each with its call."""
    found = set()
    for call in CALLS:
        text = (getattr(Winsock, call).__doc__ or "").partition("Errors:")[2].partition("Source:")[0]
        for names in re.findall(r"^ +((?:WSA\w+(?: \(\w+\))?(?:, )?)+):", text, re.MULTILINE):
            found |= {(call, name) for name in re.findall(r"WSA\w+", names)}
    return found


def _errors(answer: Json) -> list[str]:
    return [part for part in answer if isinstance(part, str)] if isinstance(answer, list) else []


def reached(entries: dict[str, recordings.Entry]) -> set[tuple[str, str]]:
    """The errors that the scenarios expect on Windows, each with the call in its label."""
    return {
        (label.partition(" ")[0], part)
        for entry in entries.values()
        for label, answers in recordings.expected(entry, "windows")
        for answer in answers
        for part in _errors(answer)
    }
