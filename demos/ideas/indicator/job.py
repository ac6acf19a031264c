"""The job of ``python -m demos indicator``: an indicator server, some clients, and a comparison of their charts."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demos.chartfeed.compare import unequal_pixels
from demos.chartfeed.server_commands import random_bars
from demos.ideas.indicator.indicators import absolute_files
from demos.ideas.indicator.tally import SERVER, Tally
from demos.ideas.indicator.view import summary_text, tables
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.log_lines import LAST_TICK
from demos.launcher.market_options import chosen_seed, source_files
from demos.launcher.output_files import check_folders, check_outputs, check_whole_files
from demos.launcher.progress import file_progress
from demos.launcher.runner import Runner
from demos.launcher.timeline import lag_summary
from demos.launcher.views import Process, Tables
from demos.terminal.charts import drawing
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.export_file import TICKS_OF_A_BAR, check_export
from demos.terminal.runtime.clock import RealClock

_STARTING = 30.0
_CATCHING_UP = 30.0
_NEVER = "never had the server's values"


class IndicatorJob(Job):
    """All terminals replay the same bars; at the end the clients' values and pictures must be the server's."""

    command = "indicator"
    # At its end a terminal draws its picture.
    grace = 60.0

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.clients = [f"client{number}" for number in range(1, options.clients + 1)]
        self.tally = Tally(self.clients)
        # The restart of a process whose replay has reached the end of the file.
        self.replayed: dict[str, int] = {}
        self.connected: set[str] = set()
        self.hold = Path()

    @property
    def names(self) -> Sequence[str]:
        """See Job."""
        return (SERVER, *self.clients)

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        problem = None if self.options.no_pictures else drawing.problem()
        if problem:
            raise ProgramError(f"{problem}; or --no-pictures")
        self.hold = folder / "hold"
        self.out = self.options.out.absolute()
        files = [self._file(name, suffix) for name in self.names for suffix in ("csv", "png")]
        named = {f"--out ({path.name})": path for path in files}
        check_outputs(named, source_files(self.options))
        check_whole_files(named)
        self.out.mkdir(parents=True, exist_ok=True)
        check_folders({"--out": files[0]})
        for path in files:
            # A file of an earlier run must not be mistaken for one of this run.
            path.unlink(missing_ok=True)
            for part in self.out.glob(f"{path.name}.*.part"):
                part.unlink(missing_ok=True)
        self.bars = (self.options.bars or random_bars(folder, chosen_seed(self.options))).absolute()
        rows = check_export(self.bars, "bar", progress=file_progress(RealClock(), self.bars, self.report_reading)).rows
        replayed = min(self.options.replay, rows)
        self.history = rows - replayed
        self.speed = replayed * TICKS_OF_A_BAR / self.options.duration

    def run(self, runner: Runner) -> None:
        """See Job."""
        options = self.options
        # While this file exists there are no ticks. It exists until the clients have the history.
        self.hold.touch()
        indicators = absolute_files(options.indicators)
        self._start(runner, SERVER, ["indicator_server", f"--Port={options.Port}", f"--indicators={indicators}"])
        late = f"the server has not begun to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3, starting=True)
        runner.check_stop("before the server has started")
        # After a restart the server listens on the same port again.
        runner.children[SERVER].arguments.append(f"--Port={self.tally.port}")
        for name in self.clients:
            self._start(runner, name, ["indicator_client", f"--url=ws://127.0.0.1:{self.tally.port}"])
        runner.wait_until(self._all_current, _STARTING, starting=True)
        runner.check_stop("before all clients had the history")
        runner.state = "sending"
        self.hold.unlink()
        runner.wait_until(lambda: self._all_replayed(runner), math.inf)
        runner.check_stop("before the last bar")
        runner.state = "catching up"
        runner.wait_until(lambda: self._all_replayed(runner) and self._all_current(), _CATCHING_UP)
        runner.state = "ending"

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        if text.endswith(LAST_TICK):
            self.replayed[child.name] = child.restarts

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if event["kind"] in ("serving", "applied"):
            child.ready = True
            self.connected.add(child.name)
        self.tally.take(child.name, event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. The values come from the files that the programs have written at their end."""
        expected = self._file(SERVER, "csv").read_bytes()
        rows = list(csv.reader(expected.decode().splitlines()))
        per_client = [self._client_summary(runner, name, expected) for name in self.clients]
        return {
            "lines": rows[0][1:],
            "bars": len(rows) - 1,
            "equal": all(each["equal"] for each in per_client),
            "lag_ms": lag_summary([lag for name in self.clients for lag in self.tally.lags(name)]),
            "restarts": sum(child.restarts for child in runner.children.values()),
            "per_client": per_client,
            "files": sorted(str(path) for name in self.names for path in self.out.glob(f"{name}.*")),
            "problem": self._problem(rows, per_client),
        }

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def exit_code(self, problem: str) -> int:
        """See Job."""
        return 3 if problem.endswith(_NEVER) else 1

    def failure_summary(self, problem: str) -> dict[str, Any]:
        """See Job."""
        return {"equal": False, "problem": problem}

    def _client_summary(self, runner: Runner, name: str, expected: bytes) -> dict[str, Any]:
        values = self._file(name, "csv")
        # A client that has received nothing writes no file.
        values_equal = values.exists() and values.read_bytes() == expected
        pixels = None
        if not self.options.no_pictures:
            pixels = unequal_pixels(self._file(SERVER, "png"), self._file(name, "png"))
        return {
            "name": name,
            "equal": values_equal and not pixels,
            "values_equal": values_equal,
            "unequal_pixels": pixels,
            "lag_ms": lag_summary(self.tally.lags(name)),
            "restarts": runner.children[name].restarts,
        }

    def _problem(self, rows: Sequence[Sequence[str]], per_client: Sequence[Mapping[str, Any]]) -> str | None:
        """Why the job has failed, or None."""
        if missing := [name for name in self.clients if name not in self.connected]:
            return f"{', '.join(missing)} {_NEVER}"
        if not any(value for row in rows[1:] for value in row[1:]):
            return (
                f"no indicator has a value at any of {len(rows) - 1} bars: these are fewer than it needs, or its "
                "results are not numbers from -1e12 to 1e12; the server's log has the failures of functions"
            )
        if unequal := [each["name"] for each in per_client if not each["values_equal"]]:
            return f"the values of {', '.join(unequal)} are not equal to the server's"
        if unequal := [each["name"] for each in per_client if each["unequal_pixels"]]:
            return f"the pictures of {', '.join(unequal)} differ from the server's"
        return None

    def _file(self, name: str, suffix: str) -> Path:
        """A file that a terminal leaves."""
        path: Path = self.out / f"{name}.{suffix}"
        return path

    def _all_replayed(self, runner: Runner) -> bool:
        return all(self.replayed.get(name) == child.restarts for name, child in runner.children.items())

    def _all_current(self) -> bool:
        return all(self.tally.is_current(name) for name in self.clients)

    def _start(self, runner: Runner, name: str, program: Sequence[str]) -> None:
        arguments = ["run", *program, f"--bars={self.bars}", f"--speed={self.speed!r}"]
        arguments += [f"--history={self.history}"] if self.history else []
        arguments += [f"--timer-ms={self.options.timer_ms}", f"--hold={self.hold}"]
        arguments.append(f"--values={self._file(name, 'csv')}")
        if not self.options.no_pictures:
            arguments.append(f"--picture={self._file(name, 'png')}")
        runner.start(name, arguments, restart=True)
