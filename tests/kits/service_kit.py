"""A provider or a proxy in a process of its own, with a state file and a certificate, and other software's subscribers.

The subscribers use the package `websockets`, and Python's ssl: implementations that are not ours.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from cleanup_kit import closed_after_test
from login_kit import PASSWORD
from terminal_kit import ROOT
from web_kit import certificate, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import FromServer, Snapshot, Update
from demos.provider.passwords import Parameters, new_password
from demos.provider.protocol import decode_from_server
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.states import merge
from demos.provider.users import UserStore

T = TypeVar("T")

# Tests log in often: a hash with the least parameters costs a millisecond. It is renewed at the first login.
_CHEAP = Parameters(10, 8, 1)

# What a provider's process changes before it starts. A test that is not about these times uses them, because wrong
# passwords up to a ban take 16 seconds otherwise, an incomplete request, handshake or login 10, and a heartbeat 5.
QUICK_BANS = """
from demos.provider import guard, login_desk
guard.Rules = partial(guard.Rules, first_delay=0.02, longest_delay=0.2, slow_interval=1.0)
login_desk.MOST_WAIT_MS = 4000
"""
QUICK_REQUESTS = """
from demos.provider import clients
from demos.wire import tls, web_server
clients.WebConnection = partial(clients.WebConnection, limits=web_server.WebLimits(head_ms=3000))
tls.HANDSHAKE_MS = 2000
"""
QUICK_LOGINS = """
from demos.provider import session
session.LOGIN_MS = 2000
"""
# Before the modules that take it as a default are imported.
QUICK_HEARTBEATS = """
from demos.provider import streams
streams.HEARTBEAT_MS = 500
"""
# Does what `python -m demos` does, after these changes.
_CHANGED = (
    "import sys\nfrom functools import partial\n%s\nfrom demos.__main__ import run_process\nsys.exit(run_process())"
)


@contextmanager
def users(folder: Path, program: str = "provider") -> Iterator[UserStore]:
    """The users in the state file of a provider or a proxy, which may be running."""
    with closing(StateFile(folder / f"{program}.sqlite")) as state:
        yield UserStore(state)


def add_user(folder: Path, login: str, program: str = "provider", **rights: object) -> str:
    """Add a user with PASSWORD; returns a token of it."""
    with users(folder, program) as store:
        store.add(login, new_password(PASSWORD, _CHEAP), Rights(**rights), time.time())  # type: ignore[arg-type]
        return store.add_token(login, "test", time.time())


class RunningServer:
    """``python -m demos run PROGRAM``, and what its log and its events say."""

    program = ""
    # The event after which it can be used.
    serves = "serving"
    options: tuple[str, ...] = ()

    def __init__(self, folder: Path, *arguments: str, tls: bool = True, most_files: int = 0, quick: str = "") -> None:
        """``most_files``: the process may open so many files and sockets; only on POSIX.

        ``quick``: a change of the process that shortens times, such as QUICK_BANS.
        """
        self.folder = folder
        self.events_path = folder / "events.jsonl"
        self.events_path.unlink(missing_ok=True)
        self._events: list[dict[str, Any]] = []
        self._events_read = 0
        self.certificate: Path | None = None
        options = [f"--state={folder / f'{self.program}.sqlite'}", "--Port=0", *self.options]
        if tls:
            self.certificate = folder / "cert.pem"
            if not self.certificate.exists():
                certificate(folder)
            options += [f"--cert={self.certificate}", f"--key={folder / 'key.pem'}"]
        limit = ["prlimit", f"--nofile={most_files}:{most_files}"] if most_files else []
        start = ["-c", _CHANGED % quick] if quick else ["-m", "demos"]
        command = [*limit, sys.executable, *start, "run", self.program, f"--events={self.events_path}", "--seed=1"]
        self.log_path = folder / f"{self.program}.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT, text=True,
            )  # fmt: skip
        closed_after_test(self)
        self.port = int(self.wait(self.serves).get("port", 0))

    def close(self) -> None:
        """Kill the process, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.close()

    def stop(self) -> int:
        """End the program in order; its exit code."""
        self.command("quit")
        return self.process.wait(LIMIT_SECONDS)

    def command(self, line: str) -> None:
        """Send a command to the terminal, such as `buy 0.1`."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        if self.events_path.exists():
            with self.events_path.open("rb") as file:
                file.seek(self._events_read)
                lines = file.read()
            lines = lines[: lines.rfind(b"\n") + 1]
            self._events_read += len(lines)
            self._events += map(json.loads, lines.splitlines())
        return [event for event in self._events if event["kind"] == kind]

    def wait(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The event of a kind with this number, when it has been recorded."""
        wait_until(lambda: len(self.events(kind)) >= count or self.process.poll() is not None)
        events = self.events(kind)
        assert len(events) >= count, self.log()
        return events[count - 1]

    def log(self) -> str:
        """The program's log so far."""
        return self.log_path.read_text(encoding="utf-8")

    def context(self) -> ssl.SSLContext | None:
        """A client's context that trusts the provider's certificate; None without TLS."""
        return ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else None

    def url(self, path: str = "/ws", scheme: str = "ws") -> str:
        """The URL of a path: of a WebSocket, or with ``scheme="http"``."""
        return f"{scheme}{'s' if self.certificate else ''}://localhost:{self.port}{path}"


