"""The job of ``python -m demos tpl``: a template server, its client, and their two charts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demos.chartfeed.compare import same_templates, unequal_pixels
from demos.chartfeed.server_commands import change_command, change_count, opening_commands, random_bars
from demos.chartfeed.tally import Tally
from demos.chartfeed.view import summary_text, tables
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.market_options import chosen_seed, source_files
from demos.launcher.output_files import check_folders, check_outputs
from demos.launcher.progress import file_progress, with_progress
from demos.launcher.runner import Runner
from demos.launcher.timeline import lag_summary
from demos.launcher.views import Process, Tables
from demos.terminal.charts import drawing
from demos.terminal.charts.history import Bar, History
from demos.terminal.interfaces import ProgramError
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.paper.export_file import check_export, ticks_of
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.points import price_text
from demos.terminal.runtime.clock import RealClock

SERVER, CLIENT = "server", "client"

# Both terminals take the whole file as history: then both draw the same bars.
_ALL = 10**9

# The bars of the chart that the server's objects refer to.
_BARS = 120

_STARTING = 30.0
_CATCHING_UP = 15.0

# Seconds between two changes of the chart in a longer run.
_EVERY = 1.0


class TplJob(Job):
    """The server prepares its chart, the client gets it, and in a longer run also each change."""

    command = "tpl"
    # At its end a terminal draws its picture.
    grace = 60.0
    names = (SERVER, CLIENT)
    server_program = "chart_server"
    client_program = "chart_client"

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.tally = Tally()
        self.expected_changes = 1

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        problem = None if self.options.no_pictures else drawing.problem()
        if problem:
            raise ProgramError(f"{problem}; or --no-pictures")
        self.folder = folder
        self.out = self.options.out.absolute()
        files = [self._file(name, suffix) for name in self.names for suffix in ("tpl", "tpl.part", "png")]
        check_outputs({f"--out ({path.name})": path for path in files}, source_files(self.options))
        self.out.mkdir(parents=True, exist_ok=True)
        check_folders({"--out": files[0]})
        for path in files:
            # A file of an earlier run must not be mistaken for one of this run.
            path.unlink(missing_ok=True)
        self.bars = (self.options.bars or random_bars(folder, chosen_seed(self.options))).absolute()
        self.symbol, period = symbol_and_period(self.bars)
        self.period = next(name for name, value in TIMEFRAMES.items() if value == period)
        clock = RealClock()
        export = check_export(self.bars, "bar", progress=file_progress(clock, self.bars, self.report_reading))
        self.digits = export.digits
        history = History()
        for tick in with_progress(ticks_of(export, self.symbol), clock, self.report_reading):
            history.take(tick)
        self.chart: Sequence[Bar] = history.bars(self.symbol, period, _BARS)

    def run(self, runner: Runner) -> None:
        """See Job."""
        self._start(runner, SERVER, [self.server_program, f"--Port={self.options.Port}"])
        self.prepare_chart(runner)
        runner.check_stop("before the client was started")
        # The client shows something else when it starts.
        other = "GBPUSD" if self.symbol != "GBPUSD" else "EURUSD"
        inputs = [f"--Port={self.tally.port}", f"--chart={other},M15", *self.client_inputs()]
        self._start(runner, CLIENT, [self.client_program, *inputs])
        if self.options.duration is None:
            client = runner.children[CLIENT]
            client.may_end = True
            late = "the client did not end in time"
            runner.wait_until(lambda: client.exit_code() is not None, _STARTING, late, starting=True)
        else:
            self._follow(runner)

    def prepare_chart(self, runner: Runner) -> None:
        """Have the server draw on its chart, and wait for the template of all that."""
        for command in opening_commands(self.chart, self.digits):
            self._change(runner, command)
        late = "the server did not make its template in time"
        runner.wait_until(lambda: self.tally.port != 0 and self._is_made(), _STARTING, late, starting=True)

    def client_inputs(self) -> list[str]:
        """Inputs of the client's program beyond Host and Port."""
        return [f"--follow={str(self.options.duration is not None).lower()}"]

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        self.tally.take(event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, SERVER, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job."""
        tally = self.tally
        templates = same_templates(self._file(SERVER, "tpl"), self._file(CLIENT, "tpl"))
        pixels = None
        if not self.options.no_pictures:
            pixels = unequal_pixels(self._file(SERVER, "png"), self._file(CLIENT, "png"))
        problem = None
        if not tally.applied:
            problem = "the client has not applied a template"
        elif not templates:
            problem = "the templates are not equal"
        elif pixels:
            problem = f"the pictures differ in {pixels} pixels"
        return {
            "symbol": self.symbol,
            "made": tally.made,
            "applied": tally.applied,
            "bytes": tally.bytes,
            "equal": problem is None,
            "templates_equal": templates,
            "unequal_pixels": pixels,
            "lag_ms": lag_summary(tally.lags),
            "files": sorted(str(path) for name in self.names for path in self.out.glob(f"{name}.*")),
            "problem": problem,
        }

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def failure_summary(self, problem: str) -> dict[str, Any]:
        """See Job."""
        return {"equal": False, "problem": problem}

    def _follow(self, runner: Runner) -> None:
        """Change the server's chart again and again while the client stays connected."""
        applied = "the client has not applied a template in time"
        runner.wait_until(lambda: self.tally.applied > 0, _STARTING, applied, starting=True)
        runner.state = "following"
        end = runner.clock.monotonic() + self.options.duration
        price = price_text(self.chart[-1].close, self.digits)
        number = 0
        while not runner.stopping and runner.clock.monotonic() < end:
            number += 1
            self._change(runner, change_command(number, self.symbol, self.period, price))
            runner.wait_until(lambda: False, _EVERY)
        runner.stopping = False
        runner.state = "catching up"
        late = "the client did not apply the last change in time"
        runner.wait_until(lambda: self._is_made() and self.tally.newest_is_applied, _CATCHING_UP, late)

    def _file(self, name: str, suffix: str) -> Path:
        """A file that a terminal leaves."""
        path: Path = self.out / f"{name}.{suffix}"
        return path

    def _is_made(self) -> bool:
        return self.tally.changes == self.expected_changes

    def _change(self, runner: Runner, command: str) -> None:
        self.expected_changes += change_count(command)
        runner.send_command(SERVER, command)

    def _start(self, runner: Runner, name: str, program: Sequence[str]) -> None:
        arguments = ["run", *program, f"--bars={self.bars}", f"--history={_ALL}"]
        arguments += [f"--timer-ms={self.options.timer_ms}", f"--data={self.folder / name}"]
        arguments += [f"--save-template={self._file(name, 'tpl')}"]
        if not self.options.no_pictures:
            arguments.append(f"--picture={self._file(name, 'png')}")
        runner.start(name, arguments)
