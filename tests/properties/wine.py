"""A Wine process that runs programs: it reads them from standard input and writes outcomes, one JSON line each."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from pathlib import Path

from winsock import WSACleanup

from .comparing import Program, difference
from .known import Difference, known
from .running import WATCHDOG_SECONDS, Outcome, run

_RUN = Path(__file__).parents[1] / "wine" / "run"
# The exit code of tests/wine/run if Wine is not built.
_NOT_BUILT = 125
# The first start of Wine is slow. The child process itself ends a program that hangs.
_START_SECONDS = 120
_ANSWER_SECONDS = WATCHDOG_SECONDS + 20


def stop_all() -> None:
    """Calls WSACleanup until it fails: Python's own modules may have called WSAStartup."""
    while WSACleanup() == 0:
        pass


def serve() -> int:
    """Runs programs from standard input until its end; exits after a program that hangs."""
    stop_all()
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = run(json.loads(line))
        print(json.dumps(outcome._asdict()), flush=True)
        if any(breach.endswith(": hangs") for breach in outcome.breaches):
            os._exit(1)  # any other exit would wait for the hanging thread
    return 0


def examined(wine: Wine, program: Program) -> tuple[Difference | None, tuple[Outcome, Outcome]]:
    """The difference between the backends, if any. An unknown one must occur twice, because Wine may be slow."""
    ours, theirs = run(program), wine.run(program)
    found = difference(program, ours.trace, theirs.trace)
    if found is not None and known(found) is None:
        ours, theirs = run(program), wine.run(program)
        found = difference(program, ours.trace, theirs.trace)
    return found, (ours, theirs)


class Wine:
    """The child process; it is started at the first program, and again after a program that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Wine:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()

    def available(self) -> bool:
        """Whether Python runs on Wine on this machine."""
        return self._started() is not None

    def run(self, data: Program) -> Outcome:
        process = self._started()
        assert process is not None, "Wine is not built: run tests/wine/build.py"
        assert process.stdin is not None
        process.stdin.write(json.dumps(data) + "\n")
        process.stdin.flush()
        line = self._line(process, _ANSWER_SECONDS)
        if not line:
            self._end()
            return Outcome([], ["Wine ends or hangs"])
        return Outcome(**json.loads(line))

    def _started(self) -> subprocess.Popen[str] | None:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        command = [sys.executable, str(_RUN), "python", "-u", "-m", "tests.properties", "serve"]
        folder = _RUN.parents[2]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = process
        if self._line(process, _START_SECONDS).strip() == "ready":
            return process
        self._end()
        assert process.returncode == _NOT_BUILT, f"Wine ends with {process.returncode}"
        return None

    def _line(self, process: subprocess.Popen[str], seconds: int) -> str:
        """The next line, or "" if the child has ended or does not answer in time."""
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            # There is one answer per question, so no further line waits in the buffer of the stream.
            return process.stdout.readline() if selector.select(seconds) else ""

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the child may have ended already
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
