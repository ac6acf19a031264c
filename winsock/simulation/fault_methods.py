"""The faults as methods: of a network ("now") and of `network.at(seconds)`."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from .errors import SimulationError
from .faults import KINDS, Fault
from .values import nanoseconds

__all__ = ["ActiveFault", "FaultMethods", "Named"]


class Named(Protocol):
    """A target: a host, or a process, whose `target` is "host/process"."""

    @property
    def target(self) -> str: ...


class ActiveFault:
    """A fault that was added to a network. It ends after its duration, by end(), or at the end of a `with` block."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.state = "planned"  # then "active", then "ended"
        self._undo: Callable[[], None] | None = None

    def begin(self, effect: Callable[[Fault], Callable[[], None] | None]) -> None:
        """Begins the fault; `effect` returns the function that undoes it. Does nothing after end()."""
        if self.state == "planned":
            self.state = "active"
            self._undo = effect(self.fault)

    def end(self) -> None:
        """Ends the fault, or cancels it before it has begun. Does nothing if it has ended."""
        self.state = "ended"
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def __enter__(self) -> ActiveFault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


class FaultMethods:
    """One method for each kind of fault; notes/simulation.md describes what each one does.

    A target is a host or its name; of freeze, thaw and kill it may be a process or "host/process". Times are in
    seconds. A fault with a duration ends after it, one without lasts until its end() or until the method that ends it.

    Errors: SimulationError if a target does not exist, or a value is invalid.
    """

    def add_fault(self, fault: Fault) -> ActiveFault:
        """Adds a fault at its time."""
        raise NotImplementedError

    def time_of_faults(self) -> int:
        """The time, in nanoseconds, of the faults that the methods add."""
        raise NotImplementedError

    def partition(self, first: Named | str, second: Named | str, *, duration: float | None = None) -> ActiveFault:
        """Drops every packet between two hosts."""
        return self._add("partition", first, second, duration=duration)

    def partition_one_way(
        self, source: Named | str, target: Named | str, *, duration: float | None = None
    ) -> ActiveFault:
        """Drops every packet from `source` to `target`; those in the other direction arrive."""
        return self._add("partition_one_way", source, target, duration=duration)

    def heal(self, first: Named | str, second: Named | str) -> ActiveFault:
        """Ends every partition of two hosts; with "*" every one that concerns the first host."""
        return self._add("heal", first, second)

    def vanish(self, host: Named | str, *, duration: float | None = None) -> ActiveFault:
        """Drops every packet from and to a host, also those on the way to it; its processes run on."""
        return self._add("vanish", host, duration=duration)

    def appear(self, host: Named | str) -> ActiveFault:
        """Ends vanish."""
        return self._add("appear", host)

    def crash(self, host: Named | str, *, duration: float | None = None) -> ActiveFault:
        """Switches a host off: its processes and its kernel are lost, without a FIN or RST. Its disk remains."""
        return self._add("crash", host, duration=duration)

    def restart(self, host: Named | str) -> ActiveFault:
        """Switches a crashed host on: the programs that were started with restart=True start again."""
        return self._add("restart", host)

    def freeze(self, target: Named | str, *, duration: float | None = None) -> ActiveFault:
        """Stops the processes of a host, or one process. The kernel continues: it acknowledges data, for example."""
        return self._add("freeze", target, duration=duration)

    def thaw(self, target: Named | str) -> ActiveFault:
        """Ends every freeze of this target."""
        return self._add("thaw", target)

    def kill(self, target: Named | str, *, duration: float | None = None) -> ActiveFault:
        """Ends the processes of a host, or one process; the kernel closes its sockets. With a duration, their programs
        start again after it."""
        return self._add("kill", target, duration=duration)

    def reset(self, first: Named | str, second: Named | str) -> ActiveFault:
        """Resets every connection of two hosts, on both sides."""
        return self._add("reset", first, second)

    def nat_timeout(
        self, first: Named | str, second: Named | str, limit: float, *, duration: float | None = None
    ) -> ActiveFault:
        """Forgets the connections of two hosts that are idle for longer than `limit`, and then drops their packets."""
        return self._add("nat_timeout", first, second, value=limit, duration=duration)

    def clock_jump(self, host: Named | str, jump: float) -> ActiveFault:
        """Changes a host's UTC by `jump`; its monotonic clock goes on."""
        return self._add("clock_jump", host, value=jump)

    def rule(
        self,
        first: Named | str,
        second: Named | str = "*",
        *,
        duration: float | None = None,
        **settings: float | int | bool | None,
    ) -> ActiveFault:
        """Changes settings of the link of two hosts, such as loss=0.5, in both directions. "*" is every other host."""
        return self._add("rule", first, second, duration=duration, settings=tuple(settings.items()))

    def rule_one_way(
        self,
        source: Named | str,
        target: Named | str = "*",
        *,
        duration: float | None = None,
        **settings: float | int | bool | None,
    ) -> ActiveFault:
        """Changes settings for what `source` sends to `target`."""
        return self._add("rule_one_way", source, target, duration=duration, settings=tuple(settings.items()))

    def _add(
        self,
        kind: str,
        *targets: Named | str,
        value: float | None = None,
        duration: float | None = None,
        settings: tuple[tuple[str, float | int | bool | None], ...] = (),
    ) -> ActiveFault:
        names = tuple(_name_of(kind, target) for target in targets)
        fault = Fault(
            self.time_of_faults(),
            kind,
            names,
            None if value is None else nanoseconds(KINDS[kind].value, value, negative=True),
            settings,
            None if duration is None else nanoseconds("duration", duration, negative=True),
        )
        return self.add_fault(fault)


def _name_of(kind: str, target: object) -> str:
    """Errors: SimulationError if it is neither a name nor a host or process."""
    name = target if isinstance(target, str) else getattr(target, "target", None)
    if not isinstance(name, str):
        raise SimulationError(f"invalid target of {kind}: {target!r}; give a host, a process or a name")
    return name
