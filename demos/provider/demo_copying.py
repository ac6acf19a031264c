"""What the jobs have in common that compare copiers' positions with the provider's, scaled by their factors."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from demos.copier.job import account_positions
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.market_options import chosen_seed
from demos.launcher.runner import Runner
from demos.launcher.timeline import lag_summary
from demos.provider.demo_setup import DemoFiles
from demos.provider.demo_tally import PROVIDER, DemoTally, targets
from demos.provider.demo_view import factor_text, positions_text, summary_text
from demos.terminal.paper.account import PaperAccount

# Seconds: how long the processes may take to start, and the copiers to copy the last trade.
STARTING = 30.0
CATCHING_UP = 30.0
_NEVER = "has never logged in"

# The provider's least volume is such that half of it is one that a copier can trade.
PROVIDER_LOTS = "0.1:100:0.01"

# Every process has a market of its own, so a copier's prices are not the provider's. It may trade each time, however
# long the operator has paused the provider, and as often as the strategy does.
COPIER_RULES = ("--join=now", "--maxdeviation=0", "--maxage=3600", "--maxorders=0")


class CopyingJob(Job):
    """A provider and copiers with a factor each; the summary says whether each copier has what its factor means."""

    # The accounts show whether a process has done its work.
    checks_last_exit_codes = False

    def __init__(self, options: argparse.Namespace, factors: Mapping[str, Decimal]) -> None:
        super().__init__(options)
        self.tally = DemoTally(factors)
        self.files = DemoFiles(Path())
        # While this file exists the provider does not trade.
        self.pause = Path()

    def use_folder(self, temporary: Path) -> None:
        """Keep the files in the folder of --folder, else in the temporary one; choose the seed.

        Errors: AccountError when another demo uses the folder; OSError.
        """
        # The children have another working folder.
        self.files = DemoFiles(self.options.folder.absolute() if self.options.folder else temporary)
        self.pause = temporary / "pause"
        self.files.folder.mkdir(parents=True, exist_ok=True)
        for name in (PROVIDER, *self.tally.copiers):
            # A demo that uses this folder already would lose its users.
            if (path := self.files.account(name)).exists():
                PaperAccount(path).close()
        self.options.seed = chosen_seed(self.options)

    def trade(self, runner: Runner) -> None:
        """Wait until the copiers follow, let the provider trade, and let the copiers copy its last trade."""
        follow = runner.wait_until(self.all_follow, STARTING)
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
        runner.wait_until(self.tally.settled, CATCHING_UP)
        runner.state = "ending"

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if event["kind"] == "started":
            child.ready = True
        self.tally.take(child.name, event)

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
            **self.further_results(),
            "folder": str(self.files.folder) if self.options.folder else None,
            "problem": self.problem(per_copier),
        }

    def further_results(self) -> dict[str, Any]:
        """What else the summary has."""
        return {}

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

    def all_follow(self) -> bool:
        """Whether each copier has logged in and has received a state."""
        return all(copier.logins and copier.states for copier in self.tally.copiers.values())

    def start(self, runner: Runner, name: str, program: Sequence[str]) -> None:
        """Start the provider or a copier with its market and its account."""
        market = (f"--speed={self.options.speed}", f"--seed={self.options.seed}")
        runner.start(name, ["run", *program, *market, f"--account={self.files.account(name)}"], restart=True)

    def _positions(self, name: str) -> dict[str, Decimal]:
        path = self.files.account(name)
        # The job may have ended before the process has created its account.
        return {symbol: Decimal(lots) for symbol, lots in account_positions(path).items()} if path.exists() else {}


def _texts(positions: Mapping[str, Decimal]) -> dict[str, str]:
    return {symbol: str(lots) for symbol, lots in positions.items()}
