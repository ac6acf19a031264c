"""Runs worker.py for a program that must not wait: starts it, gives it points, and reads its answers.

The program calls check() at each timer event. A point that takes longer than its limit ends the process: the point's
value is an error, and a new process continues with the next point. The same happens when the process ends by itself,
as after a fault in a C library.

Programs take new_worker(): a context may replace the process, as a simulation does, in which there are no processes.

The limit counts only the time between two calls of check() that are not far apart, so that a program that was stopped,
as by Ctrl-Z, does not take its own pause for that of the strategy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from pathlib import Path
from tempfile import mkstemp
from typing import IO, NamedTuple, Protocol, TypeAlias

from demos.ideas.agents.grid import Number
from demos.ideas.agents.strategy_file import Source
from demos.ideas.agents.values import Value, error_value, timeout_value
from demos.terminal.runtime.replacement import replaced

# Loading the strategy and its data may take this long.
LOADING_MS = 600_000

# What one call of check() adds to the time of a point at most.
_STEP_MS = 1_000

_ROOT = Path(__file__).resolve().parents[3]

# A group of its own: Ctrl-C is for the program, which ends the process.
if sys.platform == "win32":
    _FLAGS, _SESSION = subprocess.CREATE_NEW_PROCESS_GROUP, False
else:
    _FLAGS, _SESSION = 0, True


class Files(NamedTuple):
    """What a process loads: the strategy, and the file of data."""

    source: Source
    data: Path


class Loaded(NamedTuple):
    """The digests of the files that a process has loaded, the strategy's function, and the number of bars or ticks."""

    strategy: str
    function: str
    data: str
    rows: int


class Finished(NamedTuple):
    """A finished piece of work, by the key that it was given with."""

    key: int
    values: tuple[Value, ...]


class Worker(Protocol):
    """What calculates for a program: a WorkerProcess, or what replaces it; see there."""

    point_ms: int

    @property
    def loaded(self) -> Loaded | None: ...
    @property
    def problem(self) -> str: ...
    def add(self, key: int, names: Sequence[str], points: Sequence[Sequence[Number]]) -> None: ...
    def drop(self) -> None: ...
    def check(self, now: int) -> list[Finished]: ...
    def close(self) -> None: ...


class _Work(NamedTuple):
    key: int
    names: Sequence[str]
    points: Sequence[Sequence[Number]]


