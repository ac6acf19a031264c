"""Runs one scenario on an open network: the programs, the faults, the checks in each second, and what came of it.

This module and those that it imports are loaded separately for simulations (see Network's ``programs``), because their
programs hold the simulated calls. So what run_scenario() returns is made of plain values: an Outcome of the caller's
is another class than an Outcome here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from demos.simulation.scenario import Scenario, Violation
from demos.simulation.scenarios.registry import find_scenario
from demos.simulation.world import World
from winsock.simulation.errors import SimulationError
from winsock.simulation.faults import Fault, format_script
from winsock.simulation.network import Network
from winsock.simulation.random_streams import random_stream
from winsock.simulation.units import SECOND

# Faults begin after this many seconds, when the programs have started.
WARM_UP = 5.0

# At the end there is this long after the programs have settled, and this long after they were asked to end.
TAIL = 15.0
ENDING = 3.0

# Rounding of the sums of times, in seconds.
_TOLERANCE = 1e-6


def run_scenario(
    net: Network,
    name: str,
    seed: int,
    seconds: float,
    script: list[Fault] | None,
    disks: Path,
    logs: Path | None,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Run a scenario for this many simulated seconds; with ``script`` instead of the faults of its seed.

    ``disks`` is a folder for the hosts' files. The terminals' logs are written to the folder ``logs``. ``progress``
    gets each simulated second. The result has the fields of runs.Outcome.

    Errors: SimulationError when the script names something that does not exist, or when the time is too short.
    """
    world = World(net, seed, seconds, disks)
    scenario = find_scenario(name)(world)
    scenario.build()
    of_seed = _seeds_faults(scenario, seed, seconds)
    faults = of_seed if script is None else script
    net.add_faults(faults)
    world.seeds_end = _end_of(of_seed)
    world.last_fault = max(_end_of(faults), world.seeds_end)
    _check_time(scenario, world.last_fault, seconds)
    violation = _watch(world, scenario, progress, seconds - 1.0)
    # Before the terminals end: what their programs then log about each other is no recovery.
    reached = [path.name for path in scenario.paths if path.reached(world)]
    violation = violation or _watch(world, scenario, progress, seconds)
    if logs is not None:
        _write_logs(world, logs)
    return {
        "script": format_script(faults),
        "violation": tuple(violation) if violation else None,
        "at": min(world.now, seconds),
        "paths": reached,
        "missed": [path.name for path in scenario.paths if path.name not in reached],
        "faults": sorted({fault.kind for fault in faults if fault.at / SECOND <= world.now}),
        "unused": sorted(set(scenario.fault_kinds) - {fault.kind for fault in faults}),
        "terminals": [
            (each.name, each.starts, len(each.log), len(each.of_kind("deal")), each.exit_code)
            for each in world.terminals.values()
        ],
        "packets": {each: count for each, count in net.counters.items() if not each.startswith("fault: ")},
    }


def _seeds_faults(scenario: Scenario, seed: int, seconds: float) -> list[Fault]:
    check_shortest_time(type(scenario), seconds)
    return scenario.faults(random_stream(seed, "faults"), WARM_UP, seconds - scenario.settling - TAIL)


def _end_of(faults: list[Fault]) -> float:
    return max((fault.end for fault in faults), default=0) / SECOND


def check_shortest_time(scenario: type[Scenario], seconds: float) -> None:
    """Errors: SimulationError when no run can be so short. The shortest time for faults is one second."""
    _check_time(scenario, WARM_UP + 1, seconds)


def _check_time(scenario: Scenario | type[Scenario], last_fault: float, seconds: float) -> None:
    """Errors: SimulationError when the run ends before the programs must have recovered from the last fault."""
    least = last_fault + scenario.settling + TAIL
    if least > seconds + _TOLERANCE:
        raise SimulationError(
            f"{seconds:g} s are too short: faults last until {last_fault:g} s, and the programs may need "
            f"{scenario.settling:g} s to recover; use --minutes {math.ceil(least / 6) / 10:g}"
        )


def _watch(world: World, scenario: Scenario, progress: Callable[[float], None], until: float) -> Violation | None:
    """Let the time pass until then or the first violation; at the end of the terminals check what must hold there."""
    try:
        while world.now < until:
            world.net.run(1.0)
            progress(world.now)
            violation = next(_check(world, scenario), None)
            if violation:
                return violation
        if world.now < world.seconds:
            return None
        world.net.run(ENDING)
        return next(_check_end(world, scenario), None)
    except SimulationError as error:
        return Violation("the simulation goes on", f"{type(error).__name__}: {error}")
    except Exception as error:
        texts = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
        return Violation("no program fails", "; ".join(texts))


def _check(world: World, scenario: Scenario) -> Iterator[Violation]:
    for terminal in world.terminals.values():
        if terminal.exit_code not in (None, *terminal.setup.exit_codes) and world.now < world.seconds:
            last = terminal.log[-1].text if terminal.log else "its log is empty"
            text = f"{terminal.name} has ended with exit code {terminal.exit_code}: {last}"
            yield Violation("no program ends with an error", text)
    yield from world.check_programs()
    yield from scenario.check()
    if world.now >= world.last_fault + scenario.settling and world.now <= world.seconds - 1.0:
        yield from scenario.settled()


def _check_end(world: World, scenario: Scenario) -> Iterator[Violation]:
    for terminal in world.terminals.values():
        for problem in terminal.account_problems:
            yield Violation("ledgers add up to positions", problem)
    yield from scenario.ended()


def _write_logs(world: World, folder: Path) -> None:
    for terminal in world.terminals.values():
        lines = "".join(f"{line.text}\n" for line in terminal.log)
        (folder / f"{terminal.name}.log").write_text(lines, encoding="utf-8")
