"""The programs of ``python -m demos agents``: a coordinator, agents that calculate, one that lies, and hostile peers.

The agents calculate in their programs, and a point takes seconds of simulated time. Whatever happens, the results in
the coordinator's file must be those of a calculation without faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from demos.ideas.agents import crossing
from demos.ideas.agents.grid import read_grid
from demos.ideas.agents.optimisation import BEST
from demos.ideas.agents.protocol import TO_COORDINATOR, VERSION, Join
from demos.ideas.agents.values import Value, is_same, result_of
from demos.ideas.agents.worker_process import use_workers
from demos.simulation.hubs import (
    INTRUDER,
    LONGEST_WAIT,
    MOST_SOCKETS,
    PARTIAL_SENDS,
    SILENCE,
    HubScenario,
    client_inputs,
    hub_paths,
    server_inputs,
)
from demos.simulation.inline_worker import InlineWorker, LyingWorker
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import logged, recorded, sent_in_parts
from demos.simulation.scenario import RecoveryPath, Targets, Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World

COORDINATOR = "coordinator"
AGENTS = ("agent1", "agent2", "agent3")
LIAR = "liar"
PORT = 8453

PARAMETERS = "fast=2:16:1 slow=20:60:3"
TASK_POINTS = 5
LEASE = 45

# The seconds that a point takes an agent, and the coordinator itself.
AGENT_SECONDS = 4.0
OWN_SECONDS = 0.5

BARS = 120

PERIOD_MS = 1000

# The coordinator writes what has changed at its timer, in seconds.
STORED_WITHIN = 5.0
MOST_PERIODS = 3

# An agent calculates two tasks one after another, and a task may have to be given to another one first.
MOST_WITHOUT_PROGRESS = 2 * TASK_POINTS * AGENT_SECONDS * 2 + LEASE

# The outcomes of the points, each with values of its own.
SERVER_LIMITS = ProgramLimits(MOST_SOCKETS, values=10_000)


class AgentsScenario(HubScenario):
    """See the head of this module."""

    # Until a dead connection is noticed, the longest pause between two connects, and three timer periods.
    settling = SILENCE + LONGEST_WAIT + MOST_PERIODS * PERIOD_MS / 1000

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # The number of calculated points, and when it has changed last.
        self._progress = (0, 0.0)
        self._checked: dict[int, tuple[Value, ...]] = {}
        # The coordinator's start, since when it has each outcome, and the agents of each one.
        self._start = 0
        self._since: dict[int, float] = {}
        self._agents: dict[int, frozenset[str]] = {}
        # The tasks that each connected agent had in the last second.
        self._leases: dict[str, tuple[Any, frozenset[int]]] = {}

    def build(self) -> None:
        """See Scenario."""
        world = self.world
        chance = world.random
        hub = server_inputs(world, world.host(COORDINATOR).name, PORT)
        inputs = {
            **hub, **_files(world, COORDINATOR), "parameters": PARAMETERS, "task_points": TASK_POINTS, "lease": LEASE,
            "check": chance.choice((0, 10, 100)), "database": str(world.hosts[COORDINATOR].disk / "agents.sqlite"),
        }  # fmt: skip
        world.terminal(
            COORDINATOR, COORDINATOR, _setup("coordinator", inputs, InlineWorker, OWN_SECONDS, SERVER_LIMITS)
        )
        for name in (*AGENTS, LIAR):
            world.host(name)
            follow = {**client_inputs(COORDINATOR, PORT), **_files(world, name), "name": name}
            kind = LyingWorker if name == LIAR else InlineWorker
            setup = _setup("agent", follow, kind, AGENT_SECONDS, CLIENT)
            # An agent that is distrusted ends with an error.
            world.terminal(name, name, replace(setup, exit_codes=(0, 4)) if name == LIAR else setup)
        self.add_rogues(COORDINATOR, PORT, TO_COORDINATOR.encode(Join(VERSION, INTRUDER, "0" * 64, "0" * 64)))

    def targets(self) -> Targets:
        """See Scenario."""
        return Targets(
            (COORDINATOR, *AGENTS), [(COORDINATOR, name) for name in (*AGENTS, LIAR)], (COORDINATOR, *AGENTS)
        )

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        world = self.world
        optimisation = _optimisation(world)
        if optimisation is not None:
            yield from self._check_outcomes(optimisation)
            yield from self._check_kept(optimisation.outcomes)
            yield from self._check_reported(optimisation)
            if (done := optimisation.done_points) != self._progress[0]:
                self._progress = (done, world.now)
        yield from super().check()

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        world = self.world
        since = max(self._progress[1], world.last_fault + self.settling - MOST_WITHOUT_PROGRESS)
        optimisation = _optimisation(world)
        if optimisation is None or optimisation.is_finished:
            return
        if self._progress[0] < grid().points and world.now - since > MOST_WITHOUT_PROGRESS:
            yield Violation(
                "the calculation continues", f"no point was calculated for {MOST_WITHOUT_PROGRESS} s: {self._progress}"
            )
        for name in AGENTS:
            if name not in optimisation.agents:
                yield Violation("each agent is connected again", f"{name} is not connected")

    def _check_kept(self, outcomes: Any) -> Iterator[Violation]:
        """No outcome is lost, except those of an agent that lies: they are withdrawn when it is found.

        A coordinator that was started again has the outcomes that it had stored.
        """
        world, start = self.world, _coordinator(self.world).starts
        lost = [task for task in self._since if task not in outcomes]
        if start != self._start:
            self._start, self._leases = start, {}
            lost = [task for task in lost if world.now - self._since[task] > STORED_WITHIN]
        lost = [task for task in lost if not self._agents[task] <= {LIAR}]
        if lost:
            yield Violation("no outcome is lost", f"start {start} of the coordinator has no outcome of {lost}")
        self._since = {task: self._since.get(task, world.now) for task in outcomes}
        self._agents = {task: frozenset(outcome.agents) for task, outcome in outcomes.items()}

    def _check_reported(self, optimisation: Any) -> Iterator[Violation]:
        """A task that a connected agent has no more was reported by it: so there is an outcome, or a dispute."""
        for name, (agent, tasks) in self._leases.items():
            if name == LIAR or optimisation.agents.get(name) is not agent:
                continue
            for task in tasks - set(agent.leases):
                if task not in optimisation.outcomes and task not in optimisation._disputes:
                    yield Violation("no outcome is lost", f"{name} has reported task {task}, which has no outcome")
        self._leases = {name: (agent, frozenset(agent.leases)) for name, agent in optimisation.agents.items()}

    def _check_outcomes(self, optimisation: Any) -> Iterator[Violation]:
        """Compare each new outcome of agents that are trusted with the calculation without faults."""
        for task, outcome in optimisation.outcomes.items():
            if len(set(outcome.agents)) != len(outcome.agents):
                yield Violation("an agent counts once", f"the outcome of task {task} is by {outcome.agents}")
            if self._checked.get(task) is outcome.values or set(outcome.agents) <= {LIAR}:
                continue
            self._checked[task] = outcome.values
            points = optimisation.tasks.of(task)
            for point, value in zip(points, outcome.values, strict=True):
                if not is_same(value, right_values()[point]):
                    yield Violation(
                        "the outcomes are those without faults",
                        f"point {point} is {value} by {outcome.agents}, and should be {right_values()[point]}",
                    )
        if optimisation.is_finished:
            for point, result in optimisation.best(BEST):
                if result != result_of(right_values()[point]):
                    yield Violation("no invented result wins", f"point {point} is among the best with {result}")

    paths: ClassVar = (
        *hub_paths(COORDINATOR, AGENTS),
        RecoveryPath("an agent that lies is found", lambda world: recorded([_coordinator(world)], "distrusted")),
        RecoveryPath("an agent is away", lambda world: _has_left(world)),
        RecoveryPath("all is calculated", lambda world: recorded([_coordinator(world)], "finished")),
        RecoveryPath(
            "a coordinator continues from its file", lambda world: logged([_coordinator(world)], "tasks are in")
        ),
        RecoveryPath("a message is sent in parts", sent_in_parts),
    )


def _setup(
    program: str, inputs: Mapping[str, object], kind: Callable[..., Any], seconds: float, limits: ProgramLimits
) -> Setup:
    def workers() -> AbstractContextManager[object]:
        return use_workers(partial(kind, seconds=seconds))

    return Setup(
        program=program,
        inputs=inputs,
        speed=0.001,
        timer_ms=PERIOD_MS,
        contexts=(workers,),
        partial_sends=PARTIAL_SENDS,
        limits=limits,
    )


def _files(world: World, host: str) -> dict[str, object]:
    """The strategy and its data on the disk of a host."""
    disk = world.hosts[host].disk
    return {"strategy": _write(disk / "crossing.py", strategy_text()), "prices": _write(disk / "bars.tsv", bars_text())}


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@cache
def strategy_text() -> str:
    """The example's strategy."""
    return Path(str(crossing.__file__)).read_text(encoding="utf-8")


