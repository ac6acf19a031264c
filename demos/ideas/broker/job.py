"""The job of ``python -m demos broker``: a provider and copiers, connected by an MQTT broker, on paper accounts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from demos.ideas.broker.mosquitto import access_rules, missing_problem, write_access
from demos.ideas.broker.view import BROKER, tables
from demos.launcher.children import Child
from demos.launcher.runner import Runner
from demos.launcher.views import Process, Tables
from demos.provider.demo_copying import COPIER_RULES, PROVIDER_LOTS, STARTING, CopyingJob
from demos.provider.demo_setup import HOST, create_tls_files, write_secret
from demos.provider.demo_tally import PROVIDER
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.randomness import token_urlsafe

# The copiers have these factors in turn.
_FACTORS = (Decimal(1), Decimal("0.5"), Decimal(2))

_PREFIX = "signals/demo"


class BrokerJob(CopyingJob):
    """The provider publishes to a broker, which the job starts unless the user names one; the copiers subscribe."""

    command = "broker"

    def __init__(self, options: argparse.Namespace) -> None:
        factors = cycle(_FACTORS)
        super().__init__(options, {f"copier{number + 1}": next(factors) for number in range(options.copiers)})
        self.url: str = options.broker or ""
        self.publishing = False
        self.port = 0
        self._tls: list[str] = []

    @property
    def names(self) -> Sequence[str]:
        """See Job."""
        return (*([] if self.options.broker else [BROKER]), PROVIDER, *self.tally.copiers)

    @property
    def broker_folder(self) -> Path:
        """The folder of the broker that the job starts."""
        return self.files.folder / "mosquitto"

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        if not self.options.broker and (problem := missing_problem()):
            raise ProgramError(f"{problem}; or give --broker URL of an existing broker")
        self.use_folder(folder)
        if self.options.broker:
            return
        create_tls_files(self.files, RealClock().utc_ms() / 1000)
        passwords = {name: token_urlsafe(32) for name in (PROVIDER, *self.tally.copiers)}
        for name, password in passwords.items():
            write_secret(self.files.token(name), password)
        self.broker_folder.mkdir(exist_ok=True)
        try:
            write_access(self.broker_folder, passwords, access_rules(_PREFIX, PROVIDER, list(self.tally.copiers)))
        except SubprocessError as error:
            raise ProgramError(f"the passwords for mosquitto cannot be written: {error}") from None

    def run(self, runner: Runner) -> None:
        """See Job."""
        self.pause.touch()
        if not self.options.broker:
            self._start_broker(runner)
        self._start_provider(runner)
        late = f"the provider has not published to {self.url} within {STARTING:.0f} s"
        runner.wait_until(lambda: self.publishing, STARTING, late, code=3)
        runner.check_stop("before the provider has published")
        for name, copier in self.tally.copiers.items():
            self._start_copier(runner, name, copier.factor)
        self.trade(runner)

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if child.name == BROKER:
            if event["kind"] == "listening":
                child.ready = True
                self.port = event["port"]
            return
        if child.name == PROVIDER and event["kind"] == "broker":
            self.publishing = event["state"] == "publishing"
        super().take_event(child, event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state, self.url)

    def further_results(self) -> dict[str, Any]:
        """See CopyingJob."""
        return {"broker": self.url}

    def _start_broker(self, runner: Runner) -> None:
        files = self.files
        options = [f"--folder={self.broker_folder}", f"--cert={files.certificate}", f"--key={files.key}"]
        port = self.options.Port or files.port
        runner.start(BROKER, ["run", "broker", *options, f"--Port={port}"], restart=True)
        late = f"mosquitto has not started to listen within {STARTING:.0f} s"
        runner.wait_until(lambda: self.port != 0, STARTING, late, code=3)
        runner.check_stop("before the broker has started")
        # After a restart it listens on the same port again.
        runner.children[BROKER].arguments.append(f"--Port={self.port}")
        files.keep_port(self.port)
        self.url = f"mqtts://{HOST}:{self.port}/{_PREFIX}"
        runner.say(f"broker: {self.url}")

    def _start_provider(self, runner: Runner) -> None:
        options = self.options
        program = [
            "--Port=-1",
            "--plain-port=-1",
            "--name=demo provider",
            f"--broker={self.url}",
            f"--strategy={options.every}",
            f"--pause={self.pause}",
            f"--lots={PROVIDER_LOTS}",
        ]
        if options.broker:
            given = {
                "broker-login": options.broker_login,
                "broker-password-file": options.broker_password_file,
                "broker-ca": options.ca,
            }
        else:
            given = {
                "broker-login": PROVIDER,
                "broker-password-file": self.files.token(PROVIDER),
                "broker-ca": self.files.certificate,
            }
        self.start(runner, PROVIDER, ["provider", *program, *_given(given)])

    def _start_copier(self, runner: Runner, name: str, factor: Decimal) -> None:
        options, files = self.options, self.files
        program = [f"--broker={self.url}", f"--memory={files.memory(name)}", f"--factor={factor}"]
        if options.broker:
            given = {"login": options.login, "password-file": options.password_file, "ca": options.ca}
        else:
            given = {"login": name, "password-file": files.token(name), "ca": files.certificate}
        self.start(runner, name, ["copier", *program, *_given(given), *COPIER_RULES])


def _given(options: Mapping[str, object]) -> list[str]:
    """The options that have a value, as arguments; paths absolute, because the children have another working folder."""
    return [
        f"--{name}={value.absolute() if isinstance(value, Path) else value}" for name, value in options.items() if value
    ]
