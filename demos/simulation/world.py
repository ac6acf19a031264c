"""What a scenario runs in: the simulated network, the hosts and terminals in it, and the times of the run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from demos.simulation.terminals import Setup, SimulatedTerminal
from winsock.simulation import Host, Network


class World:
    """One run: see Scenario.

    ``random`` is for what the scenario chooses by seed. The faults have another stream, so that a script of faults
    changes nothing else. ``seconds`` is the simulated time at which the terminals end.
    """

    def __init__(self, net: Network, seed: int, seconds: float) -> None:
        self.net, self.seed, self.seconds = net, seed, seconds
        self.random = random.Random(f"scenario {seed}")
        self.hosts: dict[str, Host] = {}
        self.terminals: dict[str, SimulatedTerminal] = {}
        # How often something has happened that terminals do not record, such as "partial send".
        self.counts: Counter[str] = Counter()
        # The time of the last fault in the script; 0.0 without faults.
        self.last_fault = 0.0

    @property
    def now(self) -> float:
        """Seconds since the start of the simulation."""
        return self.net.now

    def host(self, name: str, address: str | None = None) -> Host:
        """Make a host; other hosts find its address by its name."""
        host = self.net.host(name, *([address] if address else []))
        self.hosts[name] = host
        return host

    def terminal(self, name: str, host: str, setup: Setup) -> SimulatedTerminal:
        """Start a terminal on a host, now and after each restart of the host."""
        terminal = SimulatedTerminal(name, self.hosts[host], setup, self.seconds)
        self.terminals[name] = terminal
        self.hosts[host].start(terminal.run, name=name, restart=True)
        return terminal

    def program(self, name: str, host: str, function: Callable[..., Any], *args: object) -> None:
        """Start a program without a terminal, such as a peer that misbehaves; also after each restart of the host."""
        self.hosts[host].start(function, *args, name=name, restart=True)

    def sockets(self, host: str) -> int:
        """The number of the host's sockets."""
        return len(self.net.netstat(self.hosts[host]))
