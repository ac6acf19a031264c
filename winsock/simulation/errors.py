"""What a simulation raises."""


class SimulationError(RuntimeError):
    """A simulation cannot do what was asked, or cannot go on."""


class NothingCanHappen(SimulationError):
    """Every process waits, and no event is left that could end a wait. The text names who waits for what."""


class BusyLoop(SimulationError):
    """A process makes calls without end and never waits, so the simulated time cannot advance."""


class RealWorldCall(SimulationError):
    """A simulated process used a clock, thread, socket, file or random number of the real world."""


class Killed(BaseException):
    """Ends a simulated process that was killed, or whose host has crashed. Programs do not catch it."""
