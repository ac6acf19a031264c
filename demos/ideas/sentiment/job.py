"""The job of ``python -m demos sentiment``: a server and several clients that trade.

The rule of totals.py keeps a total back until enough participants have new volumes on its side. So the last trades of
the strategies may stay unpublished. At the end of the job every client buys by a command, more than a strategy holds.
Then all are long, and the total of all of them is published; if an interval has ended between these trades, they buy
again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from demos.ideas.sentiment.protocol import Volume
from demos.ideas.sentiment.tally import SERVER, Tally, is_total_of, sum_of
from demos.ideas.sentiment.view import summary_text, tables
from demos.launcher.children import Child
from demos.launcher.job import Job
from demos.launcher.log_lines import LAST_TICK
from demos.launcher.market_options import check_source, chosen_seed, source_arguments, source_files
from demos.launcher.output_files import check_folders, check_outputs
from demos.launcher.runner import Runner
from demos.launcher.views import Process, Tables
from demos.terminal.charts import drawing
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.account import PaperAccount
from demos.terminal.points import volume_text
from demos.terminal.runtime.clock import RealClock

_STARTING = 30.0
_NEVER = "never connected"

# Seconds for all clients to receive the total of the last trades, and between two attempts: several intervals.
_SETTLING = 60.0
_ROUND = 4.0
# Strategies hold at most 1 lot.
_LAST_TRADE = "buy 2"


class SentimentJob(Job):
    """The clients trade until the time or the file is over; then all are long, and must receive the total of all."""

    command = "sentiment"
    # The accounts show whether a process has done its work.
    checks_last_exit_codes = False

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.clients = [f"client{number}" for number in range(1, options.clients + 1)]
        self.tally = Tally(self.clients)
        self.replayed: set[str] = set()
        self.settled = False
        self.folder = self.pause = Path()

    @property
    def names(self) -> Sequence[str]:
        """See Job."""
        return (SERVER, *self.clients)

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        check_outputs({"--picture": self.options.picture}, source_files(self.options))
        check_folders({"--picture": self.options.picture})
        problem = drawing.problem() if self.options.picture else None
        if problem:
            raise ProgramError(problem)
        # Once, before anything is started, rather than in every client.
        check_source(self.options, RealClock(), self.report_reading)
        self.folder, self.pause = folder, folder / "pause"
        self.options.seed = chosen_seed(self.options)

    def run(self, runner: Runner) -> None:
        """See Job."""
        # While this file exists there are no ticks and no trades. It exists until the clients are connected.
        self.pause.touch()
        self._start_server(runner)
        for number, name in enumerate(self.clients):
            self._start_client(runner, number, name)
        clients = self.tally.clients.values()
        connected = runner.wait_until(lambda: all(each.connected for each in clients), _STARTING, starting=True)
        runner.check_stop("before all clients were connected")
        if not connected:
            return
        runner.state = "trading"
        self.pause.unlink()
        duration = math.inf if self.options.duration is None else self.options.duration
        runner.wait_until(lambda: self.replayed >= set(self.clients), duration)
        runner.state = "settling"
        self.pause.touch()
        runner.stopping = False
        self._settle(runner)
        runner.state = "ending"

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        if text.endswith(LAST_TICK):
            self.replayed.add(child.name)

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job."""
        if event["kind"] in ("started", "serving"):
            child.ready = True
        # The clients end one after another, and the totals without those that have ended do not concern the result.
        if not self.settled:
            self.tally.take(child.name, event)

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return tables(self.tally, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job. The volumes come from the accounts."""
        volumes = {name: account_volume(self._account(name), self.tally.symbol) for name in self.clients}
        wanted = sum_of(list(volumes.values()))
        clients = self.tally.clients.values()
        unequal = [client.name for client in clients if not is_total_of(client.total, wanted)]
        picture = self.options.picture
        return {
            "equal": not unequal,
            "symbol": self.tally.symbol,
            "long": str(wanted.long),
            "short": str(wanted.short),
            "restarts": sum(child.restarts for child in runner.children.values()),
            "per_client": [
                {
                    "name": client.name,
                    "long": str(volumes[client.name].long),
                    "short": str(volumes[client.name].short),
                    "received": client.received,
                    "equal": client.name not in unequal,
                    "restarts": runner.children[client.name].restarts if client.name in runner.children else 0,
                }
                for client in clients
            ],
            "picture": str(picture) if picture and picture.exists() else None,
            "problem": self._problem(unequal),
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

    def _problem(self, unequal: Sequence[str]) -> str | None:
        missing = [client.name for client in self.tally.clients.values() if not client.connected]
        if missing:
            return f"{', '.join(missing)} {_NEVER}"
        if unequal:
            return f"the last total of {', '.join(unequal)} is not the sum of the accounts"
        return None

    def _account(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    def _settle(self, runner: Runner) -> None:
        """Have every client trade once more, until every client has received the total of all."""
        clients = self.tally.clients.values()
        runner.wait_until(lambda: all(client.paused for client in clients), _STARTING)
        end = runner.clock.monotonic() + _SETTLING
        while runner.clock.monotonic() < end and not runner.stopping:
            for name in self.clients:
                runner.children[name].send_command(_LAST_TRADE)
            before = {name: self.tally.clients[name].volume for name in self.clients}

            def settled(before: Mapping[str, Volume] = before) -> bool:
                changed = all(self.tally.clients[name].volume != volume for name, volume in before.items())
                return changed and self.tally.agreed()

            if runner.wait_until(settled, _ROUND):
                self.settled = True
                return

    def _start_server(self, runner: Runner) -> None:
        options = self.options
        # The server's own chart needs no ticks. All clients have one address.
        arguments = ["run", "sentiment_server", "--speed=0.001", f"--seed={options.seed}"]
        limits = [f"--clients={2 * len(self.clients)}", f"--per-address={2 * len(self.clients)}"]
        runner.start(SERVER, [*arguments, *limits, f"--Port={options.Port}"], restart=True)
        late = f"the server has not started to listen within {_STARTING:.0f} s"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3, starting=True)
        runner.check_stop("before the server has started")
        # After a restart the server listens on the same port again.
        runner.children[SERVER].arguments.append(f"--Port={self.tally.port}")

    def _start_client(self, runner: Runner, number: int, name: str) -> None:
        options = self.options
        arguments = ["run", "sentiment_client", f"--url=ws://127.0.0.1:{self.tally.port}", f"--name={name}"]
        arguments += [f"--timer-ms={options.timer_ms}", f"--speed={options.speed}", f"--hold={self.pause}"]
        # With the same file, the clients trade at different ticks.
        arguments += [f"--pause={self.pause}", f"--strategy={options.every + number}"]
        arguments += source_arguments(options) or [f"--seed={options.seed + number}"]
        if options.Symbol is not None:
            arguments.append(f"--Symbol={options.Symbol}")
        if options.picture and not number:
            arguments.append(f"--picture={options.picture.absolute()}")
        runner.start(name, [*arguments, f"--account={self._account(name)}"], restart=True)


def account_volume(path: Path, symbol: str) -> Volume:
    """The volume of the positions in a symbol of a paper account.

    Errors: AccountError when the account cannot be read, or its deals and positions do not add up.
    """
    with closing(PaperAccount(path)) as account:
        lots = [Decimal(volume_text(p.volume, p.spec)) for p in account.positions() if p.spec.name == symbol]
    zero = Decimal(0)
    return Volume(sum((each for each in lots if each > 0), zero), sum((-each for each in lots if each < 0), zero))
