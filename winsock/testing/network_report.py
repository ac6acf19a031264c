"""What the report of a failed test says about its simulated network."""

from __future__ import annotations

from collections import deque

from winsock.simulation.network import Network

__all__ = ["Recording"]

_LAST_EVENTS = 40
_NANOSECONDS = 1_000_000_000


class Recording:
    """The last events of a network, from now on."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._events: deque[str] = deque(maxlen=_LAST_EVENTS)
        network.observe(self._record)

    def _record(self, time: int, host: str, text: str) -> None:
        self._events.append(f"{time / _NANOSECONDS:14.9f}  {host:10} {text}")

    def report(self) -> str:
        """The seed, the sockets of each host, and the end of the trace."""
        network = self._network
        lines = [f"seed: {network.seed!r}", f"simulated time: {network.now:.6f} s"]
        for name in network.hosts:
            lines += ["", f"netstat of host {name}:", network.netstat(name).rstrip()]
        lines += ["", f"the last {len(self._events)} events:", *self._events]
        return "\n".join(lines)
