"""The network of one program: its own host with two interfaces, and another host in the network of the first one.

They are the machines of tests/windows_facts/networks.py. A fact calls functions on the other host with `Machine.run`.
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

    @property
    def now(self) -> int:
        return self._scheduler.now

    def call_at(self, time: int, action: Callable[[], None], /) -> Timer:
        return self._scheduler.call_at(time, action)

    def transmit(self, packet: Packet, /) -> None:
        """Carry a packet to the other host: one to its address, or a group's or broadcast's from the common network."""
        other, ip = self.other, packet.destination.ip
        assert other is not None
        if ip in [one.address for one in other.interfaces] or (ip[0] >= 0xE0 and _in_common_net(packet.source.ip)):
            self._scheduler.call_later(1_000_000, partial(other.stack.receive, packet))

    def utc_ns(self) -> int:
        return self._scheduler.now

    def open_files(self, wake: Callable[[], None], owner: str = "") -> Any:
        return self.stack.open_files(wake, owner)

    def process_ended(self, process: Process) -> None:
        pass

    def posix_modules(self, files: Any, wait: Callable[[int | None, Callable[[], str]], bool]) -> dict[str, object]:
        return posix_modules(self.stack, files, wait)


def _in_common_net(ip: bytes) -> bool:
    return ip[:3] in (bytes((10, 9, 0)), _NET_A6[:3])


class Machines:
    """Both hosts, each with one process."""

    current: Machines

    def __enter__(self) -> Machines:
        self._scheduler = Scheduler(random.Random(1))
        here, there = _Host(self._scheduler, "here", _HERE), _Host(self._scheduler, "there", _THERE)
        here.other, there.other = there, here
        self._there = there
        self._near = Process(self._scheduler, here, "program", random.Random(2))
        self._far: Process | None = None
        self._jobs: list[Callable[[], Any]] = []
        self._results: list[Any] = []
        Machines.current = self
        dispatch.open_source(self._running)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        dispatch.close_source(self._running)
        self._scheduler.close()

    def _running(self) -> Process:
        far = self._far
        return far if far is not None and self._scheduler.current is far.task else self._near

    def run(self, program: Callable[[], None], seconds: float) -> str:
        """Run the program: "" where it returned, "needs …" for NeedsMore, or how it hangs."""
        refused: list[str] = []

        def refusing() -> None:
            try:
                program()
            except NeedsMore as needs:
                refused.append(str(needs))

        self._near.start(refusing)
        end = round(seconds * _SECOND)
        try:
            while not self._near.ended and self._scheduler.now < end:
                self._scheduler.wait(end, lambda: "waits for the program")
        except NothingCanHappen as error:
            return f"hangs: {error}"
        if refused:
            return f"needs {refused[0]}"
        return "" if self._near.ended else "hangs"

    def call_far(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the process of the other host."""
        if self._far is None:
            self._far = Process(self._scheduler, self._there, "far", random.Random(3))
            self._jobs.append(partial(self._far.winsock.WSAStartup, 0x202, bytearray(408)))
            self._far.start(self._serve)
            self._wait_for_result()
        self._jobs.append(partial(function, *arguments))
        self._far.wake()
        return self._wait_for_result()

    def _serve(self) -> None:
        far = self._far
        assert far is not None
        while True:
            while not self._jobs:
                far.wait(None, "the next call")
            self._results.append(self._jobs.pop()())
            self._near.wake()

    def _wait_for_result(self) -> Any:
        while not self._results:
            self._near.wait(None, "the other host")
        return self._results.pop()


class Machine:
    """In the place of networks.Machine: one of the two hosts."""

    far = False

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on this host."""
        return Machines.current.call_far(function, *arguments) if self.far else function(*arguments)


def connect(here: Machine, there: Machine) -> None:
    """In the place of networks._connect: the hosts are linked already."""
    there.far = True
