"""What a scenario runs in: the simulated network, the hosts and terminals in it, and the times of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from demos.simulation.calls import PartialSends
from demos.simulation.program_limits import held_values
from demos.simulation.terminals import Setup, SimulatedTerminal
from winsock.simulation.dispatch import running_process
from winsock.simulation.hosts import Host
from winsock.simulation.network import Network
from winsock.simulation.random_streams import random_stream


class Violation(NamedTuple):
    """An invariant that does not hold: its name, which is the same in each run, and what was found."""

    invariant: str
    text: str


# Seconds: how often the values that programs hold are counted.
COUNTED_S = 30

# Bytes that the sockets of one host hold: a few full buffers.
MOST_QUEUED = 16 * 1024 * 1024


class World:
    """One run: see Scenario.

    ``random`` is for what the scenario chooses by seed. The faults have another stream, so that a script of faults
    changes nothing else. ``seconds`` is the simulated time at which the terminals end.
    """

    def __init__(self, net: Network, seed: int, seconds: float, disks: Path) -> None:
        """``disks`` is a folder for the disks of the hosts."""
        self.net, self.seed, self.seconds = net, seed, seconds
        self._disks = disks
        self.random = random_stream(seed, "scenario")
        self.hosts: dict[str, Host] = {}
        self.terminals: dict[str, SimulatedTerminal] = {}
        # When the faults of the seed are over, also in a run with another script. Until then sends are short and
        # programs are killed at orders: so these do not change when a script is shrunk.
        self.seeds_end = 0.0
        # When all faults are over: those of the seed, and those of the script.
        self.last_fault = 0.0

    @property
    def now(self) -> float:
        """Seconds since the start of the simulation."""
        return self.net.now

    def host(self, name: str, address: str | None = None) -> Host:
        """Make a host; other hosts find its address by its name."""
        disk = self._disks / name
        disk.mkdir()
        host = self.net.host(name, *([address] if address else []), disk=disk)
        self.hosts[name] = host
        return host

    def terminal(self, name: str, host: str, setup: Setup) -> SimulatedTerminal:
        """Start a terminal on a host, now and after each restart of the host."""
        terminal = self._new(name, host, setup)
        self.hosts[host].start(terminal.run, name=name, restart=True)
        return terminal

    def repeated(self, name: str, host: str, setup: Setup, pause: float) -> SimulatedTerminal:
        """As terminal(); when the program has ended, it is started again after a pause in seconds."""
        terminal = self._new(name, host, setup)

        def run_again() -> None:
            process = running_process()
            while process.monotonic() < self.seconds:
                terminal.run()
                process.sleep(min(pause, max(self.seconds - process.monotonic(), 0.0)))

        self.hosts[host].start(run_again, name=name, restart=True)
        return terminal

    def _new(self, name: str, host: str, setup: Setup) -> SimulatedTerminal:
        def partial(probability: float) -> PartialSends:
            chance = random_stream(self.seed, f"short sends/{name}")
            return PartialSends(chance, probability, lambda: self.now < self.seeds_end)

        terminal = SimulatedTerminal(name, self.hosts[host], setup, self.seconds, partial)
        self.terminals[name] = terminal
        return terminal

    def program(self, name: str, host: str, function: Callable[..., Any], *args: object) -> None:
        """Start a program without a terminal, such as a peer that misbehaves; also after each restart of the host."""
        self.hosts[host].start(function, *args, name=name, restart=True)

    def check_handles(self, most: int) -> Iterator[Violation]:
        """No host has more sockets than this, or more than MOST_QUEUED bytes in them."""
        for name, host in self.hosts.items():
            sockets = [each for each in host.stack.sockets() if each.owner]
            # A socket whose connection was reset is only a descriptor.
            count = max(len(sockets), sum(len(each.files) for each in host.processes))
            if count > most:
                yield Violation("handles stay bounded", f"{name} has {count} sockets, more than {most}")
            queued = sum(each.receive_queue + each.send_queue for each in sockets)
            if queued > MOST_QUEUED:
                yield Violation("memory stays bounded", f"the sockets of {name} hold {queued} bytes")

    def check_programs(self) -> Iterator[Violation]:
        """No program has more sockets than its limit and, looked at now and then, more values."""
        for name, terminal in self.terminals.items():
            limits, module = terminal.setup.limits, terminal.module
            process = self.hosts[terminal.host.name].process(name)
            if limits is None or module is None or process is None:
                continue
            if (sockets := len(process.files)) > limits.sockets:
                yield Violation("handles stay bounded", f"{name} has {sockets} sockets, more than {limits.sockets}")
            if int(self.now) % COUNTED_S == 0 and (values := held_values(module)) > limits.values:
                yield Violation("memory stays bounded", f"{name} holds {values} values, more than {limits.values}")