class RunningProvider(RunningServer):
    """A provider without its plain port."""

    program = "provider"
    options = ("--plain-port=-1", "--lots=0.01:100:0.01")


class RunningProxy(RunningServer):
    """A proxy."""

    program = "proxy"


class Subscriber:
    """A subscriber over the package `websockets`; it keeps the states that it was sent."""

    def __init__(
        self, provider: RunningServer, *, source: str = "127.0.0.1", path: str = "/ws", **login: object
    ) -> None:
        """``source``: connect from this address."""
        import socket

        from websockets.sync.client import connect

        context = provider.context()
        options: dict[str, Any] = {"ssl": context} if context else {}
        self._open = ExitStack()
        plain = socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS, (source, 0))
        self.socket = self._open.enter_context(
            connect(provider.url(path), sock=plain, open_timeout=LIMIT_SECONDS, compression=None, **options)
        )
        closed_after_test(self)
        self.state: Snapshot | None = None
        self.hello = self.receive()
        if login:
            self.send({"type": "login", "version": 1, **login})

    def close(self) -> None:
        """Close the connection."""
        self._open.close()

    def send(self, message: dict[str, object]) -> None:
        """Send a message."""
        self.socket.send(json.dumps(message))

    def receive(self) -> FromServer:
        """The next message; a state becomes the present one."""
        text = self.socket.recv(LIMIT_SECONDS)
        assert isinstance(text, str)
        message = decode_from_server(text)
        if isinstance(message, Snapshot):
            self.state = message
        elif isinstance(message, Update):
            assert self.state is not None
            assert message.previous <= self.state.seq < message.seq
            self.state = merge(self.state, message)
        return message

    def receive_until(self, condition: Callable[[FromServer], T | None]) -> T:
        """Receive until a condition returns something that is true; it."""
        end = time.monotonic() + LIMIT_SECONDS
        while not (found := condition(self.receive())):
            assert time.monotonic() < end
        return found

    def receive_kind(self, kind: type[T]) -> T:
        """Receive until a message of this kind."""
        return self.receive_until(lambda message: message if isinstance(message, kind) else None)

    def receive_lots(self, lots: str, symbol: str = "EURUSD") -> None:
        """Receive until the state has this volume."""
        wanted = Decimal(lots)
        self.receive_until(lambda _: self.state is not None and self.lots(symbol) == wanted)

    def lots(self, symbol: str = "EURUSD") -> Decimal:
        """The volume in the present state."""
        assert self.state is not None
        return sum((each.lots for each in self.state.positions if each.symbol == symbol), Decimal(0))
