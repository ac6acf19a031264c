"""A Wine that lives on: it takes programs on its standard input and answers with outcomes, a line of JSON each."""

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
# tests/wine/run ends with it where nothing has been built.
_NOT_BUILT = 125
# Wine's first start makes its folders; a program that hangs is given up by the child itself.
_START_SECONDS = 120
_ANSWER_SECONDS = WATCHDOG_SECONDS + 20


def stop_all() -> None:
    """Undoes every start of Winsock: Python's own modules may have made one."""
    while WSACleanup() == 0:
        pass


def serve() -> int:
    """Runs programs from standard input until it ends. After one that hangs, it ends itself."""
    stop_all()
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = run(json.loads(line))
        print(json.dumps(outcome._asdict()), flush=True)
        if any(breach.endswith(": hangs") for breach in outcome.breaches):
            os._exit(1)  # the hanging thread holds up every other way out
    return 0


def examined(wine: Wine, program: Program) -> tuple[Difference | None, tuple[Outcome, Outcome]]:
    """A difference between the backends that stays: Wine is asked once more, for its answers may come late."""
    ours, theirs = run(program), wine.run(program)
    found = difference(program, ours.trace, theirs.trace)
    if found is not None and known(found) is None:
        ours, theirs = run(program), wine.run(program)
        found = difference(program, ours.trace, theirs.trace)
    return found, (ours, theirs)


class Wine:
    """The child, started at the first program, and again after a program that took it along."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Wine:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()

    def available(self) -> bool:
        """Whether there is a Windows Python to be had here."""
        return self._started() is not None

    def run(self, data: Program) -> Outcome:
        process = self._started()
        assert process is not None, "there is no Wine here: tests/wine/build.py"
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
        """The next line, or nothing when the child has ended or does not answer."""
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            # One line at a time is asked for, and so none waits in the stream's own buffer.
            return process.stdout.readline() if selector.select(seconds) else ""

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the child may have gone already
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
