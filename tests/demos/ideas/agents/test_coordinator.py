"""The coordinator's program with agents that the test writes itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agents_kit import LEVEL, strategy_file
from cleanup_kit import closed_after_test
from hostile_kit import TEXT, frame
from ideas_kit import Peer, connect, port_served, served, until
from signal_kit import Script, Stage
from terminal_kit import BARS

from demos.ideas.agents.grid import read_grid
from demos.ideas.agents.run_file import RunFile, stored_plan
from demos.terminal.interfaces import ProgramError

PARAMETERS = "a=1:4:1 b=1:3:1"
POINTS = [{"a": a, "b": b} for a in range(1, 5) for b in range(1, 4)]


def coordinator(folder: Path, text: str = LEVEL, **inputs: object) -> Stage:
    """The coordinator of 12 points in 6 tasks; it listens on any free port."""
    given = {
        "strategy": str(strategy_file(folder, text)),
        "prices": str(BARS),
        "parameters": PARAMETERS,
        "database": str(folder / "run.sqlite"),
        "task_points": 2,
        "Port": 0,
    }
    return Stage("coordinator", timer_ms=10, **{**given, **inputs})


class Agent:
    """A peer that speaks the agents' protocol, and may lie."""

    def __init__(self, stage: Stage, name: str, lie: float = 0.0) -> None:
        self.name = name
        self.lie = lie
        self.peer = connect(stage)
        self.seen = 0
        self.kinds: list[str] = []
        self.last: dict[str, Any] = {}
        self.calculated = 0

    def work(self) -> None:
        """Answer what has arrived."""
        texts = self.peer.texts()
        for text in texts[self.seen :]:
            message = self.last = json.loads(text)
            self.kinds.append(message["type"])
            if message["type"] == "hello":
                files = {"strategy": message["strategy"], "data": message["data"]}
                self.say(type="join", version=1, agent=self.name, **files)
            elif message["type"] == "task":
                self.calculated += 1
                values = [{"result": 10 * a + b + self.lie, "close": self.close} for a, b in message["points"]]
                self.say(type="result", task=message["task"], values=values)
        self.seen = len(texts)

    @property
    def close(self) -> float:
        """The last close of the data."""
        return float(BARS.read_text(encoding="utf-8").splitlines()[-1].split("\t")[5])

    def say(self, **fields: Any) -> None:
        """Send a message."""
        self.peer.say(json.dumps(fields))


def working(stage: Stage, *agents: Agent) -> Script:
    """Let the agents work until the program has ended or the optimisation is finished."""

    def finished() -> bool:
        for agent in agents:
            agent.work()
        return bool(stage.record.of("finished"))

    yield from until(stage, finished)


def outcome(folder: Path) -> list[float]:
    """The stored results, in the order of the points."""
    path = folder / "run.sqlite"
    plan = stored_plan(path, read_grid(PARAMETERS.split()))
    with closing(RunFile(path, plan)) as file:
        values = [value for _, each in sorted(file.outcomes(plan).items()) for value in each.values]
    return [value["result"] for value in values if isinstance(value, dict)]


RESULTS = [10.0 * point["a"] + point["b"] for point in POINTS]


def test_honest_agents_calculate_every_point_and_are_told_the_end(tmp_path):
    stage = coordinator(tmp_path)
    agents: list[Agent] = []

    def script() -> Script:
        yield from served(stage)
        agents.extend(Agent(stage, name) for name in ("a", "b"))
        yield from working(stage, *agents)
        yield from until(stage, lambda: [agent.work() for agent in agents] and all("done" in a.kinds for a in agents))
        yield from until(stage, lambda: False)

    assert stage.play(script()) == 0
    assert outcome(tmp_path) == RESULTS
    assert stage.record.of("progress")[-1]["done"] == 12
    assert stage.record.of("progress")[-1]["best"][0] == {"point": "a=4 b=3", "result": 43.0}  # type: ignore[index]
    assert not stage.errors()


