"""The network of one program: its own host with two interfaces, and another host in the network of the first one.

They are the machines of tests/windows_facts/networks.py. There a fact is one process, whose threads open sockets in the
network namespace of one machine or of the other. Here the kernel is exchanged while a function runs on the other host.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from winsock.simulation import dispatch
from winsock.simulation.errors import NothingCanHappen
from winsock.simulation.kernel.addresses import Interface
from winsock.simulation.kernel.packets import Packet
from winsock.simulation.kernel.stack import Stack
from winsock.simulation.posix import posix_modules
from winsock.simulation.process import Process
from winsock.simulation.scheduler import Scheduler, Timer

_SECOND = 1_000_000_000
_NET_A6, _NET_B6 = (bytes.fromhex(f"fd0{net}") + bytes(13) + b"\1" for net in "98")
_HERE = (
    Interface("neta", 71, bytes((10, 9, 0, 1)), 24),
    Interface("neta", 71, _NET_A6, 64),
    Interface("neta", 71, bytes.fromhex("fe80") + bytes(13) + b"\x77", 64),
    Interface("netb", 72, bytes((10, 8, 0, 1)), 24),
    Interface("netb", 72, _NET_B6, 64),
)
_THERE = (
    Interface("fara", 2, bytes((10, 9, 0, 2)), 24),
    Interface("fara", 2, _NET_A6[:-1] + b"\2", 64),
)


class NeedsMore(BaseException):
    """A program wants something that a simulated process does not have, such as a second thread."""


class _Host:
    """A host of the network, as its kernel and its processes see it."""

    def __init__(self, scheduler: Scheduler, name: str, interfaces: tuple[Interface, ...]) -> None:
        self.name, self.interfaces, self.random = name, interfaces, random.Random(name)
        self.other: _Host | None = None
        self._scheduler = scheduler
        self.stack = Stack(self, name, interfaces, lambda name: [], lambda ip: None)
        self.system: Any = None  # of its last process

    @property
    def now(self) -> int:
        return self._scheduler.now

    def call_at(self, time: int, action: Callable[[], None], /) -> Timer:
        return self._scheduler.call_at(time, action)

    def transmit(self, packet: Packet, /) -> None:
        """Carry a packet to the other host: to its address, to a group, or to all."""
        other, ip = self.other, packet.destination.ip
        assert other is not None
        own = any(ip in (one.address, one.broadcast) for one in other.interfaces)
        if own or (ip[0] >= 0xE0 and _in_common_net(packet.source.ip)):
            self._scheduler.call_later(1_000_000, partial(other.stack.receive, packet))

    def utc_ns(self) -> int:
        return self._scheduler.now

    def open_files(self, wake: Callable[[], None], owner: str = "") -> Any:
        return self.stack.open_files(wake, owner)

    def process_ended(self, process: Process) -> None:
        pass

    def posix_modules(self, files: Any, wait: Callable[[int | None, Callable[[], str]], bool]) -> dict[str, object]:
        modules = posix_modules(self.stack, files, wait)
        self.system = modules["system"].socket.__self__
        return modules


def _in_common_net(ip: bytes) -> bool:
    return ip[:3] in (bytes((10, 9, 0)), _NET_A6[:3])


class Machines:
    """Both hosts, and the process of the first one."""

    current: Machines

    def __enter__(self) -> Machines:
        self._scheduler = Scheduler(random.Random(1))
        self._here, self._there = _Host(self._scheduler, "here", _HERE), _Host(self._scheduler, "there", _THERE)
        self._here.other, self._there.other = self._there, self._here
        self._process = Process(self._scheduler, self._here, "program", random.Random(2))
        Machines.current = self
        dispatch.open_source(self._running)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        dispatch.close_source(self._running)
        self._scheduler.close()

    def _running(self) -> Process:
        return self._process

    def run(self, program: Callable[[], None], seconds: float) -> str:
        """Run the program: "" where it returned, "needs …" for NeedsMore, or how it hangs."""
        refused: list[str] = []

        def refusing() -> None:
            try:
                program()
            except NeedsMore as needs:
                refused.append(str(needs))

        self._process.start(refusing)
        end = round(seconds * _SECOND)
        try:
            while not self._process.ended and self._scheduler.now < end:
                self._scheduler.wait(end, lambda: "waits for the program")
        except NothingCanHappen as error:
            return f"hangs: {error}"
        if refused:
            return f"needs {refused[0]}"
        return "" if self._process.ended else "hangs"

    def call_there(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that opens its sockets on the other host."""
        system = self._here.system
        system._stack = self._there.stack
        try:
            return function(*arguments)
        finally:
            system._stack = self._here.stack


class Machine:
    """In the place of networks.Machine: one of the two hosts."""

    other = False

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on this host."""
        return Machines.current.call_there(function, *arguments) if self.other else function(*arguments)


def connect(here: Machine, there: Machine) -> None:
    """In the place of networks._connect: the hosts are linked already."""
    there.other = True
