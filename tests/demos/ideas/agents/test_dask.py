"""The same optimisation on a cluster of dask gives the same results."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from agents_kit import SLOW, agents, strategy_file
from terminal_kit import BARS, ROOT, child
from winsock_kit import LIMIT_SECONDS

from demos.ideas.agents.dask_cluster import calculated, connected
from demos.ideas.agents.grid import read_grid
from demos.ideas.agents.plan import Plan
from demos.launcher.runner import JobError
from demos.terminal.interfaces import ProgramError
from winsock.command_line import INTERRUPTED

__all__ = ["agents"]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="the extra dask is not installed"
)

GRID = ["fast=2:8:2", "slow=5:20:5"]


@contextmanager
def running_cluster(folder: Path, *options: str) -> Iterator[str]:
    """The address of a scheduler on this computer with one worker."""
    file = folder / "scheduler.json"
    scheduler = ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    worker = ["dask_worker", "--scheduler-file", str(file), "--host", "127.0.0.1", *options]
    # The scheduler gives a task up as soon as a worker has ended during it.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    processes = []
    try:
        for command in (scheduler, worker):
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:], "--no-dashboard"],
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield address_in(file)
    finally:
        # The nanny ends its worker.
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(LIMIT_SECONDS)
            finally:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A worker of two threads, which its nanny starts again when it ends."""
    with running_cluster(tmp_path_factory.mktemp("dask"), "--nthreads", "2") as address:
        yield address


@pytest.fixture
def cluster(running: str) -> str:
    """The address of the cluster, whose worker runs."""
    with closing(connected(running)) as client:
        client.wait_for_workers(1)
    return running


def address_in(file: Path) -> str:
    """The scheduler's address, when it has written its file."""
    end = time.monotonic() + LIMIT_SECONDS
    while not file.exists() or not file.read_bytes():
        assert time.monotonic() < end
        threading.Event().wait(0.05)
    address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
    return address


def rows(path: Path) -> list[list[str]]:
    """The rows of a table without their agents."""
    return [row.split(",")[:6] for row in path.read_text(encoding="utf-8").splitlines()]


def test_a_cluster_calculates_the_same_as_the_agents(agents, cluster, tmp_path):
    """Some points are errors, because fast must be below slow."""
    same = ["--bars", BARS, *GRID, "--json"]
    by_agents = agents(*same, "--table", tmp_path / "agents.csv")
    by_dask = agents(*same, "--table", tmp_path / "dask.csv", "--dask", cluster)
    assert (by_agents.returncode, by_dask.returncode) == (0, 0), by_dask.stderr
    assert rows(tmp_path / "dask.csv") == rows(tmp_path / "agents.csv")
    ours, theirs = json.loads(by_agents.stdout), json.loads(by_dask.stdout)
    for name in ("points", "done", "tasks", "errors", "first_error", "best", "problem"):
        assert theirs[name] == ours[name]
    assert theirs["errors"] == 2