def test_a_lying_agent_is_told_why_it_is_ended_and_the_others_calculate_its_tasks_again(tmp_path):
    stage = coordinator(tmp_path)
    agents: list[Agent] = []

    def script() -> Script:
        yield from served(stage)
        agents.append(Agent(stage, "liar", lie=0.5))
        yield from until(stage, lambda: agents[0].work() or "error" in agents[0].kinds)
        agents.append(Agent(stage, "honest"))
        yield from working(stage, *agents)

    stage.play(script())
    assert outcome(tmp_path) == RESULTS
    assert agents[0].last["code"] == "distrusted"
    assert agents[0].peer.close_code()
    assert [event["agent"] for event in stage.record.of("distrusted")] == ["liar"]


def test_an_agent_that_leaves_in_the_middle_or_stalls_only_costs_time(tmp_path):
    stage = coordinator(tmp_path, lease=1, check=100)

    def script() -> Script:
        yield from served(stage)
        stalled, leaving = Agent(stage, "stalled"), Agent(stage, "leaving")
        for agent in (stalled, leaving):
            yield from until(stage, agent.peer.texts)
            message = json.loads(agent.peer.texts()[0])
            agent.say(type="join", version=1, agent=agent.name, strategy=message["strategy"], data=message["data"])
            yield from until(stage, lambda agent=agent: len(agent.peer.texts()) == 3)
        leaving.peer.reset()
        yield from working(stage, Agent(stage, "honest"))

    stage.play(script())
    assert outcome(tmp_path) == RESULTS


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "malformed"),
        ('{"type": "result", "task": 0, "values": []}', "order"),
        ('{"type": "result", "task": 0, "values": [{"result": NaN}]}', "malformed"),
        ('{"type": "join", "version": 1, "agent": "x", "strategy": "1", "data": "2"}', "malformed"),
        ('{"type": "run", "code": "print(1)"}', "type"),
        (f'{{"type": "join", "version": 1, "agent": "x", "strategy": "{"1" * 64}", "data": "{"2" * 64}"}}', "strategy"),
    ],
)
def test_a_hostile_message_ends_its_sender_alone(tmp_path, message, code):
    stage = coordinator(tmp_path)
    honest: list[Agent] = []

    def script() -> Script:
        yield from served(stage)
        honest.append(Agent(stage, "honest"))
        hostile = connect(stage)
        hostile.send(frame(TEXT, message.encode()))
        yield from until(stage, lambda: hostile.frames() and hostile.ended)
        assert json.loads(hostile.texts()[-1])["code"] == code
        yield from working(stage, *honest)

    stage.play(script())
    assert outcome(tmp_path) == RESULTS


def test_a_client_that_sends_garbage_or_nothing_is_ended(tmp_path):
    stage = coordinator(tmp_path)

    def script() -> Script:
        yield from served(stage)
        silent, garbage = connect(stage), Peer(port_served(stage))
        garbage.send(b"\0" * 4096)
        yield from until(stage, lambda: garbage.read() is not None and garbage.ended)
        yield from until(stage, lambda: silent.frames() and silent.ended)
        yield from working(stage, Agent(stage, "honest"))

    stage.play(script())
    assert outcome(tmp_path) == RESULTS


def test_a_coordinator_that_was_ended_continues_from_its_file(tmp_path):
    first = coordinator(tmp_path, check=0)

    def begin() -> Script:
        yield from served(first)
        agent = Agent(first, "a")
        yield from until(first, lambda: agent.work() or agent.calculated >= 3)
        yield from until(first, lambda: first.program.optimisation.done_points >= 6)

    assert first.play(begin()) == 0
    assert not first.record.of("finished")
    stored = len(outcome(tmp_path))
    assert 6 <= stored < 12
    second = coordinator(tmp_path, check=0)
    agents: list[Agent] = []

    def again() -> Script:
        yield from served(second)
        agents.append(Agent(second, "a"))
        yield from working(second, *agents)

    second.play(again())
    assert outcome(tmp_path) == RESULTS
    assert agents[0].calculated == (12 - stored) // 2
    assert f"{stored // 2} tasks are in {tmp_path / 'run.sqlite'} already" in second.texts


