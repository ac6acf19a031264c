"""The servers that are measured, as processes, with the memory and CPU time that each uses."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from demos.ideas.broker.mosquitto import (
    Certificate,
    access_rules,
    missing_problem,
    start_broker,
    write_access,
    write_configuration,
)
from demos.provider.certificates import create_certificate
from demos.provider.passwords import new_password, new_token, token_digest
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from tests.benchmarks.connections import HOST
from tests.benchmarks.measuring import CHECKOUT, Unavailable

# A process that needs longer than this to start has failed.
LIMIT = 30.0

# The connections of each user.
CONNECTIONS = 100

# Where the provider publishes at the broker, and the file with the subscribers' login.
PREFIX = "signals/benchmark"
SUBSCRIBER_LOGIN = "subscriber.json"


class ServerProcess:
    """A server process with a port; commands go to its standard input."""

    def __init__(self, stack: ExitStack, command: list[str], output: int | None = None) -> None:
        self.port = 0
        # Of a provider that publishes to a broker.
        self.prefix = ""
        # The process of the proxy or broker between the provider and the subscribers; memory and CPU time include it.
        self.relay = 0
        self.process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, *command], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
            )
        )
        # A server with thousands of connections would take long to end in order.
        stack.callback(self.process.kill)

    def trade(self, lots: float) -> None:
        """Buy, or sell negative lots."""
        assert self.process.stdin
        self.process.stdin.write(f"{'buy' if lots > 0 else 'sell'} {abs(lots):.2f}\n".encode())
        self.process.stdin.flush()

    def memory(self) -> int:
        """The resident memory in bytes."""
        return sum(map(_memory, self._pids()))

    def cpu_time(self) -> int:
        """The CPU time of all threads so far, in nanoseconds."""
        return sum(map(_cpu_time, self._pids()))

    def _pids(self) -> list[int]:
        return [self.process.pid, self.relay] if self.relay else [self.process.pid]


def _memory(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _cpu_time(pid: int) -> int:
    # clock_getcpuclockid of glibc computes the clock's id from the process's id in this manner.
    return time.clock_gettime_ns((~pid << 3) | 2)


def websockets_server(stack: ExitStack, folder: Path, count: int) -> ServerProcess:
    """The comparison server."""
    task = [str(folder / "certificate.pem"), str(folder / "users.json"), str(count)]
    server = ServerProcess(stack, ["-m", "tests.benchmarks.subscribers.websockets_server", *task])
    assert server.process.stdout
    server.port = int(server.process.stdout.readline())
    return server


def provider_server(stack: ExitStack, folder: Path, count: int, experts: int) -> ServerProcess:
    """The program `provider` with its port for subscribers, and an account in memory whose prices do not change."""
    events = folder / f"events-{experts}-{time.monotonic_ns()}"
    options = {
        "Port": 0,
        "cert": folder / "certificate.pem",
        "state": folder / "provider.sqlite",
        "experts": experts,
    }
    server = ServerProcess(stack, _provider_command(events, options), subprocess.DEVNULL)
    server.port = _await_event(server, events, "serving")["port"]
    return server


def proxy_server(stack: ExitStack, folder: Path, count: int) -> ServerProcess:
    """The program `proxy` for the subscribers, and a provider with the proxy as its only subscriber."""
    server = provider_server(stack, folder, count, 1)
    proxy = proxy_below(stack, folder, server)
    server.port, server.relay = proxy.port, proxy.process.pid
    return server


def proxy_below(stack: ExitStack, folder: Path, above: ServerProcess) -> ServerProcess:
    """The program `proxy`, which follows the server above it with the subscribers' first login."""
    number = time.monotonic_ns()
    login, token = json.loads((folder / "users.json").read_text(encoding="utf-8"))[0]
    state, token_file, events = (
        folder / f"proxy-{number}.sqlite",
        folder / f"token-{number}",
        folder / f"events-{number}",
    )
    token_file.write_text(token, encoding="utf-8")
    shutil.copyfile(folder / "provider.sqlite", state)
    options: dict[str, object] = {
        "Port": 0,
        "cert": folder / "certificate.pem",
        "state": state,
        "upstream": f"account=wss://{HOST}:{above.port}",
        "login": login,
        "token-file": token_file,
        "ca": folder / "certificate.pem",
        "events": events,
    }
    proxy = ServerProcess(stack, _command("proxy", options), subprocess.DEVNULL)
    proxy.port = _await_event(proxy, events, "serving")["port"]
    return proxy


