"""What a multi-process job declares, and how any job is run from the command line to its exit code.

A job says which programs it starts, what it does with their lines and events, which phases it has, and what its summary
is. run_job() does the rest: temporary files, the view, signals, shutdown, errors, and the summary as text or JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar

from demos.launcher.children import Child
from demos.launcher.runner import Runner
from demos.launcher.views import JOB, PlainView, Process, Tables, choose_view
from demos.terminal.interfaces import TerminalError
from demos.terminal.runtime.log import escaped
from winsock.command_line import INTERRUPTED, write_final_line
from winsock.interrupts import interrupted_by_signals, stopped_by_signals


class Job(ABC):
    """One job of ``python -m demos``; a subclass for each job, and one for its article's programs."""

    # The subcommand.
    command: ClassVar[str]

    # How long a child may take to end, in seconds.
    grace: ClassVar[float] = 10.0

    # Whether the exit code that a child has at the end of the job can make the job fail.
    checks_last_exit_codes: ClassVar[bool] = True

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    @abstractmethod
    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """Check the options and files before anything is started; ``folder`` exists until the job's end.

        Errors: TerminalError; OSError.
        """

    def report_reading(self, text: str) -> None:
        """Show how far prepare() has read a file."""
        PlainView(sys.stderr).line(JOB, text)

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The names of the children."""

    @abstractmethod
    def run(self, runner: Runner) -> None:
        """Go through the phases of the job; the children are ended afterwards.

        Errors: JobError.
        """

    def take_line(self, child: Child, text: str) -> None:  # noqa: B027 - a job need not look at lines
        """See runner.Listener."""

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:  # noqa: B027 - a job need not look at events
        """See runner.Listener."""

    def refresh(self, now: float) -> None:  # noqa: B027 - most jobs get every change as a line or an event
        """See runner.Listener."""

    @abstractmethod
    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See views.DrawTables."""

    @abstractmethod
    def summary(self, runner: Runner) -> dict[str, Any]:
        """The result, once all children have ended; ``problem`` says what makes the job fail, or is None."""

    @abstractmethod
    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """The result in lines."""

    def exit_code(self, problem: str) -> int:
        """The exit code for a summary's problem."""
        return 1

    def failure_summary(self, problem: str) -> dict[str, Any]:
        """What --json prints when the job has ended early."""
        return {"problem": problem}


def run_job(job: Job) -> int:
    """Run a job; returns its exit code. A failure is one line on standard error."""
    try:
        with interrupted_by_signals():
            summary = _run(job)
    except TerminalError as error:
        return _end_early(job, error.code, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _end_early(job, 4, f"{where}{error.strerror}")
    except KeyboardInterrupt:
        return _end_early(job, INTERRUPTED, "interrupted")
    text = json.dumps(summary) if job.options.json else job.summary_text(summary)
    print("\n".join(map(escaped, text.split("\n"))), flush=True)
    problem = summary["problem"]
    return report_failure(job.command, job.exit_code(problem), problem) if problem else 0


def _run(job: Job) -> dict[str, Any]:
    with ExitStack() as stack:
        # On Windows a process that has ended may keep a file open for a moment: that is not a failure.
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{job.command}-", ignore_cleanup_errors=True))
        )
        job.prepare(folder, stack)
        with closing(choose_view(job.names, job.tables, job.options.json)) as view:
            runner = Runner(folder, job.names, view, job)
            try:
                with stopped_by_signals(runner.stop):
                    job.run(runner)
                if job.checks_last_exit_codes:
                    runner.end(list(runner.children), job.grace)
            finally:
                runner.close(job.grace)
        return job.summary(runner)


def _end_early(job: Job, code: int, problem: str) -> int:
    if job.options.json:
        print(json.dumps(job.failure_summary(problem)), flush=True)
    return report_failure(job.command, code, problem)


def report_failure(command: str, code: int, problem: str) -> int:
    """Say in one line on standard error why the job of a subcommand has failed; returns the exit code."""
    write_final_line(f"python -m demos {command}: error: {escaped(problem)}\n")
    return code
