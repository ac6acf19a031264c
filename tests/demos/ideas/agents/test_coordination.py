"""The messages between the coordinator and its agents, without sockets."""

from __future__ import annotations

import json
import random

import pytest
from agents_kit import true_value, true_values

from demos.ideas.agents.coordination import Coordination
from demos.ideas.agents.grid import Tasks, read_grid
from demos.ideas.agents.optimisation import Optimisation, Rules
from demos.ideas.agents.protocol import (
    MOST_BYTES,
    TO_AGENT,
    TO_COORDINATOR,
    VERSION,
    Done,
    Hello,
    Join,
    Result,
    Task,
    agent_name_problem,
)
from demos.ideas.agents.values import LONGEST_ERROR, LONGEST_FIGURE, MOST_FIGURES, Value
from demos.ideas.messages import Error, MessageError

GRID = read_grid(["a=1:3:1", "b=0.5,1.5"])
STRATEGY, DATA = "1" * 64, "2" * 64
HELLO = Hello(VERSION, STRATEGY, "level", DATA, GRID.names, 60_000)


class Desk:
    """A coordination with three tasks of two points, and its clients."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks = Tasks(GRID.points, 2)
        self.optimisation = Optimisation(self.tasks, Rules(1.0), random.Random(1))
        self.coordination = Coordination(HELLO, GRID, self.optimisation, self.lines.append)

    def opened(self, client: int, name: str = "", **fields: str) -> None:
        """A client connects, and joins if it has a name."""
        self.coordination.opened(client, "127.0.0.1", 0)
        assert TO_AGENT.decode(self.coordination.next_message(client, 0) or "") == HELLO
        if name:
            self.say(client, Join(VERSION, name, **{"strategy": STRATEGY, "data": DATA, **fields}))

    def say(self, client: int, message: Join | Result | Error) -> None:
        """A client sends a message."""
        self.coordination.received(client, TO_COORDINATOR.encode(message), 0)

    def next(self, client: int) -> object:
        """The next message for a client, decoded."""
        text = self.coordination.next_message(client, 0)
        return None if text is None else TO_AGENT.decode(text)


def test_an_agent_gets_tasks_with_the_values_of_their_points_and_in_the_end_the_message_that_all_is_done():
    desk = Desk()
    desk.opened(1, "a")
    assert desk.next(1) == Task(0, ((1, 0.5), (1, 1.5)))
    assert desk.next(1) == Task(1, ((2, 0.5), (2, 1.5)))
    assert desk.next(1) is None
    desk.say(1, Result(0, true_values(desk.tasks, 0)))
    assert desk.next(1) == Task(2, ((3, 0.5), (3, 1.5)))
    desk.coordination.is_finished = True
    assert desk.next(1) == Done()
    assert desk.next(1) is None


def test_a_client_that_has_not_joined_gets_no_task():
    desk = Desk()
    desk.opened(1)
    assert desk.next(1) is None


@pytest.mark.parametrize("name", ["", "a"])
def test_an_error_that_a_client_reports_ends_it(name):
    desk = Desk()
    desk.opened(1, name)
    lines = len(desk.lines)
    with pytest.raises(MessageError, match="the client reports x: why") as caught:
        desk.say(1, Error("x", "why"))
    assert caught.value.code == "reported"
    assert len(desk.lines) == lines


@pytest.mark.parametrize("what", ["strategy", "data"])
def test_an_agent_with_another_file_is_refused_with_both_digests(what):
    desk = Desk()
    own = {"strategy": "1111", "data": "2222"}[what]
    with pytest.raises(MessageError, match=f"the {what} files differ: .* {own}.*…, the agent's 3333") as caught:
        desk.opened(1, "a", **{what: "3" * 64})
    assert caught.value.code == what


def test_a_name_can_be_used_by_one_agent_at_a_time():
    desk = Desk()
    desk.opened(1, "a")
    with pytest.raises(MessageError, match="'a' is connected already: use another name"):
        desk.opened(2, "a")
    with pytest.raises(MessageError, match="'coordinator' is connected already"):
        desk.opened(3, "coordinator")
    desk.coordination.closed(1, "the client has disconnected", 0)
    desk.opened(4, "a")


def test_messages_out_of_order_are_refused():
    desk = Desk()
    desk.opened(1)
    with pytest.raises(MessageError, match="a result before the join message"):
        desk.say(1, Result(0, true_values(desk.tasks, 0)))
    desk.opened(2, "a")
    with pytest.raises(MessageError, match="a second join message"):
        desk.say(2, Join(VERSION, "b", STRATEGY, DATA))
    with pytest.raises(MessageError, match="task 2 was not given to this agent") as caught:
        desk.say(2, Result(2, true_values(desk.tasks, 2)))
    assert caught.value.code == "task"


def test_a_distrusted_agent_is_ended_and_does_not_come_back():
    desk = Desk()
    desk.opened(1, "liar")
    desk.next(1)
    desk.say(1, Result(0, ({"result": 9.0}, {"result": 9.0})))
    while work := desk.optimisation.own_work():
        desk.optimisation.own_result(work, tuple(map(true_value, work.points)))
    [(client, reason)] = desk.coordination.to_end()
    assert client == 1
    assert "it has reported a wrong value: point 0: result=9; the coordinator: result=0 trades=0" in reason
    desk.coordination.closed(1, "distrusted", 0)
    assert desk.coordination.to_end() == []
    with pytest.raises(MessageError) as caught:
        desk.opened(2, "liar")
    assert caught.value.code == "distrusted"


def test_the_tasks_of_a_closed_client_are_given_to_others():
    desk = Desk()
    desk.opened(1, "a")
    desk.next(1)
    desk.next(1)
    desk.coordination.closed(1, "reset", 0)
    desk.opened(2, "b")
    tasks = [desk.next(2), desk.next(2)]
    assert {task.task for task in tasks if isinstance(task, Task)} <= {0, 1, 2}
    assert "agent a has left: reset" in desk.lines


@pytest.mark.parametrize(
    "values",
    [
        [None],
        [1.5],
        [True],
        [{}],
        [{"result": "1"}],
        [{"result": True}],
        [{"result": 1e301}],
        [{"trades": 1}],
        [{"result": 1, "a b": 1}],
        [""],
        ["x" * (LONGEST_ERROR + 1)],
        ["two\nlines"],
        [{"result": 1}] * 201,
        [{"result": 1, **{f"f{number}": 1 for number in range(MOST_FIGURES)}}],
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_result_with_anything_but_figures_or_an_error_is_malformed(values):
    with pytest.raises(MessageError) as caught:
        TO_COORDINATOR.decode(json.dumps({"type": "result", "task": 0, "values": values}))
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("text", ['{"result": NaN}', '{"result": 1e999}', '{"result": Infinity}'])
def test_a_number_that_is_not_finite_is_malformed(text):
    with pytest.raises(MessageError):
        TO_COORDINATOR.decode(f'{{"type": "result", "task": 0, "values": [{text}]}}')


def test_the_largest_messages_fit():
    figures = {f"f{number}{'x' * (LONGEST_FIGURE - 2)}": -1.2345678901234567e-300 for number in range(MOST_FIGURES - 1)}
    value: Value = {"result": -1.2345678901234567e-300, **figures}
    assert len(TO_COORDINATOR.encode(Result(20_000, (value,) * 200))) < MOST_BYTES
    assert len(TO_COORDINATOR.encode(Result(20_000, ("\N{SNOWMAN}" * LONGEST_ERROR,) * 200)).encode()) < MOST_BYTES
    point = (-123456789.12345678,) * 8
    assert len(TO_AGENT.encode(Task(20_000, (point,) * 200))) < MOST_BYTES


def test_an_agents_name_has_letters_digits_and_a_few_signs():
    assert agent_name_problem("agent-1.example_x") is None
    for name in ("", "a b", "=1+1", "x" * 65, "\N{LATIN SMALL LETTER E WITH ACUTE}"):
        assert agent_name_problem(name) == f"invalid name: {name!r}; use 1 to 64 letters, digits and . _ -"
