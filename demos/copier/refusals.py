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

_NEEDS_CHANGE = Refusal(LONG_PAUSE_MS, LONG_PAUSE_MS, needs_change=True)
_ENDED = _NEEDS_CHANGE._replace(outcome=Outcome.ENDED)
_SOON = Refusal(1_000, 60_000)

# A newer connection of this login is served instead. To come back at once would replace that one.
REPLACED = "replaced"

_REFUSALS = {
    "banned": Refusal(60_000, 600_000),
    "failed": _NEEDS_CHANGE,
    "password": _NEEDS_CHANGE,
    REPLACED: Refusal(60_000, 600_000),
    "ended": _ENDED,
    "expired": _ENDED,
    "disabled": _ENDED,
    "removed": _ENDED,
    "token": _ENDED,
    "closing": _SOON,
    "rights": _SOON,
    "denied": _NEEDS_CHANGE,
    "unavailable": Refusal(1_000, 16_000),
}
_OTHER = Refusal(5_000, 60_000)


def refusal_of(code: str) -> Refusal:
    """What follows from a fatal error with this code."""
    return _REFUSALS.get(code, _OTHER)
