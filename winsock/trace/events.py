"""What a picture is made of: lanes, calls, and arrows between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["GROUPS", "Arrow", "Event", "Lane"]

# What each call is for; all others are about names and numbers.
GROUPS = {
    "sockets": (
        "WSAStartup", "WSACleanup", "socket", "bind", "listen", "shutdown", "closesocket", "ioctlsocket", "setsockopt",
        "getsockopt", "getsockname", "getpeername",
    ),
    "connections": ("connect", "accept"),
    "data": ("send", "recv", "sendto", "recvfrom"),
    "waiting": ("select", "WSAPoll"),
}  # fmt: skip
_GROUP = {call: group for group, calls in GROUPS.items() for call in calls}


@dataclass
class Event:
    """A call: its record, its lane's index, and when it took effect, in nanoseconds of the common clock."""

    lane: int
    record: dict[str, Any]
    at: int
    start: int
    end: int
    # How many calls this one stands for, when it is the first of several that found nothing.
    count: int = 1
    idle: bool = False
    text: str = ""
    index: int = -1

    @property
    def call(self) -> str:
        return str(self.record["call"])

    @property
    def group(self) -> str:
        return _GROUP.get(self.call, "names")

    @property
    def error(self) -> str:
        """The error's name, the exception's, or nothing."""
        if "raised" in self.record:
            return str(self.record["raised"]).partition(":")[0]
        return str(self.record.get("error", {}).get("name", ""))

    @property
    def label(self) -> str:
        """The call with its result on one short line."""
        text = re.sub(r"(?:SOCKET_ERROR|INVALID_SOCKET|NULL) \(#\d+\) (\w+): .*", r"\1", self.text, flags=re.DOTALL)
        return text if len(text) <= 72 else f"{text[:48]} \u2026 {text[-22:]}"


@dataclass
class Lane:
    """A program: its name, what started it, and its calls by their number."""

    name: str
    pid: int
    argv: list[str]
    backend: str
    offset: int  # from the lane's clock to the time of day
    records: list[dict[str, Any]] = field(default_factory=list)


class Arrow(NamedTuple):
    """What went from one call to another: kind is connection, data, datagram, end or reset."""

    source: Event
    target: Event
    kind: str
    text: str
    bytes: int = 0
