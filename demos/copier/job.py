"""The job of ``python -m demos signal``: a provider and two copiers."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from demos.copier.tally import SERVER, Client, Tally
from demos.copier.view import summary_text, tables
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.log_lines import LAST_TICK
from demos.launcher.market_options import check_source, chosen_seed, source_arguments, source_files
from demos.launcher.output_files import check_outputs, database_files
from demos.launcher.runner import Runner
from demos.launcher.timeline import lag_summary
from demos.launcher.views import Process, Tables
from demos.terminal.paper.account import PaperAccount
from demos.terminal.points import volume_text
from demos.terminal.runtime.clock import RealClock

CLIENTS = ("client1", "client2")

# How long the clients have to copy the last trade: timer periods, and seconds at least. The wait ends as soon as they
# have copied it, so the limit concerns only a client that cannot.
PERIODS = 5
_LEAST_CATCHING_UP = 30.0

_STARTING = 30.0
_NEVER = "never connected"


class SignalJob(Job):
    """The provider trades until the time or the file is over; then the copiers have a moment to catch up."""

    command = "signal"
    # The accounts show whether a process has done its work.
    checks_last_exit_codes = False
    names = (SERVER, *CLIENTS)
    server_program = "provider"
    server_port = "--plain-port"
    client_program = "copier"
    # The strategy trades as fast as the replay.
    client_arguments: Sequence[str] = ("--fast", "--maxorders=0")

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.tally = Tally(CLIENTS)
        self.ticks_over = False
        self.accounts = Path()
        self.pause = Path()

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        # Once, before anything is started, rather than in every child.
        check_source(self.options, RealClock(), self.report_reading, self.options.digits)
        self.accounts = self.options.accounts or folder
        for name in self.names:
            check_outputs(database_files(self.account(name), "--accounts"), source_files(self.options))
        self.accounts.mkdir(parents=True, exist_ok=True)
        self.pause = folder / "pause"
        if not source_arguments(self.options):
            self.options.seed = chosen_seed(self.options)

    def run(self, runner: Runner) -> None:
        """See Job."""
        # While this file exists there are no ticks and no trades. It exists until the clients are connected.
        self.pause.touch()
        port = f"{self.server_port}={self.options.Port}"
        self._start(runner, SERVER, [self.server_program, port, *self.server_arguments()])
        late = f"the server has not started to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3, starting=True)
        runner.check_stop("before the server has started")
        # After a restart the server listens on the same port again.
        runner.children[SERVER].arguments.append(f"{self.server_port}={self.tally.port}")
        for name in CLIENTS:
            self._start(runner, name, [self.client_program, f"--Port={self.tally.port}", *self.client_arguments])
        connected = runner.wait_until(self._all_connected, _STARTING, starting=True)
        runner.check_stop("before all clients were connected")
        if not connected:
            return
        runner.state = "trading"
        self.pause.unlink()
        self.trade(runner)
        runner.state = "catching up"
        self.pause.touch()
        runner.stopping = False
        limit = max(PERIODS * self.options.timer_ms / 1000, _LEAST_CATCHING_UP)
        runner.wait_until(lambda: self.has_copied_all(runner), limit, starting=True)
        runner.state = "ending"

    def account(self, name: str) -> Path:
        """The file of a child's account."""
        return self.accounts / f"{name}.sqlite"

    def server_arguments(self) -> list[str]:
        """Inputs of the server's program beyond its port."""
        return ["--Port=-1", "--fast", f"--strategy={self.options.every}", f"--pause={self.pause}"]

    def trade(self, runner: Runner) -> None:
        """Wait while the server trades."""
        forever = self.options.duration is None
        runner.wait_until(lambda: forever and self.ticks_over, math.inf if forever else self.options.duration)

    def has_copied_all(self, runner: Runner) -> bool:
        """Whether the server trades no more and the clients have copied its last trade."""
        return self.tally.paused and self.tally.agreed()

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        if child.name == SERVER and text.endswith(LAST_TICK):
            self.ticks_over = True

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if event["kind"] == "started":
            child.ready = True
        self.tally.take(child.name, event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. The positions come from the accounts, which also checks them against their deals."""
        tally = self.tally
        tally.finish()
        positions = {name: account_positions(self.account(name)) for name in self.names}
        unequal = [name for name in CLIENTS if positions[name] != positions[SERVER]]
        return {
            **self.message_counts(tally),
            "equal": not unequal,
            "lag_ms": lag_summary(tally.lags()),
            **lag_parts(tally),
            "trades": tally.trades,
            "merged": tally.merged,
            "restarts": sum(child.restarts for child in runner.children.values()),
            "positions": positions[SERVER],
            "per_client": [
                {
                    "name": client.name,
                    **self.message_counts(client),
                    "equal": client.name not in unequal,
                    "positions": positions[client.name],
                    "lag_ms": lag_summary(client.lags),
                    "merged": client.merged,
                    "restarts": runner.children[client.name].restarts if client.name in runner.children else 0,
                }
                for client in tally.clients.values()
            ],
            "problem": self.problem(unequal),
        }

    def message_counts(self, counted: Tally | Client) -> dict[str, int]:
        """The messages of all clients, or of one."""
        return {"sent": counted.sent, "received": counted.received}

    def problem(self, unequal: Sequence[str]) -> str | None:
        """Why the job has failed, or None."""
        missing = [client.name for client in self.tally.clients.values() if not client.connected]
        if missing:
            return f"{', '.join(missing)} {_NEVER}"
        if unequal:
            return f"the positions of {', '.join(unequal)} are not equal to the server's"
        if not self.tally.trades:
            reason = "the ticks were over before the clients had connected" if self.ticks_over else "there was no time"
            return f"nothing was traded: {reason}"
        return None

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def exit_code(self, problem: str) -> int:
        """See Job."""
        return 3 if problem.endswith(_NEVER) else 1

    def failure_summary(self, problem: str) -> dict[str, Any]:
        """See Job."""
        return {"equal": False, "problem": problem}

    def _all_connected(self) -> bool:
        return all(client.connected for client in self.tally.clients.values())

    def _start(self, runner: Runner, name: str, program: Sequence[str]) -> None:
        options = self.options
        arguments = ["run", *program, f"--timer-ms={options.timer_ms}", f"--speed={options.speed}"]
        if name == SERVER:
            arguments.append(f"--hold={self.pause}")
        arguments += source_arguments(options)
        for option in ("seed", "Symbol", "digits"):
            if getattr(options, option) is not None:
                arguments.append(f"--{option}={getattr(options, option)}")
        runner.start(name, [*arguments, f"--account={self.account(name)}"], restart=True)


def lag_parts(tally: Tally) -> dict[str, Any]:
    """The lag in its parts, as far as the programs report messages; the medians add up to about the lag's."""
    parts = tally.parts()
    if not parts:
        return {}
    sending, network, trading = (lag_summary(column) for column in zip(*parts, strict=True))
    return {"lag_parts_ms": {"trade_to_sent": sending, "sent_to_received": network, "received_to_order": trading}}


def account_positions(path: Path) -> dict[str, str]:
    """The open positions of a paper account, as text by symbol.

    Errors: AccountError when the account cannot be read, or its deals and positions do not add up.
    """
    with closing(PaperAccount(path)) as account:
        return {p.spec.name: volume_text(p.volume, p.spec) for p in account.positions()}
