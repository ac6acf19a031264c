"""The parts of a picture: lanes (programs), events (calls) and the arrows between them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

__all__ = ["GROUPS", "Arrow", "CanCause", "Event", "Lane", "Source"]

# The groups of calls that the page can filter; every other call is in the group "names" (names and numbers).
GROUPS = {
    "sockets": (
        "WSAStartup", "WSACleanup", "socket", "bind", "listen", "shutdown", "closesocket", "ioctlsocket", "setsockopt",
        "getsockopt", "getsockname", "getpeername",
    ),
    "connections": ("connect", "accept"),
    "data": ("send", "recv", "sendto", "recvfrom"),
    "waiting": ("select", "WSAPoll", "FD_SET"),
}  # fmt: skip
_GROUP = {call: group for group, calls in GROUPS.items() for call in calls}

# Exceptions with which a user or the system ends a program, such as Ctrl-C. They are no errors of the call.
_ENDS = ("KeyboardInterrupt", "SystemExit")


class Source(NamedTuple):
    """The line of the program that makes a call; `code` is its text without indentation."""

    file: str
    line: int
    function: str
    code: str


@dataclass
class Event:
    """A call: its JSON record, the index of its lane, and its times in nanoseconds of the common clock.

    `at` is the time at which the call took effect: its start, or its end for a call that reports something.
    """

    lane: int
    record: dict[str, Any]
    at: int
    start: int
    end: int
    # The number of calls that this event represents: consecutive calls that found nothing to do are one event.
    count: int = 1
    idle: bool = False
    text: str = ""
    index: int = -1
    # The number of its first byte in its TCP stream, counted from 0; None if the call moved no bytes of a stream.
    stream: int | None = None
    # The format of its TCP stream (wire_formats.py); "" if it is not one of the article's.
    format: str = ""
    # Whether the call sent or received a datagram.
    is_datagram: bool = False
    # The calls at the other ends of its arrows, in the order of the timeline.
    partners: tuple[Event, ...] = field(default=(), repr=False, compare=False)

    @property
    def call(self) -> str:
        return str(self.record["call"])

    @property
    def group(self) -> str:
        return _GROUP.get(self.call, "names")

    @property
    def error(self) -> str:
        """The name of the error or exception; "" if the call succeeded."""
        if "raised" in self.record:
            return str(self.record["raised"]).partition(":")[0]
        return str(self.record.get("error", {}).get("name", ""))

    @property
    def ended(self) -> bool:
        """Whether the end of the program interrupted the call: it raised KeyboardInterrupt (Ctrl-C) or SystemExit."""
        return "raised" in self.record and self.error in _ENDS

    @property
    def failed(self) -> bool:
        """Whether the call has an error: not one which says that it would wait or still waits, and not `ended`."""
        return self.error not in ("", "WSAEWOULDBLOCK") and not self.idle and not self.ended

    @property
    def waiting(self) -> bool:
        """Whether the call has not returned."""
        return "begun" in self.record

    @property
    def source(self) -> Source | None:
        """The line of the program that makes this call; None if the trace does not say."""
        source = self.record.get("source")
        return Source(source["file"], source["line"], source["function"], source["code"]) if source else None

    @property
    def label(self) -> str:
        """The call with its result in at most 73 characters."""
        text = re.sub(r"(?:SOCKET_ERROR|INVALID_SOCKET|NULL) \(#\d+\) (\w+): .*", r"\1", self.text, flags=re.DOTALL)
        return text if len(text) <= 72 else f"{text[:48]} \u2026 {text[-22:]}"


@dataclass
class Lane:
    """A program: its name, process id, command line, backend, and the records of its calls.

    `waiting` has the records of the calls that have begun and not returned, by the number of the call. `parent` is the
    process id of the program of the same trace that has created the process by fork; then the name has the process id.
    """

    name: str
    pid: int
    argv: list[str]
    backend: str
    offset: int  # nanoseconds to add to the lane's clock to get the time of day
    records: list[dict[str, Any]] = field(default_factory=list)
    waiting: dict[int, dict[str, Any]] = field(default_factory=dict)
    parent: int | None = None

    @property
    def is_child(self) -> bool:
        """Whether a program of the same trace has created the process by fork."""
        return self.parent is not None

    @property
    def title(self) -> str:
        """The name with the process id."""
        return self.name if self.is_child else f"{self.name} (pid {self.pid})"


class Arrow(NamedTuple):
    """What one call sent to another; `kind` is connection, data, datagram, end or reset."""

    source: Event
    target: Event
    kind: str
    text: str
    bytes: int = 0


# Whether the first call can be a cause of the second one, according to their times.
CanCause: TypeAlias = Callable[[Event, Event], bool]