def bars_text() -> str:
    """Hourly bars whose prices rise and fall, in MetaTrader's format."""
    lines = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    prices = islice(_prices(), BARS + 1)
    before = next(prices)
    for number, price in enumerate(prices):
        shown = "\t".join(f"{each / 100_000:.5f}" for each in (before, max(before, price), min(before, price), price))
        lines.append(f"2024.01.{number // 24 + 1:02}\t{number % 24:02}:00:00\t{shown}\t2\t0\t2")
        before = price
    return "\n".join(lines) + "\n"


def _prices() -> Iterator[int]:
    """The same on every system: a wave with a second one, of other periods."""
    number = 0
    while True:
        yield 110_000 + abs(number * 37 % 600 - 300) + abs(number * 101 % 1400 - 700)
        number += 1


@cache
def grid() -> Any:
    """The points of the optimisation."""
    return read_grid(PARAMETERS.split())


@cache
def right_values() -> list[Value]:
    """The value of each point, calculated without programs."""
    from tempfile import TemporaryDirectory

    from demos.ideas.agents.evaluation import calculate
    from demos.ideas.agents.history import read_history

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        history = read_history(Path(_write(Path(folder) / "bars.tsv", bars_text())))
    return [calculate(crossing.crossing, history, grid().names, grid().point(each)) for each in range(grid().points)]


def _coordinator(world: World) -> SimulatedTerminal:
    return world.terminals[COORDINATOR]


def _has_left(world: World) -> bool:
    """Whether an agent that does not lie has left before all was calculated: then the coordinator ends."""
    coordinator = _coordinator(world)
    finished = min((event.time for event in coordinator.of_kind("finished")), default=world.seconds)
    lines = [line.text for line in coordinator.log if line.time < finished]
    return any(f"agent {name} has left" in line for name in AGENTS for line in lines)


def _optimisation(world: World) -> Any:
    """The state of the optimisation; None while the coordinator does not run or has not begun."""
    return getattr(_coordinator(world).module, "optimisation", None)
