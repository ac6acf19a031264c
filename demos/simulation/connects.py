"""Checks the pauses of a program between its connects: they double while no connection brings anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demos.simulation.scenario import Violation
from demos.simulation.terminals import SimulatedTerminal
from demos.terminal.terminal import Terminal
from winsock.simulation.dispatch import running_process

# A program may connect at the timer event that is nearest to the time, in seconds.
_EARLY = 0.6

# The first byte of the address in a sockaddr_in, and its value in loopback addresses.
_ADDRESS = slice(4, 5)
_LOOPBACK = b"\x7f"


class Connects:
    """The connects of one terminal. ``progress`` is the kind of the event after which pauses begin anew."""

    def __init__(self, terminal: str, progress: str, first_ms: int, longest_ms: int) -> None:
        self._terminal, self._progress = terminal, progress
        self._first, self._longest = first_ms / 1000, longest_ms / 1000
        # The times of the connects, for each start.
        self._times: list[list[float]] = []
        # The connects that were checked, of the last start, and the failures in a row before the last of them.
        self._checked = self._failures = 0
        self._start = 0

    def prepare(self, terminal: Terminal) -> None:
        """Record the connects of a terminal that starts: for Setup.prepare."""
        process = running_process()
        winsock: Any = process.winsock
        # A terminal may run several times in one process.
        connect = getattr(winsock.connect, "unrecorded", winsock.connect)
        times: list[float] = []
        self._times.append(times)

        def recorded(*args: Any) -> int:
            # A terminal also connects two sockets of its own to each other.
            if bytes(args[1])[_ADDRESS] != _LOOPBACK:
                times.append(process.monotonic())
            result: int = connect(*args)
            return result

        recorded.unrecorded = connect  # type: ignore[attr-defined]
        winsock.connect = recorded

    def check(self, terminal: SimulatedTerminal) -> Iterator[Violation]:
        """Take the terminal's new connects."""
        while self._start < len(self._times):
            times = self._times[self._start]
            while self._checked + 1 < len(times):
                yield from self._check(terminal, *times[self._checked : self._checked + 2])
                self._checked += 1
            if self._start + 1 == len(self._times):
                return
            self._start += 1
            self._checked = self._failures = 0

    def _check(self, terminal: SimulatedTerminal, before: float, after: float) -> Iterator[Violation]:
        has_progress = any(before <= event.time <= after for event in terminal.of_kind(self._progress))
        least = self._first if has_progress else min(self._first * 2**self._failures, self._longest)
        if after - before < least - _EARLY:
            yield Violation(
                "the pauses between connects grow",
                f"{self._terminal} connected at {before:.1f} s and {after:.1f} s: the pause was to be {least:g} s",
            )
        self._failures = 0 if has_progress else self._failures + 1
