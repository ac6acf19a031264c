"""The job of ``python -m demos provider --demo``: a provider with its dashboard, and two copiers, on paper accounts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from demos.launcher.runner import Runner
from demos.launcher.views import Process, Tables
from demos.provider.demo_copying import COPIER_RULES, PROVIDER_LOTS, STARTING, CopyingJob
from demos.provider.demo_setup import HOST, OPERATOR, create_files
from demos.provider.demo_tally import PROVIDER
from demos.provider.demo_view import dashboard_lines, tables
from demos.terminal.runtime.clock import RealClock

# Each copier's factor for the provider's lots.
FACTORS = {"copier1": Decimal(1), "copier2": Decimal("0.5")}


class DemoJob(CopyingJob):
    """The provider trades until the time is over; then the copiers have a moment to catch up."""

    command = "provider"
    names: Sequence[str] = (PROVIDER, *FACTORS)

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options, FACTORS)
        self.fingerprint = self.password = ""
        self.dashboard: list[str] = []

    @property
    def url(self) -> str:
        """The address of the dashboard; "" before the provider serves it."""
        return f"https://{HOST}:{self.tally.port}/" if self.tally.port else ""

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        self.use_folder(folder)
        now = RealClock().utc_ms() / 1000
        self.fingerprint, self.password = create_files(self.files, list(FACTORS), now)

    def run(self, runner: Runner) -> None:
        """See Job."""
        # While this file exists the strategy does not trade. It exists until the copiers follow.
        self.pause.touch()
        self.start_provider(runner)
        self.files.keep_port(self.tally.port)
        self.dashboard = dashboard_lines(self.url, OPERATOR, self.password)
        for line in self.dashboard:
            runner.say(line)
        self.start_copiers(runner)
        self.trade(runner)

    def start_provider(self, runner: Runner) -> None:
        """Start the provider, and wait until it listens."""
        self._start_provider(runner)
        late = f"the provider has not started to listen within {STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, STARTING, late, code=3)
        runner.check_stop("before the provider has started")
        # After a restart the provider listens on the same port again.
        runner.children[PROVIDER].arguments.append(f"--Port={self.tally.port}")

    def start_copiers(self, runner: Runner) -> None:
        """Start all copiers."""
        for name, factor in FACTORS.items():
            self._start_copier(runner, name, factor)

    def server_url(self, name: str) -> str:
        """The URL of the server that a copier follows."""
        return f"wss://{HOST}:{self.tally.port}"

    def further_results(self) -> dict[str, Any]:
        """See CopyingJob."""
        return {"dashboard": self.url}

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state, self.dashboard)

    def _start_provider(self, runner: Runner) -> None:
        files, options = self.files, self.options
        program = [
            f"--Port={options.Port or files.port}",
            "--plain-port=-1",
            f"--cert={files.certificate}",
            f"--key={files.key}",
            f"--state={files.state}",
            "--name=demo provider",
            f"--strategy={options.every}",
            f"--pause={self.pause}",
            f"--lots={PROVIDER_LOTS}",
        ]
        self.start(runner, PROVIDER, ["provider", *program])

    def _start_copier(self, runner: Runner, name: str, factor: Decimal) -> None:
        files = self.files
        program = [
            f"--url={self.server_url(name)}",
            f"--login={name}",
            f"--token-file={files.token(name)}",
            f"--pin={self.fingerprint}",
            f"--memory={files.memory(name)}",
            f"--factor={factor}",
        ]
        self.start(runner, name, ["copier", *program, *COPIER_RULES])
