"""Splits an optimisation into tasks, which agents calculate; checks their results and stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from demos.ideas.agents.coordination import Coordination
from demos.ideas.agents.grid import MOST_IN_TASK, Grid, GridError, read_grid, split
from demos.ideas.agents.inputs import (
    EXAMPLE,
    InputError,
    PricesInput,
    StrategyInput,
    files_of,
    least_one,
)
from demos.ideas.agents.optimisation import Optimisation, OwnWork, Rules
from demos.ideas.agents.pace import Pace
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.progress import progress_fields, progress_text
from demos.ideas.agents.protocol import LONGEST_POINT_S, MOST_BYTES, VERSION, Hello
from demos.ideas.agents.run_file import RunFile
from demos.ideas.agents.values import all_same
from demos.ideas.agents.worker_process import Finished, Loaded, WorkerProcess
from demos.ideas.hub import Hub, HubError, HubSettings
from demos.ideas.hub_options import CertInput, ClientsInput, HostInput, HostsInput, KeyInput, PerAddressInput, PortInput
from demos.provider.sqlite_file import LOCK_TIMEOUT, StateBusy, StateError
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
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
from demos.wire.http_hosts import option_hosts
from demos.wire.websocket import SERVER_LIMITS

PERIOD_MS = 20

# How often the times of the tasks are checked, and the progress is shown if it has changed.
CHECK_MS = 250
SHOW_MS = 1000

# How long storing waits while another process has locked the file, in seconds; and the pause before the next attempt.
LOCK_WAIT = 0.05
STORE_AGAIN_MS = 1000

# The time in which the agents take the message that all is done.
LAST_MS = 1000


def _percent(value: int) -> str | None:
    return None if 0 <= value <= 100 else f"invalid percentage: {value}; use 0 to 100"


def _task_points(value: int) -> str | None:
    return None if 0 <= value <= MOST_IN_TASK else f"invalid number: {value}; use 1 to {MOST_IN_TASK}, or 0"


def _point_seconds(value: int) -> str | None:
    return None if 1 <= value <= LONGEST_POINT_S else f"invalid number of seconds: {value}; use 1 to {LONGEST_POINT_S}"


Host: HostInput = "127.0.0.1"
Port: PortInput = 8453
cert: CertInput = ""
key: KeyInput = ""
hosts: HostsInput = ""
clients: ClientsInput = 256
per_address: PerAddressInput = 32
strategy: StrategyInput = EXAMPLE
prices: PricesInput = ""
parameters: Annotated[str, Input("the values, separated by blanks, as in 'fast=5:50:5 slow=60:300:20'")] = ""
database: Annotated[str, Input("SQLite file of the results; an optimisation continues from it", file="database")] = (
    "agents.sqlite"
)
check: Annotated[int, Input("percentage of the tasks that a second agent calculates too", check=_percent)] = 10
task_points: Annotated[int, Input("points of a task; 0: a hundredth of the grid", check=_task_points)] = 0
lease: Annotated[int, Input("seconds until a task is given to another agent", check=least_one)] = 60
point_seconds: Annotated[int, Input("seconds that the strategy may take for a point", check=_point_seconds)] = 60

# An agent with a fast strategy reports many results; it can send none that it was not asked for.
_BURST = 4_000
_FRAMES = 2_000

# The key of the two calculations that show whether the strategy is deterministic; others are numbers of own work.
_TWICE = -1

grid: Grid
worker: WorkerProcess | None = None
file: RunFile | None = None
hub: Hub | None = None
optimisation: Optimisation
coordination: Coordination
pace: Pace
own: OwnWork | None = None
checked_at = 0
shown_at = 0
shown: dict[str, object] = {}
finished_at: int | None = None
distrusted = 0
store_at = 0
is_locked = False


def OnInit() -> int:
    global grid, worker
    try:
        grid = read_grid(parameters.split())
        split(grid.points, task_points)
        worker = WorkerProcess(files_of(strategy, prices), point_seconds * 1000)
    except (GridError, InputError) as error:
        Fail(2, str(error))
        return INIT_FAILED
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if hub:
        hub.close()
    if worker:
        worker.close()
    if file:
        if hub:
            Store(LOCK_TIMEOUT)
        file.close()


def OnTimer() -> None:
    assert worker is not None
    now = GetTickCount64()
    done = worker.check(now)
    if worker.problem:
        Fail(4, worker.problem)
        return
    if worker.loaded is None:
        return
    if hub is None and not Begin(worker.loaded):
        return
    for each in done:
        TakeOwn(each)
    Continue(now)


def OnSocket(s: int, ready: int) -> None:
    if hub:
        hub.ready(s, ready)
        Store()


def Begin(loaded: Loaded) -> bool:
    """Open the file and the hub; whether that was possible."""
    global file, hub, optimisation, coordination, pace
    assert worker is not None
    plan = Plan(grid, task_points, loaded.strategy, loaded.function, loaded.data)
    tasks = plan.tasks
    try:
        file = RunFile(Path(database), plan)
        if again := file.discard_timeouts(plan, point_seconds):
            Print(f"{again} tasks with points that had less than {point_seconds} s are calculated again")
        rules = Rules(check / 100, lease * 1000)
        # An agent must not be able to tell what is checked.
        optimisation = Optimisation(tasks, rules, random_source(), file.stored(plan))
        hello = Hello(VERSION, loaded.strategy, loaded.function, loaded.data, grid.names, point_seconds * 1000)
        coordination = Coordination(hello, grid, optimisation, Print)
        settings = HubSettings(
            Host,
            Port,
            cert,
            key,
            option_hosts(hosts),
            clients,
            per_address,
            limits=SERVER_LIMITS._replace(message=MOST_BYTES, burst=_BURST, frames_per_second=_FRAMES),
        )
        hub = Hub(settings, coordination)
    except StateError as error:
        Fail(4, str(error))
        return False
    except HubError as error:
        Fail(error.code, str(error))
        return False
    Print(f"{grid.points} points of {loaded.function}() in {tasks.number} tasks, {loaded.rows} rows of data")
    if stored := len(optimisation.outcomes):
        Print(f"{stored} tasks are in {database} already")
    pace = Pace(grid.points)
    worker.add(_TWICE, grid.names, [grid.point(0)] * 2)
    return True


def TakeOwn(done: Finished) -> None:
    """Take what the coordinator has calculated itself."""
    global own
    if done.key == _TWICE:
        if not all_same(done.values[:1], done.values[1:]):
            first, second = done.values
            Fail(4, f"the strategy is not deterministic: two calculations of {grid.text(0)} differ: {first}, {second}")
        return
    assert own is not None
    optimisation.own_result(own, done.values)
    own = None


def Continue(now: int) -> None:
    """Give the worker its next work, store, show the progress, and end when all is done."""
    global checked_at, own
    assert hub is not None
    assert worker is not None
    EndDistrusted()
    if own is None and (work := optimisation.own_work()):
        own = work
        worker.add(work.task, grid.names, [grid.point(number) for number in work.points])
    if now - checked_at >= CHECK_MS or not hub.is_listening:
        checked_at = now
        optimisation.check_times(now)
        hub.timer()
    if now - shown_at >= SHOW_MS:
        Show(now)
    hub.pump()
    Store()
    if optimisation.is_finished and finished_at is None:
        optimisation.check_times(now)
        if optimisation.is_finished:
            Finish(now)
    if finished_at is not None and now - finished_at >= LAST_MS and not is_locked:
        ExpertRemove()


def EndDistrusted() -> None:
    """End the connections of agents that are distrusted."""
    global distrusted
    assert hub is not None
    for client, reason in coordination.to_end():
        hub.end(client, "distrusted", reason)
    if len(optimisation.distrusted) > distrusted:
        for name, reason in list(optimisation.distrusted.items())[distrusted:]:
            Print(f"-agent {name} is distrusted; what it alone has calculated is calculated again: {reason}")
            Event("distrusted", agent=name)
        distrusted = len(optimisation.distrusted)


def Store(wait: float = 0.0) -> None:
    """Store what has changed. While another process has locked the file, it is tried again later.

    ``wait``: for the last attempt, the seconds until it fails.
    """
    global store_at, is_locked
    assert file is not None
    if not wait and GetTickCount64() < store_at:
        return
    try:
        file.save(optimisation.take_changes(), optimisation.take_distrusted(), wait or LOCK_WAIT)
    except StateBusy as error:
        if wait:
            Fail(4, str(error))
            return
        if not is_locked:
            Print(f"-the newest results are not stored yet: {error}")
        store_at, is_locked = GetTickCount64() + STORE_AGAIN_MS, True
    except StateError as error:
        Fail(4, str(error))
    else:
        is_locked = False


def Show(now: int) -> None:
    """Show the progress, and record it for a job."""
    global shown_at, shown
    shown_at = now
    fields = progress_fields(optimisation, grid, pace, now)
    Comment(progress_text(fields))
    if {**fields, "remaining_ms": None} != {**shown, "remaining_ms": None}:
        shown = fields
        Event("progress", **fields)


def Finish(now: int) -> None:
    """Tell the agents that all is done."""
    global finished_at
    finished_at = now
    coordination.is_finished = True
    Store()
    Show(now)
    Print(f"finished: {progress_text(progress_fields(optimisation, grid, pace, now))}")
    Event("finished")
    assert hub is not None
    hub.pump()
