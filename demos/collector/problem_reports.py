"""Counts problems with datagrams, so that each kind is one log line in a while instead of one for each datagram."""

from __future__ import annotations

# At most one report in this time, in milliseconds.
REPORT_MS = 1000


class ProblemReports:
    """The problems since the last report; times are milliseconds of the caller's clock."""

    def __init__(self) -> None:
        self._problems: dict[str, tuple[int, str]] = {}
        self._reported_at = -REPORT_MS

    def add(self, kind: str, example: str, count: int = 1) -> None:
        """Count problems of a kind; the first example is kept."""
        before, first = self._problems.get(kind, (0, example))
        self._problems[kind] = (before + count, first)

    def take_lines(self, now: int, *, end: bool = False) -> list[str]:
        """The lines to log now, or at the ``end`` of the program: one for each kind; none before REPORT_MS are over."""
        if not self._problems or (now - self._reported_at < REPORT_MS and not end):
            return []
        problems, self._problems, self._reported_at = self._problems, {}, now
        return [f"-datagrams {kind}: {count}, the first: {example}" for kind, (count, example) in problems.items()]
