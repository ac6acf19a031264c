"""The network of one program: its own host with two interfaces, and another host in the network of the first one.

They are the machines of tests/windows_facts/networks.py. There a fact is one process, whose threads open sockets in the
network namespace of one machine or of the other. Here the process uses the other host's kernel while a function runs
there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from winsock.simulation.hosts import Host
from winsock.simulation.network import Network

_HERE = ("10.9.0.1/24", "fd09::1/64", "fe80::77/64", "10.8.0.1/24", "fd08::1/64")
_THERE = ("10.9.0.2/24", "fd09::2/64")
# The interfaces of the first host.
INDEX_A, INDEX_B = 2, 3


class Machines:
    """Both hosts, and the process of the first one."""

    current: Machines

    def __enter__(self) -> Machines:
        self._network = Network(1).__enter__()
        self._here, self._there = self._network.host("here", *_HERE), self._network.host("there", *_THERE)
        Machines.current = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._network.__exit__(kind, error, trace)

    def run(self, program: Callable[[], None], seconds: float) -> str:
        """Runs the program; returns "" if it returned, or "hangs: …"."""
        self._process = self._here.start(program)
        self._network.run(seconds)
        if self._process.ended:
            return ""
        task = self._process.task
        return f"hangs: {task.reason() if task is not None else ''}"

    def call_there(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function, which opens its sockets on the other host."""
        self._open_sockets_on(self._there)
        try:
            return function(*arguments)
        finally:
            self._open_sockets_on(self._here)

    def _open_sockets_on(self, host: Host) -> None:
        """Makes the process open new sockets in the kernel of this host; open ones stay where they are."""
        module: Any = self._process.winsock.socket
        module.__globals__["system"].socket.__self__._stack = host.stack


class Machine:
    """In the place of networks.Machine: one of the two hosts."""

    other = False

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on this host."""
        return Machines.current.call_there(function, *arguments) if self.other else function(*arguments)


def connect(here: Machine, there: Machine) -> None:
    """In the place of networks._connect: the hosts are linked already."""
    there.other = True