def test_a_cluster_continues_what_agents_have_begun(agents, cluster, tmp_path):
    strategy = strategy_file(tmp_path, SLOW)
    same = ["a=1:150:1", "--bars", BARS, "--strategy", strategy, "--database", tmp_path / "r", "--json"]
    first = json.loads(agents(*same, "--duration", 0.3).stdout)
    assert first["done"] < 150
    middle = json.loads(agents(*same, "--dask", cluster, "--duration", 0.2).stdout)
    assert first["done"] < middle["done"] < 150
    assert middle["problem"] == f"{150 - middle['done']} of 150 points are not calculated; the same command continues"
    second = agents(*same, "--dask", cluster, "--table", tmp_path / "t.csv")
    assert second.returncode == 0, second.stderr
    by = [row.rsplit(",", 2)[1] for row in (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert by.count("dask") == 150 - first["done"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def level(bars, b):\n    return b\n", "level() cannot be called with the data and the parameters a"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_strategy_that_cannot_be_used_is_one_clear_line(agents, cluster, tmp_path, text, problem):
    done = agents("a=1", "--bars", BARS, "--strategy", strategy_file(tmp_path, text), "--dask", cluster)
    assert done.returncode == 4
    assert problem in done.stderr.splitlines()[-1]


def test_what_the_strategys_file_prints_is_no_part_of_the_summary(agents, cluster, tmp_path):
    strategy = strategy_file(tmp_path, "print('loading')\n\ndef level(bars, a):\n    return a\n")
    done = agents("a=1:3:1", "--bars", BARS, "--strategy", strategy, "--dask", cluster, "--json")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert json.loads(line)["done"] == 3


@pytest.mark.parametrize(("failure", "code"), [(JobError(3, "no workers"), 3), (KeyboardInterrupt(), INTERRUPTED)])
def test_an_early_end_costs_neither_the_summary_nor_the_table(agents, cluster, tmp_path, monkeypatch, failure, code):
    def first_task_alone(*arguments: object) -> Iterator[object]:
        yield next(calculated(*arguments))  # type: ignore[arg-type]
        raise failure

    monkeypatch.setattr("demos.ideas.agents.dask_job.calculated", first_task_alone)
    done = agents(*GRID, "--bars", BARS, "--dask", cluster, "--json", "--table", tmp_path / "t.csv")
    assert done.returncode == code
    summary = json.loads(done.stdout)
    assert summary["done"] == 1
    reason = "interrupted" if code == INTERRUPTED else "no workers"
    assert summary["problem"] == f"{reason}; 15 of 16 points are not calculated"
    assert len(rows(tmp_path / "t.csv")) == 2


@pytest.mark.parametrize(
    "address", ["", "foo", "foo:x", "http://127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:70000"]
)
def test_an_invalid_address_is_refused_before_anything_is_started(agents, monkeypatch, address):
    monkeypatch.setattr("distributed.Client", None)
    done = agents(*GRID, "--bars", BARS, "--dask", address, "--json")
    assert done.returncode == 2
    problem = f"--dask: invalid address {address!r}: give tcp://HOST:PORT, as tcp://192.168.1.5:8786"
    assert json.loads(done.stdout) == {"problem": problem}


def test_tls_without_certificates_is_refused_before_anything_is_started(agents, monkeypatch):
    monkeypatch.setattr("distributed.Client", None)
    done = agents(*GRID, "--bars", BARS, "--dask", "tls://127.0.0.1:1", "--json")
    assert done.returncode == 2
    assert "dask's configuration has no certificates" in json.loads(done.stdout)["problem"]


def test_a_point_that_ends_its_worker_is_an_error_and_the_others_are_calculated(agents, cluster, tmp_path):
    text = "import os\n\ndef level(bars, a):\n    return os._exit(3) if a == 2 else a\n"
    options = ["--bars", BARS, "--strategy", strategy_file(tmp_path, text), "--task-points", 2, "--json"]
    done = agents("a=1:8:1", *options, "--table", tmp_path / "t.csv", "--dask", cluster)
    assert done.returncode == 0, done.stderr
    ended = "the process of a worker of dask ended during this point"
    assert [row[1:3] for row in rows(tmp_path / "t.csv")[1:]] == [
        ["", ended] if a == 2 else [f"{a}.0", ""] for a in range(1, 9)
    ]


def test_a_killed_worker_costs_only_time(cluster, tmp_path):
    """It has the only copy of the data."""
    begun = tmp_path / "begun"
    text = SLOW.replace("return a % 97", f"pathlib.Path({str(begun)!r}).touch()\n    return a % 97")
    strategy = strategy_file(tmp_path, f"import pathlib\n{text}")
    options = ["--bars", BARS, "--strategy", strategy, "--json", "--table", tmp_path / "t.csv", "--dask", cluster]
    with child("agents", "a=1:100:1", *options) as job, closing(connected(cluster)) as client:
        [pid] = client.run(os.getpid).values()
        end = time.monotonic() + LIMIT_SECONDS
        while not begun.exists():
            assert time.monotonic() < end
            threading.Event().wait(0.01)
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        _, errors = job.communicate()
    assert job.returncode == 0, errors
    assert [row[1] for row in rows(tmp_path / "t.csv")[1:]] == [f"{a % 97}.0" for a in range(1, 101)]


def test_a_cluster_whose_only_worker_ends_for_good_is_a_network_error(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.ideas.agents.dask_cluster.NO_WORKER", 0.2)
    monkeypatch.setattr("demos.ideas.agents.dask_cluster._LOOK", 0.1)
    text = "import os\n\ndef level(bars, a):\n    return os._exit(3)\n"
    strategy = strategy_file(tmp_path, text)
    plan = Plan(read_grid(["a=1:8:1"]), 2, "1" * 64, "level", "2" * 64)
    with running_cluster(tmp_path, "--nthreads", "1", "--no-nanny") as address, closing(connected(address)) as client:
        client.wait_for_workers(1)
        with pytest.raises(JobError, match="the scheduler of dask has no workers") as caught:
            list(calculated(client, plan, (strategy.read_bytes(), str(strategy), ""), BARS, {}))
    assert caught.value.code == 3


def test_a_scheduler_that_does_not_answer_is_a_network_error(monkeypatch):
    monkeypatch.setattr("demos.ideas.agents.dask_cluster.CONNECT", 0.2)
    with pytest.raises(JobError, match=r"the scheduler of dask at tcp://127\.0\.0\.1:1 does not answer") as caught:
        connected("tcp://127.0.0.1:1")
    assert caught.value.code == 3


def test_without_dask_the_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ProgramError, match=r"--dask needs dask\.distributed: pip install"):
        connected("tcp://127.0.0.1:1")
