"""Lines on standard error about the progress of a run, a sweep or a search, every few seconds."""

from __future__ import annotations

import sys
import time

from demos.simulation import report
from demos.simulation.runs import Run
from demos.simulation.sweep import Sums

# Seconds between two lines.
PAUSE = 5.0

# The most failing seeds in a line.
_MOST_NAMED = 5


class Lines:
    """Writes a line about the progress to standard error, every few seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PAUSE

    def show(self, text: str) -> None:
        """Write the line if it is time for one."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PAUSE
            print(text, file=sys.stderr, flush=True)


class RunProgress:
    """Shows how far one run is."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lines = Lines()

    def show(self, now: float) -> None:
        """Take the simulated time in seconds."""
        whole = report.duration(self._run.seconds)
        self._lines.show(f"{report.label(self._run)}, seed {self._run.seed}: {report.duration(now)} of {whole}")


class SweepProgress:
    """Shows how far a sweep is."""

    def __init__(self, scenario: str) -> None:
        self._scenario = scenario
        # What was found so far.
        self.sums = Sums()
        self._lines = Lines()

    def show(self, sums: Sums) -> None:
        """Take the sums after a run."""
        self.sums = sums
        rate = sums.seeds / sums.real if sums.real else 0.0
        failing = ", ".join(str(each.run.seed) for each in sums.failures[-_MOST_NAMED:]) or "none"
        if len(sums.failures) > _MOST_NAMED:
            failing = f"{len(sums.failures)}, the last {failing}"
        self._lines.show(f"{self._scenario}: {sums.seeds} seeds, failing: {failing}; {rate:.1f} seeds a second")
