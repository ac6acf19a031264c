"""What each kind of fault does to the hosts and the wires, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from .errors import SimulationError
from .faults import Fault
from .hosts import Host
from .units import SECOND
from .wires import Rule, Wires

__all__ = ["Effects"]

Undo: TypeAlias = Callable[[], None] | None


class Effects:
    """Begins faults on the hosts and wires of one network."""

    def __init__(self, hosts: Mapping[str, Host], wires: Wires) -> None:
        self._hosts, self._wires = hosts, wires
        self._partitions: list[Rule] = []
        self._holders: dict[tuple[str, tuple[str, ...]], list[Fault]] = {}

    def check(self, fault: Fault) -> None:
        """Errors: SimulationError if a target of the fault does not exist."""
        for target in fault.targets:
            if target == "*":
                continue
            host, _, process = target.partition("/")
            if host not in self._hosts:
                known = ", ".join(self._hosts) or "none"
                raise SimulationError(f"{fault}: unknown host: {host!r}; the hosts are {known}")
            if process and not self._hosts[host].knows(process):
                raise SimulationError(f"{fault}: no process {process!r} was started on host {host}")

    def begin(self, fault: Fault) -> Undo:
        """Begins a fault; returns the function that undoes it, or None where nothing can be undone."""
        effect: Callable[[Fault], Undo] = getattr(self, f"_{fault.kind}")
        return effect(fault)

    def _partition(self, fault: Fault) -> Undo:
        return self._block(fault, one_way=False)

    def _partition_one_way(self, fault: Fault) -> Undo:
        return self._block(fault, one_way=True)

    def _block(self, fault: Fault, one_way: bool) -> Undo:
        rule = Rule(*_pair(fault), one_way, {"blocked": True})
        self._wires.add_rule(rule)
        self._partitions.append(rule)
        return lambda: self._end_partitions(lambda each: each is rule)

    def _end_partitions(self, ended: Callable[[Rule], bool]) -> None:
        rules = [rule for rule in self._partitions if ended(rule)]
        self._partitions = [rule for rule in self._partitions if rule not in rules]
        self._wires.remove_rules(lambda rule: rule in rules)

    def _heal(self, fault: Fault) -> Undo:
        first, second = _pair(fault)
        self._end_partitions(
            lambda rule: rule.same_pair(first, second) if second else first in (rule.first, rule.second)
        )
        return None

    def _vanish(self, fault: Fault) -> Undo:
        host = self._host(fault)
        return self._hold(fault, partial(host.vanish, True), partial(host.vanish, False))

    def _appear(self, fault: Fault) -> Undo:
        return self._release("vanish", fault, partial(self._host(fault).vanish, False))

    def _crash(self, fault: Fault) -> Undo:
        host = self._host(fault)
        return self._hold(fault, host.crash, host.boot)

    def _restart(self, fault: Fault) -> Undo:
        return self._release("crash", fault, self._host(fault).boot)

    def _freeze(self, fault: Fault) -> Undo:
        host, process = self._host_and_process(fault)
        return self._hold(fault, partial(host.freeze, process), partial(host.thaw, process))

    def _thaw(self, fault: Fault) -> Undo:
        host, process = self._host_and_process(fault)
        return self._release("freeze", fault, partial(host.thaw, process))

    def _hold(self, fault: Fault, begin: Callable[[], None], end: Callable[[], None]) -> Undo:
        """Begins a state of a target; where faults overlap, the state ends with the last of them."""
        holders = self._holders.setdefault((fault.kind, fault.targets), [])
        if not holders:
            begin()
        holders.append(fault)

        def undo() -> None:
            # By identity: two faults may be equal.
            rest = [holder for holder in holders if holder is not fault]
            if len(rest) < len(holders):
                holders[:] = rest
                if not rest:
                    end()

        return undo

    def _release(self, kind: str, fault: Fault, end: Callable[[], None]) -> Undo:
        """Ends a state of a target, whatever holds it."""
        self._holders.pop((kind, fault.targets), [])[:] = []
        end()
        return None

    def _kill(self, fault: Fault) -> Undo:
        host, process = self._host_and_process(fault)
        killed = host.kill(process)
        return lambda: host.start_again(killed)

    def _reset(self, fault: Fault) -> Undo:
        first, second = _pair(fault)
        for name, host in self._hosts.items():
            for info in host.stack.sockets() if host.up else ():
                if info.protocol != "tcp" or info.peer is None:
                    continue
                other = self._wires.host_of(info.peer.ip)
                if other != name and first in (name, other) and second in (None, name, other):
                    host.stack.reset(info.local, info.peer)
        return None

    def _nat_timeout(self, fault: Fault) -> Undo:
        assert fault.value is not None
        return self._change(fault, one_way=False, settings={"nat_timeout": fault.value / SECOND})

    def _rule(self, fault: Fault) -> Undo:
        return self._change(fault, one_way=False, settings=dict(fault.settings))

    def _rule_one_way(self, fault: Fault) -> Undo:
        return self._change(fault, one_way=True, settings=dict(fault.settings))

    def _change(self, fault: Fault, one_way: bool, settings: Mapping[str, float | int | bool | None]) -> Undo:
        rule = Rule(*_pair(fault), one_way, settings)
        self._wires.add_rule(rule)
        return lambda: self._wires.remove_rules(lambda each: each is rule)

    def _clock_jump(self, fault: Fault) -> Undo:
        assert fault.value is not None
        self._host(fault).jump(fault.value)
        return None

    def _host(self, fault: Fault) -> Host:
        return self._hosts[fault.targets[0]]

    def _host_and_process(self, fault: Fault) -> tuple[Host, str]:
        name, _, process = fault.targets[0].partition("/")
        return self._hosts[name], process


def _pair(fault: Fault) -> tuple[str, str | None]:
    first, second = fault.targets
    return first, None if second == "*" else second
