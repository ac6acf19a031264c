"""Which agent calculates which task, and whose results count. No sockets, no clock: every call takes the time.

An agent gets a task for a limited time. When the time is over, or the agent leaves, the task goes to another one. When
no task is left that nobody calculates, an idle agent calculates one that another still has, and the first result
counts. So agents that die or stall cost time alone.

Agents may also lie. The coordinator, which has the strategy and the data itself, trusts no result for good:

1. A part of the tasks is calculated by a second agent. It is chosen at random when the result arrives, so an agent
   cannot know which of its results is checked. If the two differ, the coordinator calculates the task itself. It also
   does so when no other agent is there.
2. The coordinator calculates some points of the first result of each agent, and a point of each task with errors.
3. At the end it calculates the best points. So no invented result can win.

An agent whose result differs from the coordinator's own is distrusted: it gets no more tasks, and what it alone has
calculated is calculated again. A task counts as verified when two agents that are trusted agree, or the coordinator has
calculated it.

What remains possible: an agent that lies rarely, and reports less than is true, may not be found, and neither may two
that lie together. notes/agents.md has the probabilities.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from demos.ideas.agents.grid import Tasks
from demos.ideas.agents.outcomes import COORDINATOR, Change, OpenChecks, Outcome, Stored, best_points
from demos.ideas.agents.values import Value, all_same, is_same, value_text

# The tasks that an agent has at a time: one that it calculates, and the next one.
MOST_HELD = 2

# The points of a task that the coordinator calculates for a check, and the best points that it calculates at the end.
SAMPLE = 3
BEST = 10

# So much work waits for the coordinator at most: then the agents get no tasks until it has done some of it.
MOST_OWN = 64


class Rules(NamedTuple):
    """The part of the tasks, 0 to 1, that is calculated twice, and the time that an agent has for one task."""

    check: float = 0.1
    lease_ms: int = 60_000


class OwnWork(NamedTuple):
    """Points of a task that the coordinator calculates itself; with all points of a task it decides a dispute."""

    task: int
    points: tuple[int, ...]


class UnknownTask(ValueError):
    """An agent has reported a task that it was not given, or another number of values than the task has points."""


@dataclass
class _Lease:
    since: int
    until: int
    is_late: bool = False


@dataclass
class Agent:
    """An agent that is connected: the tasks that it holds, and the number of its results."""

    name: str
    leases: dict[int, _Lease] = field(default_factory=dict)
    results: int = 0

    @property
    def is_late(self) -> bool:
        """Whether it holds a task whose time is over."""
        return any(each.is_late for each in self.leases.values())


class Optimisation:
    """The state of an optimisation. ``take_changes`` returns what must be stored."""

    def __init__(
        self,
        tasks: Tasks,
        rules: Rules,
        choose: random.Random,
        stored: Stored | None = None,
    ) -> None:
        """``choose``: what the checks are chosen with. ``stored``: of an earlier run."""
        self.tasks = tasks
        self.agents: dict[str, Agent] = {}
        self.outcomes: dict[int, Outcome] = dict(stored.outcomes) if stored else {}
        self.distrusted: dict[str, str] = dict(stored.distrusted) if stored else {}
        self._rules = rules
        self._choose = choose
        # The tasks that a second agent is to calculate, and the agent that does.
        self._checks: dict[int, str | None] = {}
        # The other results of disputed tasks.
        self._disputes: dict[int, list[Outcome]] = {}
        self._own: dict[OwnWork, None] = {}
        self._confirmed: set[int] = set()
        self._changed: dict[int, None] = {}
        self._new_distrusted: list[str] = []
        for task, checks in stored.open.items() if stored else ():
            self._continue(task, checks)
        self._pending = {task: None for task in range(tasks.number) if task not in self.outcomes}

    # ---- agents

    def join(self, name: str) -> None:
        """An agent has connected."""
        self.agents[name] = Agent(name)

    def leave(self, name: str) -> None:
        """An agent has gone: its tasks go to others."""
        agent = self.agents.pop(name, None)
        for task in agent.leases if agent else ():
            self._release(name, task)

    def assign(self, name: str, now: int) -> int | None:
        """The next task of an agent; None when it has enough, is late, or there is nothing for it to do."""
        agent = self.agents.get(name)
        if agent is None or len(agent.leases) >= MOST_HELD or agent.is_late or len(self._own) >= MOST_OWN:
            return None
        task = self._check_for(agent)
        if task is not None:
            self._checks[task] = name
        else:
            task = next((each for each in self._pending if each not in agent.leases), None)
            if task is None:
                task = self._slow_task(agent)
            else:
                del self._pending[task]
        if task is not None:
            agent.leases[task] = _Lease(now, now + self._rules.lease_ms)
        return task

    def take_result(self, name: str, task: int, values: tuple[Value, ...]) -> None:
        """An agent has calculated a task.

        Errors: UnknownTask.
        """
        agent = self.agents[name]
        if task not in agent.leases:
            raise UnknownTask(f"task {task} was not given to this agent")
        if len(values) != len(self.tasks.of(task)):
            raise UnknownTask(f"task {task} has {len(self.tasks.of(task))} points, not {len(values)}")
        del agent.leases[task]
        agent.results += 1
        self._pending.pop(task, None)
        outcome = self.outcomes.get(task)
        if self._checks.get(task) == name:
            del self._checks[task]
            self._changed[task] = None
        if outcome is None:
            self._add(task, Outcome(values, [name]), first=agent.results == 1)
        elif name not in outcome.agents:
            self._compare(task, outcome, Outcome(values, [name]))

    def check_times(self, now: int) -> None:
        """Give tasks whose time is over to others, and find what the coordinator itself has to calculate."""
        for agent in self.agents.values():
            for task, lease in agent.leases.items():
                if now >= lease.until and not lease.is_late:
                    lease.is_late = True
                    self._release(agent.name, task)
        for task, checker in list(self._checks.items()):
            if checker is None and not self._others(self.outcomes[task]):
                del self._checks[task]
                self._add_own(task, self.tasks.of(task))
        if self._is_calculated():
            for point, _ in best_points(self.tasks, self.outcomes, BEST):
                task = point // self.tasks.size
                if point not in self._confirmed and COORDINATOR not in self.outcomes[task].agents:
                    self._add_own(task, (point,))

    # ---- the coordinator's own calculations

    def own_work(self) -> OwnWork | None:
        """What the coordinator is to calculate next; the same until own_result() is called."""
        return next(iter(self._own), None)

    def own_result(self, work: OwnWork, values: tuple[Value, ...]) -> None:
        """The coordinator has calculated this."""
        self._own.pop(work, None)
        self._changed[work.task] = None
        outcome = self.outcomes.get(work.task)
        if len(work.points) == len(self.tasks.of(work.task)):
            self._decide(work.task, values)
        elif outcome is not None:
            self._confirm(work, outcome, values)

    # ---- what there is to know

    @property
    def is_finished(self) -> bool:
        """Whether every task is calculated, and every check is done. Call check_times() before."""
        return self._is_calculated() and not self._own

    @property
    def open_checks(self) -> int:
        """The number of tasks that wait for a second calculation, and of the coordinator's own ones."""
        return len(self._checks) + len(self._own)

    @property
    def done_points(self) -> int:
        """The number of points that are calculated."""
        return sum(len(outcome.values) for outcome in self.outcomes.values())

    @property
    def verified_tasks(self) -> int:
        """The number of tasks that are verified."""
        return sum(outcome.is_verified for outcome in self.outcomes.values())

    def best(self, most: int) -> list[tuple[int, float]]:
        """The points with the highest results so far, and the results."""
        return best_points(self.tasks, self.outcomes, most)

    def take_distrusted(self) -> dict[str, str]:
        """The agents that are distrusted since the last call, and why."""
        new = {name: self.distrusted[name] for name in self._new_distrusted}
        self._new_distrusted = []
        return new

    def take_changes(self) -> dict[int, Change]:
        """The tasks whose outcomes or open checks have changed since the last call."""
        if not self._changed:
            return {}
        own: dict[int, set[int]] = {}
        for work in self._own:
            own.setdefault(work.task, set()).update(work.points)
        changes = {task: self._change(task, own.get(task, ())) for task in self._changed}
        self._changed = {}
        return changes

    # ---- inside

    def _change(self, task: int, own: Iterable[int]) -> Change:
        """What to store for a task. ``own``: the points that the coordinator is to calculate."""
        outcome = self.outcomes.get(task)
        checks = OpenChecks(tuple(sorted(own)), task in self._checks)
        if task not in self._disputes:
            return Change(outcome, checks)
        claims = filter(None, [outcome, *self._disputes[task]])
        return Change(None, checks._replace(claims=tuple(claims)))

    def _continue(self, task: int, checks: OpenChecks) -> None:
        """Continue the checks of an earlier run."""
        if checks.claims:
            self.outcomes[task], *self._disputes[task] = checks.claims
        if checks.second and task in self.outcomes:
            self._checks[task] = None
        points = tuple(self.tasks.of(task))
        for each in [points] if checks.claims or checks.points == points else [(point,) for point in checks.points]:
            self._own[OwnWork(task, each)] = None

    def _add_own(self, task: int, points: Iterable[int]) -> None:
        """The coordinator is to calculate these points of a task."""
        self._own[OwnWork(task, tuple(points))] = None
        self._changed[task] = None

    def _is_calculated(self) -> bool:
        return len(self.outcomes) == self.tasks.number and not self._checks

    def _others(self, outcome: Outcome) -> bool:
        return any(name not in outcome.agents and not agent.is_late for name, agent in self.agents.items())

    def _check_for(self, agent: Agent) -> int | None:
        return next(
            (
                task
                for task, checker in self._checks.items()
                if checker is None and agent.name not in self.outcomes[task].agents and task not in agent.leases
            ),
            None,
        )

    def _slow_task(self, agent: Agent) -> int | None:
        """The task that another agent has had for the longest time, if this agent has nothing to do."""
        if agent.leases:
            return None
        leases: dict[int, list[int]] = {}
        for each in self.agents.values():
            for task, lease in each.leases.items():
                leases.setdefault(task, []).append(lease.since)
        open_tasks = [
            (since[0], task) for task, since in leases.items() if len(since) == 1 and task not in self.outcomes
        ]
        return min(open_tasks)[1] if open_tasks else None

    def _release(self, name: str, task: int) -> None:
        """A task that an agent has held is not calculated in time: others may have it."""
        if self._checks.get(task) == name:
            self._checks[task] = None
        held = any(
            task in agent.leases and not agent.leases[task].is_late
            for agent in self.agents.values()
            if agent.name != name
        )
        if task not in self.outcomes and not held:
            self._pending[task] = None

    def _add(self, task: int, outcome: Outcome, *, first: bool) -> None:
        """A task has its first result."""
        self.outcomes[task] = outcome
        self._changed[task] = None
        self._choose_points(task, outcome, first=first)
        self._choose_check(task, outcome)

    def _choose_points(self, task: int, outcome: Outcome, *, first: bool) -> None:
        """Choose what the coordinator calculates of a result; ``first``: it is the first one of its agent."""
        points = list(self.tasks.of(task))
        errors = [point for point, value in zip(points, outcome.values, strict=True) if isinstance(value, str)]
        sample = self._sample(errors, 1) + (self._sample(points, SAMPLE) if first else [])
        for point in sorted(set(sample)):
            self._add_own(task, (point,))

    def _sample(self, points: list[int], most: int) -> list[int]:
        return self._choose.sample(points, min(most, len(points)))

    def _choose_check(self, task: int, outcome: Outcome) -> None:
        if not outcome.is_verified and self._choose.random() < self._rules.check:
            self._checks[task] = None

    def _compare(self, task: int, outcome: Outcome, other: Outcome) -> None:
        """A task has a further result."""
        if task not in self._disputes and all_same(outcome.values, other.values):
            outcome.agents += other.agents
            self._changed[task] = None
            self._checks.pop(task, None)
            return
        self._disputes.setdefault(task, []).append(other)
        self._checks.pop(task, None)
        self._add_own(task, self.tasks.of(task))

    def _decide(self, task: int, values: tuple[Value, ...]) -> None:
        """The coordinator has calculated the whole task: its values count."""
        claims = [*self._disputes.pop(task, []), *filter(None, [self.outcomes.get(task)])]
        self._pending.pop(task, None)
        self._checks.pop(task, None)
        decided = self.outcomes[task] = Outcome(values, [COORDINATOR])
        self._changed[task] = None
        for claim in claims:
            if all_same(claim.values, values):
                decided.agents += [name for name in claim.agents if name not in decided.agents]
            else:
                at = next(at for at, pair in enumerate(zip(claim.values, values, strict=True)) if not is_same(*pair))
                self._distrust(claim.agents, self.tasks.of(task)[at], claim.values[at], values[at])

    def _confirm(self, work: OwnWork, outcome: Outcome, values: tuple[Value, ...]) -> None:
        """The coordinator has calculated some points of a task."""
        for point, value in zip(work.points, values, strict=True):
            claimed = outcome.values[point - self.tasks.of(work.task)[0]]
            if not is_same(claimed, value):
                self._distrust(outcome.agents, point, claimed, value)
                return
            self._confirmed.add(point)

    def _distrust(self, names: Iterable[str], point: int, claimed: Value, value: Value) -> None:
        """These agents have reported a wrong value: what they alone have calculated is calculated again."""
        for name in [each for each in names if each != COORDINATOR]:
            self.distrusted[name] = f"point {point}: {value_text(claimed)}; the coordinator: {value_text(value)}"
            self._new_distrusted.append(name)
            self.leave(name)
            for task, claims in self._disputes.items():
                self._changed[task] = None
                for claim in claims:
                    claim.agents = [each for each in claim.agents if each != name]
            for task in [task for task, outcome in self.outcomes.items() if name in outcome.agents]:
                self._withdraw(name, task)

    def _withdraw(self, name: str, task: int) -> None:
        """The word of an agent counts no more for a task."""
        outcome = self.outcomes[task]
        outcome.agents.remove(name)
        self._changed[task] = None
        if outcome.is_verified:
            return
        if outcome.agents:
            self._checks.setdefault(task, None)
            return
        del self.outcomes[task]
        self._checks.pop(task, None)
        self._confirmed.difference_update(self.tasks.of(task))
        if task not in self._disputes:
            self._release(COORDINATOR, task)
