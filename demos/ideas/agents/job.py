"""The job of ``python -m demos agents``: a coordinator and several agents on this machine."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar

from demos.ideas.agents.grid import GridError, read_grid, split
from demos.ideas.agents.outcomes import COORDINATOR
from demos.ideas.agents.random_bars import write_random_bars
from demos.ideas.agents.run_file import RunFile, stored_plan
from demos.ideas.agents.strategy_file import Source, source_of
from demos.ideas.agents.summary import exit_code, summary_of, summary_text, with_files
from demos.ideas.agents.view import tables
from demos.ideas.agents.worker_process import LOADING_MS
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.market_options import check_source, source_file, source_files
from demos.launcher.output_files import check_folders, check_outputs, check_whole_files, database_files
from demos.launcher.runner import JobError, Runner
from demos.launcher.views import Process, Tables
from demos.provider.sqlite_file import StateError
from demos.terminal.charts import drawing
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.clock import RealClock
from winsock.command_line import INTERRUPTED

# Seconds until the coordinator listens: it may take LOADING_MS to load the strategy and its data.
_STARTING = LOADING_MS / 1000 + 60
_SLOW = "0.001"

_DIFFERENT = (
    "the results of every agent differ from the coordinator's: the usual reason is a strategy that is not deterministic"
)


class AgentsJob(Job):
    """The agents calculate until all points are done, or the time is over."""

    command = "agents"
    grace: ClassVar[float] = 5.0
    # An agent may have been killed: that only costs time.
    checks_last_exit_codes: ClassVar[bool] = False

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.agents = [f"agent{number}" for number in range(1, options.agents + 1)]
        self.progress: Mapping[str, Any] | None = None
        self.port = 0
        self.is_finished = False
        # Why the job has ended early although the coordinator had begun.
        self.failure: JobError | None = None
        self.code = 0

    @property
    def names(self) -> Sequence[str]:
        """See Job."""
        return (COORDINATOR, *self.agents)

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        check_options(self.options)
        self.source, self.prices = chosen_files(self.options, folder)
        check_source(self.options, RealClock(), self.report_reading)
        self.database = (self.options.database or folder / "agents.sqlite").absolute()

    def run(self, runner: Runner) -> None:
        """See Job. A failure after the coordinator's start does not cost what is calculated."""
        try:
            self._calculate(runner)
        except JobError as error:
            if not self.port or error.code == INTERRUPTED:
                raise
            self.failure = error

    def _calculate(self, runner: Runner) -> None:
        options = self.options
        strategy = f"{self.source.path}:{self.source.function}" if self.source.function else str(self.source.path)
        # The programs' own charts need no ticks.
        files = [f"--strategy={strategy}", f"--prices={self.prices}", f"--speed={_SLOW}"]
        inputs = [f"--parameters={' '.join(options.parameters)}", f"--database={self.database}"]
        for name in ("check", "task_points", "point_seconds", "lease"):
            inputs.append(f"--{name.replace('_', '-')}={getattr(options, name)}")
        runner.start(COORDINATOR, ["run", "coordinator", f"--Port={options.Port}", *files, *inputs], restart=True)
        late = f"the coordinator has not begun to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.port != 0, _STARTING, late, code=3, starting=True)
        runner.check_stop("before the coordinator has started")
        # After a restart it listens on the same port again.
        runner.children[COORDINATOR].arguments.append(f"--Port={self.port}")
        for name in self.agents:
            url = f"--url=ws://127.0.0.1:{self.port}"
            runner.start(name, ["run", "agent", url, f"--name={name}", *files], restart=True)
            # An agent ends by itself when all is done, and one that does not answer only costs time.
            runner.children[name].may_end = True
            runner.children[name].may_fail = True
        runner.state = "calculating"
        runner.wait_until(lambda: self._is_over(runner), math.inf if options.duration is None else options.duration)
        runner.state = "ending"

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        kind = event["kind"]
        if kind in ("serving", "joined"):
            child.ready = True
        if kind == "serving":
            self.port = event["port"]
        elif kind == "progress":
            self.progress = event
        elif kind == "finished":
            self.is_finished = True

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.progress, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. The results come from the file."""
        grid = read_grid(self.options.parameters)
        try:
            plan = stored_plan(self.database, grid)
            with closing(RunFile(self.database, plan)) as file:
                outcomes, distrusted = file.outcomes(plan), file.distrusted()
        except StateError as error:
            raise self.failure or error from None
        kept = self.options.database is not None and self.failure is None
        summary = summary_of(grid, plan.tasks, outcomes, kept=kept)
        if not summary["problem"] and not self.is_finished:
            summary["problem"] = "the checks were not finished"
        if self.failure:
            reason = _DIFFERENT if distrusted.keys() >= set(self.agents) else str(self.failure)
            summary["problem"] = "; ".join(filter(None, [reason, summary["problem"]]))
        summary = {
            **summary,
            "agents": len(self.agents),
            "distrusted": sorted(distrusted),
            "restarts": sum(child.restarts for child in runner.children.values()),
            "database": str(self.database) if self.options.database else None,
        }
        summary = with_files(summary, self.options, grid, plan.tasks, outcomes)
        self.code = exit_code(summary, self.failure)
        return summary

    def exit_code(self, problem: str) -> int:
        """See Job."""
        return self.code

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def _is_over(self, runner: Runner) -> bool:
        """Whether all is done. Errors: JobError when no agent is left."""
        if not self.is_finished and all(runner.children[name].has_failed for name in self.agents):
            raise JobError(1, "all agents have ended: see their errors above")
        return self.is_finished


def check_options(options: argparse.Namespace) -> None:
    """Check the grid and the files that are written.

    Errors: ProgramError; OutputError.
    """
    try:
        split(read_grid(options.parameters).points, options.task_points)
    except GridError as error:
        raise ProgramError(str(error)) from None
    written = database_files(options.database, "--database") if options.database else {}
    inputs = {**source_files(options), "--strategy": source_of(options.strategy).path}
    check_outputs({**written, "--table": options.table, "--picture": options.picture}, inputs)
    check_whole_files({"--table": options.table, "--picture": options.picture})
    problem = drawing.problem() if options.picture else None
    if problem:
        raise ProgramError(problem)
    # Better now than after hours of calculation.
    check_folders({"--table": options.table, "--picture": options.picture})


def chosen_files(options: argparse.Namespace, folder: Path) -> tuple[Source, Path]:
    """The strategy and the data; a random walk, written into the folder, without a file.

    Errors: OSError.
    """
    source = source_of(options.strategy)
    path = source_file(options)
    return source._replace(path=source.path.absolute()), (path or write_random_bars(folder, options.seed)).absolute()
