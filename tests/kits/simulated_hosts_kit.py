"""Hosts without a network: a clock that is moved by hand, and a wire that delays or drops packets."""

from __future__ import annotations

import heapq
import ipaddress
import itertools
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from winsock import constants as c
from winsock.simulation.kernel.addresses import Interface
from winsock.simulation.kernel.packets import Packet
from winsock.simulation.kernel.stack import Stack
from winsock.simulation.posix import posix_modules
from winsock.simulation.units import MILLISECOND, SECOND

__all__ = ["MILLISECOND", "SECOND", "Host", "Wire", "sockaddr"]


def sockaddr(address: str, port: int, scope: int = 0) -> bytes:
    """Winsock's sockaddr for an address of IPv4 or IPv6."""
    ip = ipaddress.ip_address(address).packed
    if len(ip) == 4:
        return c.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + ip + bytes(8)
    return c.AF_INET6.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes(4) + ip + scope.to_bytes(4, "little")


class _Event:
    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Wire:
    """The clock and the network of some hosts."""

    def __init__(self) -> None:
        self.now, self.random = 0, Random(1)
        self.latency = 10 * MILLISECOND
        self.hosts: dict[bytes, Host] = {}
        self.sent: list[Packet] = []
        self.drop: Callable[[Packet], bool] = lambda packet: False
        self._events: list[tuple[int, int, _Event]] = []
        self._numbers = itertools.count()

    def call_at(self, time: int, action: Callable[[], None]) -> _Event:
        event = _Event(action)
        heapq.heappush(self._events, (time, next(self._numbers), event))
        return event

    def transmit(self, packet: Packet) -> None:
        self.sent.append(packet)
        if self.drop(packet):
            return
        host = self.hosts.get(packet.destination.ip)
        everybody = dict.fromkeys(self.hosts.values())
        targets = [host] if host else [one for one in everybody if packet.source.ip not in one.ips]
        if host is None and packet.destination.ip[0] < 0xE0 and packet.destination.ip[-1] != 0xFF:
            targets = []
        for target in targets:
            self.call_at(self.now + self.latency, partial(target.stack.receive, packet))

    def run(self, until: int | None = None, stop: Callable[[], bool] = lambda: False) -> None:
        """Runs the events up to a time, or until there are none, or until `stop`."""
        while self._events and not stop():
            if until is not None and self._events[0][0] > until:
                break
            self.now, _, event = heapq.heappop(self._events)
            if event.action is not None:
                event.action()
        else:
            return
        if until is not None and not stop():
            self.now = max(self.now, until)

    def pending(self) -> int:
        """The events that will do something."""
        return sum(event.action is not None for _, _, event in self._events)


class Owner:
    fd = -1


class Host:
    """A host with one process, whose system calls are methods of `system`."""

    def __init__(self, wire: Wire, *addresses: str) -> None:
        self.wire, self._woken = wire, False
        packed = [ipaddress.ip_address(one).packed for one in addresses]
        self.ips = set(packed)
        interfaces = [Interface("eth0", 2, ip, 24 if len(ip) == 4 else 64) for ip in packed]
        self.stack = Stack(wire, "host", interfaces, self.resolve, lambda ip: None)
        for ip in packed:
            wire.hosts[ip] = self
        self.files = self.stack.open_files(self.wake, "program")
        self.modules: dict[str, Any] = {**posix_modules(self.stack, self.files, self.wait)}
        self.system: Any = self.modules["system"]
        self.waiting: Any = self.modules["waiting"]

    def resolve(self, name: str) -> list[bytes]:
        return [b"\x0a\0\0\1"] if name == "server" else []

    def wake(self) -> None:
        self._woken = True

    def wait(self, deadline: int | None, reason: Callable[[], str]) -> bool:
        reason()
        self._woken = False
        if deadline is not None:
            self.wire.call_at(deadline, lambda: None)
        self.wire.run(deadline, lambda: self._woken)
        return self._woken

    def socket(self, type: int = c.SOCK_STREAM, family: int = c.AF_INET) -> int:
        owner = Owner()
        return int(self.system.socket(owner, family, type, 0))

    def close(self, fd: int) -> None:
        self.system.close_owned({"fd": fd})

    def listener(self, address: str, port: int, backlog: int = 5, family: int = c.AF_INET) -> int:
        fd = self.socket(family=family)
        self.system.set_option(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
        assert self.system.bind(fd, sockaddr(address, port)) == 0
        assert self.system.listen(fd, backlog) == 0
        return fd

    def accept(self, listener: int) -> int:
        return int(self.system.accept(Owner(), listener)[0])

    def connect(self, address: str, port: int, family: int = c.AF_INET) -> int:
        """A socket that has begun to connect."""
        fd = self.socket(family=family)
        self.system.connect(fd, sockaddr(address, port))
        return fd

    def receive(self, fd: int, size: int = 1 << 17, flags: int = 0) -> bytes | int:
        """What recv gives: bytes, or minus the errno."""
        buffer = bytearray(size)
        count = self.system.recv(fd, buffer, flags)
        return count if count < 0 else bytes(buffer[:count])

    def receive_from(self, fd: int, size: int = 65536) -> tuple[bytes | int, bytes]:
        buffer = bytearray(size)
        count, name = self.system.recvfrom(fd, buffer, 0)
        return (count if count < 0 else bytes(buffer[:count])), name

    def events(self, fd: int) -> int:
        """Everything that poll reports."""
        return int(self.waiting.poll_now(fd, 0x7FFF))

    def port_of(self, fd: int) -> int:
        name = self.system.getsockname(fd)[1]
        return int.from_bytes(name[2:4], "big")
