"""The process that executes the strategy, and what becomes of a strategy that raises, hangs or crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from agents_kit import LEVEL, strategy_file
from cleanup_kit import closed_after_test
from terminal_kit import BARS, ROOT
from winsock_kit import LIMIT_SECONDS

from demos.ideas.agents.history import file_digest
from demos.ideas.agents.strategy_file import Source
from demos.ideas.agents.values import Value
from demos.ideas.agents.worker_process import Files, Finished, WorkerProcess

NAMES = ("a", "b")
POINTS = ((1, 2), (3, 4), (5, 6))

# At the point 3: what the test says. The others are calculated.
AT_THREE = """
import os, sys

def level(bars, a, b):
    if a == 3:
        {action}
    return a * 10 + b
"""


class Worker(WorkerProcess):
    """A worker with a clock that is moved by hand, 10 ms for each millisecond that passes at least."""

    def __init__(self, text: str, folder: Path, point_ms: int = 60_000, prices: Path = BARS) -> None:
        super().__init__(Files(Source(strategy_file(folder, text)), prices), point_ms)
        self.now = 0
        self.finished: list[Finished] = []
        closed_after_test(self)

    def until(self, count: int) -> list[tuple[Value, ...]]:
        """Call check() until so many pieces of work are finished, or there is a problem; their values."""
        end = time.monotonic() + LIMIT_SECONDS
        while len(self.finished) < count and not self.problem:
            assert time.monotonic() < end
            self.finished += self.check(self.now)
            self.now += 10
            threading.Event().wait(0.001)
        return [each.values for each in self.finished]

    def load(self) -> None:
        """Call check() until the files are loaded, or cannot be."""
        end = time.monotonic() + LIMIT_SECONDS
        while self.loaded is None and not self.problem:
            assert time.monotonic() < end
            self.check(self.now)
            self.now += 10
            threading.Event().wait(0.001)


def test_work_is_calculated_in_its_order_and_the_files_are_known_by_their_digests(tmp_path):
    worker = Worker(LEVEL, tmp_path)
    worker.add(7, NAMES, POINTS)
    worker.add(8, NAMES, POINTS[:1])
    first, second = worker.until(2)
    assert [value["result"] for value in first if isinstance(value, dict)] == [12.0, 34.0, 56.0]
    assert second == first[:1]
    assert [each.key for each in worker.finished] == [7, 8]
    assert worker.loaded == (file_digest(tmp_path / "level.py"), "level", file_digest(BARS), 200)
    assert worker.is_idle


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("sys.exit('bye')", "SystemExit: bye"),
        ("return None", "the strategy returned no number for 'result': NoneType"),
        ("os._exit(5)", "the process of the strategy ended with exit code 5"),
    ],
)
def test_a_strategy_that_raises_or_crashes_gives_an_error_at_this_point_alone(tmp_path, action, error):
    worker = Worker(AT_THREE.format(action=action), tmp_path)
    worker.add(1, NAMES, POINTS)
    assert worker.until(1) == [({"result": 12.0}, error, {"result": 56.0})]


def test_a_strategy_that_hangs_is_ended_after_its_time_and_the_next_point_is_calculated(tmp_path):
    worker = Worker(AT_THREE.format(action="\n".join(["while True:", " " * 12 + "pass"])), tmp_path, point_ms=10_000)
    worker.add(1, NAMES, POINTS)
    worker.add(2, NAMES, POINTS[:1])
    assert worker.until(2) == [({"result": 12.0}, "no result within 10 s", {"result": 56.0}), ({"result": 12.0},)]


def test_a_pause_of_the_program_itself_is_not_the_strategys(tmp_path):
    worker = Worker(AT_THREE.format(action="pass"), tmp_path, point_ms=10_000)
    worker.load()
    worker.add(1, NAMES, POINTS)
    worker.check(worker.now)
    worker.now += 3_600_000
    assert worker.until(1) == [({"result": 12.0}, {"result": 34.0}, {"result": 56.0})]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def level(", "line 1"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("", "its functions: none"),
        ("import os; os._exit(3)", "the process of the strategy ended with exit code 3"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_a_problem(tmp_path, text, problem):
    worker = Worker(text, tmp_path)
    worker.load()
    assert problem in worker.problem
    assert worker.loaded is None
    assert worker.check(worker.now) == []


def test_data_that_cannot_be_read_is_a_problem(tmp_path):
    prices = tmp_path / "prices.tsv"
    prices.write_text("nothing\n", encoding="utf-8")
    worker = Worker(LEVEL, tmp_path, prices=prices)
    worker.load()
    assert "line 1: expected the tab-separated columns" in worker.problem


def test_parameters_that_the_strategy_does_not_take_are_a_problem(tmp_path):
    worker = Worker(LEVEL, tmp_path)
    worker.add(1, ("a", "c"), POINTS)
    worker.until(1)
    assert "level() cannot be called with the data and the parameters a, c" in worker.problem


def test_a_strategy_file_that_changes_is_a_problem_when_the_process_is_started_again(tmp_path):
    worker = Worker(AT_THREE.format(action="os._exit(5)"), tmp_path)
    worker.load()
    strategy_file(tmp_path, LEVEL)
    worker.add(1, NAMES, POINTS)
    worker.until(1)
    assert worker.problem == "the file of the strategy or of its data has changed: start again"


def test_dropped_work_is_not_calculated_but_what_has_begun_is(tmp_path):
    worker = Worker(LEVEL, tmp_path)
    worker.load()
    worker.add(1, NAMES, POINTS)
    worker.add(2, NAMES, POINTS)
    worker.finished += worker.check(worker.now)
    worker.drop()
    worker.add(3, NAMES, POINTS)
    worker.until(2)
    assert [each.key for each in worker.finished] == [1, 3]


def test_the_process_ends_with_the_program_that_has_started_it_also_while_it_calculates(tmp_path):
    path = strategy_file(tmp_path, "def level(bars, a):\n    while True:\n        pass\n")
    answers = tmp_path / "answers"
    command = [sys.executable, "-m", "demos.ideas.agents.worker", str(path), "", str(BARS)]
    with (
        answers.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=output) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(b'{"names": ["a"], "points": [[1]]}\n')
        process.stdin.flush()
        end = time.monotonic() + LIMIT_SECONDS
        while not answers.exists() or not answers.read_bytes():
            assert time.monotonic() < end
            threading.Event().wait(0.01)
        process.stdin.close()
        assert process.wait(LIMIT_SECONDS) == 0


# Starts a worker, and prints its process and is killed when the strategy has created a file.
PROGRAM = """
import os, pathlib, signal, sys, time
from demos.ideas.agents.strategy_file import Source
from demos.ideas.agents.worker_process import Files, WorkerProcess

