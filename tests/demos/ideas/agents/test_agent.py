"""The agent's program against coordinators that the test writes itself, with the package websockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agents_kit import LEVEL, strategy_file
from copier_kit import Behavior, Peer, WebsocketsProvider
from ideas_kit import until
from signal_kit import Stage
from terminal_kit import BARS
from web_kit import network

from demos.ideas.agents.history import file_digest

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

POINTS = [[1, 2], [3, 4]]


def agent(folder: Path, behave: Behavior, text: str = LEVEL, **inputs: object) -> tuple[Stage, WebsocketsProvider]:
    """The agent, connected to a coordinator that behaves like this."""
    server = WebsocketsProvider(behave)
    strategy = str(strategy_file(folder, text))
    given = {"url": f"ws://127.0.0.1:{server.port}", "strategy": strategy, "prices": str(BARS), "name": "a", **inputs}
    return Stage("agent", timer_ms=10, **given), server


def run(stage: Stage) -> int:
    """Let the program run until it ends by itself."""
    return stage.play(until(stage, lambda: False))


def hello(strategy: str, data: str) -> dict[str, Any]:
    """A coordinator's hello message with the digests of these files."""
    return {
        "type": "hello",
        "version": 1,
        "strategy": strategy,
        "function": "level",
        "data": data,
        "parameters": ["a", "b"],
        "point_ms": 60_000,
    }


async def joined(peer: Peer, folder: Path, **fields: Any) -> dict[str, Any]:
    """Say hello with the digests of the agent's own files, and hear the answer."""
    message = hello(file_digest(folder / "level.py"), file_digest(BARS))
    await peer.connection.send(json.dumps({**message, **fields}))
    return await peer.hear()


def test_an_agent_joins_with_the_digests_of_its_files_and_calculates_until_all_is_done(tmp_path):
    heard = []

    async def behave(peer: Peer) -> None:
        heard.append(await joined(peer, tmp_path))
        for task in (7, 8):
            await peer.say("task", task=task, points=POINTS)
        heard.extend([await peer.hear(), await peer.hear()])
        await peer.say("done")

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 0
    assert heard[0] == {
        "type": "join",
        "version": 1,
        "agent": "a",
        "strategy": file_digest(tmp_path / "level.py"),
        "data": file_digest(BARS),
    }
    assert [message["task"] for message in heard[1:]] == [7, 8]
    assert [value["result"] for value in heard[1]["values"]] == [12.0, 34.0]
    assert "the optimisation is finished; 2 tasks were calculated here" in stage.texts


def test_an_agent_answers_pings_while_its_strategy_calculates(tmp_path):
    # The strategy waits for a file, which the coordinator writes when it has the answer to its ping.
    answered = tmp_path / "answered"
    text = f"import os\ndef level(bars, a, b):\n    while not os.path.exists({str(answered)!r}): pass\n    return 1\n"
    heard = []

    async def behave(peer: Peer) -> None:
        await joined(peer, tmp_path)
        await peer.say("task", task=0, points=POINTS)
        for _ in range(3):
            await (await peer.connection.ping())
        answered.touch()
        heard.append(await peer.hear())
        await peer.say("done")

    stage, _ = agent(tmp_path, behave, text)
    assert run(stage) == 0
    assert [value["result"] for value in heard[0]["values"]] == [1.0, 1.0]


def test_a_strategy_that_hangs_is_reported_as_an_error_of_its_point(tmp_path):
    heard = []

    async def behave(peer: Peer) -> None:
        await joined(peer, tmp_path, point_ms=10_000)
        await peer.say("task", task=0, points=POINTS)
        heard.append(await peer.hear())
        await peer.say("done")

    text = "def level(bars, a, b):\n    while a == 3:\n        pass\n    return a\n"
    stage, _ = agent(tmp_path, behave, text)
    assert run(stage) == 0
    assert heard[0]["values"] == [{"result": 1.0}, "no result within 10 s"]


@pytest.mark.parametrize("what", ["strategy", "data"])
def test_an_agent_with_another_file_than_the_coordinator_ends_with_both_digests(tmp_path, what):
    async def behave(peer: Peer) -> None:
        await joined(peer, tmp_path, **{what: "3" * 64})

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 4
    own = file_digest(tmp_path / "level.py" if what == "strategy" else BARS)[:16]
    expected = f"the {what} files differ: the coordinator's has the SHA-256 {'3' * 16}…, the agent's {own}…"
    assert stage.errors()[-1].startswith(expected)


