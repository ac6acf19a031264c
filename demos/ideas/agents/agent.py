"""Calculates the tasks of a coordinator with its owner's own strategy file and data."""

from __future__ import annotations

from typing import Annotated

from demos.ideas.agents.coordination import different_file
from demos.ideas.agents.inputs import EXAMPLE, InputError, PricesInput, StrategyInput, files_of
from demos.ideas.agents.optimisation import MOST_HELD
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
from demos.ideas.agents.worker_process import Loaded, WorkerProcess
from demos.ideas.link import Link, LinkError, link_settings
from demos.ideas.link_options import CaInput, PinInput, UrlInput
from demos.ideas.messages import Error, MessageError
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    REASON_CLOSE,
    Comment,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    ExpertRemove,
    Fail,
    GetTickCount64,
    Input,
    Print,
)
from demos.terminal.runtime.randomness import random_source
from demos.wire.websocket import CLIENT_LIMITS

PERIOD_MS = 10

# The limit of a point before the coordinator has sent its own.
_POINT_MS = 60_000

# The errors of a coordinator that another attempt would not change.
FATAL_CODES = ("strategy", "data", "distrusted", "version")


def _name_problem(value: str) -> str | None:
    return agent_name_problem(value) if value else None


url: UrlInput = "ws://127.0.0.1:8453"
ca: CaInput = ""
pin: PinInput = ""
strategy: StrategyInput = EXAMPLE
prices: PricesInput = ""
name: Annotated[str, Input("the agent's name at the coordinator; empty: a random one", check=_name_problem)] = ""

worker: WorkerProcess | None = None
link: Link | None = None
generation = 0
hello: Hello | None = None
is_done = False
calculated = 0

# The work that the coordinator still waits for: the task of each key. A new connection forgets the tasks of the last.
keys: dict[int, int] = {}
next_key = 0


def OnInit() -> int:
    global worker, link, name
    try:
        files = files_of(strategy, prices)
        link = Link(link_settings(url, ca, pin), CLIENT_LIMITS._replace(message=MOST_BYTES))
    except (InputError, LinkError) as error:
        Fail(2, str(error))
        return INIT_FAILED
    worker = WorkerProcess(files, _POINT_MS)
    name = name or f"agent-{random_source().randrange(16**8):08x}"
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if worker:
        worker.close()
    if link is None:
        return
    link.close()
    if reason == REASON_CLOSE and not link.generation:
        Fail(3, f"no connection to {url} has succeeded")


def OnTimer() -> None:
    assert worker is not None
    done = worker.check(GetTickCount64())
    if worker.problem:
        Fail(4, worker.problem)
        return
    for each in done:
        task = keys.pop(each.key, None)
        if task is not None:
            SendResult(task, Result(task, each.values))
    # The coordinator's first question is about the files.
    if worker.loaded is not None:
        Receive(worker.loaded)


def OnSocket(s: int, ready: int) -> None:
    if worker and worker.loaded is not None:
        Receive(worker.loaded)


def Receive(loaded: Loaded) -> None:
    """Connect, and take the messages that have arrived."""
    global generation, hello
    assert link is not None
    assert worker is not None
    for text in link.step():
        if link.generation != generation:
            # The coordinator has given the tasks of the last connection to others.
            generation, hello = link.generation, None
            worker.drop()
            keys.clear()
        try:
            message = TO_AGENT.decode(text)
        except MessageError as error:
            link.end(f"invalid message: {error}")
            return
        if isinstance(message, Hello):
            TakeHello(message, loaded)
        elif isinstance(message, Task):
            TakeTask(message)
        elif isinstance(message, Error):
            TakeError(message)
        elif isinstance(message, Done):
            Print(f"the optimisation is finished; {calculated} tasks were calculated here")
            ExpertRemove()


def TakeHello(message: Hello, loaded: Loaded) -> None:
    """Join, if the coordinator has the same files."""
    global hello
    assert link is not None
    assert worker is not None
    if hello is not None:
        link.end("invalid message: a second hello message")
        return
    for what, coordinators, own in (
        ("strategy", message.strategy, loaded.strategy),
        ("data", message.data, loaded.data),
    ):
        if coordinators != own:
            Fail(4, different_file(what, coordinators, own))
            return
    if message.function != loaded.function:
        Fail(4, f"the coordinator optimizes {message.function}(), this agent {loaded.function}(): change --strategy")
        return
    hello = message
    worker.point_ms = message.point_ms
    link.send(TO_COORDINATOR.encode(Join(VERSION, name, loaded.strategy, loaded.data)))
    Print(f"joined as {name}")
    Event("joined", name=name)


def TakeTask(message: Task) -> None:
    """Have the worker calculate a task."""
    global next_key
    assert link is not None
    assert worker is not None
    if hello is None or any(len(point) != len(hello.parameters) for point in message.points) or not message.points:
        link.end("invalid message: a task whose points do not fit the parameters")
        return
    if len(keys) >= MOST_HELD:
        link.end(f"invalid message: a task although this agent has {MOST_HELD}")
        return
    keys[next_key] = message.task
    worker.add(next_key, hello.parameters, message.points)
    next_key += 1


def SendResult(task: int, result: Result) -> None:
    """Send the values of a task."""
    global calculated
    assert link is not None
    link.send(TO_COORDINATOR.encode(result))
    calculated += 1
    Comment(f"{calculated} tasks calculated")


def TakeError(message: Error) -> None:
    """End the program, or the connection, with the coordinator's error."""
    assert link is not None
    if message.code in FATAL_CODES:
        Fail(4, f"the coordinator has refused this agent: {message.text}")
    else:
        link.end(f"the coordinator reports an error: {message.text}")
