"""The servers that are measured, as processes, with the memory and CPU time that each uses."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from pathlib import Path

from demos.provider.certificates import create_certificate
from demos.provider.passwords import new_password, new_token, token_digest
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from tests.benchmarks.measuring import CHECKOUT

# A process that needs longer than this to start has failed.
LIMIT = 30.0

# The connections of each user.
CONNECTIONS = 100


class ServerProcess:
    """A server process with a port; commands go to its standard input."""

    def __init__(self, stack: ExitStack, command: list[str], output: int | None = None) -> None:
        self.port = 0
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
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_time(self) -> int:
        """The CPU time of all threads so far, in nanoseconds."""
        # clock_getcpuclockid of glibc computes the clock's id from the process's id in this manner.
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)


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
        "plain-port": -1,
        "cert": folder / "certificate.pem",
        "state": folder / "provider.sqlite",
        "experts": experts,
        "events": events,
        # The first tick has a price for the trades; the next one comes after hours.
        "speed": 0.0001,
    }
    return _listening(stack, "provider", options, events)


def proxy_server(stack: ExitStack, folder: Path, above: ServerProcess, number: int) -> ServerProcess:
    """The program `proxy`, which follows the server above it; the users of all servers are the same."""
    login, token = json.loads((folder / "users.json").read_text(encoding="utf-8"))[0]
    token_file = folder / "token"
    token_file.write_text(token, encoding="utf-8")
    events = folder / f"events-proxy-{time.monotonic_ns()}"
    state = folder / f"proxy-{time.monotonic_ns()}.sqlite"
    shutil.copyfile(folder / "provider.sqlite", state)
    options = {
        "Port": 0,
        "cert": folder / "certificate.pem",
        "state": state,
        "upstream": f"main=wss://127.0.0.1:{above.port}",
        "login": login,
        "token-file": token_file,
        "ca": folder / "certificate.pem",
        "events": events,
        "speed": 0.0001,
    }
    return _listening(stack, "proxy", options, events)


def _listening(stack: ExitStack, program: str, options: Mapping[str, object], events: Path) -> ServerProcess:
    """The program, as soon as it listens."""
    task = ["-m", "demos", "run", program, *(f"--{name}={value}" for name, value in options.items())]
    server = ServerProcess(stack, task, subprocess.DEVNULL)
    end = time.monotonic() + LIMIT
    while not server.port:
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the {program} has not started: python {' '.join(task)}")
        time.sleep(0.05)
        lines = events.read_bytes().split(b"\n")[:-1] if events.exists() else []
        server.port = next((event["port"] for event in map(json.loads, lines) if event["kind"] == "serving"), 0)
    return server


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