def test_results_are_kept_while_another_program_has_locked_the_file(tmp_path):
    stage = coordinator(tmp_path)
    locks: list[sqlite3.Connection] = []

    def script() -> Script:
        yield from served(stage)
        lock = closed_after_test(sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None))
        lock.execute("BEGIN EXCLUSIVE")
        locks.append(lock)
        agent = Agent(stage, "honest")
        yield from until(stage, lambda: agent.work() or (len(agent.kinds) > 1 and stage.program.is_locked))
        begin = stage.clock.time
        yield from until(stage, lambda: agent.work() or stage.clock.time > begin + 3)
        lock.rollback()
        yield from working(stage, agent)

    stage.play(script())
    assert outcome(tmp_path) == RESULTS
    assert len([line for line in stage.texts if "the newest results are not stored yet: " in line]) == 1


def test_points_that_had_too_little_time_are_calculated_again_with_more(tmp_path):
    def play(seconds: int) -> Agent:
        stage = coordinator(tmp_path, point_seconds=seconds, check=0)
        agents: list[Agent] = []

        def script() -> Script:
            yield from served(stage)
            agents.append(Agent(stage, "a"))
            yield from working(stage, *agents)

        stage.play(script())
        return agents[0]

    play(60)
    path = tmp_path / "run.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        values = json.dumps(["no result within 1 s", {"result": 12.0, "close": 1.0}])
        db.execute("UPDATE outcomes SET data = ? WHERE task = 0", (values,))
    assert play(1).calculated == 0
    assert len(outcome(tmp_path)) == 11
    assert play(30).calculated == 1
    assert outcome(tmp_path) == RESULTS


def test_a_file_of_another_strategy_is_refused(tmp_path):
    first = coordinator(tmp_path)
    assert first.play(served(first)) == 0
    second = coordinator(tmp_path, LEVEL + "\n# changed\n")
    assert second.play(until(second, lambda: False)) == 4
    assert "belongs to another optimisation (strategy: " in second.errors()[-1]


def test_a_damaged_file_ends_the_program(tmp_path):
    first = coordinator(tmp_path)
    assert first.play(served(first)) == 0
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as db, db:
        db.execute("INSERT INTO outcomes VALUES (0, '[]', '[]')")
    second = coordinator(tmp_path)
    assert second.play(until(second, lambda: False)) == 4
    assert "run.sqlite is damaged: task 0: it has 0 values" in second.errors()[-1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("raise RuntimeError('no')", "RuntimeError: no"),
        (
            "import itertools\nC = itertools.count()\ndef level(bars, a, b):\n    return next(C)\n",
            "is not deterministic",
        ),
        ("def level(bars, a):\n    return a\n", "cannot be called with the data and the parameters a, b"),
    ],
)
def test_a_strategy_that_cannot_be_used_ends_the_program_with_the_reason(tmp_path, text, problem):
    stage = coordinator(tmp_path, text)
    assert stage.play(until(stage, lambda: False)) == 4
    assert problem in stage.errors()[-1]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"parameters": ""}, "there is no parameter"),
        ({"parameters": "a=1:2"}, "invalid parameter 'a=1:2'"),
        ({"prices": ""}, "there are no prices"),
        ({"Host": "0.0.0.0"}, "--cert"),
    ],
)
def test_invalid_inputs_end_the_program_with_exit_code_2(tmp_path, inputs, problem):
    stage = coordinator(tmp_path, **inputs)
    assert stage.play(until(stage, lambda: False)) == 2
    assert problem in stage.errors()[-1]


def test_a_time_limit_that_no_message_can_contain_is_refused(tmp_path):
    with pytest.raises(ProgramError, match="invalid number of seconds: 86401; use 1 to 86400"):
        coordinator(tmp_path, point_seconds=86_401)