def broker_server(stack: ExitStack, folder: Path) -> ServerProcess:
    """mosquitto, and the program `provider` without a port of its own, with the same account.

    Errors: Unavailable if mosquitto is not installed.
    """
    if problem := missing_problem():
        raise Unavailable(problem)
    files = folder / f"mosquitto-{time.monotonic_ns()}"
    files.mkdir()
    passwords = {"provider": new_token(), "subscriber": new_token()}
    write_access(files, passwords, access_rules(PREFIX, "provider", ["subscriber"]))
    port = _free_port()
    certificate = folder / "certificate.pem"
    # Saving all messages after each change would take time that a broker need not spend.
    write_configuration(files, port, Certificate(certificate, certificate), ["autosave_on_changes false"])
    broker = stack.enter_context(start_broker(files))
    stack.callback(broker.kill)
    _await(lambda: " running" in (files / "mosquitto.log").read_text(), broker, "mosquitto")
    (files / "password").write_text(passwords["provider"], encoding="utf-8")
    (folder / SUBSCRIBER_LOGIN).write_text(json.dumps([("subscriber", passwords["subscriber"])]), encoding="utf-8")
    events = files / "events"
    options = {
        "Port": -1,
        "broker": f"mqtts://127.0.0.1:{port}/{PREFIX}",
        "broker-login": "provider",
        "broker-password-file": files / "password",
        "broker-ca": certificate,
    }
    server = ServerProcess(stack, _provider_command(events, options), subprocess.DEVNULL)
    server.port, server.prefix, server.relay = port, PREFIX, broker.pid
    _await_event(server, events, "broker", state="publishing")
    return server


def _provider_command(events: Path, options: Mapping[str, object]) -> list[str]:
    # The first tick has a price for the trades; the next one comes after hours.
    return _command("provider", {**options, "plain-port": -1, "events": events, "speed": 0.0001})


def _command(program: str, options: Mapping[str, object]) -> list[str]:
    return ["-m", "demos", "run", program, *(f"--{name}={value}" for name, value in options.items())]


def _await_event(server: ServerProcess, events: Path, kind: str, **fields: object) -> dict[str, Any]:
    """The first event of this kind with these fields."""
    found: list[dict[str, Any]] = []

    def is_found() -> bool:
        lines = events.read_bytes().split(b"\n")[:-1] if events.exists() else []
        wanted = {"kind": kind, **fields}.items()
        found.extend(event for event in map(json.loads, lines) if wanted <= event.items())
        return bool(found)

    _await(is_found, server.process, "the provider")
    return found[0]


def _await(condition: Callable[[], bool], process: subprocess.Popen[bytes], name: str) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{name} has not started: {process.args!r}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def create_users(folder: Path, count: int) -> None:
    """The users of both servers, with a token each: users.json, and the provider's file provider.sqlite."""
    users = [(f"user{number}", new_token()) for number in range(math.ceil(count / CONNECTIONS))]
    (folder / "users.json").write_text(json.dumps(users), encoding="utf-8")
    now = time.time()
    with closing(StateFile(folder / "provider.sqlite")) as state:
        store, stored = UserStore(state), new_password(new_token())
        for login, token in users:
            user = store.add(login, stored, Rights(connections=CONNECTIONS), now)
            with state.writing() as db:
                values = (user.id, "benchmark", token_digest(token), now)
                db.execute("INSERT INTO tokens (user, name, digest, created) VALUES (?, ?, ?, ?)", values)


def create_certificate_file(folder: Path) -> None:
    """The certificate of both servers, with its key: certificate.pem."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    create_certificate(certificate, key, ["127.0.0.1"], 10, datetime.now(timezone.utc))
    certificate.write_text(certificate.read_text("ascii") + key.read_text("ascii"), "ascii")
