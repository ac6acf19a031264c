"""A terminal with one registered program in a simulated process, and what it has done, for the scenario.

The terminal is the embedded one of ``python -m demos run``: a market of random ticks, a paper account on the host's
disk, and the program's inputs. Its clock is the simulation's. The log and the events are kept in memory, over all
starts of the terminal: a host that crashes and restarts starts it again, with the account and the files as they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Protocol

from demos.registry import entry_of, find_program
from demos.simulation.calls import IsWhole, PartialSends, counted
from demos.simulation.clock import SimulatedClock
from demos.simulation.process_context import process_context
from demos.simulation.program_limits import ProgramLimits
from demos.simulation.terminal_record import Event, LogLine, TerminalRecord
from demos.terminal.charts import operations
from demos.terminal.charts.template import to_bytes
from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mql.constants import PERIOD_H1
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.market import ReplayMarket, Speed, random_walk
from demos.terminal.runtime.files import DataFolder
from demos.terminal.runtime.log import Log
from demos.terminal.runtime.programs import forget_program
from demos.terminal.terminal import COMMAND_GROUPS, Terminal
from winsock.simulation.dispatch import running_process
from winsock.simulation.units import SECOND


class TerminalHost(Protocol):
    """What a terminal needs of its host: a name, and a folder that survives a crash."""

    name: str

    @property
    def disk(self) -> Path: ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a terminal is started.

    ``speed`` is ticks per second, ``market`` the seed of the random walk, ``timer_ms`` the period of every timer or
    None for the program's own. ``commands`` are lines as on standard input, each with the second of the simulation at
    which it is executed. ``end`` is the second at which the terminal ends as by Ctrl-C; None: the world's end.
    ``symbols`` are those that the market quotes; the chart shows the first one. ``is_whole``: whether the bytes that a
    connection has received end with a whole message, to count the connections that end inside one. ``exit_codes`` are
    those with which the program may end; any other one breaks an invariant. ``partial_sends`` is the probability that a
    send takes only a part of its bytes. Inside the ``contexts`` the program runs: they replace what this program alone
    takes from the real world. ``prepare`` gets the terminal before its program is loaded. ``limits``: what the program
    may hold; None: what it likes.
    """

    program: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    symbols: Sequence[str] = ("EURUSD",)
    speed: float = 1.0
    market: int = 1
    timer_ms: int | None = None
    period: int = PERIOD_H1
    commands: Sequence[tuple[float, str]] = ()
    end: float | None = None
    is_whole: IsWhole | None = None
    exit_codes: Collection[int] = (0,)
    partial_sends: float = 0.0
    contexts: Sequence[Callable[[], AbstractContextManager[object]]] = ()
    prepare: Callable[[Terminal], None] | None = None
    limits: ProgramLimits | None = None


