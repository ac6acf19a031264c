"""A simulated network: hosts, links, faults and time. notes/simulation.md teaches how to use it.

A network is open in a `with` block. While it is open, the calls of `winsock` are those of the process that runs:
`dispatch` finds it. The thread of the block is a task of the scheduler like those of the processes. It runs at first,
and the simulated time stands still until it waits: in `run`, or in a blocking call within `host.attached()`.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

from .addressing import AddressBook
from .call_traces import CallTraces
from .errors import SimulationError
from .faults import format_seconds
from .faulty_network import FaultyNetwork
from .guards import guarded
from .hosts import Host
from .kernel.packets import Packet
from .links import LinkSettings, checked_settings
from .netstat import netstat
from .process import Process
from .programs import Checked, check_packages, check_program, loaded_separately
from .random_streams import random_stream
from .scheduler import Scheduler, Task
from .units import SECOND
from .values import is_number, nanoseconds
from .wires import Wires

__all__ = ["Network"]

# A Monday, so that markets are open.
_START = datetime(2026, 1, 5, tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# The open networks, the innermost last.
_networks: list[Network] = []


class Network(FaultyNetwork):
    """Hosts, links and faults with one simulated clock. The methods of `FaultMethods` inject faults now."""

    def __init__(
        self,
        seed: int | str = 0,
        *,
        start: datetime = _START,
        programs: Collection[str] = (),
        tcp_user_timeout: float = 20,
        **default_link: float | int | bool | None,
    ) -> None:
        """`seed` decides everything that is random; `start`, with a time zone, is the first time of the hosts' clocks.

        `programs` are packages whose modules import Winsock's functions by name: while the network is open, they are
        loaded separately, so import them within its block. A connection whose data is not acknowledged for
        `tcp_user_timeout` seconds fails, by default about as on Windows. `default_link` are the settings of every link
        that has no settings of its own, such as latency=0.02.

        Errors: SimulationError for an invalid value, or an unknown setting of a link.
        """
        _check_settings(seed, start, programs, tcp_user_timeout)
        check_packages(programs)
        scheduler = Scheduler(random_stream(seed, "scheduling"))
        super().__init__(seed, scheduler, Wires(seed, scheduler, checked_settings(LinkSettings(), default_link)))
        self.tcp_user_timeout = round(tcp_user_timeout * SECOND)
        self._addresses = AddressBook()
        self._utc_start = (start - _EPOCH) // timedelta(microseconds=1) * 1000
        self._processes: dict[Task, Process] = {}
        self._attached: list[Process] = []
        self._call_traces: list[CallTraces] = []
        self._programs = programs
        self._checked: Checked = {}
        self._resources = ExitStack()
        self._open = False

    def __enter__(self) -> Network:
        if self._open:
            raise SimulationError("the network is open: leave its block before it is entered again")
        self._resources.enter_context(guarded(self._running_process))
        self._resources.enter_context(loaded_separately(self._programs))
        self._open = True
        _networks.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._open:
            return
        later = _networks[_networks.index(self) + 1 :]
        inner = [network for network in later if network.scheduler.main.thread is self.scheduler.main.thread]
        for network in reversed(inner):
            network._close()
        self._close()
        if inner and error is None:
            raise SimulationError("an outer network was closed before an inner one: close the innermost one first")
        _raise_unseen(self.scheduler.errors, error)

    def _close(self) -> None:
        self._open = False
        _networks.remove(self)
        self._observers.clear()
        with self._resources:
            self.scheduler.close()

    def check_open(self) -> None:
        """Errors: SimulationError outside of the `with` block, where a process would call the real Winsock."""
        if not self._open:
            raise SimulationError("the network is not open: use `with Network() as net:`")

    @property
    def now(self) -> float:
        """Seconds since the start of the simulation."""
        return self.scheduler.now / SECOND

    # Hosts and links.

    def host(self, name: str, *addresses: str, disk: Path | None = None) -> Host:
        """Adds a host. Without addresses it gets the next one of 10.0.0.0/16 and of fd00::/64.

        An address may have a prefix length, as in "192.168.1.5/24"; otherwise it is 16, of IPv6 64. Every host reaches
        every other one. `disk` is the folder of the host's files; without it, a temporary one that the end removes.

        Errors: SimulationError if the name or an address is invalid or exists, if `disk` is no Path, or outside of the
        network's block.
        """
        self.check_open()
        for text in (name, *addresses):
            if not isinstance(text, str):
                raise SimulationError(f"invalid name or address of a host: {text!r}; give a str")
        if disk is not None and not isinstance(disk, Path):
            raise SimulationError(f"invalid disk: {disk!r}; give the Path of a folder")
        interfaces = self._addresses.add(name, addresses)
        host = Host(self, name, interfaces, self._utc_start + self.scheduler.now, self._disk_of(name, disk))
        self.hosts[name] = host
        self._wires.attach(host)
        return host

    def link(
        self, first: Host | str, second: Host | str, *, one_way: bool = False, **settings: float | int | bool | None
    ) -> None:
        """Sets the link of two hosts, in both directions or only from `first` to `second`; see `LinkSettings`.

        A setting that is not given is that of the default link.

        Errors: SimulationError for an unknown host or setting, or an invalid value.
        """
        source, target = self._name(first), self._name(second)
        if source == target:
            raise SimulationError(f"a link takes two different hosts: {source!r} is given twice")
        self._wires.set_link(source, target, settings)
        if not one_way:
            self._wires.set_link(target, source, settings)

    @property
    def default_link(self) -> LinkSettings:
        """The settings of every link that has no settings of its own; it can be set.

        Errors: SimulationError if it is set to something else than LinkSettings.
        """
        return self._wires.default

    @default_link.setter
    def default_link(self, settings: LinkSettings) -> None:
        if not isinstance(settings, LinkSettings):
            raise SimulationError(f"invalid default_link: {settings!r}; give LinkSettings")
        self._wires.set_default(settings)

    # Time.

    def run(self, seconds: float | None = None) -> None:
        """Lets the processes run for a simulated time, or until every process has ended.

        What happens at the last moment of that time happens too; run(0) gives each process that can run its turn.

        Errors: the exception of a process that may not fail; NothingCanHappen if processes wait for something that
        cannot happen any more; SimulationError if `seconds` is negative or infinite, or the network is not open.
        """
        self.check_open()
        scheduler = self.scheduler
        scheduler.check_not_given_up()
        if scheduler.internal or scheduler.current is not scheduler.main:
            raise SimulationError("only the test may run the network; a process waits with sleep() or in a call")
        scheduler.check(scheduler.main)
        if seconds is None:
            while self._processes:
                self.scheduler.wait(None, lambda: "waits until every process has ended")
            return
        deadline = scheduler.now + nanoseconds("time", seconds)

        def reason() -> str:
            return f"runs the network until {format_seconds(deadline)} s"

        while self.scheduler.now < deadline:
            self.scheduler.wait(deadline, reason)
        # The scheduler takes this event after the others of the same time, and when no process can run.
        self.scheduler.call_at(deadline, lambda: self.scheduler.wake(self.scheduler.main))
        self.scheduler.wait(None, reason)

    def call_at(self, seconds: float, action: Callable[[], None]) -> None:
        """Calls `action` at a time in seconds. It must not wait, and makes no calls of winsock.

        Errors: SimulationError if the time is no number, or the action no function.
        """
        if not callable(action):
            raise SimulationError(f"invalid action: {action!r}; give a function without parameters")
        self.scheduler.call_at(nanoseconds("time", seconds, negative=True), action)

    # What happens.

    def trace_calls(self, folder: Path) -> None:
        """From now on writes the calls of each process to a file in `folder`, for `python -m winsock.trace picture`.

        Errors: OSError if a file cannot be created. SimulationError if the folder is no Path.
        """
        if not isinstance(folder, Path):
            raise SimulationError(f"invalid folder: {folder!r}; give a Path")
        traces = CallTraces(folder, self._utc_start)
        self._resources.callback(traces.close)
        self._call_traces.append(traces)
        for process in [*self._processes.values(), *self._attached]:
            traces.add(process)

    def netstat(self, host: Host | str) -> str:
        """The sockets of a host as a table, like the command netstat. Errors: SimulationError for an unknown host."""
        chosen = self.hosts[self._name(host)]
        return netstat(chosen.stack.sockets() if chosen.up else ())

    # What hosts need.

    def random_stream(self, name: str) -> Random:
        """A random stream of the seed. A stream does not depend on the use of others."""
        return random_stream(self.seed, name)

    def transmit(self, host: Host, packet: Packet) -> None:
        self._wires.transmit(host, packet)

    def addresses_of(self, name: str) -> list[bytes]:
        return self._addresses.addresses_of(name)

    def name_of(self, ip: bytes) -> str | None:
        return self._addresses.name_of(ip)

    def check_program(self, program: Callable[..., Any]) -> None:
        self.check_open()
        check_program(program, self._checked)

    def process_started(self, process: Process) -> None:
        self._trace_calls_of(process)
        if process.task is not None:
            self._processes[process.task] = process
            self.record(process.host.name, f"process {process.name} starts")

    def process_ended(self, process: Process) -> None:
        self.record(process.host.name, f"process {process.name} {'was killed' if process.killed else 'ended'}")
        for traces in self._call_traces:
            traces.end(process)
        if process.task is not None:
            self._processes.pop(process.task, None)
            self.scheduler.wake(self.scheduler.main)

    def attach(self, process: Process) -> None:
        self.scheduler.check_not_given_up()
        if self.scheduler.current is not self.scheduler.main:
            raise SimulationError("only the test may be attached to a host; a process starts another one: host.start()")
        self._trace_calls_of(process)
        self._attached.append(process)

    def detach(self, process: Process) -> None:
        self._attached.remove(process)

    def _trace_calls_of(self, process: Process) -> None:
        with self.scheduler.inside():
            for traces in self._call_traces:
                traces.add(process)

    def _running_process(self) -> Process | None:
        task = self.scheduler.current
        if task is self.scheduler.main:
            return self._attached[-1] if self._attached else None
        return task.owner if isinstance(task.owner, Process) else None

    def _disk_of(self, name: str, disk: Path | None) -> Callable[[], Path]:
        """The function that returns the folder of a host's files; it makes a temporary one when it is first called."""
        made = [] if disk is None else [disk]

        def folder() -> Path:
            if not made:
                with self.scheduler.inside():
                    self._resources.callback(made.clear)
                    temporary = tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True)
                    made.append(Path(self._resources.enter_context(temporary)))
            return made[0]

        return folder


