"""What the copier does when the provider refuses its login or ends it. No clock, no sockets.

A wrong password must not be tried again and again: that would ban the login. So after some refusals the copier waits
until the secret's file has changed or the program is restarted, and otherwise tries again after a long pause.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """What a refusal means for the positions that were copied."""

    FAULT = "the connection is missing; the positions are stale after some time"
    ENDED = "the login has ended"


class Refusal(NamedTuple):
    """The first and the longest pause until the next login, whether the secret must change first, and the outcome."""

    first_ms: int
    longest_ms: int
    needs_change: bool = False
    outcome: Outcome = Outcome.FAULT


# After this time a login is tried again although its secret has not changed: its rights may have been given back.
LONG_PAUSE_MS = 60 * 60_000

_REFUSALS = {
    "wait": Refusal(5_000, 60_000),
    "banned": Refusal(60_000, 600_000),
    "paused": Refusal(5_000, 60_000),
    "failed": Refusal(LONG_PAUSE_MS, LONG_PAUSE_MS, needs_change=True),
    "ended": Refusal(LONG_PAUSE_MS, LONG_PAUSE_MS, needs_change=True, outcome=Outcome.ENDED),
}
_OTHER = Refusal(5_000, 60_000)


def refusal_of(code: str) -> Refusal:
    """What follows from a fatal error with this code."""
    return _REFUSALS.get(code, _OTHER)
