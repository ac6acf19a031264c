"""``python -m demos signal --study``: the article's server and clients in the job.

The article's programs write no events, and its server has no strategy. So the job reads their log lines, takes the
trades from the terminals' own deals, and trades itself, by commands on the server's standard input.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from demos.copier.job import CLIENTS, SignalJob, account_positions
from demos.copier.tally import SERVER, Client, Tally
from demos.launcher.children import Child
from demos.launcher.log_lines import CONNECTED, FIRST_TICK, listening_port
from demos.launcher.market_options import chosen_seed
from demos.launcher.runner import Runner
from demos.terminal.paper.market import speed_from_text

# Where the replay has no number of ticks a second, the commands come this often (seconds).
_INTERVAL = 0.2

# The largest position, in hundredths of a lot.
_MOST_VOLUMES = 5

# A replay can be over at once; then this many trades are made after its end.
_LEAST_TRADES = 10

# A command that has had no effect for this many turns was lost, as when the server was killed.
_MOST_WAITED = 20

# The article's client looks for a server every second, and takes one message at a time.
_LEAST_CATCHING_UP = 10.0


class StudyTally(Tally):
    """Takes log lines and deals. A copier's deal is matched with the newest trade that led to the same position."""

    def __init__(self, clients: Sequence[str]) -> None:
        super().__init__(clients)
        self._uncopied: dict[str, deque[tuple[int, str]]] = {name: deque() for name in clients}

    def take_line(self, name: str, text: str) -> None:
        """Take a line of the server's or a client's log."""
        if name == SERVER:
            self.port = listening_port(text) or self.port
        elif CONNECTED in text:
            self.clients[name].connected = True

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Take an event of the server's or a client's terminal."""
        if event["kind"] != "deal":
            return
        self.positions[name][event["symbol"]] = event["position"]
        if name == SERVER:
            self.trades += 1
            for uncopied in self._uncopied.values():
                uncopied.append((event["t"], event["position"]))
        else:
            self._take_copy(self.clients[name], event["t"], event["position"])

    def agreed(self) -> bool:
        """Whether each client has the server's position."""
        server = self._open_positions(SERVER)
        return all(self._open_positions(name) == server for name in self.clients)

    def _take_copy(self, client: Client, time: int, position: str) -> None:
        uncopied = self._uncopied[client.name]
        last = max((number for number, (_, each) in enumerate(uncopied) if each == position), default=None)
        if last is None:
            # A step on the way to a position, such as the close before a reversal.
            return
        client.lags.append((time - uncopied[0][0]) / 1e6)
        client.merged += last
        for _ in range(last + 1):
            uncopied.popleft()

    def _open_positions(self, name: str) -> dict[str, str]:
        return {symbol: lots for symbol, lots in self.positions[name].items() if Decimal(lots)}


class CommandTrader:
    """Trades by commands; the same seed gives the same sequence of positions."""

    def __init__(self, seed: int) -> None:
        # Of a seeded Random only random() gives the same numbers in every version of Python.
        self._chance = random.Random(seed)
        self._wanted: int | None = None
        self._waited = 0

    def next_command(self, position: Decimal) -> str | None:
        """The command that leads to the next position; None while the previous command has not been carried out."""
        current = round(position * 100)
        if self._wanted not in (None, current) and self._waited < _MOST_WAITED:
            self._waited += 1
            return None
        self._waited = 0
        self._wanted = current
        while self._wanted == current:
            self._wanted = int(self._chance.random() * (2 * _MOST_VOLUMES + 1)) - _MOST_VOLUMES
        if self._wanted == 0:
            return "close"
        difference = Decimal(self._wanted - current) / 100
        return f"{'buy' if difference > 0 else 'sell'} {abs(difference):.2f}"

    def forget_command(self) -> None:
        """The last command was refused, as by a restarted server without a quote: the next one need not wait for it."""
        self._wanted = None


class StudySignalJob(SignalJob):
    """The job with the article's programs."""

    server_program = "signal_server"
    client_program = "signal_client"

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.tally: StudyTally = StudyTally(CLIENTS)
        self.ticks_begun = False

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        super().prepare(folder, stack)
        for name in self.names:
            # The programs do not report with which position they start.
            if self.account(name).exists():
                self.tally.positions[name] = account_positions(self.account(name))
        self.trader = CommandTrader(chosen_seed(self.options))

    def server_arguments(self) -> list[str]:
        """The article's server has no inputs but Host and Port."""
        return []

    def trade(self, runner: Runner) -> None:
        """Send commands from the first quote on, as often as the product's strategy trades."""
        speed = speed_from_text(self.options.speed).per_second
        interval = self.options.every / speed if speed else _INTERVAL
        duration = self.options.duration
        end = math.inf if duration is None else runner.clock.monotonic() + duration
        runner.wait_until(lambda: self.ticks_begun, end - runner.clock.monotonic())
        while not runner.stopping and runner.clock.monotonic() < end and not self._is_over():
            command = self.trader.next_command(self._position())
            if command:
                runner.send_command(SERVER, command)
            runner.wait_until(lambda: False, min(interval, end - runner.clock.monotonic()))

    def catching_up(self, period: float) -> float:
        """See SignalJob."""
        return max(super().catching_up(period), _LEAST_CATCHING_UP)

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        super().take_line(child, text)
        self.tally.take_line(child.name, text)
        if child.name == SERVER and text.endswith(FIRST_TICK):
            self.ticks_begun = True
        if child.name == SERVER and text.startswith("error: "):
            self.trader.forget_command()
        if CONNECTED in text or listening_port(text):
            child.ready = True

    def message_counts(self, counted: Tally | Client) -> dict[str, int]:
        """The article's programs do not number their messages: nothing is counted."""
        return {}

    def _is_over(self) -> bool:
        return self.options.duration is None and self.ticks_over and self.tally.trades >= _LEAST_TRADES

    def _position(self) -> Decimal:
        return sum(map(Decimal, self.tally.positions[SERVER].values()), Decimal(0))
