"""A simulated host: its addresses, its kernel, its processes, its clock and its disk.

The kernel and the processes exist from the host's start to its crash. The kernel reaches the rest of the simulation
through a `_Machine`, which is switched off in a crash: then its timers do nothing, and what the ended processes close
sends nothing. A restart makes a new kernel, which knows no connection and answers packets of old ones with RST.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from .errors import SimulationError
from .faults import is_name
from .kernel.addresses import Interface
from .kernel.files import Files
from .kernel.packets import Packet
from .kernel.stack import Stack
from .posix import posix_modules
from .process import Process
from .scheduler import Scheduler
from .timeline import Timer

__all__ = ["Host", "Surroundings"]


class Surroundings(Protocol):
    """What a host needs of its network."""

    scheduler: Scheduler
    tcp_user_timeout: int  # nanoseconds

    def check_open(self) -> None: ...
    def random_stream(self, name: str) -> Random: ...
    def transmit(self, host: Host, packet: Packet) -> None: ...
    def record(self, host: str, text: str) -> None: ...
    def addresses_of(self, name: str) -> list[bytes]: ...
    def name_of(self, ip: bytes) -> str | None: ...
    def check_program(self, program: Callable[..., Any]) -> None: ...
    def process_started(self, process: Process) -> None: ...
    def process_ended(self, process: Process) -> None: ...
    def attach(self, process: Process) -> None: ...
    def detach(self, process: Process) -> None: ...


class _Machine:
    """What a kernel sees of the simulation, from a start of the host to its crash."""

    def __init__(self, network: Surroundings, host: Host, random: Random) -> None:
        self._network, self._host, self.random = network, host, random
        self.on = True

    @property
    def now(self) -> int:
        return self._network.scheduler.now

    def call_at(self, time: int, action: Callable[[], None]) -> Timer:
        return self._network.scheduler.call_at(time, lambda: action() if self.on else None, background=True)

    def transmit(self, packet: Packet) -> None:
        if self.on:
            self._network.transmit(self._host, packet)

    def record(self, text: str) -> None:
        if self.on:
            self._network.record(self._host.name, text)


@dataclass(frozen=True)
class _Program:
    """What start() was called with."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    name: str
    restart: bool
    may_fail: bool


