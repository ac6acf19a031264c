"""What the report of a failed test says about its simulated network."""

from __future__ import annotations

from winsock.simulation.network import Network

__all__ = ["Recording"]

_LAST_EVENTS = 40


class Recording:
    """The last events of a network, from now on."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._trace = network.trace(_LAST_EVENTS)
        self._kept = ""

    def keep(self) -> None:
        """From now on report() describes this moment."""
        self._kept = self.report()

    def report(self) -> str:
        """The seed, the sockets of each host, and the end of the trace."""
        if self._kept:
            return self._kept
        network = self._network
        lines = [f"seed: {network.seed!r}", f"simulated time: {network.now:.6f} s"]
        for name in network.hosts:
            lines += ["", f"netstat of host {name}:", network.netstat(name).rstrip()]
        return "\n".join([*lines, "", "the end of the trace:", *self._trace.lines()])
