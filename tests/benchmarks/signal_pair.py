"""The signal scenario without its hostile peer, for simulation.py: a provider and two copiers alone."""

from __future__ import annotations

from demos.simulation.scenarios import signal


class SignalPair(signal.SignalScenario):
    """See the head of this module."""

    def add_hostile_peer(self) -> None:
        """Starts none."""
