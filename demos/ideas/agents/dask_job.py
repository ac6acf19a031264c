"""The optimisation on a cluster of dask: ``python -m demos agents --dask ADDRESS``.

The scheduler gives the tasks to its workers, and again when a worker has ended. The results go into the same file as
those of the agents, so either can continue what the other has begun. Workers of dask are trusted: nothing is calculated
twice. A point has no time limit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from contextlib import ExitStack, closing, redirect_stdout
from pathlib import Path
from typing import Any

from demos.ideas.agents.dask_cluster import calculated, connected
from demos.ideas.agents.grid import Grid, read_grid
from demos.ideas.agents.history import file_digest
from demos.ideas.agents.job import check_options, chosen_files
from demos.ideas.agents.outcomes import Change, Outcome
from demos.ideas.agents.pace import Pace, time_text
from demos.ideas.agents.plan import Plan
from demos.ideas.agents.run_file import RunFile
from demos.ideas.agents.strategy_file import Source, StrategyError, digest, parameters_problem, read_source, strategy_of
from demos.ideas.agents.summary import exit_code, summary_of, summary_text, with_files
from demos.ideas.agents.values import exception_value
from demos.launcher.runner import JobError
from demos.launcher.views import JOB, PlainView
from demos.terminal.interfaces import TerminalError
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped
from winsock.command_line import INTERRUPTED, write_final_line
from winsock.interrupts import interrupted_by_signals

# Seconds between two lines about the progress.
_REPORT = 2.0

# The agent of a result in the file.
DASK = "dask"


def run_on_dask(options: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    try:
        with interrupted_by_signals():
            summary, failure = _run(options)
    except TerminalError as error:
        return _end_early(options, error.code, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _end_early(options, 4, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return _end_early(options, INTERRUPTED, "interrupted")
    text = json.dumps(summary) if options.json else summary_text(summary)
    print("\n".join(map(escaped, text.split("\n"))), flush=True)
    return _fail(exit_code(summary, failure), summary["problem"]) if summary["problem"] else 0


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], TerminalError | None]:
    """The summary, and why the calculation has ended early: that does not cost what is calculated."""
    check_options(options)
    grid = read_grid(options.parameters)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agents-", ignore_cleanup_errors=True)))
        source, prices = chosen_files(options, folder)
        content, function = _strategy(source, grid)
        plan = Plan(grid, options.task_points, digest(content), function, file_digest(prices))
        file = stack.enter_context(closing(RunFile(options.database or folder / "agents.sqlite", plan)))
        outcomes = file.outcomes(plan)
        client = stack.enter_context(closing(connected(options.dask)))
        report = _Progress(grid, PlainView(None if options.json else sys.stderr), options.duration)
        failure: TerminalError | None = None
        try:
            for task, values in calculated(client, plan, (content, str(source.path), function), prices, outcomes):
                outcomes[task] = Outcome(values, [DASK])
                file.save({task: Change(outcomes[task])}, {})
                if report(sum(len(each.values) for each in outcomes.values())):
                    break
        except TerminalError as error:
            failure = error
        except KeyboardInterrupt:
            failure = JobError(INTERRUPTED, "interrupted")
        summary = summary_of(grid, plan.tasks, outcomes, kept=options.database is not None)
        if failure:
            summary["problem"] = "; ".join(filter(None, [str(failure), summary["problem"]]))
        summary["database"] = str(options.database) if options.database else None
        return with_files(summary, options, grid, plan.tasks, outcomes), failure


def _strategy(source: Source, grid: Grid) -> tuple[bytes, str]:
    """The content of the strategy's file and the name of its function; what the file prints is discarded.

    Errors: JobError.
    """
    try:
        content = read_source(source)
        with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing):
            strategy = strategy_of(content, str(source.path), source.function)
    except StrategyError as error:
        raise JobError(4, str(error)) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # what the owner's file does at its top level
        raise JobError(4, f"{source.path}: {exception_value(error)}") from error
    if problem := parameters_problem(strategy, grid.names):
        raise JobError(4, f"{source.path}: {problem}")
    return content, strategy.__name__


class _Progress:
    """Shows the progress every few seconds, and measures the time."""

    def __init__(self, grid: Grid, view: PlainView, duration: float | None) -> None:
        """``duration``: the seconds that the job may take, or None."""
        self._grid = grid
        self._view = view
        self._clock = RealClock()
        self._pace = Pace(grid.points)
        self._due = 0.0
        self._end = self._clock.monotonic() + (math.inf if duration is None else duration)

    def __call__(self, done: int) -> bool:
        """Take the number of points that are calculated; returns whether the job's time is over."""
        now = self._clock.monotonic()
        remaining = self._pace.remaining_ms(done, round(now * 1000))
        if now >= self._due:
            self._due = now + _REPORT
            self._view.line(JOB, f"{done} of {self._grid.points} points, remaining time {time_text(remaining)}")
        return now >= self._end


def _end_early(options: argparse.Namespace, code: int, problem: str) -> int:
    if options.json:
        print(json.dumps({"problem": problem}), flush=True)
    return _fail(code, problem)


def _fail(code: int, problem: str) -> int:
    write_final_line(f"python -m demos agents: error: {escaped(problem)}\n")
    return code
