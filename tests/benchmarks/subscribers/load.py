"""python -m tests.benchmarks.subscribers.load PORT FIRST USERS MOST [PREFIX]: subscribers, and their times.

With PREFIX they subscribe to the topics of a provider at an MQTT broker, else to the provider itself.

It reads one command a line from its standard input and answers each with a line of JSON:

    connect N       open N more subscribers; answers when all have their snapshot, with the seconds that this took
    holds LOTS      answers when all know that the provider holds these lots, with the times at which they received it
    heartbeats      the numbers of heartbeats that each subscriber has received since the last such command

Times are nanoseconds of time.perf_counter_ns, which on Linux is the same clock in all processes. The process takes the
time right after recv. It decrypts, reads and acknowledges what has arrived only when nothing has arrived for IDLE_MS,
so that this work does not delay what the server still sends to others.

Each subscriber has an address of its own, from 127.1.0.0 on; FIRST is the number of the first one.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from tests.benchmarks.connections import HOST, descriptors
from tests.benchmarks.subscribers.mqtt_subscriber import Login, MqttSubscriber
from tests.benchmarks.subscribers.subscriber import Subscriber
from tests.benchmarks.subscribers.tls_subscriber import LARGEST, SubscriberError, TlsSubscriber, client_context

# The subscribers that a process opens at the same time: the load of logins is bounded.
AT_ONCE = 32
IDLE_MS = 20
# The subscribers whose input is worked off between two polls.
WORKED_OFF = 20
LIMIT = 300.0
NEVER = float("inf")


class Load:
    """The subscribers of this process; see the head of this module."""

    def __init__(self, port: int, first: int, users: list[tuple[str, str]], prefix: str) -> None:
        self._prefix = prefix
        self._port, self._first, self._users = port, first, users
        self._context = client_context()
        self._poller = select.epoll()
        self._poller.register(sys.stdin.fileno(), select.EPOLLIN)
        self._subscribers: dict[int, TlsSubscriber] = {}
        self._wanted = 0
        self._live = 0
        self._backlog: deque[TlsSubscriber] = deque()
        self._began = 0.0
        self._awaited: float | None = None
        self._until = NEVER
        self._ended = False

    def run(self) -> None:
        while not self._ended:
            while len(self._subscribers) < self._wanted and len(self._subscribers) - self._live < AT_ONCE:
                self._open()
            waiting = self._wanted > self._live or self._awaited is not None
            idle = IDLE_MS / 1000 if self._backlog else 1.0 if waiting else -1
            if self._poll(idle) == 0:
                while self._backlog:
                    for _ in range(min(WORKED_OFF, len(self._backlog))):
                        self._backlog.popleft().work_off()
                    self._poll(0)
            self._answer_when_done()

    def _poll(self, timeout: float) -> int:
        """Receive once from each socket that is ready, and return their number."""
        events = self._poller.poll(timeout, 2048)
        for descriptor, occurred in events:
            subscriber = self._subscribers.get(descriptor)
            if subscriber is None:
                self._command(os.read(descriptor, 4096).decode())
            elif occurred & select.EPOLLOUT:
                if error := subscriber.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise SubscriberError(f"cannot connect: {os.strerror(error)}")
                self._poller.modify(descriptor, select.EPOLLIN)
                subscriber.start()
            else:
                self._receive(subscriber)
        return len(events)

    def _receive(self, subscriber: TlsSubscriber) -> None:
        data = subscriber.socket.recv(LARGEST)
        now = time.perf_counter_ns()
        if subscriber.is_live:
            self._backlog.append(subscriber)
            subscriber.arrived(data, now)
            if not data:
                subscriber.work_off()
            return
        subscriber.arrived(data, now)
        self._live += subscriber.is_live

    def _open(self) -> None:
        number = len(self._subscribers) + self._first
        opened = socket.socket()
        # Without TIME_WAIT, so that the ports are free for the next run.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        opened.bind((f"127.1.{number >> 8}.{number & 255}", 0))
        opened.connect_ex((HOST, self._port))
        login, token = self._users[number % len(self._users)]
        if self._prefix:
            subscriber: TlsSubscriber = MqttSubscriber(opened, self._context, Login(login, token, self._prefix))
        else:
            message = {"type": "login", "version": 1, "login": login, "token": token}
            subscriber = Subscriber(opened, self._context, message)
        self._subscribers[opened.fileno()] = subscriber
        self._poller.register(opened.fileno(), select.EPOLLOUT)

    def _command(self, line: str) -> None:
        name, *arguments = line.split() or ["end"]
        if name == "connect":
            self._wanted += int(arguments[0])
            self._began = time.perf_counter()
            self._until = self._began + LIMIT
        elif name == "holds":
            self._awaited = float(arguments[0])
            self._until = time.perf_counter() + LIMIT
        elif name == "heartbeats":
            _answer([each.heartbeats for each in self._subscribers.values()])
            for each in self._subscribers.values():
                each.heartbeats = 0
        else:
            self._ended = True

    def _answer_when_done(self) -> None:
        if self._until == NEVER or self._backlog:
            return
        if self._awaited is None:
            missing = self._wanted - self._live
        else:
            missing = sum(each.lots != self._awaited for each in self._subscribers.values())
        if missing and time.perf_counter() > self._until:
            raise SubscriberError(f"{missing} of {self._wanted} subscribers were not served within {LIMIT:g} s")
        if missing:
            return
        if self._awaited is None:
            gc.freeze()
            _answer(time.perf_counter() - self._began)
        else:
            _answer([each.lots_at for each in self._subscribers.values()])
        self._awaited, self._until = None, NEVER


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


def main(port: int, first: int, users: Path, most: int, prefix: str = "") -> None:
    gc.disable()
    with descriptors(most):
        Load(port, first, [tuple(each) for each in json.loads(users.read_text())], prefix).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
