"""Which calls and errors of the contract the scenarios reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from winsock import CALLS, Winsock

from . import recordings
from .recorder import Json
from .runner import Scenario

_NO_MEMORY = "memory or descriptors would have to run out"
_NO_ROUTE = "loopback reaches everything"
_NO_ANSWER = "it needs a name server, and what that says"
_BROKEN = "it needs a network that breaks"
# Errors that the contract lists and no scenario can provoke on loopback, with the reason.
UNPROVOKED = {
    ("WSAStartup", "WSAEPROCLIM"): "no system of today has such a limit",
    ("WSAStartup", "WSASYSNOTREADY"): "it needs a system without a network",
    ("socket", "WSAEACCES"): "whether a raw socket is allowed depends on the user",
    ("socket", "WSAEMFILE"): _NO_MEMORY,
    ("socket", "WSAENOBUFS"): _NO_MEMORY,
    ("bind", "WSAENOBUFS"): "all ports would have to be taken",
    ("connect", "WSAENOBUFS"): "all ports would have to be taken",
    ("connect", "WSAETIMEDOUT"): "a host on loopback answers always",
    ("connect", "WSAENETUNREACH"): _NO_ROUTE,
    ("connect", "WSAEHOSTUNREACH"): _NO_ROUTE,
    ("listen", "WSAEMFILE"): _NO_MEMORY,
    ("listen", "WSAENOBUFS"): _NO_MEMORY,
    ("accept", "WSAEMFILE"): _NO_MEMORY,
    ("accept", "WSAENOBUFS"): _NO_MEMORY,
    ("send", "WSAENETRESET"): _BROKEN,
    ("send", "WSAENETUNREACH"): _NO_ROUTE,
    ("send", "WSAEHOSTUNREACH"): _NO_ROUTE,
    ("send", "WSAENOBUFS"): _NO_MEMORY,
    ("recv", "WSAENETRESET"): _BROKEN,
    ("sendto", "WSAEDESTADDRREQ"): "Windows says WSAENOTCONN where the page has this",
    ("sendto", "WSAENETRESET"): _BROKEN,
    ("sendto", "WSAENETUNREACH"): _NO_ROUTE,
    ("sendto", "WSAEHOSTUNREACH"): _NO_ROUTE,
    ("sendto", "WSAENOBUFS"): _NO_MEMORY,
    ("recvfrom", "WSAENETRESET"): _BROKEN,
    ("shutdown", "WSAECONNRESET"): "Windows lets it succeed where the page has this",
    ("shutdown", "WSAECONNABORTED"): "Windows lets it succeed where the page has this",
    ("setsockopt", "WSAENETRESET"): _BROKEN,
    ("setsockopt", "WSAENOTCONN"): _BROKEN,
    ("WSAPoll", "WSAENOBUFS"): _NO_MEMORY,
    ("getaddrinfo", "WSATRY_AGAIN"): _NO_ANSWER,
    ("getaddrinfo", "WSANO_RECOVERY"): _NO_ANSWER,
    ("getaddrinfo", "WSANO_DATA"): _NO_ANSWER,
    ("getaddrinfo", "WSA_NOT_ENOUGH_MEMORY"): _NO_MEMORY,
    ("getnameinfo", "WSATRY_AGAIN"): _NO_ANSWER,
    ("getnameinfo", "WSANO_RECOVERY"): _NO_ANSWER,
    ("getnameinfo", "WSA_NOT_ENOUGH_MEMORY"): _NO_MEMORY,
    ("gethostbyname", "WSATRY_AGAIN"): _NO_ANSWER,
    ("gethostbyname", "WSANO_RECOVERY"): _NO_ANSWER,
    ("gethostbyname", "WSANO_DATA"): _NO_ANSWER,
}


def uses(scenarios: Iterable[Scenario]) -> Counter[str]:
    """In how many scenarios each call is made, not counting what the kit does for them."""
    return Counter(call for scenario in scenarios for call in scenario.calls)


def listed() -> set[tuple[str, str]]:
    """The errors that the contract's docstrings list, each with its call."""
    found = set()
    for call in CALLS:
        text = (getattr(Winsock, call).__doc__ or "").partition("Errors:")[2].partition("Source:")[0]
        for names in re.findall(r"^ +((?:WSA\w+(?: \(\w+\))?(?:, )?)+):", text, re.MULTILINE):
            found |= {(call, name) for name in re.findall(r"WSA\w+", names)}
    return found


def _errors(answer: Json) -> list[str]:
    return [part for part in answer if isinstance(part, str)] if isinstance(answer, list) else []


def reached(entries: dict[str, recordings.Entry]) -> set[tuple[str, str]]:
    """The errors that scenarios expect on Windows, each with the call that its label names."""
    return {
        (label.partition(" ")[0], part)
        for entry in entries.values()
        for label, answers in recordings.expected(entry, "windows")
        for answer in answers
        for part in _errors(answer)
    }
