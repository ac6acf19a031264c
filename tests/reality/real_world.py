"""Runs a scenario of demos/simulation on real hosts: its programs as processes, its faults, its invariants.

`RealWorld` has what a scenario uses of demos.simulation.world.World; `RealTerminal` and SimulatedTerminal are both a
TerminalRecord, which the scenario reads. The scenario itself is the same class. A second is a real second here.

Faults that a kernel without netem or a shared clock cannot have are refused: see `refused`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from demos.simulation.scenario import Violation
from demos.simulation.terminal_record import Event, LogLine, TerminalRecord
from demos.simulation.terminals import Setup
from winsock.simulation.faults import Fault
from winsock.simulation.random_streams import random_stream
from winsock.simulation.units import SECOND

from .namespaces import Namespaces

_SETTINGS = {"latency", "loss"}
_ENDING = 20.0  # seconds that a program has to end


def refused(faults: Sequence[Fault], hosts: Sequence[str]) -> str:
    """Why a script cannot run on these real hosts, each with a program of its name; "" if it can."""
    known = {*hosts, *(f"{host}/{host}" for host in hosts), "*"}
    for fault in faults:
        if fault.kind in ("reset", "nat_timeout", "clock_jump"):
            return f"{fault}: only a simulated network can do this"
        if fault.kind in ("heal", "appear", "restart", "thaw"):
            return f"{fault}: give the fault that it ends a duration with 'for'"
        if not known.issuperset(fault.targets):
            return f"{fault}: the hosts are {', '.join(hosts)}, and each has a program of its name"
        unknown = {name for name, _ in fault.settings} - _SETTINGS
        if unknown:
            return f"{fault}: a real network can only set {' and '.join(sorted(_SETTINGS))} here"
    return "" if faults else "the script has no faults"


class RealTerminal(TerminalRecord):
    """One program on a real host, and what it has written."""

    def __init__(self, name: str, host: str, setup: Setup, folder: Path, zero: float) -> None:
        """`folder` is for its files; `zero` is the time of the clock at the world's second 0."""
        super().__init__(name)
        self.host, self.setup = host, setup
        self.process: subprocess.Popen[str] | None = None
        self._folder, self._zero = folder, zero
        self._read = {"events": 0, "log": 0}

    @property
    def account(self) -> Path:
        """The file of the paper account."""
        return Path(self._path("account.sqlite"))

    def arguments(self) -> list[str]:
        """The command line after `python`, for one more start."""
        setup = self.setup
        inputs = [_option(name, value) for name, value in setup.inputs.items() if value is not False]
        return [
            "-m", "demos", "run", setup.program, *inputs, f"--account={self.account}",
            f"--events={self._path('events.jsonl')}", f"--log={self._path('log')}", f"--seed={setup.market}",
            f"--speed={setup.speed:g}", f"--data={self._path('data')}", f"--Symbol={setup.symbols[0]}",
        ]  # fmt: skip

    def read_files(self) -> None:
        """Take the events and the log lines that the program has written meanwhile."""
        for line in self._new_lines("events", "events.jsonl"):
            fields: dict[str, Any] = json.loads(line)
            moment, kind = fields.pop("t") / SECOND - self._zero, fields.pop("kind")
            self.add_event(Event(moment, self.starts, kind, fields))
        now = time.perf_counter() - self._zero
        self.log += [LogLine(now, self.starts, line) for line in self._new_lines("log", "log")]

    def _path(self, ending: str) -> str:
        return str(self._folder / f"{self.name}.{ending}")

    def _new_lines(self, what: str, ending: str) -> list[str]:
        path = Path(self._path(ending))
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read[what])
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read[what] += len(whole)
        return whole.decode().splitlines()


def _option(name: str, value: object) -> str:
    option = f"--{name.replace('_', '-')}"
    return option if value is True else f"{option}={value}"