def _check_settings(seed: object, start: object, programs: object, tcp_user_timeout: object) -> None:
    """Errors: SimulationError for an invalid value."""
    if not isinstance(seed, (int, str)):
        raise SimulationError(f"invalid seed: {seed!r}; give an int or a str")
    if not isinstance(start, datetime) or start.utcoffset() is None:
        raise SimulationError(f"invalid start: {start!r}; give a datetime with a time zone, such as timezone.utc")
    if isinstance(programs, str):
        raise SimulationError(f"invalid programs: {programs!r}; give a list of packages: [{programs!r}]")
    if not isinstance(programs, Collection):
        raise SimulationError(f"invalid programs: {programs!r}; give a list of the names of packages")
    if not is_number(tcp_user_timeout) or tcp_user_timeout <= 0:
        raise SimulationError(f"invalid tcp_user_timeout: {tcp_user_timeout!r}; give a time above 0 seconds")


def _raise_unseen(errors: list[BaseException], raised: BaseException | None) -> None:
    """Raise the first of the errors that nobody has seen, or let `raised` continue; the others become its context."""
    chain = [*([] if raised is None else [raised]), *(error for error in errors if error is not raised)]
    for earlier, later in itertools.pairwise(chain):
        while earlier.__context__ is not None and not any(error is earlier.__context__ for error in chain):
            earlier = earlier.__context__
        if earlier.__context__ is None:
            earlier.__context__ = later
    if raised is None and chain:
        raise chain[0]
