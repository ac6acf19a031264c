"""The job of ``python -m demos ticks``: a tick collector and several clients."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar

from demos.collector.export import export_ticks
from demos.collector.job_symbols import symbols_for
from demos.collector.picture import draw_ticks
from demos.collector.store import TickStore
from demos.collector.tally import SERVER, Client, Tally
from demos.collector.view import summary_text, tables
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.log_lines import LAST_TICK
from demos.launcher.market_options import check_source, chosen_seed, source_arguments, source_file, source_files
from demos.launcher.output_files import check_folders, check_outputs, database_files
from demos.launcher.runner import Runner
from demos.launcher.views import Process, Tables
from demos.terminal.charts import drawing
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.runtime.clock import RealClock

# After the clients have ended, the server has this many timer periods to catch up.
PERIODS = 5

_STARTING = 30.0

# Seconds between two reads of the database.
_READ = 0.25

# The server's own chart needs no ticks.
_SLOW = "0.001"


class TicksJob(Job):
    """The clients send until the time or the file is over; then the server has a moment to catch up."""

    command = "ticks"
    server_program = "tick_collector"

    # The least time in seconds to catch up. At its end the collector also takes what has arrived since its last event.
    least_catching_up: ClassVar[float] = 1.0

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.clients = [f"client{number}" for number in range(1, options.clients + 1)]
        self.tally = Tally(self.clients)
        self.replayed: set[str] = set()

    @property
    def names(self) -> Sequence[str]:
        """See Job."""
        return (SERVER, *self.clients)

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        database: Path | None = self.options.database
        written = database_files(database, "--database") if database else {}
        check_outputs({**written, "--picture": self.options.picture}, source_files(self.options))
        check_folders({"--picture": self.options.picture})
        problem = drawing.problem() if self.options.picture else None
        if problem:
            raise ProgramError(problem)
        self.options.seed = chosen_seed(self.options)
        # Once, before anything is started, rather than in every client.
        check_source(self.options, RealClock(), self.report_reading)
        self.open_store(folder, stack)

    def open_store(self, folder: Path, stack: ExitStack) -> None:
        """Open the database that the server will fill."""
        self.database = (self.options.database or folder / "ticks.sqlite").absolute()
        self.store = stack.enter_context(closing(TickStore(self.database)))
        self.tally.begin(self.store.symbols(), self.store.senders())
        self._read_at = -math.inf

    def run(self, runner: Runner) -> None:
        """See Job."""
        options = self.options
        server = ["run", self.server_program, f"--Port={options.Port}", f"--timer-ms={options.timer_ms}"]
        runner.start(SERVER, [*server, f"--speed={_SLOW}", *self.server_arguments()])
        late = f"the server has not begun to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3, starting=True)
        runner.check_stop("before the server has started")
        self._start_clients(runner)
        # The time begins when all clients send, however long their processes take to start.
        clients = self.tally.clients.values()
        runner.wait_until(lambda: all(self.sends(client) for client in clients), _STARTING, starting=True)
        runner.state = "collecting"
        duration = math.inf if options.duration is None else options.duration
        runner.wait_until(lambda: self.replayed >= set(self.clients), duration)
        runner.state = "catching up"
        runner.end(self.clients, self.grace)
        runner.take_events()
        runner.stopping = False
        catching_up = max(PERIODS * options.timer_ms / 1000, self.least_catching_up)
        runner.wait_until(lambda: self.tally.received >= self.tally.ticks, catching_up)
        runner.state = "ending"

    def server_arguments(self) -> list[str]:
        """Inputs of the server's program beyond Host and Port."""
        return [f"--database={self.database}"]

    def client_arguments(self) -> list[str]:
        """Options of tick_clients that choose the program and its inputs."""
        return ["--sequence"]

    def sends(self, client: Client) -> bool:
        """Whether the client has sent a tick."""
        return bool(client.ports)

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        if text.endswith(LAST_TICK):
            self.replayed.add(child.name)

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        self.tally.take(child.name, event)

    def refresh(self, now: float) -> None:
        """See Job. Reads the database now and then."""
        if now >= self._read_at:
            self._read_at = now + _READ
            self.tally.take_rows(self.store.symbols(), self.store.senders())

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state, height)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. Also makes the export and the picture."""
        tally = self.tally
        lost = tally.ticks - tally.received
        idle = [client.name for client in tally.clients.values() if not sum(client.ticks.values())]
        problem = None
        if lost:
            problem = f"{lost} of {tally.ticks} ticks were not collected"
        elif idle:
            problem = f"{', '.join(idle)} had no tick to send"
        return {
            "ticks": tally.ticks,
            "sent": tally.sent,
            "received": tally.received,
            "lost": lost,
            **self.number_counts(),
            "symbols": len(tally.symbols),
            "per_client": [
                {
                    "name": client.name,
                    "symbols": len(client.ticks),
                    "ticks": sum(client.ticks.values()),
                    "sent": sum(client.sent.values()),
                    "received": client.received,
                }
                for client in tally.clients.values()
            ],
            **self.write_files(),
            "problem": problem,
        }

    def number_counts(self) -> dict[str, int]:
        """What the numbers of the ticks and the server's checks have shown."""
        return {"lost_by_number": self.tally.lost_by_number, "refused": self.tally.refused}

    def write_files(self) -> dict[str, Any]:
        """Write the export and the picture, if the options request them and there is a tick; returns all files."""
        symbols = self.store.symbols()
        exported = []
        if self.options.export and symbols:
            inputs = {**source_files(self.options), **database_files(self.database, "--database")}
            exported = export_ticks(self.store, self.options.export, symbols, list(inputs.values()))
        picture = self.options.picture if symbols else None
        if picture:
            draw_ticks(self.store, picture, symbols)
        return {
            "database": str(self.database) if self.options.database else None,
            "exported": [str(path) for path in exported],
            "picture": str(picture) if picture else None,
        }

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def _start_clients(self, runner: Runner) -> None:
        options = self.options
        path = source_file(options)
        first = options.Symbol or (symbol_and_period(path)[0] if path else None)
        symbols = symbols_for(max(options.symbols, len(self.clients)), first)
        for number, name in enumerate(self.clients):
            source = source_arguments(options) or [f"--seed={options.seed + number}"]
            arguments = ["tick_clients", *self.client_arguments(), f"--Port={self.tally.port}"]
            arguments += [f"--speed={options.speed}", *source]
            runner.start(name, [*arguments, *symbols[number :: len(self.clients)]])
