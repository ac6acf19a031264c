"""The job ``agents``: real processes, kills, and the same results as a direct calculation."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from agents_kit import SLOW, agents, strategy_file
from terminal_kit import BARS, child, demos, wait_for

from demos.ideas.agents.crossing import crossing
from demos.ideas.agents.evaluation import calculate
from demos.ideas.agents.grid import read_grid, split
from demos.ideas.agents.history import read_history
from demos.ideas.agents.job import AgentsJob
from demos.ideas.agents.job_command import add_parser
from demos.ideas.agents.outcome_files import write_table
from demos.ideas.agents.outcomes import COORDINATOR, Outcome
from demos.ideas.agents.summary import exit_code, with_files
from demos.ideas.agents.summary import summary_of as summary_of_outcomes
from demos.ideas.agents.view import tables
from demos.ideas.agents.worker_process import LOADING_MS
from demos.launcher.runner import JobError

__all__ = ["agents"]

GRID = ["fast=2:8:2", "slow=10:40:10"]


def table(path: Path, columns: int = 5) -> list[list[str]]:
    """The rows of a table without their agents."""
    return [row.split(",")[:columns] for row in path.read_text(encoding="utf-8").splitlines()]


def direct() -> list[list[str]]:
    """The rows of the table of a direct calculation."""
    grid, bars = read_grid(GRID), read_history(BARS)
    rows = [["fast", "slow", "result", "trades", "drawdown"]]
    for number in range(grid.points):
        value = calculate(crossing, bars, grid.names, grid.point(number))
        assert isinstance(value, dict)
        rows.append([*map(str, grid.point(number)), *(repr(value[name]) for name in rows[0][2:])])
    return rows


def summary_of(done: Any, code: int = 0) -> dict[str, Any]:
    """The summary of a job that has ended with this exit code."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_outcome_is_that_of_a_direct_calculation(tmp_path):
    done = demos("agents", "--bars", BARS, *GRID, "--table", tmp_path / "t.csv", "--json", "--check", 100)
    summary = summary_of(done)
    assert table(tmp_path / "t.csv") == direct()
    assert (summary["points"], summary["done"], summary["verified"]) == (16, 16, summary["tasks"])
    assert (summary["errors"], summary["distrusted"], summary["problem"], summary["restarts"]) == (0, [], None, 0)
    best = max(direct()[1:], key=lambda row: float(row[2]))
    assert [str(value) for value in summary["best"][0]["parameters"].values()] == best[:2]


def test_the_text_shows_the_best_points_and_the_files(agents, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra charts is not installed")
    picture = tmp_path / "p.png"
    done = agents("--bars", BARS, *GRID, "--picture", picture, "--agents", 1)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("16 of 16 points calculated by 1 agent, ")
    assert re.fullmatch(r"  1  fast=\d slow=\d0  result=\S+ trades=\S+ drawdown=\S+", lines[1])
    assert lines[-1] == f"wrote {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")


def pids(process: Any, *names: str) -> dict[str, int]:
    """The processes of the job, read from its lines."""
    return {name: int(wait_for(process.stderr, f"{name} is process ").split()[-1]) for name in names}


@pytest.mark.posix_only("kills processes by signals")
def test_killed_agents_and_a_killed_coordinator_only_cost_time(tmp_path):
    strategy = strategy_file(tmp_path, SLOW)
    options = ["--bars", BARS, "--strategy", strategy, "--task-points", 1, "--table", tmp_path / "t.csv", "--json"]
    with child("agents", "a=1:100:1", *options) as job:
        found = pids(job, COORDINATOR, "agent1", "agent2")
        wait_for(job.stderr, "joined as agent2")
        for name in ("agent1", COORDINATOR):
            os.kill(found[name], signal.SIGKILL)
        stopped = pids(job, "agent1")["agent1"]
        os.kill(stopped, signal.SIGSTOP)
        wait_for(job.stderr, "finished: 100 of 100 points")
        # The job would wait for its end, if it has not ended it by now because it does not answer.
        with suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)
        output, errors = job.communicate()
    assert job.returncode == 0, errors
    summary = json.loads(output)
    assert summary["restarts"] == 2
    assert summary["done"] == 100
    assert table(tmp_path / "t.csv", 2) == [["a", "result"], *([str(a), f"{a % 97}.0"] for a in range(1, 101))]