class RealWorld:
    """See the head of this module."""

    def __init__(self, network: Namespaces, seed: int, folder: Path) -> None:
        self.seed, self.last_fault = seed, 0.0
        self.random = random_stream(seed, "scenario")
        self.hosts: dict[str, str] = {}
        self.terminals: dict[str, RealTerminal] = {}
        self._network, self._folder = network, folder
        self._zero = time.perf_counter()
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._rules: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def now(self) -> float:
        """Seconds since the start of the world."""
        return time.perf_counter() - self._zero

    def host(self, name: str) -> str:
        """The namespaces exist already; this only checks that."""
        assert name in self._network.hosts
        self.hosts[name] = name
        return name

    def terminal(self, name: str, host: str, setup: Setup) -> RealTerminal:
        """Start a program on a host."""
        terminal = self.terminals[name] = RealTerminal(name, host, setup, self._folder, self._zero)
        self._start(terminal)
        return terminal

    def check_handles(self, most: int) -> Iterator[Violation]:
        """Each process has at most this many sockets."""
        for terminal in self.terminals.values():
            process = terminal.process
            if process is None or process.poll() is not None:
                continue
            links = [_link(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()]
            sockets = sum(each.startswith("socket:") for each in links)
            if sockets > most:
                yield Violation("handles stay bounded", f"{terminal.name} has {sockets} sockets, more than {most}")

    def begin(self, fault: Fault) -> Callable[[], None] | None:
        """Let a fault begin; what ends it, if it lasts."""
        begin: Callable[[Fault], Callable[[], None] | None] = getattr(self, f"_{fault.kind}")
        return begin(fault)

    def read_files(self) -> None:
        """Take what all programs have written."""
        for terminal in self.terminals.values():
            terminal.read_files()
            process = terminal.process
            terminal.exit_code = None if process is None else process.poll()

    def end(self) -> None:
        """End all programs as by Ctrl-C, and check their accounts."""
        for terminal in self.terminals.values():
            if terminal.process is not None:
                terminal.process.send_signal(signal.SIGINT)
        for terminal in self.terminals.values():
            if terminal.process is not None:
                terminal.process.wait(_ENDING)
        self.read_files()
        for terminal in self.terminals.values():
            terminal.check_account(terminal.account, terminal.setup.symbols)

    def close(self) -> None:
        """End what still runs."""
        for terminal in self.terminals.values():
            self._kill_process(terminal)

    def _start(self, terminal: RealTerminal) -> None:
        terminal.starts += 1
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        terminal.process = self._network.start(terminal.host, terminal.arguments(), **quiet)

    def _kill_process(self, terminal: RealTerminal) -> None:
        process, terminal.process = terminal.process, None
        if process is not None:
            process.kill()
            process.wait()
        terminal.read_files()

    def _on(self, target: str) -> list[RealTerminal]:
        """The terminals of a target: HOST, or HOST/PROCESS."""
        host, _, name = target.partition("/")
        return [each for each in self.terminals.values() if each.host == host and name in ("", each.name)]

    def _drop(self, directions: Sequence[tuple[str, str]]) -> Callable[[], None]:
        def change(by: int) -> None:
            for each in directions:
                self._dropped[each] += by
                self._apply(each)

        change(1)
        return lambda: change(-1)

    def _apply(self, direction: tuple[str, str]) -> None:
        rule = self._rules.get(direction, {})
        self._network.set_direction(*direction, **rule, drop=self._dropped[direction] > 0)

    def _partition(self, fault: Fault) -> Callable[[], None]:
        return self._drop(self._directions(fault, both=True))

    def _partition_one_way(self, fault: Fault) -> Callable[[], None]:
        return self._drop(self._directions(fault, both=False))

    def _vanish(self, fault: Fault) -> Callable[[], None]:
        (host,) = fault.targets
        return self._drop([pair for other in self.hosts if other != host for pair in ((host, other), (other, host))])

    def _rule(self, fault: Fault) -> Callable[[], None]:
        return self._set_rule(fault, self._directions(fault, both=True))

    def _rule_one_way(self, fault: Fault) -> Callable[[], None]:
        return self._set_rule(fault, self._directions(fault, both=False))

    def _set_rule(self, fault: Fault, directions: Sequence[tuple[str, str]]) -> Callable[[], None]:
        def change(rule: dict[str, Any]) -> None:
            for each in directions:
                self._rules[each] = rule
                self._apply(each)

        change(dict(fault.settings))
        return lambda: change({})

    def _directions(self, fault: Fault, *, both: bool) -> list[tuple[str, str]]:
        first, second = fault.targets
        others = [each for each in self.hosts if each != first] if second == "*" else [second]
        there = [(first, other) for other in others]
        return there + ([(other, first) for other in others] if both else [])

    def _freeze(self, fault: Fault) -> Callable[[], None]:
        terminals = self._on(fault.targets[0])
        self._signal(terminals, signal.SIGSTOP)
        return lambda: self._signal(terminals, signal.SIGCONT)

    def _signal(self, terminals: Sequence[RealTerminal], number: signal.Signals) -> None:
        for each in terminals:
            if each.process is not None:
                each.process.send_signal(number)

    def _kill(self, fault: Fault) -> Callable[[], None]:
        terminals = self._on(fault.targets[0])
        for each in terminals:
            self._kill_process(each)
        return lambda: [self._start(each) for each in terminals] and None

    def _crash(self, fault: Fault) -> Callable[[], None]:
        (host,) = fault.targets
        heal = self._vanish(fault)
        terminals = self._on(host)
        for each in terminals:
            self._kill_process(each)
        # With its namespace the kernel's sockets go without a FIN.
        self._network.remove(host)

        def restart() -> None:
            self._network.make(host)
            heal()
            for each in terminals:
                self._start(each)

        return restart


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
