"""Defects: an unexpected exception ends one connection, or the program with one line; it is never silent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cleanup_kit import closed_after_test
from provider_kit import account
from service_kit import add_user
from terminal_kit import ROOT
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider import subscribers_port
from demos.provider.reports import MOST_LINES, MOST_PROBLEMS, LineQueue, error_text
from demos.provider.service import Service, Settings
from demos.provider.session import Session
from demos.terminal.runtime.clock import RealClock
from demos.wire.addresses import port_of
from demos.wire.descriptors import raise_limit


@dataclass
class Running:
    """A service in this process, whose timer the test calls."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = Settings("127.0.0.1", 0, "", "", self.folder / "provider.sqlite", "test", 1)
        self.service = Service(settings, account(), RealClock(), self.lines.append, lambda kind, fields: None)
        self.port = port_of(self.service.open())

    def close(self) -> None:
        self.service.close()

    def turn(self) -> None:
        self.service.accept()
        self.service.timer([], None)

    def until(self, condition: Callable[[], bool]) -> None:
        def met() -> bool:
            self.turn()
            return condition()

        wait_until(met)

    def connect(self) -> Any:
        """A WebSocket, whose opening is accepted here."""
        from threading import Thread

        from websockets.sync.client import connect

        opened: list[Any] = []
        stack = closed_after_test(ExitStack())

        def open_it() -> None:
            opened.append(stack.enter_context(connect(f"ws://127.0.0.1:{self.port}/ws", compression=None)))

        thread = Thread(target=open_it)
        thread.start()
        self.until(lambda: not thread.is_alive())
        return opened[0]


@pytest.fixture
def running(tmp_path: Path, started: None) -> Iterator[Running]:
    result = Running(tmp_path)
    yield result
    result.close()


def test_an_exception_while_a_connection_is_served_ends_that_connection_with_a_line(running, monkeypatch):
    from websockets.exceptions import ConnectionClosed

    other, victim = running.connect(), running.connect()
    receive = Session.receive

    def fails(self: Session, text: str, now: int) -> object:
        if text == "boom":
            raise RuntimeError("a defect\nin two lines")
        return receive(self, text, now)

    monkeypatch.setattr(Session, "receive", fails)
    victim.recv(LIMIT_SECONDS)
    victim.send("boom")
    with pytest.raises(ConnectionClosed):
        victim.recv(LIMIT_SECONDS)
    running.until(lambda: "internal error: RuntimeError: a defect in two lines (line" in "\n".join(running.lines))
    assert running.service.failure == ""
    other.send("{}")
    assert '"hello"' in other.recv(LIMIT_SECONDS)
    assert '"malformed"' in other.recv(LIMIT_SECONDS)


@pytest.mark.parametrize("name", ["expert 1", "the login desk"])
def test_an_exception_in_other_work_of_a_thread_is_a_failure_of_the_service(name, running):
    def fails() -> None:
        raise ZeroDivisionError("a defect")

    owner = running.service._experts[0] if name == "expert 1" else running.service._shared.desk
    owner.post(fails)
    running.until(lambda: running.service.failure != "")
    assert (
        f"internal error: the thread of {name} has ended: ZeroDivisionError: a defect (line" in running.service.failure
    )


def test_the_program_ends_with_one_line_and_code_4_when_a_thread_has_failed(tmp_path):
    add_user(tmp_path, "anna")
    program = (
        "import runpy, sys\n"
        "from demos.provider.login_desk import LoginDesk\n"
        "def fails(self, now): raise RuntimeError('a defect')\n"
        "LoginDesk._read_bans = fails\n"
        "sys.argv = ['demos', *sys.argv[1:]]\n"
        "runpy.run_module('demos', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "provider", "--Port=0", "--plain-port=-1", "--duration=60",
         f"--state={tmp_path / 'provider.sqlite'}"],
        cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS * 2,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("the thread of the login desk has ended: RuntimeError: a defect") == 1
    assert "Traceback" not in done.stderr


def test_a_client_that_disconnects_before_its_answer_is_forgotten_at_once(running, monkeypatch):
    import socket
    import struct

    expert = running.service._experts[0]
    asked: list[object] = []
    # The answer to this login never comes; until then nothing is read from the client.
    monkeypatch.setattr(running.service._shared.desk, "request", lambda *request: asked.append(request))
    body = b'{"login": "operator", "password": "a password"}'
    with socket.create_connection(("127.0.0.1", running.port), LIMIT_SECONDS) as client:
        client.sendall(
            b"POST /operator/login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        running.until(lambda: bool(asked))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    running.until(lambda: not expert.clients.connections)
    assert running.service.failure == ""


def test_an_error_is_shown_in_one_line_with_its_place():
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        text = error_text(error)
    assert text.startswith("ValueError: first second (line ")
    assert text.endswith("test_thread_failures.py)")
    assert error_text(ValueError("never raised")) == "ValueError: never raised"


def test_the_lines_that_clients_cause_are_limited_and_counted():
    lines = LineQueue()
    for number in range(MOST_PROBLEMS + 5):
        lines.put_of_client(f"-{number}")
    lines.put_of_client("logged in")
    lines.put("-a problem of the program itself")
    taken = lines.take()
    assert len(taken) == MOST_PROBLEMS + 3
    assert taken[-1] == "-further lines about clients that were left out: 5"
    lines.put_of_client("-next")
    assert lines.take() == ["-next"]
    for number in range(MOST_LINES + 7):
        lines.put(f"{number}")
    assert lines.take()[-1].endswith("left out: 7")
    assert lines.take() == []


@pytest.mark.posix_only("Windows has no RLIMIT_NOFILE")
def test_the_limit_of_open_files_is_raised_and_a_limit_that_is_too_low_is_reported(tmp_path, monkeypatch, started):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 256), hard))
        assert raise_limit() == (None if hard == resource.RLIM_INFINITY else hard)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    add_user(tmp_path, "anna", connections=100)
    monkeypatch.setattr(subscribers_port, "raise_limit", lambda: 1024)
    running = Running(tmp_path)
    running.close()
    [line] = [each for each in running.lines if "the process may open 1024 files" in each]
    assert "100 connections of users" in line
