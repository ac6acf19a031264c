"""Runs many seeds of a scenario in parallel processes, and sums up what they have found.

A sweep fails if a seed breaks an invariant. It also fails if a kind of fault was never used or a recovery path never
reached, provided that it has enough seeds to expect that.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context

from demos.simulation.runs import Outcome, Run, simulate

# With fewer seeds a sweep only reports what was not reached.
ENOUGH_SEEDS = 40

# Runs that wait for a process, for each process: more would delay an interruption.
_AHEAD = 2

# The most processes of a pool on Windows.
_MOST_ON_WINDOWS = 61


@dataclass
class Sums:
    """What the runs of a sweep have found so far."""

    seeds: int = 0
    simulated: float = 0.0
    real: float = 0.0
    failures: list[Outcome] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)
    deals: int = 0
    starts: int = 0

    def take(self, outcome: Outcome) -> None:
        """Add a run."""
        self.seeds += 1
        self.simulated += outcome.at
        self.faults.update(dict.fromkeys(outcome.unused, 0))
        self.faults.update(outcome.faults)
        self.paths.update(dict.fromkeys(outcome.missed, 0))
        self.paths.update(outcome.paths)
        self.packets.update(outcome.packets)
        self.deals += sum(deals for _, _, _, deals, _ in outcome.terminals)
        self.starts += sum(starts for _, starts, _, _, _ in outcome.terminals)
        if outcome.violation:
            self.failures.append(outcome)

    @property
    def never(self) -> list[str]:
        """The kinds of faults that were never used, and the recovery paths that were never reached."""
        return [
            *(f"fault: {name}" for name, count in sorted(self.faults.items()) if not count),
            *(f"recovery path: {name}" for name, count in sorted(self.paths.items()) if not count),
        ]

    @property
    def problem(self) -> str:
        """Why the sweep fails, or ""."""
        if self.failures:
            return f"{len(self.failures)} of {self.seeds} seeds break an invariant"
        if self.never and self.seeds >= ENOUGH_SEEDS:
            return f"never reached: {'; '.join(self.never)}"
        return ""


def sweep(scenario: str, seeds: Sequence[int], seconds: float, processes: int, show: Callable[[Sums], None]) -> Sums:
    """Run the seeds; ``show`` gets the sums after each run.

    Errors: as for simulate().
    """
    sums = Sums()
    began = time.perf_counter()
    runs = [Run(scenario=scenario, seed=seed, seconds=seconds) for seed in seeds]
    processes = _useful(processes, len(runs))
    for outcome in map(simulate, runs) if processes == 1 else _in_parallel(runs, processes):
        sums.take(outcome)
        sums.real = time.perf_counter() - began
        show(sums)
    sums.failures.sort(key=lambda outcome: outcome.run.seed)
    return sums


def _useful(processes: int, runs: int) -> int:
    """How many of these processes a pool can have work for, at least 1."""
    most = _MOST_ON_WINDOWS if sys.platform == "win32" else processes
    return max(min(processes, runs, most), 1)


def _ignore_interrupts() -> None:
    """The signals of a terminal concern the command: it lets the present runs end, and starts no others."""
    for name in ("SIGINT", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _in_parallel(runs: Sequence[Run], processes: int) -> Iterator[Outcome]:
    """The outcomes as they come."""
    left = iter(runs)
    # Not by fork: a simulation has threads.
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_ignore_interrupts) as pool:
        waiting: set[Future[Outcome]] = set()
        try:
            while True:
                for run in left:
                    waiting.add(pool.submit(simulate, run))
                    if len(waiting) >= processes * _AHEAD:
                        break
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
