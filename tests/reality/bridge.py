"""A bridge between network namespaces that delays, loses and drops frames; a process of its own.

`tc netem` could delay and lose packets too, but not every kernel has it. So the frames of all hosts pass through this
process: it has a packet socket on each host's link and forwards each frame to the links of its destination. Commands
come as JSON lines on standard input; the answer to each is the line `done`:

    {"link": "provider", "interface": "ws1o1"}     # the host's link is this interface now
    {"from": "provider", "to": "copier1", "latency": 0.02, "loss": 0.1, "drop": false}

The second form replaces what was set for frames in this direction. Frames in one direction keep their order.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import selectors
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_ETH_P_ALL = 3
_LONGEST_FRAME = 65_536
_BROADCAST_BIT = 1


@dataclass
class Rule:
    """What happens to the frames in one direction."""

    latency: float = 0.0
    loss: float = 0.0
    drop: bool = False


class Bridge:
    """The links of all hosts, and the frames on their way."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._links: dict[str, socket.socket] = {}
        self._host_of: dict[bytes, str] = {}
        self._rules: dict[tuple[str, str], Rule] = {}
        self._underway: list[tuple[float, int, str, bytes]] = []
        self._numbers = itertools.count()
        # The latest arrival in each direction, so that no frame overtakes another.
        self._latest: dict[tuple[str, str], float] = {}

    def run(self) -> None:
        """Forward frames until standard input ends."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select(self._time_left()):
                if key.fileobj is not sys.stdin:
                    self._receive(key.data)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                self._obey(json.loads(line))
                print("done", flush=True)
            self._deliver()

    def _time_left(self) -> float | None:
        return max(self._underway[0][0] - time.monotonic(), 0.0) if self._underway else None

    def _obey(self, command: dict[str, Any]) -> None:
        if "link" in command:
            self._open(command["link"], command["interface"])
        else:
            direction = command.pop("from"), command.pop("to")
            self._rules[direction] = Rule(**command)

    def _open(self, host: str, interface: str) -> None:
        before = self._links.pop(host, None)
        if before is not None:
            self._selector.unregister(before)
            before.close()
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        link.bind((interface, 0))
        link.setblocking(False)
        self._links[host] = link
        self._selector.register(link, selectors.EVENT_READ, host)

    def _receive(self, host: str) -> None:
        link = self._links[host]
        while True:
            try:
                frame, about = link.recvfrom(_LONGEST_FRAME)
            except BlockingIOError:
                return
            except OSError:
                return  # its interface is gone: the host has crashed
            if about[2] == socket.PACKET_OUTGOING:
                continue
            self._host_of[frame[6:12]] = host
            known = self._host_of.get(frame[:6])
            everyone = frame[0] & _BROADCAST_BIT or known is None
            for target in self._links:
                if target != host and (everyone or target == known):
                    self._forward(host, target, frame)

    def _forward(self, source: str, target: str, frame: bytes) -> None:
        rule = self._rules.get((source, target), Rule())
        if rule.drop or (rule.loss and self._chance.random() < rule.loss):
            return
        arrival = max(time.monotonic() + rule.latency, self._latest.get((source, target), 0.0))
        self._latest[source, target] = arrival
        heapq.heappush(self._underway, (arrival, next(self._numbers), target, frame))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._underway and self._underway[0][0] <= now:
            _, _, target, frame = heapq.heappop(self._underway)
            with suppress(OSError):  # likewise
                self._links[target].send(frame)


if __name__ == "__main__":
    Bridge(int(sys.argv[1])).run()