class SimulatedTerminal(TerminalRecord):
    """See the head of this module. ``run`` is what the process calls; everything else is for the main thread."""

    def __init__(
        self, name: str, host: TerminalHost, setup: Setup, end: float, partial: Callable[[float], PartialSends]
    ) -> None:
        """``end``: the second of the simulation at which it ends, if the setup does not say so.

        ``partial`` gives the partial sends for the setup's probability.
        """
        super().__init__(name)
        self.host, self.setup = host, setup
        self.answers: list[str] = []
        # The running program's module, whose globals a scenario may read; None while the terminal does not run.
        self.module: ModuleType | None = None
        self._commands: deque[tuple[float, str]] = deque(sorted(setup.commands))
        self._program = find_program(setup.program)
        self._partial = partial(setup.partial_sends)
        self._end = setup.end if setup.end is not None else end

    @property
    def account(self) -> Path:
        """The file of the paper account."""
        return self.host.disk / f"{self.name}.account.sqlite"

    @property
    def data(self) -> Path:
        """The terminal's data folder."""
        return self.host.disk / f"{self.name}.data"

    @property
    def template(self) -> Path:
        """The file with the chart's template, which the terminal writes at its end unless it was killed."""
        return self.host.disk / f"{self.name}.tpl"

    @property
    def is_running(self) -> bool:
        """Whether the program is loaded and has not ended."""
        return self.module is not None

    def command(self, line: str) -> None:
        """Have a command executed in the terminal's next turn."""
        self._commands.appendleft((0.0, line))

    def run(self) -> None:
        """Run the terminal in the process that calls this."""
        self.starts += 1
        self.exit_code = None
        process = running_process()
        process.winsock = counted(process.winsock, self.counts, self.setup.is_whole, self._partial, self._keep_tail)
        clock = SimulatedClock()
        try:
            with ExitStack() as stack:
                stack.enter_context(process_context())
                for context in self.setup.contexts:
                    stack.enter_context(context())
                terminal = self._terminal(clock, stack)
                clock.on_kill = terminal.event_loop.abandon
                if self.setup.prepare is not None:
                    self.setup.prepare(terminal)
                inputs = dict(self.setup.inputs)
                chart = terminal.attach(self._program, self.setup.symbols[0], self.setup.period, inputs)
                self.module = chart.module
                if not chart.is_expert:
                    # A script runs before the event loop, which would end it. It waits in Sleep, without a socket.
                    end = process.scheduler.call_at(round(self._end * SECOND), terminal.stop)
                    stack.callback(end.cancel)
                self.exit_code = terminal.run(max(self._end - clock.monotonic(), 0.0))
                self.template.write_bytes(to_bytes(operations.template_of(terminal, chart.id)))
        finally:
            if self.module is not None:
                # The event loop has not removed the program if it was killed.
                forget_program(self.module)
            self.module = None
            self.check_account(self.account, self.setup.symbols, clock)

    def _keep_tail(self, data: bytes) -> None:
        self.tails.append((running_process().monotonic(), data))

    def _terminal(self, clock: SimulatedClock, stack: ExitStack) -> Terminal:
        setup = self.setup
        start = self.starts
        entry = entry_of(setup.program)
        specs = [SymbolSpec(symbol) for symbol in setup.symbols]
        market = ReplayMarket(specs, random_walk(specs, setup.market), Speed(per_second=setup.speed))
        account = stack.enter_context(closing(PaperAccount(self.account, clock=clock)))

        def keep(line: str) -> str:
            self.log.append(LogLine(clock.monotonic(), start, line.rstrip("\n")))
            return ""

        terminal = Terminal(
            clock,
            market,
            account,
            Log(clock, None, limited=True, file=keep),
            events=_Recorder(clock, self),
            data=DataFolder(self.data),
            timer_ms=setup.timer_ms,
            answer=self.answers.append,
            command_groups=entry.commands if entry else tuple(COMMAND_GROUPS),
        )
        terminal.event_loop.add_source(_Commands(self._commands, terminal.post))
        return terminal


class _Recorder:
    """Takes the events of one start of a terminal."""

    def __init__(self, clock: SimulatedClock, terminal: SimulatedTerminal) -> None:
        self._clock, self._terminal, self._start = clock, terminal, terminal.starts

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """See EventRecorder."""
        self._terminal.add_event(Event(self._clock.monotonic(), self._start, kind, fields))


class _Commands:
    """A source of the event loop: the commands whose time has come."""

    def __init__(self, commands: deque[tuple[float, str]], post: Callable[[str], None]) -> None:
        self._commands, self._post = commands, post

    def start(self, now: float) -> None:
        """See EventSource. A command whose time was over before this start is not executed."""
        while self._commands and self._commands[0][0] < now:
            self._commands.popleft()

    def next_due(self) -> float | None:
        """See EventSource."""
        return self._commands[0][0] if self._commands else None

    def poll(self, now: float) -> None:
        """See EventSource."""
        while self._commands and self._commands[0][0] <= now:
            self._post(self._commands.popleft()[1])
