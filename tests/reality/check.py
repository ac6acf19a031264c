"""Runs a fault script on real hosts, and the same one on simulated hosts; one table about both."""

from __future__ import annotations

import heapq
import itertools
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from demos.simulation.runs import Run, simulate
from demos.simulation.scenario import Violation
from demos.simulation.scenarios.registry import find_scenario
from demos.simulation.scenarios.signal import SignalScenario
from winsock.simulation.faults import Fault, parse_script
from winsock.simulation.units import SECOND

from .namespaces import Namespaces
from .real_world import RealWorld

HOSTS = ("provider", "copier1", "copier2")

# One fault of each kind that a real network can have.
SCRIPT = """\
at 12 rule provider copier1 latency=0.05 loss=0.1 for 20
at 18 partition provider copier2 for 9
at 36 partition_one_way copier1 provider for 8
at 50 kill copier2/copier2 for 2
at 58 freeze provider/provider for 7
at 72 vanish copier1 for 10
at 90 crash provider for 3
at 100 crash copier2 for 2
at 110 rule provider * latency=0.3 loss=0.2 for 10
"""


@dataclass(frozen=True)
class Result:
    """What a run has found: the broken invariant, the reached recovery paths, deals and starts of each program."""

    violation: tuple[str, str] | None
    settled_after: float | None
    paths: frozenset[str]
    programs: dict[str, tuple[int, int]]


def check_real(script: str, seed: int = 6, tail: float = 10.0, say: Callable[[str], None] = lambda _: None) -> Result:
    """Run the scenario signal with this script on real hosts.

    After the last fault the positions must agree within the scenario's time, and then for `tail` seconds.
    """
    faults = parse_script(script)
    with (
        tempfile.TemporaryDirectory(prefix="reality-") as folder,
        Namespaces(HOSTS, seed) as network,
        closing(RealWorld(network, seed, Path(folder))) as world,
    ):
        scenario = _RealSignal(cast(Any, world))
        scenario.build()
        world.last_fault = max(fault.end for fault in faults) / SECOND
        watch = _Watch(world, scenario, faults, say)
        violation = watch.run(tail)
        world.end()
        if violation is None:
            problems = [text for each in world.terminals.values() for text in each.account_problems]
            violation = (
                Violation("ledgers add up to positions", problems[0]) if problems else next(scenario.ended(), None)
            )
        return Result(
            tuple(violation) if violation else None,
            watch.settled_after,
            frozenset(path.name for path in scenario.paths if path.reached(cast(Any, world))),
            {each.name: (each.starts, len(each.of_kind("deal"))) for each in world.terminals.values()},
        )


class _RealSignal(SignalScenario):
    def add_hostile_peer(self) -> None:
        """The hostile peer has the buffers of a simulated kernel: it is not on real hosts."""


class _Watch:
    """Lets faults begin and end, and checks the invariants once a second."""

    def __init__(self, world: RealWorld, scenario: Any, faults: list[Fault], say: Callable[[str], None]) -> None:
        self._world, self._scenario, self._say = world, scenario, say
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        for fault in faults:
            self._plan(fault.at / SECOND, lambda fault=fault: self._begin(fault))  # type: ignore[misc]
        self.settled_after: float | None = None

    def run(self, tail: float) -> Violation | None:
        """Until the end or the first violation, which it returns."""
        world, scenario = self._world, self._scenario
        pause = threading.Event()
        while True:
            pause.wait(1.0 - world.now % 1.0)
            while self._events and self._events[0][0] <= world.now:
                heapq.heappop(self._events)[2]()
            world.read_files()
            violation = next(scenario.check(), None)
            if violation:
                return violation
            since = world.now - world.last_fault
            if since < 0:
                continue
            unsettled = next(scenario.settled(), None)
            if unsettled is not None:
                self.settled_after = None
                if since > scenario.settling:
                    return unsettled
            elif self.settled_after is None:
                self.settled_after = since
                self._say(f"{world.now:6.1f}  the positions agree, {since:.0f} s after the last fault")
            elif since > self.settled_after + tail:
                return None

    def _plan(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), action))

    def _begin(self, fault: Fault) -> None:
        self._say(f"{self._world.now:6.1f}  {fault}")
        end = self._world.begin(fault)
        if end is not None and fault.duration is not None:
            self._plan(fault.end / SECOND, end)


def check_simulated(script: str, seed: int = 6) -> Result:
    """The same on simulated hosts."""
    faults = parse_script(script)
    scenario = find_scenario("signal")
    seconds = max(fault.end for fault in faults) / SECOND + scenario.settling + 30
    outcome = simulate(Run(scenario="signal", seed=seed, seconds=seconds, script=script))
    programs = {name: (starts, deals) for name, starts, _, deals, _ in outcome.terminals}
    return Result(outcome.violation, None, frozenset(outcome.paths), programs)


def table(real: Result, simulated: Result) -> str:
    """Both results in Markdown: the invariants, and which recovery paths were reached."""
    lines = ["| | network namespaces | simulation |", "| --- | --- | --- |"]
    lines.append(f"| invariants | {_invariants(real)} | {_invariants(simulated)} |")
    for name, (starts, deals) in real.programs.items():
        other = simulated.programs[name]
        lines.append(f"| {name} | {starts} starts, {deals} deals | {other[0]} starts, {other[1]} deals |")
    for path in sorted(real.paths | simulated.paths):
        lines.append(f"| {path} | {_yes(path in real.paths)} | {_yes(path in simulated.paths)} |")
    return "\n".join(lines)


def _invariants(result: Result) -> str:
    return "all hold" if result.violation is None else ": ".join(result.violation)


def _yes(reached: bool) -> str:
    return "reached" if reached else "no"
