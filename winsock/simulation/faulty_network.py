"""The faults of a network: added now, at a time, as a script or by seed, and begun and ended by its scheduler."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence

from .effects import Effects
from .errors import SimulationError
from .fault_methods import ActiveFault, FaultMethods
from .faults import Fault, format_seconds, parse_script
from .hosts import Host
from .observed_network import ObservedNetwork
from .random_faults import RANDOM_KINDS, random_faults
from .random_streams import random_stream
from .scheduler import Scheduler
from .values import nanoseconds
from .wires import Wires

__all__ = ["FaultyNetwork"]


class FaultyNetwork(ObservedNetwork, FaultMethods):
    """The part of a network that has to do with faults. The methods of `FaultMethods` inject faults now."""

    def __init__(self, seed: int | str, scheduler: Scheduler, wires: Wires) -> None:
        super().__init__(scheduler, wires)
        self.seed = seed
        self.hosts: dict[str, Host] = {}
        self._effects = Effects(self.hosts, wires)

    def at(self, seconds: float) -> FaultMethods:
        """The faults of a time in seconds, as in `net.at(30).crash(server)`.

        Errors: SimulationError if the time is no number. The methods of the result raise it if the time has passed.
        """
        return _Planned(self, nanoseconds("time", seconds, negative=True))

    def add_fault(self, fault: Fault) -> ActiveFault:
        """Adds a fault at its time. Errors: SimulationError if a target does not exist, or the time has passed."""
        self._check(fault)
        active = ActiveFault(fault)
        if fault.at == self.scheduler.now:
            self._begin(active)
        else:
            self.scheduler.call_at(fault.at, lambda: self._begin(active))
        return active

    def add_faults(self, script: str | Iterable[Fault]) -> list[ActiveFault]:
        """Adds the faults of a script: a text (see `faults`) or a list. If one is invalid, none is added.

        Errors: SimulationError for a line that is no fault, a target that does not exist, or a time that has passed.
        """
        faults = parse_script(script) if isinstance(script, str) else list(script)
        for fault in faults:
            self._check(fault)
        return [self.add_fault(fault) for fault in faults]

    def random_faults(
        self,
        budget: int,
        start: float,
        end: float,
        *,
        hosts: Sequence[Host | str] | None = None,
        kinds: Collection[str] = RANDOM_KINDS,
        longest: float = 30.0,
    ) -> list[Fault]:
        """Faults by seed for `hosts` (by default all), their links and their programs. They are not added yet.

        They are at most `budget` faults between the times `start` and `end`, each at most `longest`, in seconds. The
        links are those that `link` has set, or those of all pairs if it has set none.

        Errors: SimulationError for an unknown host or kind, an invalid number, or a time that is too short.
        """
        if not isinstance(budget, int) or budget < 0:
            raise SimulationError(f"invalid budget: {budget!r}; give a number of faults")
        for name, seconds in (("start", start), ("end", end), ("longest", longest)):
            nanoseconds(name, seconds)
        names = [self._name(host) for host in (self.hosts if hosts is None else hosts)]
        pairs = self._wires.linked_pairs() or list(itertools.combinations(self.hosts, 2))
        return random_faults(
            random_stream(self.seed, "faults"),
            hosts=names,
            pairs=[pair for pair in pairs if names and (pair[0] in names or pair[1] in names)],
            processes=[f"{name}/{program}" for name in names for program in self.hosts[name].program_names()],
            start=start,
            end=end,
            budget=budget,
            kinds=kinds,
            longest=longest,
        )

    def time_of_faults(self) -> int:
        return self.scheduler.now

    def _check(self, fault: Fault) -> None:
        """Errors: SimulationError if a target does not exist, or the time has passed."""
        self._effects.check(fault)
        now = self.scheduler.now
        if fault.at < now:
            raise SimulationError(f"{fault}: the time has passed: it is {format_seconds(now)} s")

    def _begin(self, active: ActiveFault) -> None:
        if active.state != "planned":
            return
        fault = active.fault
        self.counters[f"fault: {fault.kind}"] += 1
        self.record("", f"fault {fault}")
        active.begin(self._begin_effect)
        if fault.duration is not None:
            self.scheduler.call_at(fault.end, active.end)

    def _begin_effect(self, fault: Fault) -> Callable[[], None] | None:
        """As `Effects.begin`; the end is recorded, however the fault is ended."""
        undo = self._effects.begin(fault)
        if undo is None:
            return None

        def end(undo: Callable[[], None] = undo) -> None:
            self.record("", f"end of fault {fault}")
            undo()

        return end

    def _name(self, host: Host | str) -> str:
        name = host.name if isinstance(host, Host) else host
        if name not in self.hosts:
            raise SimulationError(f"unknown host: {name!r}; the hosts are {', '.join(self.hosts) or 'none'}")
        return name


class _Planned(FaultMethods):
    """`FaultyNetwork.at`."""

    def __init__(self, network: FaultyNetwork, time: int) -> None:
        self._network, self._time = network, time

    def add_fault(self, fault: Fault) -> ActiveFault:
        return self._network.add_fault(fault)

    def time_of_faults(self) -> int:
        return self._time
