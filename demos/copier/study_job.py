"""``python -m demos signal --study``: the article's server and clients in the job.

The article's programs write no events, and its server has no strategy. So the job reads their log lines, takes the
trades from the terminals' own deals, and trades itself, by commands on the server's standard input.
"""

from __future__ import annotations

import math
import random
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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

# The first word of a command's answer.
_ANSWER = re.compile(r"(done|error): ")


class StudyTally(Tally):
    """Takes log lines and deals. A copier's deal is matched with the newest trade that led to the same position.

    A copier's deal waits for the server's first later deal: then all earlier ones are known, in whatever order the
    processes' events arrive.
    """

    def __init__(self, clients: Sequence[str]) -> None:
        super().__init__(clients)
        # Times and positions of the server's trades that are not copied, and of deals that are not matched yet.
        self._uncopied: dict[str, deque[tuple[int, str]]] = {name: deque() for name in clients}
        self._unmatched: dict[str, deque[tuple[int, str]]] = {name: deque() for name in clients}
        self._server_time = -math.inf

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
            self._server_time = event["t"]
            for client, uncopied in self._uncopied.items():
                uncopied.append((event["t"], event["position"]))
                self._match(client)
        else:
            self._unmatched[name].append((event["t"], event["position"]))
            self._match(name)

    def finish(self) -> None:
        """See Tally."""
        self._server_time = math.inf
        for name in self.clients:
            self._match(name)

    def agreed(self) -> bool:
        """Whether each client has the server's position."""
        server = self._open_positions(SERVER)
        return all(self._open_positions(name) == server for name in self.clients)

    def _match(self, name: str) -> None:
        """Match the client's deals from before the server's last known deal."""
        unmatched = self._unmatched[name]
        while unmatched and unmatched[0][0] < self._server_time:
            self._take_copy(self.clients[name], *unmatched.popleft())

    def _take_copy(self, client: Client, time: int, position: str) -> None:
        uncopied = self._uncopied[client.name]
        copied = [number for number, (since, each) in enumerate(uncopied) if each == position and since < time]
        if not copied:
            # A step on the way to a position, such as the close before a reversal.
            return
        client.lags.append((time - uncopied[0][0]) / 1e6)
        client.merged += copied[-1]
        for _ in range(copied[-1] + 1):
            uncopied.popleft()

    def _open_positions(self, name: str) -> dict[str, str]:
        return {symbol: lots for symbol, lots in self.positions[name].items() if Decimal(lots)}


class CommandTrader:
    """Trades by commands; the same seed gives the same sequence of positions.

    The next command waits for the answer to the one before: only then is its effect on the position known.
    """

    def __init__(self, seed: int) -> None:
        # Of a seeded Random only random() gives the same numbers in every version of Python.
        self._chance = random.Random(seed)
        self._unanswered = False
        self._largest = _MOST_VOLUMES
        self._last = 0

    def next_command(self, position: Decimal) -> str | None:
        """The command that leads to the next position; None while the previous command has no answer."""
        if self._unanswered:
            return None
        current = self._note(position)
        wanted = current
        while wanted == current:
            wanted = int(self._chance.random() * (2 * _MOST_VOLUMES + 1)) - _MOST_VOLUMES
        return self._command(wanted, current)

    def last_command(self, position: Decimal) -> str | None:
        """The command to a position larger than all before; None while the previous command has no answer.

        A client that reaches this position has taken the last message: no earlier one has stated it.
        """
        if self._unanswered:
            return None
        current = self._note(position)
        self._last = self._last or self._largest + 1
        return self._command(self._last, current)

    def has_last(self, position: Decimal) -> bool:
        """Whether this is the position of last_command()."""
        return self._last == round(position * 100)

    def take_answer(self) -> None:
        """The last command was executed or refused, or its server has ended: the next one need not wait for it."""
        self._unanswered = False

    def _note(self, position: Decimal) -> int:
        current = round(position * 100)
        self._largest = max(self._largest, abs(current))
        return current

    def _command(self, wanted: int, current: int) -> str:
        self._unanswered = True
        if wanted == 0:
            return "close"
        difference = Decimal(wanted - current) / 100
        return f"{'buy' if difference > 0 else 'sell'} {abs(difference):.2f}"


class StudySignalJob(SignalJob):
    """The job with the article's programs."""

    server_program = "signal_server"
    server_port = "--Port"
    client_program = "signal_client"
    client_arguments = ()

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.tally: StudyTally = StudyTally(CLIENTS)
        self.ticks_begun = False
        self.restarts = 0

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
            self._send(runner, self.trader.next_command)
            runner.wait_until(lambda: False, min(interval, end - runner.clock.monotonic()))

    def has_copied_all(self, runner: Runner) -> bool:
        """See SignalJob. Trades to the last position first."""
        if self.tally.trades and not self.trader.has_last(self._position()):
            self._send(runner, self.trader.last_command)
            return False
        return self.tally.agreed()

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        super().take_line(child, text)
        self.tally.take_line(child.name, text)
        if child.name == SERVER and text.endswith(FIRST_TICK):
            self.ticks_begun = True
        if child.name == SERVER and _ANSWER.match(text):
            self.trader.take_answer()
        if CONNECTED in text or listening_port(text):
            child.ready = True

    def message_counts(self, counted: Tally | Client) -> dict[str, int]:
        """The article's programs do not number their messages: nothing is counted."""
        return {}

    def _send(self, runner: Runner, next_command: Callable[[Decimal], str | None]) -> None:
        """Send the next command, if it need not wait for an answer."""
        restarts = runner.children[SERVER].restarts
        if restarts != self.restarts:
            # The answer was lost with the process.
            self.restarts = restarts
            self.trader.take_answer()
        command = next_command(self._position())
        if command:
            runner.send_command(SERVER, command)

    def _is_over(self) -> bool:
        return self.options.duration is None and self.ticks_over and self.tally.trades >= _LEAST_TRADES

    def _position(self) -> Decimal:
        return sum(map(Decimal, self.tally.positions[SERVER].values()), Decimal(0))