def test_a_job_that_ends_early_says_so_and_the_same_command_continues(agents, tmp_path):
    strategy = strategy_file(tmp_path, SLOW)
    options = ["a=1:60:1", "--bars", BARS, "--strategy", strategy, "--database", tmp_path / "run.sqlite", "--json"]
    first = summary_of(agents(*options, "--duration", 0.5), 1)
    assert first["done"] < 60
    assert first["problem"] == f"{60 - first['done']} of 60 points are not calculated; the same command continues"
    assert summary_of(agents(*options))["done"] == 60


def test_a_strategy_that_fails_everywhere_is_a_failure_with_its_error(agents, tmp_path):
    strategy = strategy_file(tmp_path, "def level(bars, a):\n    raise ValueError('no')\n")
    options = ["--bars", BARS, "--strategy", strategy, "--table", tmp_path / "t.csv", "--json"]
    if importlib.util.find_spec("matplotlib"):
        options += ["--picture", tmp_path / "p.png"]
    summary = summary_of(agents("a=1:3:1", *options), 1)
    assert table(tmp_path / "t.csv", 3)[1:] == [[str(a), "", "ValueError: no"] for a in (1, 2, 3)]
    assert summary["problem"] == "the strategy failed at every point; at a=1: ValueError: no"
    assert (summary["table"], summary["picture"]) == (str(tmp_path / "t.csv"), None)
    assert not (tmp_path / "p.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["a=1"], 4, "crossing() cannot be called with the data and the parameters a: "),
        (["fast=1:2"], 2, "invalid parameter 'fast=1:2': expected NAME=FIRST:LAST:STEP"),
        (["fast=1", "slow=2", "--strategy", "no.py"], 4, "no.py cannot be read"),
        (["fast=1", "slow=2", "--bars", "no.tsv"], 4, "no.tsv"),
        (["--strategy", "no.py"], 2, "give the values of the strategy's parameters, as in fast=5:50:5"),
        (["--table", "x.csv", "--picture", "x.csv"], 2, "x.csv would overwrite the file of --table"),
        (["--table", "no/x.csv"], 4, f"--table {Path('no/x.csv')} cannot be written: "),
        (["--check", "101"], 2, "'101' is not a whole number from 0 to 100"),
    ],
)
def test_what_cannot_be_calculated_is_one_clear_line(agents, tmp_path, arguments, code, problem):
    done = agents(*arguments)
    assert done.returncode == code
    assert problem in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def options_of(**given: object) -> argparse.Namespace:
    """The options that the job's end reads."""
    return argparse.Namespace(**{"table": None, "picture": None, **given})


def test_a_file_that_cannot_be_written_at_the_end_costs_neither_the_summary_nor_the_other_file(tmp_path):
    grid = read_grid(GRID)
    tasks = split(grid.points)
    outcomes = {task: Outcome(({"result": float(task)},), ["agent1"]) for task in range(tasks.number)}
    (tmp_path / "folder.csv").mkdir()
    summary = summary_of_outcomes(grid, tasks, outcomes, kept=False)
    options = options_of(table=tmp_path / "folder.csv")
    found = with_files(summary, options, grid, tasks, outcomes)
    assert found["done"] == 16
    assert found["best"][0]["figures"] == {"result": 15.0}
    assert (found["table"], found["picture"]) == (None, None)
    assert found["problem"] == found["unwritten"][0]
    assert str(tmp_path / "folder.csv") in found["problem"]
    assert exit_code(found) == 4
    assert exit_code(with_files(summary, options_of(), grid, tasks, outcomes)) == 0


