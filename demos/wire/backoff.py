"""When to retry after a temporary failure: after a pause that doubles, up to a limit. No clock."""

from __future__ import annotations


class Backoff:
    """The pauses after failures in a row; times are milliseconds of the caller's clock."""

    def __init__(self, first_ms: int, longest_ms: int) -> None:
        self.failures = 0
        self.pause_ms = 0
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._due_at = 0

    def is_due(self, now: int) -> bool:
        """Whether the next attempt may begin."""
        return self.failures == 0 or now >= self._due_at

    def failed(self, now: int) -> bool:
        """Plan the next attempt, ``pause_ms`` from now; True for the first failure in a row, to be reported."""
        # The shift is limited because its result is not: after a long time it would have many digits.
        self.pause_ms = min(self._first_ms << min(self.failures, 30), self._longest_ms)
        self._due_at = now + self.pause_ms
        self.failures += 1
        return self.failures == 1

    def retry_text(self) -> str:
        """When the next attempt takes place, as a sentence for the log after the first failure."""
        return f"Next attempt in {self.pause_ms / 1000:g} s, then after growing pauses."

    def succeeded(self) -> bool:
        """Forget the failures; True when there were any."""
        had_failures = self.failures > 0
        self.failures = 0
        return had_failures
