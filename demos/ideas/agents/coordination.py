"""What the coordinator answers to its agents: the handler of its hub. No sockets, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demos.ideas.agents.grid import Grid
from demos.ideas.agents.optimisation import Optimisation, UnknownTask
from demos.ideas.agents.outcomes import COORDINATOR
from demos.ideas.agents.protocol import TO_AGENT, TO_COORDINATOR, Done, Hello, Join, Result, Task
from demos.ideas.messages import Error, MessageError, reported


@dataclass
class _Client:
    address: str
    name: str = ""
    is_greeted: bool = False
    is_done: bool = False


class Coordination:
    """Passes tasks to the agents, and their results to the optimisation."""

    def __init__(self, hello: Hello, grid: Grid, optimisation: Optimisation, report: Callable[[str], object]) -> None:
        """``report``: gets a line for the log."""
        self.hello = hello
        self.is_finished = False
        self._grid = grid
        self._optimisation = optimisation
        self._report = report
        self._clients: dict[int, _Client] = {}

    def opened(self, client: int, address: str, now: int) -> None:
        """See Handler."""
        self._clients[client] = _Client(address)

    def received(self, client: int, text: str, now: int) -> None:
        """See Handler."""
        message = TO_COORDINATOR.decode(text)
        if isinstance(message, Error):
            raise reported(message)
        if isinstance(message, Join):
            self._join(self._clients[client], message)
        elif isinstance(message, Result):
            self._take_result(self._clients[client], message)

    def next_message(self, client: int, now: int) -> str | None:
        """See Handler."""
        state = self._clients[client]
        if not state.is_greeted:
            state.is_greeted = True
            return TO_AGENT.encode(self.hello)
        if not state.name or state.is_done:
            return None
        if self.is_finished:
            state.is_done = True
            return TO_AGENT.encode(Done())
        task = self._optimisation.assign(state.name, now)
        if task is None:
            return None
        points = tuple(self._grid.point(number) for number in self._optimisation.tasks.of(task))
        return TO_AGENT.encode(Task(task, points))

    def closed(self, client: int, reason: str, now: int) -> None:
        """See Handler."""
        state = self._clients.pop(client)
        # The name of a distrusted agent may have gone from the optimisation already.
        if state.name:
            self._report(f"agent {state.name} has left: {reason}")
            self._optimisation.leave(state.name)

    def to_end(self) -> list[tuple[int, str]]:
        """The agents that are distrusted and still connected, and why."""
        distrusted = self._optimisation.distrusted
        return [
            (client, _distrusted_text(distrusted[state.name]))
            for client, state in self._clients.items()
            if state.name in distrusted
        ]

    def _join(self, state: _Client, message: Join) -> None:
        if state.name:
            raise MessageError("order", "a second join message")
        for what, own, theirs in (
            ("strategy", self.hello.strategy, message.strategy),
            ("data", self.hello.data, message.data),
        ):
            if own != theirs:
                raise MessageError(what, different_file(what, own, theirs))
        name = message.agent
        if name in self._optimisation.agents or name == COORDINATOR:
            raise MessageError("name", f"an agent with the name {name!r} is connected already: use another name")
        if name in self._optimisation.distrusted:
            raise MessageError("distrusted", _distrusted_text(self._optimisation.distrusted[name]))
        state.name = name
        self._optimisation.join(name)
        self._report(f"agent {name} has joined from {state.address}")

    def _take_result(self, state: _Client, message: Result) -> None:
        if not state.name:
            raise MessageError("order", "a result before the join message")
        try:
            self._optimisation.take_result(state.name, message.task, message.values)
        except UnknownTask as error:
            raise MessageError("task", str(error)) from None


def different_file(what: str, coordinators: str, agents: str) -> str:
    """The error for an agent that has another file."""
    return (
        f"the {what} files differ: the coordinator's has the SHA-256 {coordinators[:16]}…, the agent's {agents[:16]}…; "
        "copy the coordinator's file to the agent"
    )


def _distrusted_text(reason: str) -> str:
    return f"this agent is distrusted, because it has reported a wrong value: {reason}"
