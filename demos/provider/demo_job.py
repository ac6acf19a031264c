"""The job of ``python -m demos provider --demo``: a provider with its dashboard, and two copiers, on paper accounts."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from demos.copier.job import account_positions
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.market_options import chosen_seed
from demos.launcher.runner import Runner
from demos.launcher.timeline import lag_summary
from demos.launcher.views import Process, Tables
from demos.provider.demo_setup import HOST, OPERATOR, DemoFiles, create_files
from demos.provider.demo_tally import PROVIDER, DemoTally, targets
from demos.provider.demo_view import dashboard_lines, factor_text, positions_text, summary_text, tables
from demos.terminal.paper.account import PaperAccount
from demos.terminal.runtime.clock import RealClock

# Each copier's factor for the provider's lots.
FACTORS = {"copier1": Decimal(1), "copier2": Decimal("0.5")}

# Seconds.
_STARTING = 30.0
_CATCHING_UP = 30.0
_NEVER = "has never logged in"

# The provider's least volume is such that half of it is one that a copier can trade.
_PROVIDER_LOTS = "0.1:100:0.01"

# Every process has a market of its own, so a copier's prices are not the provider's. It may trade each time, however
# long the operator has paused the provider, and as often as the strategy does.
_COPIER_RULES = ("--join=now", "--maxdeviation=0", "--maxage=3600", "--maxorders=0")


class DemoJob(Job):
    """The provider trades until the time is over; then the copiers have a moment to catch up."""

    command = "provider"
    # The accounts show whether a process has done its work.
    checks_last_exit_codes = False
    names: Sequence[str] = (PROVIDER, *FACTORS)

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.tally = DemoTally(FACTORS)
        self.files = DemoFiles(Path())
        self.pause = Path()
        self.fingerprint = self.password = ""
        self.dashboard: list[str] = []

    @property
    def url(self) -> str:
        """The address of the dashboard; "" before the provider serves it."""
        return f"https://{HOST}:{self.tally.port}/" if self.tally.port else ""

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        # The children have another working folder.
        self.files = DemoFiles(self.options.folder.absolute() if self.options.folder else folder)
        self.pause = folder / "pause"
        self.files.folder.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            # A demo that uses this folder already would lose its users.
            if (path := self.files.account(name)).exists():
                PaperAccount(path).close()
        now = RealClock().utc_ms() / 1000
        self.fingerprint, self.password = create_files(self.files, list(FACTORS), now)
        self.options.seed = chosen_seed(self.options)

    def run(self, runner: Runner) -> None:
        """See Job."""
        # While this file exists the strategy does not trade. It exists until the copiers follow.
        self.pause.touch()
        self.start_provider(runner)
        self.files.keep_port(self.tally.port)
        self.dashboard = dashboard_lines(self.url, OPERATOR, self.password)
        for line in self.dashboard:
            runner.say(line)
        self.trade(runner)

    def start_provider(self, runner: Runner) -> None:
        """Start the provider, and wait until it listens."""
        self._start_provider(runner)
        late = f"the provider has not started to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3)
        runner.check_stop("before the provider has started")
        # After a restart the provider listens on the same port again.
        runner.children[PROVIDER].arguments.append(f"--Port={self.tally.port}")

    def trade(self, runner: Runner) -> None:
        """Start the copiers, trade until the time is over, and give them a moment to catch up."""
        for name, factor in FACTORS.items():
            self._start_copier(runner, name, factor)
        follow = runner.wait_until(self._all_follow, _STARTING)
        runner.check_stop("before all copiers followed the provider")
        if not follow:
            return
        runner.state = "trading"
        self.pause.unlink()
        duration = self.options.duration
        runner.wait_until(lambda: False, math.inf if duration is None else duration)
        runner.state = "catching up"
        self.pause.touch()
        runner.stopping = False
        runner.wait_until(self.tally.settled, _CATCHING_UP)
        runner.state = "ending"

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if event["kind"] == "started":
            child.ready = True
        self.tally.take(child.name, event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state, self.dashboard)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. The positions come from the accounts, which also checks them against their deals."""
        tally = self.tally
        positions = {name: self._positions(name) for name in self.names}
        restarts = {name: child.restarts for name, child in runner.children.items()}
        per_copier = []
        for copier in tally.copiers.values():
            wanted = targets(positions[PROVIDER], copier.factor)
            per_copier.append(
                {
                    "name": copier.name,
                    "factor": str(copier.factor),
                    "equal": positions[copier.name] == wanted,
                    "positions": _texts(positions[copier.name]),
                    "target": _texts(wanted),
                    "logins": copier.logins,
                    "states": copier.states,
                    "orders": copier.orders,
                    "lag_ms": lag_summary(copier.lags),
                    "restarts": restarts.get(copier.name, 0),
                }
            )
        return {
            "equal": all(each["equal"] for each in per_copier),
            "lag_ms": lag_summary(tally.lags()),
            "trades": tally.trades,
            "restarts": sum(restarts.values()),
            "positions": _texts(positions[PROVIDER]),
            "per_copier": per_copier,
            "dashboard": self.url,
            "folder": str(self.files.folder) if self.options.folder else None,
            "problem": self.problem(per_copier),
        }

    def problem(self, per_copier: Sequence[Mapping[str, Any]]) -> str | None:
        """Why the demo has failed, or None."""
        if missing := [each["name"] for each in per_copier if not each["logins"]]:
            return f"{', '.join(missing)} {_NEVER}"
        for each in per_copier:
            copier = self.tally.copiers[each["name"]]
            reason = copier.stopped or (f"its login was refused: {copier.refused}" if copier.refused else "")
            if not each["equal"]:
                held, wanted = positions_text(each["positions"]), positions_text(each["target"])
                text = f"{copier.name} has {held}, but {factor_text(copier.factor)} of the provider's is {wanted}"
                return f"{text}; {reason}" if reason else text
            if copier.has_ended:
                # It held this position when the provider returned to it.
                return f"{copier.name} has not copied to the end; {reason}"
        return None if self.tally.trades else "nothing was traded: there was no time"

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return summary_text(summary)

    def exit_code(self, problem: str) -> int:
        """See Job."""
        return 3 if problem.endswith(_NEVER) else 1

    def failure_summary(self, problem: str) -> dict[str, Any]:
        """See Job."""
        return {"equal": False, "problem": problem}

    def _all_follow(self) -> bool:
        return all(copier.logins and copier.states for copier in self.tally.copiers.values())

    def _positions(self, name: str) -> dict[str, Decimal]:
        path = self.files.account(name)
        # The job may have ended before the process has created its account.
        return {symbol: Decimal(lots) for symbol, lots in account_positions(path).items()} if path.exists() else {}

    def server_url(self, name: str) -> str:
        """The URL of the server that a copier follows."""
        return f"wss://{HOST}:{self.tally.port}"

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
            f"--lots={_PROVIDER_LOTS}",
        ]
        self._start(runner, PROVIDER, ["provider", *program])

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
        self._start(runner, name, ["copier", *program, *_COPIER_RULES])

    def _start(self, runner: Runner, name: str, program: Sequence[str]) -> None:
        market = (f"--speed={self.options.speed}", f"--seed={self.options.seed}")
        runner.start(name, ["run", *program, *market, f"--account={self.files.account(name)}"], restart=True)


def _texts(positions: Mapping[str, Decimal]) -> dict[str, str]:
    return {symbol: str(lots) for symbol, lots in positions.items()}
