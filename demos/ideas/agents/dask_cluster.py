"""The calculation of tasks on a cluster of dask, and what becomes of them when a worker ends.

When a worker ends, the scheduler has its tasks calculated again: by another worker, or by the same one when it is
started again. It gives a task up when several workers have ended during it. The reason may be this task, or one that
ran at the same time. So the points of such tasks are calculated at the end, each alone. A point that ends its workers
then gets an error.
"""

from __future__ import annotations

import queue
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from demos.ideas.agents.dask_tasks import calculate_points
from demos.ideas.agents.grid import Number
from demos.ideas.agents.outcomes import Outcome
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.protocol import checked_values
from demos.ideas.agents.values import Value, error_value, exception_value
from demos.launcher.runner import JobError
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.clock import RealClock

# Seconds to reach the scheduler; and without a worker until the job ends.
CONNECT = 10.0
NO_WORKER = 60.0

# Seconds between two looks at whether there are workers.
_LOOK = 1.0

# The tasks that wait at the scheduler, for each thread of the workers.
_WAITING = 4

_ADDRESS = re.compile(
    r"(?:(?P<scheme>tcp|tls|ws|wss|ucx)://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})", re.ASCII
)

_NO_WORKERS = "the scheduler of dask has no workers: start one with `dask worker ADDRESS`"


def connected(address: str) -> Any:
    """A client of the scheduler.

    Errors: ProgramError without dask.distributed or for an invalid address; JobError when the scheduler does not
    answer.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise ProgramError("--dask needs dask.distributed: pip install 'dask[distributed]'") from None
    # A client that fails in its constructor is not cleaned up in order. With an empty address it starts a cluster here.
    match = _ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise ProgramError(f"--dask: invalid address {address!r}: give tcp://HOST:PORT, as tcp://192.168.1.5:8786")
    if match["scheme"] in ("tls", "wss"):
        _check_certificates(distributed, address)
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except ValueError as error:
        raise ProgramError(f"--dask {address}: {error}") from None
    except OSError:
        raise JobError(3, f"the scheduler of dask at {address} does not answer") from None


def _check_certificates(distributed: Any, address: str) -> None:
    """Check that dask's configuration names certificates. Errors: ProgramError."""
    try:
        context = distributed.Security().get_connection_args("client").get("ssl_context")
    except OSError as error:
        raise ProgramError(f"--dask {address}: the certificates of dask's configuration: {error}") from error
    if context is None:
        raise ProgramError(
            f"--dask {address}: dask's configuration has no certificates: see distributed.comm.tls there"
        )


def calculated(
    client: Any,
    plan: Plan,
    strategy: tuple[bytes, str, str],
    prices: Path,
    outcomes: dict[int, Outcome],
) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """Have the workers calculate the tasks without an outcome; each task and its values, in any order.

    Errors: JobError when there is no worker, or a worker cannot calculate.
    """
    threads = sum(client.nthreads().values())
    if not threads:
        raise JobError(3, _NO_WORKERS)
    tasks = plan.tasks
    pending = iter([task for task in range(tasks.number) if task not in outcomes])
    cluster = _Cluster(client, strategy, plan.grid.names, prices.read_bytes())
    given_up = []
    for _ in range(threads * _WAITING):
        if (task := next(pending, None)) is not None:
            cluster.submit(task, [plan.grid.point(number) for number in tasks.of(task)])
    while cluster.running:
        task, values = cluster.finished()
        if (following := next(pending, None)) is not None:
            cluster.submit(following, [plan.grid.point(number) for number in tasks.of(following)])
        if values is None:
            given_up.append(task)
        else:
            yield task, values
    for task in given_up:
        yield task, tuple(cluster.alone(plan.grid.point(number)) for number in tasks.of(task))


class _Cluster:
    """The tasks that are submitted to a scheduler. ``running``: their numbers and futures, by the futures' keys."""

    def __init__(self, client: Any, strategy: tuple[bytes, str, str], names: Sequence[str], prices: bytes) -> None:
        self.running: dict[str, tuple[int, Any]] = {}
        self._client = client
        self._strategy = strategy
        self._names = names
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._clock = RealClock()
        with warnings.catch_warnings():
            # The advice to scatter large data. Data that is scattered is lost with its workers; a result, as this is,
            # the scheduler has calculated again.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            self._prices = client.submit(bytes, prices, pure=False)

    def submit(self, task: int, points: Sequence[Sequence[Number]]) -> None:
        """Have the points of a task calculated."""
        future = self._client.submit(calculate_points, self._strategy, self._prices, self._names, points, pure=False)
        self.running[future.key] = task, future
        future.add_done_callback(self._done.put)

    def finished(self) -> tuple[int, tuple[Value, ...] | None]:
        """Wait for a task; its number and values, None when the scheduler has given it up.

        Errors: JobError.
        """
        future = self._next_done()
        task, _ = self.running.pop(future.key)
        distributed: Any = import_module("distributed")
        try:
            return task, checked_values(future.result())
        except distributed.scheduler.KilledWorker:
            return task, None
        except distributed.client.FutureCancelledError as error:
            raise JobError(3, f"the connection to the scheduler of dask was lost: {error}") from None
        except ModuleNotFoundError as error:
            raise JobError(4, f"a worker of dask cannot import {error.name}: start it with PYTHONPATH=FOLDER") from None
        except Exception as error:  # whatever a worker raises
            raise JobError(4, f"a worker of dask has failed: {exception_value(error)}") from error

    def alone(self, point: Sequence[Number]) -> Value:
        """The value of a point, while nothing else is calculated.

        Errors: JobError.
        """
        self.submit(0, [point])
        _, values = self.finished()
        return values[0] if values else error_value("the process of a worker of dask ended during this point")

    def _next_done(self) -> Any:
        """Wait for a future. Errors: JobError when there has been no worker for too long."""
        end = self._clock.monotonic() + NO_WORKER
        while True:
            try:
                return self._done.get(timeout=_LOOK)
            except queue.Empty:
                now = self._clock.monotonic()
                if self._client.nthreads():
                    end = now + NO_WORKER
                elif now >= end:
                    raise JobError(3, _NO_WORKERS) from None