class Host:
    """Made by `Network.host`."""

    def __init__(
        self, network: Surroundings, name: str, interfaces: tuple[Interface, ...], utc_ns: int, disk: Callable[[], Path]
    ) -> None:
        self.name, self.interfaces = name, interfaces
        self.processes: list[Process] = []
        self.vanished = False
        self.up = False
        self._network = network
        self._utc_start = utc_ns
        self._disk = disk
        self._uses: Counter[str] = Counter()
        self._programs: dict[str, _Program] = {}
        self._frozen: set[str] = set()  # the names of the frozen processes; "" is the whole host
        self.boot()

    @property
    def target(self) -> str:
        """The name of the host in faults."""
        return self.name

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler of the network, which has the simulated time."""
        return self._network.scheduler

    @property
    def reachable(self) -> bool:
        return self.up and not self.vanished

    @property
    def disk(self) -> Path:
        """The folder with the only files that the host's processes may use. A crash keeps it."""
        return self._disk()

    def utc_ns(self) -> int:
        """The host's clock, in nanoseconds since 1970 UTC."""
        return self._utc_start + self._network.scheduler.now

    def jump(self, nanoseconds: int) -> None:
        """Changes the host's clock."""
        self._utc_start += nanoseconds

    def start(
        self,
        program: Callable[..., Any],
        *args: Any,
        name: str = "",
        restart: bool = False,
        may_fail: bool = False,
    ) -> Process:
        """Starts a process that calls `program` with `args`, with a Winsock of its own.

        `name` is the process's, by default the function's. After a crash the program starts again if `restart` is true.
        An exception of the program ends the process; `Network.run` raises it unless the process `may_fail`.

        Errors: SimulationError if the host is switched off or its network is not open, if the name is invalid or that
        of a process that runs, if the program holds the calls of the real Winsock, or if it is a coroutine or generator
        function.
        """
        if not callable(program):
            raise SimulationError(f"invalid program: {program!r}; give a function")
        if inspect.iscoroutinefunction(program) or inspect.isgeneratorfunction(program):
            raise SimulationError(f"invalid program: {program!r}: a call of it runs nothing; give a plain function")
        name = name or self._free_name(getattr(program, "__name__", type(program).__name__))
        if self.process(name) is not None:
            raise SimulationError(f"a process {name!r} runs on host {self.name}: give another name")
        self._network.check_program(program)
        started = _Program(program, args, name, restart, may_fail)
        process = self._run(started)
        self._programs[name] = started
        return process

    @contextmanager
    def attached(self, name: str = "main") -> Iterator[Process]:
        """Within the block, the calls of the test itself are those of a process of this host.

        Errors: SimulationError if the host is switched off, if its network is not open, or in a simulated process.
        """
        process = self._new_process(name)
        try:
            self._network.attach(process)
        except SimulationError:
            self.processes.remove(process)
            raise
        try:
            yield process
        finally:
            process.kill()
            self._network.detach(process)
            self.process_ended(process)

    def process(self, name: str) -> Process | None:
        """The running process of a name."""
        return next((process for process in self.processes if process.name == name and not process.ended), None)

    def program_names(self) -> list[str]:
        """The names of the processes that start() has started."""
        return list(self._programs)

    def knows(self, name: str) -> bool:
        """Whether a process of this name runs or has run."""
        return name in self._programs or self.process(name) is not None

    # What faults do.

    def vanish(self, vanished: bool) -> None:
        self.vanished = vanished

    def boot(self) -> None:
        """Switches the host on and starts its programs again. Does nothing if it is on."""
        if self.up:
            return
        network = self._network
        network.check_open()
        self._machine = _Machine(network, self, self._stream(f"network/{self.name}"))
        self.stack = Stack(self._machine, self.name, self.interfaces, network.addresses_of, network.name_of)
        self.stack.tcp.user_timeout = network.tcp_user_timeout
        self.stack.set_record(self._machine.record)
        self.up = True
        for program in self._programs.values():
            if program.restart:
                self._run(program)

    def crash(self) -> None:
        """Switches the host off. Does nothing if it is off."""
        if self.up:
            self.up = self._machine.on = False
            self.stack.crash()
            for process in list(self.processes):
                process.kill()

    def kill(self, name: str) -> list[str]:
        """Ends a process, or all if the name is empty; returns the names of the programs that it has ended."""
        killed = [process for process in self.processes if not process.ended and name in ("", process.name)]
        for process in killed:
            process.kill()
        return [process.name for process in killed]

    def start_again(self, names: list[str]) -> None:
        """Starts programs again that were killed."""
        for name in names:
            if self.up and self.process(name) is None and name in self._programs:
                self._run(self._programs[name])

    def freeze(self, name: str) -> None:
        """Stops a process, or all if the name is empty."""
        self._frozen.add(name)
        self._apply_freezes()

    def thaw(self, name: str) -> None:
        """Undoes freeze()."""
        self._frozen.discard(name)
        self._apply_freezes()

    def _apply_freezes(self) -> None:
        for process in self.processes:
            if process.task is not None and not process.ended:
                frozen = "" in self._frozen or process.name in self._frozen
                for task in process.tasks:
                    (self._network.scheduler.freeze if frozen else self._network.scheduler.thaw)(task)

    # What the processes and the wires need.

    def receive(self, packet: Packet) -> None:
        self.stack.receive(packet)

    def open_files(self, wake: Callable[[], None], owner: str) -> Files:
        return self.stack.open_files(wake, owner)

    def posix_modules(self, files: Any, wait: Callable[[int | None, Callable[[], str]], bool]) -> dict[str, object]:
        return posix_modules(self.stack, files, wait)

    def process_ended(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            self._network.process_ended(process)

    def _run(self, program: _Program) -> Process:
        process = self._new_process(program.name)
        try:
            process.start(program.function, *program.args, may_fail=program.may_fail)
        except RuntimeError:  # the system has no thread left
            self.processes.remove(process)
            raise
        self._network.process_started(process)
        self._apply_freezes()
        return process

    def _new_process(self, name: str) -> Process:
        self._network.check_open()
        if not is_name(name):
            raise SimulationError(f"invalid name of a process: {name!r}; faults name it: give no space, #, /, = or *")
        if not self.up:
            raise SimulationError(f"host {self.name} is switched off: no process can start")
        network = self._network
        process = Process(network.scheduler, self, name, self._stream(f"program/{self.name}/{name}"))
        self.processes.append(process)
        return process

    def _stream(self, name: str) -> Random:
        """A random stream; after a restart, a program gets other numbers than before."""
        self._uses[name] += 1
        return self._network.random_stream(name if self._uses[name] == 1 else f"{name}/{self._uses[name]}")

    def _free_name(self, name: str) -> str:
        """The name, with a number if a program has it."""
        number, free = 1, name
        while self.knows(free):
            number += 1
            free = f"{name}-{number}"
        return free