class _RecordingRunner:
    """Takes the place of the runner: records how long the job waits for the coordinator, and ends it there."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def start(self, *arguments: object, restart: bool) -> None:
        pass

    def wait_until(self, done: object, seconds: float, *others: object, **options: object) -> None:
        self.seconds = seconds
        raise JobError(3, "late")


def test_the_job_waits_for_the_coordinator_while_it_may_load_the_strategy_and_its_data(tmp_path):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    job = AgentsJob(parser.parse_args(["agents", *GRID, "--bars", str(BARS)]))
    runner = _RecordingRunner()
    with ExitStack() as stack:
        job.prepare(tmp_path, stack)
        with pytest.raises(JobError):
            job.run(runner)  # type: ignore[arg-type]
    assert runner.seconds * 1000 > LOADING_MS


class _Process:
    def __init__(self, name: str) -> None:
        self.name, self.pid = name, 7

    def exit_code(self) -> int | None:
        return None


def test_the_tables_show_the_progress_the_remaining_time_and_the_best_so_far():
    pytest.importorskip("rich", reason="the extra demos is not installed")
    from rich.console import Console

    agents = [{"name": "agent1", "results": 3, "tasks": 2, "late": False}]
    best = [{"point": "fast=5 slow=20", "result": 10218.99999}]
    progress = {
        "points": 130, "done": 40, "tasks": 13, "verified": 2, "checks": 1, "remaining_ms": 61_000, "best": best,
        "agents": agents, "distrusted": ["agent2"],
    }  # fmt: skip
    processes = [_Process(name) for name in (COORDINATOR, "agent1", "agent2")]
    console = Console(width=80, height=24)
    with console.capture() as printed:
        for each in tables(progress, processes, "calculating"):
            console.print(each)
    text = printed.get()
    for part in (
        "agents: calculating; 40 of 130 points; remaining time 1 min 1 s",
        "2 of 13 tasks verified",
        "1 open check",
        "3 tasks",
        "distrusted",
        "fast=5 slow=20",
        "10219",
    ):
        assert part in text
    assert tables(None, processes, "starting").processes.title == "agents: starting"


def test_the_example_of_the_help_is_the_default(agents):
    assert "slow=60:300:20" in agents("--help").stdout


def test_each_column_of_the_table_has_a_name_of_its_own(tmp_path):
    grid = read_grid(["result=1", "error=2", "result_2=3"])
    outcomes = {0: Outcome(({"result": 5.0, "agents": 6.0},), ["agent1"])}
    write_table(tmp_path / "t.csv", grid, split(1), outcomes)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines() == [
        "result,error,result_2,result_3,agents,error_2,agents_2,verified",
        "1,2,3,5.0,6.0,,agent1,no",
    ]


def test_a_strategy_that_turns_out_not_to_be_deterministic_costs_neither_the_summary_nor_the_table(agents, tmp_path):
    text = "import random\n\ndef level(bars, a):\n    return a if a < 2 else random.random()\n"
    options = ["--bars", BARS, "--strategy", strategy_file(tmp_path, text), "--table", tmp_path / "t.csv", "--json"]
    summary = summary_of(agents("a=1:20:1", *options), 1)
    assert summary["distrusted"] == ["agent1", "agent2"]
    assert summary["problem"].startswith(
        "the results of every agent differ from the coordinator's: the usual reason is "
    )
    assert summary["done"] < 20
    assert table(tmp_path / "t.csv", 1)[0] == ["a"]
    assert summary["table"] == str(tmp_path / "t.csv")


@pytest.mark.posix_only("named pipes")
@pytest.mark.parametrize("option", ["--table", "--picture"])
def test_an_output_that_is_a_pipe_is_refused_before_the_calculation(agents, tmp_path, option):
    os.mkfifo(tmp_path / "pipe")
    done = agents(option, tmp_path / "pipe")
    assert done.returncode == 2
    assert f"{option} {tmp_path / 'pipe'} is not a regular file: give the name of a file" in done.stderr
    assert (tmp_path / "pipe").is_fifo()