class WorkerProcess:
    """Calculates pieces of work in their order. Times are milliseconds of the program's clock.

    ``loaded`` is None until the files are loaded. ``problem`` is why they cannot be, "" while they can.
    """

    def __init__(self, files: Files, point_ms: int) -> None:
        """``point_ms``: the limit for one point."""
        self.loaded: Loaded | None = None
        self.problem = ""
        self.point_ms = point_ms
        self._files = files
        self._work: deque[_Work] = deque()
        self._values: list[Value] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: IO[bytes] | None = None
        self._path: Path | None = None
        self._partial = b""
        self._is_ready = False
        self._is_sent = False
        self._spent_ms = 0
        self._checked_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is no work."""
        return not self._work

    @property
    def pid(self) -> int:
        """The identifier of the process; 0 while there is none."""
        return self._process.pid if self._process else 0

    def add(self, key: int, names: Sequence[str], points: Sequence[Sequence[Number]]) -> None:
        """Calculate these points, values of the parameters ``names``, after the earlier work."""
        self._work.append(_Work(key, names, points))

    def drop(self) -> None:
        """Forget the work that has not begun."""
        while len(self._work) > self._is_sent:
            self._work.pop()

    def check(self, now: int) -> list[Finished]:
        """Start the process, read its answers, check the limit, and give it the next work; returns what is finished."""
        step = 0 if self._checked_at is None else min(now - self._checked_at, _STEP_MS)
        self._checked_at = now
        if self.problem:
            return []
        if self._process is None:
            self._start()
        # Whether it runs is read first: what it wrote before its end is read afterwards.
        assert self._process is not None
        code = self._process.poll()
        finished = self._read()
        if code is None:
            self._check_time(step)
        elif self._process is not None:
            self._failed(f"the process of the strategy ended with exit code {code}")
        finished += self._take_finished()
        self._send()
        return finished

    def close(self) -> None:
        """End the process."""
        self._end_process()

    def _start(self) -> None:
        source = self._files.source
        files = [str(source.path), source.function, str(self._files.data)]
        descriptor, path = mkstemp(prefix="agent-")
        self._path = Path(path)
        # Opened twice: reading and writing have positions of their own.
        self._answers = self._path.open("rb")
        with os.fdopen(descriptor, "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demos.ideas.agents.worker", *files],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                # The order of a set of strings is then the same in every process.
                env={**os.environ, "PYTHONHASHSEED": "0"},
                creationflags=_FLAGS,
                start_new_session=_SESSION,
            )
        self._remove_name()

    def _remove_name(self) -> None:
        """Remove the name of the file, so that a killed program leaves none; on Windows that needs its end."""
        with suppress(OSError):
            if self._path:
                self._path.unlink()
                self._path = None

    def _write(self, values: object) -> None:
        """Write a line to the process. It is read at once, because the process gets work only when it has none."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):
            os.write(self._process.stdin.fileno(), json.dumps(values).encode() + b"\n")

    def _read(self) -> list[Finished]:
        assert self._answers is not None
        *lines, self._partial = (self._partial + self._answers.read()).split(b"\n")
        finished = []
        for line in lines:
            answer = json.loads(line)
            self._spent_ms = 0
            if "problem" in answer:
                self.problem = answer["problem"]
                self._end_process()
                break
            if "value" in answer:
                self._values.append(answer["value"])
                finished += self._take_finished()
            else:
                self._is_ready = True
                loaded = Loaded(**answer)
                if self.loaded not in (None, loaded):
                    self.problem = "the file of the strategy or of its data has changed: start again"
                    self._end_process()
                    break
                self.loaded = loaded
        return finished

    def _take_finished(self) -> list[Finished]:
        if not self._work or len(self._values) < len(self._work[0].points):
            return []
        work, values = self._work.popleft(), tuple(self._values)
        self._values = []
        self._is_sent = False
        return [Finished(work.key, values)]

    def _check_time(self, step: int) -> None:
        """End a process that takes too long."""
        if self._process is None:
            return
        if not self._is_ready:
            self._spent_ms += step
            if self._spent_ms >= LOADING_MS:
                self.problem = f"the strategy and its data were not loaded within {LOADING_MS // 1000} s"
                self._end_process()
        elif self._is_sent:
            self._spent_ms += step
            if self._spent_ms >= self.point_ms:
                self._values.append(timeout_value(self.point_ms / 1000))
                self._end_process()

    def _failed(self, text: str) -> None:
        """End the process; the point that it was calculating, if any, gets an error."""
        if not self._is_ready:
            self.problem = text
        elif self._is_sent:
            self._values.append(error_value(text))
        self._end_process()

    def _send(self) -> None:
        """Give an idle process the next work; a new one continues the work that another has begun."""
        if self._process is None or not self._is_ready or self._is_sent or not self._work:
            return
        self._is_sent = True
        self._spent_ms = 0
        work = self._work[0]
        self._write({"names": work.names, "points": work.points[len(self._values) :]})

    def _end_process(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._answers is not None
        self._process.stdin.close()
        self._answers.close()
        self._process = self._answers = None
        self._remove_name()
        self._partial = b""
        self._is_ready = self._is_sent = False
        self._spent_ms = 0


NewWorker: TypeAlias = Callable[[Files, int], Worker]

_new_worker: ContextVar[NewWorker] = ContextVar("new_worker", default=WorkerProcess)


def new_worker(files: Files, point_ms: int) -> Worker:
    """A worker of the present context: a process, unless use_workers() has replaced it."""
    return _new_worker.get()(files, point_ms)


def use_workers(new: NewWorker) -> AbstractContextManager[None]:
    """Make all workers of programs in this context with this function."""
    return replaced(_new_worker, new)