def test_an_agent_for_another_function_ends(tmp_path):
    async def behave(peer: Peer) -> None:
        await joined(peer, tmp_path, function="other")

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 4
    assert "the coordinator optimizes other(), this agent level(): change --strategy" in stage.errors()[-1]


def test_an_agent_that_is_distrusted_ends_with_the_reason(tmp_path):
    async def behave(peer: Peer) -> None:
        await joined(peer, tmp_path)
        await peer.say("error", code="distrusted", text="it has reported a wrong value: point 3")

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 4
    assert "refused this agent: it has reported a wrong value: point 3" in stage.errors()[-1]


def test_after_a_lost_connection_an_agent_joins_again_and_reports_nothing_of_the_old_one(tmp_path):
    heard = []

    async def behave(peer: Peer) -> None:
        heard.append(await joined(peer, tmp_path))
        if len(heard) == 1:
            await peer.say("task", task=1, points=POINTS * 50)
            return
        await peer.say("task", task=2, points=POINTS)
        heard.append(await peer.hear())
        await peer.say("done")

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 0
    assert [message.get("task") for message in heard] == [None, None, 2]


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "run", "code": "print(1)"}',
        '{"type": "task", "task": 0, "points": []}',
        '{"type": "task", "task": 0, "points": [[1]]}',
        '{"type": "task", "task": 0, "points": [[1, "x"]]}',
        '{"type": "task", "task": 0, "points": [[1, NaN]]}',
        "[" * 1000,
        json.dumps(hello("1" * 64, "2" * 64)),
        *[[json.dumps({"type": "task", "task": number, "points": POINTS}) for number in range(3)]],
    ],
)
def test_a_hostile_coordinator_costs_the_connection_alone(tmp_path, message):
    """A third task before the first result is one, because an agent that takes every task runs out of memory."""
    connections = []
    # So slow that no result arrives before the end.
    text = "import threading\ndef level(bars, a, b):\n    threading.Event().wait()\n"

    async def behave(peer: Peer) -> None:
        connections.append(await joined(peer, tmp_path))
        if len(connections) == 1:
            for each in [message] if isinstance(message, str) else message:
                await peer.connection.send(each)
            await peer.connection.wait_closed()
        else:
            await peer.say("done")
            await peer.connection.wait_closed()

    stage, _ = agent(tmp_path, behave, text)
    assert run(stage) == 0
    assert "invalid message" in stage.errors()[0]


def test_a_task_before_the_hello_message_is_refused(tmp_path):
    connections = []

    async def behave(peer: Peer) -> None:
        connections.append(peer)
        if len(connections) == 1:
            await peer.say("task", task=0, points=POINTS)
            await peer.connection.wait_closed()
        else:
            await peer.say("done")
            await peer.connection.wait_closed()

    stage, _ = agent(tmp_path, behave)
    assert run(stage) == 0
    assert "a task whose points do not fit the parameters" in stage.errors()[0]


@pytest.mark.parametrize(
    ("inputs", "code", "problem"),
    [
        ({"prices": ""}, 2, "there are no prices"),
        ({"prices": "no.tsv"}, 4, "no.tsv"),
        ({"strategy": "no.py"}, 4, "no.py cannot be read"),
    ],
)
def test_invalid_inputs_end_the_program(tmp_path, inputs, code, problem):
    async def behave(peer: Peer) -> None:
        await peer.connection.wait_closed()

    stage, _ = agent(tmp_path, behave, **inputs)
    assert run(stage) == code
    assert problem in stage.errors()[-1]


def test_an_agent_that_was_never_connected_fails(tmp_path):
    given = {"url": "ws://127.0.0.1:9", "strategy": str(strategy_file(tmp_path)), "prices": str(BARS)}
    stage = Stage("agent", timer_ms=10, **given)
    assert stage.play(until(stage, stage.errors)) == 3
    assert "no connection to ws://127.0.0.1:9 has succeeded" in stage.errors()[-1]
