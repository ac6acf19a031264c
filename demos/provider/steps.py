"""What a follower reports: alarms, its status, and the step that follows from a message or a timer event."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from demos.provider.messages import FromClient, Snapshot


class Kind(Enum):
    """What an alarm is about. Those of STOPPING end all following until resume()."""

    FALL = "the sequence numbers fell"
    RETURNED = "an earlier run of the provider returned"
    CONFLICT = "two states have one number"
    RIVALS = "two providers publish at one place"
    OLDER = "a new stream begins in the past"
    CLOCK = "a clock was set"
    GAP = "a state was missed"
    STALE = "the server is silent"
    PROTOCOL = "the server breaks the protocol"
    ERROR = "the server reports an error"


STOPPING = frozenset({Kind.FALL, Kind.RETURNED, Kind.CONFLICT, Kind.RIVALS})


class Status(Enum):
    """How current the follower's state is."""

    OFFLINE = "not connected"
    WAITING = "connected, but the newest state has not been received"
    LIVE = "the state is the newest, whether the provider trades or is quiet"
    STALE = "the server is silent; the state may be outdated"
    STOPPED = "stopped by an alarm until the operator resumes"


class Alarm(NamedTuple):
    """Something that the operator should know, with its details in one line."""

    kind: Kind
    text: str


@dataclass
class Step:
    """What follows from one message or timer event; ``disconnect`` is the reason to close the connection, or ""."""

    state: Snapshot | None = None
    send: list[FromClient] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    disconnect: str = ""
