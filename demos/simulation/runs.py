"""One run of one seed, from outside the simulation: the network, its files, and the outcome."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from winsock.simulation.faults import Fault, parse_script
from winsock.simulation.network import Network

# The packages whose modules are loaded separately, so that they hold the simulated calls.
PROGRAMS = ("demos",)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to simulate: a scenario, a seed and a time in seconds. ``script`` replaces the faults of the seed."""

    scenario: str
    seed: int
    seconds: float
    script: str | None = None

    @property
    def faults(self) -> list[Fault] | None:
        """The faults of the script. Errors: SimulationError when it cannot be read."""
        return None if self.script is None else parse_script(self.script)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has found.

    ``script`` are the faults. ``violation`` is the broken invariant and what was found, ``at`` the simulated second at
    which the run ended. ``paths`` and ``missed`` are the recovery paths that were and were not reached, ``faults`` the
    kinds of the faults that have begun, ``unused`` the kinds of the scenario that the script does not have.
    ``terminals`` has each terminal's name, starts, log lines, deals and last exit code, ``packets`` the network's
    counters. ``trace`` is the network's trace, where it was asked for, and ``real`` the run's real time in seconds.
    """

    run: Run
    script: str
    violation: tuple[str, str] | None
    at: float
    paths: list[str]
    missed: list[str]
    faults: list[str]
    unused: list[str]
    terminals: list[tuple[str, int, int, int, int | None]]
    packets: dict[str, int]
    trace: str = ""
    real: float = field(default=0.0, compare=False)

    @property
    def invariant(self) -> str | None:
        """The name of the broken invariant."""
        return self.violation[0] if self.violation else None


def _ignore(now: float) -> None:
    pass


def simulate(
    run: Run, *, trace: bool = False, folder: Path | None = None, progress: Callable[[float], None] = _ignore
) -> Outcome:
    """Run a scenario. ``trace``: keep the network's trace. ``folder`` gets the logs, and the trace of each process.

    ``progress`` gets each simulated second.

    Errors: SimulationError when the script is wrong or the time too short; OSError.
    """
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="simulation-", dir=_fast_folder(), ignore_cleanup_errors=True) as disks,
        Network(run.seed, programs=PROGRAMS) as net,
    ):
        if folder is not None:
            net.trace_calls(folder)
        recorded = net.trace(None) if trace or folder is not None else None
        # The copy of the module that belongs to the simulation.
        engine = importlib.import_module("demos.simulation.engine")
        found = engine.run_scenario(net, run.scenario, run.seed, run.seconds, run.faults, Path(disks), folder, progress)
        text = recorded.text() if recorded else ""
    # The copies of the modules refer to each other, and in a long sweep Python would collect them far too late.
    gc.collect()
    return Outcome(run=run, **found, trace=text, real=time.perf_counter() - began)


def _fast_folder() -> str | None:
    """A folder in memory where there is one: the paper accounts of the programs write each deal to the disk."""
    if sys.platform == "win32":
        return None  # On Wine this folder exists, but only on the drive of Linux's root directory.
    memory = "/dev/shm"
    return memory if os.path.isdir(memory) and os.access(memory, os.W_OK) else None
