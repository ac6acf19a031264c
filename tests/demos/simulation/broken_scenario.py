"""The signal scenario with one copier that is broken on purpose; see broken_copier.py."""

from __future__ import annotations

from pathlib import Path

from demos.simulation.scenarios import signal
from demos.simulation.terminals import Setup


class BrokenScenario(signal.SignalScenario):
    """See the head of this module."""

    paths = ()

    def copier(self, name: str, fast: bool) -> Setup:
        setup = super().copier(name, fast)
        if name != signal.COPIERS[0]:
            return setup
        program = Path(__file__).with_name("broken_copier.py")
        return Setup(program=str(program), inputs={"Host": signal.PROVIDER, "Port": signal.PORT}, speed=0.5)