worker = WorkerProcess(Files(Source(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])), 3_600_000)
worker.add(0, ("a",), [(1,)])
while not os.path.exists(sys.argv[3]):
    worker.check(0)
    time.sleep(0.01)
print(worker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

# A regular expression keeps the interpreter's lock for years.
LOCKED = """
import re

def level(bars, a):
    open({begun!r}, "w").close()
    re.match(r"(a+)+$", "a" * 60 + "b")
    return a
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process whose C function does not return")
def test_a_killed_program_leaves_neither_a_process_in_a_c_function_nor_a_file(tmp_path):
    path = strategy_file(tmp_path, LOCKED.format(begun=str(tmp_path / "begun")))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(BARS), str(tmp_path / "begun")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert program.returncode == -signal.SIGKILL
    end = time.monotonic() + LIMIT_SECONDS
    while is_running(int(program.stdout)):
        assert time.monotonic() < end
        threading.Event().wait(0.01)
    assert list(temporary.iterdir()) == []


def is_running(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def test_what_a_strategy_prints_does_not_disturb_its_values(tmp_path):
    worker = Worker(AT_THREE.format(action="os.write(1, b'x\\n{\\n'); print('{', flush=True)"), tmp_path)
    worker.add(1, NAMES, POINTS)
    assert worker.until(1) == [({"result": 12.0}, {"result": 34.0}, {"result": 56.0})]
