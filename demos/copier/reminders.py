"""Repeats what keeps the copier from copying: at the start of the program, and every hour."""

from __future__ import annotations

from collections.abc import Iterable

from demos.terminal import Alert

AGAIN_MS = 3_600_000


class Reminders:
    """Times are in milliseconds. A reason that comes up while the program runs has its own alert at that time."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}

    def begin(self, reasons: Iterable[str], now: int) -> None:
        """The program starts with these reasons: they are alerted at the next check()."""
        self._due = dict.fromkeys(reasons, now)

    def check(self, reasons: Iterable[str], now: int) -> None:
        """Alert each reason that has lasted for an hour since its last alert."""
        self._due = {reason: self._due.get(reason, now + AGAIN_MS) for reason in reasons}
        for reason, due in self._due.items():
            if now >= due:
                Alert(f"reminder: {reason}")
                self._due[reason] = now + AGAIN_MS
