"""The log of messages that are ignored because they are wrong: what others send must not fill the disk."""

from __future__ import annotations

# The shortest time between two lines, and the characters of a reason that are shown.
AGAIN_MS = 60_000
MOST_SHOWN = 200


class IgnoredMessages:
    """Returns the line to log, at most once in AGAIN_MS, with the number of messages that have no line."""

    def __init__(self) -> None:
        self._logged_at: int | None = None
        self._unlogged = 0

    def line(self, problem: str, now: int) -> str:
        """The line for one more ignored message, or "". Times are in milliseconds."""
        if self._logged_at is not None and now - self._logged_at < AGAIN_MS:
            self._unlogged += 1
            return ""
        others = f" (and {self._unlogged} more messages since the last such line)" if self._unlogged else ""
        self._logged_at, self._unlogged = now, 0
        shown = problem if len(problem) <= MOST_SHOWN else f"{problem[:MOST_SHOWN]}…"
        return f"a message is ignored: {shown}{others}"
